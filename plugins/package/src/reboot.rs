//! `reboot-needed`: does the system still run what was replaced?

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Outcome, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::manager::System;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[serde(flatten)]
    system: System,
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
    let reasons = input.system.manager(context)?.reboot_reasons()?;
    Ok(Outcome::unchanged(Needed { needed: !reasons.is_empty(), reasons }))
}
