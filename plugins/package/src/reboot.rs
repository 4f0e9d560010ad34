//! `reboot-needed`: does the system still run what was replaced?

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, Outcome, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::apt::Apt;

/// What packages write when they need it (Debian policy has no word on it; unattended-upgrades and others read it).
const FLAG: &str = "/run/reboot-required";
const KERNELS: &str = "linux-image-[0-9]*";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The system, by its name in the plugin's configuration; without it the one where `via` leads.
    #[schemars(example = &"web1")]
    host: Option<String>,
}

/// Whether it is needed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Needed {
    /// Whether it is.
    #[schemars(example = true)]
    needed: bool,
    /// Why.
    #[schemars(example = json!(["the kernel 6.1.0-32-amd64 is installed, and 6.1.0-31-amd64 runs"]))]
    reasons: Vec<String>,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Needed>> {
    let apt = Apt::of(input.host.as_deref(), context)?;
    let mut reasons = Vec::new();
    match apt.ask("/usr/bin/test", ["-e", FLAG])?.status {
        Some(0) => reasons.push(format!("a package wrote {FLAG}")),
        Some(1) => {}
        _ => return Err(Error::transient(format!("could not look for {FLAG}")).code("package.no-answer")),
    }
    let running = apt.ask("/usr/bin/uname", ["-r"])?;
    let running = String::from_utf8_lossy(&running.stdout).trim().to_owned();
    let kernels = apt.installed(&[KERNELS.to_owned()])?;
    let newest = kernels.keys().filter_map(|name| name.strip_prefix("linux-image-")).max_by_key(|name| numbers(name));
    if let Some(newest) = newest.filter(|newest| numbers(newest) > numbers(&running)) {
        reasons.push(format!("the kernel {newest} is installed, and {running} runs"));
    }
    Ok(Outcome::unchanged(Needed { needed: !reasons.is_empty(), reasons }))
}

/// The numbers of a kernel's release up to its flavour: `6.1.0-31-amd64` is 6, 1, 0, 31.
fn numbers(release: &str) -> Vec<u64> {
    let parts = release.split(['.', '-', '+']);
    parts.map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn kernels_are_compared_by_their_numbers() {
        assert!(numbers("6.1.0-32-amd64") > numbers("6.1.0-9-amd64"));
        assert!(numbers("6.12.1+bpo-amd64") > numbers("6.1.0-32-amd64"));
        assert_eq!(numbers("6.1.0-31-amd64"), numbers("6.1.0-31-cloud-amd64"));
    }
}
