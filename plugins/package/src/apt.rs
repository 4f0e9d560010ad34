//! apt and dpkg: what is asked of them, and what they say.

mod output;

use std::collections::BTreeMap;
use std::time::Duration;

use runwright_sdk::exec::{self, Output};
use runwright_sdk::via::{Place, Places};
use runwright_sdk::{Context, Error, ErrorKind, Result};

use crate::names::Wanted;
pub(crate) use output::{Simulation, Step};

const APT_GET: &str = "/usr/bin/apt-get";
const APT_CACHE: &str = "/usr/bin/apt-cache";
const APT_MARK: &str = "/usr/bin/apt-mark";
const DPKG: &str = "/usr/bin/dpkg";
const DPKG_QUERY: &str = "/usr/bin/dpkg-query";
const ENV: &str = "/usr/bin/env";
/// How long a question may take.
const ASK: Duration = Duration::from_secs(120);
/// Nobody is asked: a changed configuration file stays as it is, and another user of dpkg is waited for.
const QUIETLY: [&str; 8] = [
    "--yes",
    "--quiet",
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
    pub(crate) fn of(host: Option<&str>, context: &Context) -> Result<Self> {
        Ok(Self { place: Places::of(context)?.place(host)? })
    }

    /// What would be done to have these packages; without any, to have all upgrades. Nothing is changed.
    pub(crate) fn simulate(&self, wanted: &[Wanted], options: &[&str]) -> Result<Simulation> {
        let words = request(wanted, options);
        let output =
            self.ask(APT_GET, ["--simulate", "--quiet"].into_iter().chain(words.iter().map(String::as_str)))?;
        if !output.success() {
            return Err(failure("apt-get", &output, ErrorKind::Permanent));
        }
        Ok(Simulation::read(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Does what [`simulate`](Self::simulate) said.
    pub(crate) fn act(&self, wanted: &[Wanted], options: &[&str], timeout: Duration) -> Result<()> {
        let words = request(wanted, options);
        self.change(QUIETLY.into_iter().chain(words.iter().map(String::as_str)), timeout)
    }

    /// Removes packages; their configuration stays.
    pub(crate) fn remove(&self, names: &[String], timeout: Duration) -> Result<()> {
        let words = ["remove"].into_iter().chain(names.iter().map(String::as_str));
        self.change(QUIETLY.into_iter().chain(words), timeout)
    }

    /// Reads the archives' lists.
    pub(crate) fn update(&self, timeout: Duration) -> Result<()> {
        // Without the option a list that could not be fetched is a warning.
        self.change(["--quiet", "--error-on=any", "update"], timeout)
    }

    fn change<'a>(&self, words: impl IntoIterator<Item = &'a str>, timeout: Duration) -> Result<()> {
        let words = ["DEBIAN_FRONTEND=noninteractive", APT_GET].into_iter().chain(words);
        let output = self.place.command(ENV, words).timeout(timeout).run().map_err(|error| match error {
            exec::Error::TimedOut => {
                Error::unknown_outcome("apt-get took longer than it may, and was killed").code("package.timed-out")
            }
            other => Error::from(other).context("apt-get"),
        })?;
        if output.success() { Ok(()) } else { Err(failure("apt-get", &output, ErrorKind::Partial)) }
    }

    /// Brings what an interrupted dpkg left to its end.
    pub(crate) fn repair(&self, timeout: Duration) -> Result<()> {
        let words = ["DEBIAN_FRONTEND=noninteractive", DPKG, "--force-confdef", "--force-confold", "--configure", "-a"];
        let output = self.place.command(ENV, words).timeout(timeout).run()?;
        if output.success() { Ok(()) } else { Err(failure("dpkg --configure -a", &output, ErrorKind::Partial)) }
    }

    /// The versions of those that are installed, in full; all packages that fit where a name is a pattern.
    pub(crate) fn installed(&self, names: &[String]) -> Result<BTreeMap<String, String>> {
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
        Ok(output::installed(&String::from_utf8_lossy(&output.stdout), names))
    }

    /// Which versions the archives have, by name.
    pub(crate) fn available(&self, names: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
        let words = ["madison", "--"].into_iter().chain(names.iter().map(String::as_str));
        let output = self.ask(APT_CACHE, words)?;
        if !output.success() {
            return Err(failure("apt-cache", &output, ErrorKind::Transient));
        }
        Ok(output::available(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Those of the packages that are so marked: `showhold`, `showauto`.
    pub(crate) fn marked(&self, how: &str, names: &[String]) -> Result<Vec<String>> {
        let output = self.ask(APT_MARK, [how, "--"].into_iter().chain(names.iter().map(String::as_str)))?;
        if !output.success() {
            return Err(failure("apt-mark", &output, ErrorKind::Transient));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect())
    }

    /// Marks packages: `hold`, `unhold`, `auto`.
    pub(crate) fn mark(&self, how: &str, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let words = [how, "--"].into_iter().chain(names.iter().map(String::as_str));
        let output = self.place.command(APT_MARK, words).timeout(ASK).run()?;
        if output.success() { Ok(()) } else { Err(failure("apt-mark", &output, ErrorKind::Permanent)) }
    }

    /// A program that only reads, whatever its status.
    pub(crate) fn ask<'a>(&self, program: &str, words: impl IntoIterator<Item = &'a str>) -> Result<Output> {
        self.place.command(program, words).timeout(ASK).run().map_err(|error| {
            let error = Error::from(error).context(program);
            if error.kind() == ErrorKind::UnknownOutcome { Error::transient(error.to_string()) } else { error }
        })
    }
}

/// The request to apt-get.
fn request(wanted: &[Wanted], options: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
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
        _ if said.contains("Could not get lock") || said.contains("Unable to lock") => {
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
