//! apt and dpkg: what is asked of them, and what they say.

mod output;

use std::collections::BTreeMap;
use std::time::Duration;

use runwright_sdk::exec::{self, Output};
use runwright_sdk::via::Place;
use runwright_sdk::{Error, ErrorKind, Result};

use crate::manager::{Allowed, Manager, Simulation, misread};
use crate::names::Wanted;

const APT_GET: &str = "/usr/bin/apt-get";
const APT_CACHE: &str = "/usr/bin/apt-cache";
const APT_MARK: &str = "/usr/bin/apt-mark";
const DPKG: &str = "/usr/bin/dpkg";
const DPKG_QUERY: &str = "/usr/bin/dpkg-query";
const ENV: &str = "/usr/bin/env";
/// What packages write when they need a reboot; unattended-upgrades and others read it.
const FLAG: &str = "/run/reboot-required";
const KERNELS: &str = "linux-image-[0-9]*";
/// How long a question may take.
const ASK: Duration = Duration::from_secs(120);
/// Nobody is asked: a changed configuration file stays as it is, and another user of dpkg is waited for. Without a terminal
/// of its own dpkg stays in apt's process group, and dies with it.
const QUIETLY: [&str; 10] = [
    "--yes",
    "--quiet",
    "--option",
    "Dpkg::Use-Pty=0",
    "--option",
    "Dpkg::Options::=--force-confdef",
    "--option",
    "Dpkg::Options::=--force-confold",
    "--option",
    "DPkg::Lock::Timeout=60",
];

/// The packages of one system.
pub(crate) struct Apt {
    place: Place,
}

impl Apt {
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }

    fn change<'a>(&self, words: impl IntoIterator<Item = &'a str>, timeout: Duration) -> Result<Output> {
        let words = ["DEBIAN_FRONTEND=noninteractive", APT_GET].into_iter().chain(words);
        let output = self.place.command(ENV, words).timeout(timeout).run().map_err(|error| match error {
            exec::Error::TimedOut => {
                Error::unknown_outcome("apt-get was cut off: it was killed").code("package.timed-out")
            }
            other => Error::from(other).context("apt-get"),
        })?;
        if output.success() { Ok(output) } else { Err(failure("apt-get", &output, ErrorKind::Partial)) }
    }

    /// Those of the packages that are so marked: `showhold`, `showauto`.
    fn marked(&self, how: &str, names: &[String]) -> Result<Vec<String>> {
        let output = self.ask(APT_MARK, [how, "--"].into_iter().chain(names.iter().map(String::as_str)))?;
        if !output.success() {
            return Err(failure("apt-mark", &output, ErrorKind::Transient));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        output::marked(&text, names).map_err(|line| misread(&format!("apt-mark {how}"), &line))
    }

    /// Marks packages: `hold`, `unhold`, `auto`.
    fn mark(&self, how: &str, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let words = [how, "--"].into_iter().chain(names.iter().map(String::as_str));
        let output = self.place.command(APT_MARK, words).timeout(ASK).run()?;
        if output.success() { Ok(()) } else { Err(failure("apt-mark", &output, ErrorKind::Permanent)) }
    }

    /// A program that only reads, whatever its status.
    fn ask<'a>(&self, program: &str, words: impl IntoIterator<Item = &'a str>) -> Result<Output> {
        self.place.command(program, words).timeout(ASK).run().map_err(|error| {
            let error = Error::from(error).context(program);
            if error.kind() == ErrorKind::UnknownOutcome { Error::transient(error.to_string()) } else { error }
        })
    }
}

impl Manager for Apt {
    fn simulate(&self, wanted: &[Wanted], allowed: Allowed) -> Result<Simulation> {
        let words = request(wanted, allowed);
        let output =
            self.ask(APT_GET, ["--simulate", "--quiet"].into_iter().chain(words.iter().map(String::as_str)))?;
        if !output.success() {
            return Err(failure("apt-get", &output, ErrorKind::Permanent));
        }
        output::simulation(&String::from_utf8_lossy(&output.stdout))
            .map_err(|line| misread("apt-get --simulate", &line))
    }

    fn act(&self, wanted: &[Wanted], allowed: Allowed, timeout: Duration) -> Result<()> {
        let words = request(wanted, allowed);
        self.change(QUIETLY.into_iter().chain(words.iter().map(String::as_str)), timeout).map(drop)
    }

    /// Their configuration stays.
    fn remove(&self, names: &[String], timeout: Duration) -> Result<()> {
        let words = ["remove"].into_iter().chain(names.iter().map(String::as_str));
        self.change(QUIETLY.into_iter().chain(words), timeout).map(drop)
    }

    fn update(&self, timeout: Duration) -> Result<()> {
        // Without the option a list that could not be fetched is a warning.
        let output = self.change(["--quiet", "--error-on=any", "update"], timeout)?;
        let text = String::from_utf8_lossy(&output.stdout);
        output::updated(&text).map_err(|line| misread("apt-get update", &line))
    }

    fn repair(&self, timeout: Duration) -> Result<()> {
        let words = ["DEBIAN_FRONTEND=noninteractive", DPKG, "--force-confdef", "--force-confold", "--configure", "-a"];
        let output = self.place.command(ENV, words).timeout(timeout).run()?;
        if output.success() { Ok(()) } else { Err(failure("dpkg --configure -a", &output, ErrorKind::Partial)) }
    }

    fn installed(&self, names: &[String]) -> Result<BTreeMap<String, String>> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let format = "--showformat=${binary:Package}\\t${Version}\\t${db:Status-Abbrev}\\n";
        let words = ["--show", format, "--"].into_iter().chain(names.iter().map(String::as_str));
        // Status 1 says that some of them are not known.
        let output = self.ask(DPKG_QUERY, words)?;
        if !matches!(output.status, Some(0 | 1)) {
            return Err(failure("dpkg-query", &output, ErrorKind::Transient));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        output::installed(&text, names).map_err(|line| misread("dpkg-query --show", &line))
    }

    fn available(&self, names: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
        let words = ["madison", "--"].into_iter().chain(names.iter().map(String::as_str));
        let output = self.ask(APT_CACHE, words)?;
        if !output.success() {
            return Err(failure("apt-cache", &output, ErrorKind::Transient));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        output::available(&text).map_err(|line| misread("apt-cache madison", &line))
    }

    fn held(&self, names: &[String]) -> Result<Vec<String>> {
        self.marked("showhold", names)
    }

    fn hold(&self, hold: bool, names: &[String]) -> Result<()> {
        self.mark(if hold { "hold" } else { "unhold" }, names)
    }

    fn auto(&self, names: &[String]) -> Result<Vec<String>> {
        if names.is_empty() { Ok(Vec::new()) } else { self.marked("showauto", names) }
    }

    fn mark_auto(&self, names: &[String]) -> Result<()> {
        self.mark("auto", names)
    }

    fn reboot_reasons(&self) -> Result<Vec<String>> {
        let mut reasons = Vec::new();
        let flag = self.ask("/usr/bin/test", ["-e", FLAG])?;
        if !flag.stdout.is_empty() {
            return Err(misread("test -e", &output::said(&String::from_utf8_lossy(&flag.stdout))));
        }
        match flag.status {
            Some(0) => reasons.push(format!("a package wrote {FLAG}")),
            Some(1) => {}
            _ => return Err(Error::transient(format!("could not look for {FLAG}")).code("package.no-answer")),
        }
        let running = self.ask("/usr/bin/uname", ["-r"])?;
        let running = String::from_utf8_lossy(&running.stdout).trim().to_owned();
        if !running.starts_with(|c: char| c.is_ascii_digit()) || running.contains(char::is_whitespace) {
            return Err(misread("uname -r", &output::said(&running)));
        }
        let kernels = self.installed(&[KERNELS.to_owned()])?;
        reasons.extend(output::newer_kernel(kernels.keys(), &running));
        Ok(reasons)
    }
}

/// The request to apt-get.
fn request(wanted: &[Wanted], allowed: Allowed) -> Vec<String> {
    let upgrade = (!allowed.install && !wanted.is_empty()).then_some("--only-upgrade");
    let stay = (!allowed.remove).then_some("--no-remove");
    let older = allowed.downgrade.then_some("--allow-downgrades");
    let mut words: Vec<String> = [upgrade, stay, older].into_iter().flatten().map(Into::into).collect();
    if wanted.is_empty() {
        words.push("dist-upgrade".into());
        return words;
    }
    words.push("install".into());
    words.extend(wanted.iter().map(|Wanted { name, version }| match version {
        Some(version) => format!("{name}={version}"),
        None => name.clone(),
    }));
    words
}

/// What a program of apt says when it fails: `otherwise`, unless its words say more.
fn failure(program: &str, output: &Output, otherwise: ErrorKind) -> Error {
    let said = output::complaint(&String::from_utf8_lossy(&output.stderr), &String::from_utf8_lossy(&output.stdout));
    let message = format!("{program}: {said}");
    let (kind, code) = match output.status {
        None | Some(125..=127 | 255) => (ErrorKind::UnknownOutcome, "package.no-answer"),
        _ if ["Could not get lock", "Unable to lock", "locked by another process"]
            .iter()
            .any(|lock| said.contains(lock)) =>
        {
            (ErrorKind::Transient, "package.locked")
        }
        _ if said.contains("dpkg was interrupted") => (ErrorKind::Permanent, "package.interrupted"),
        _ if said.contains("Unable to locate package") || said.contains("was not found") => {
            (ErrorKind::Permanent, "package.not-found")
        }
        _ => (otherwise, "package.failed"),
    };
    // A question that nobody answered has changed nothing.
    let kind =
        if kind == ErrorKind::UnknownOutcome && otherwise != ErrorKind::Partial { ErrorKind::Transient } else { kind };
    Error::new(kind, message).code(code)
}
