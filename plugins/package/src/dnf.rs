//! dnf (version 4) and rpm: what is asked of them, and what they say.
//!
//! Holding needs dnf's plugin `versionlock`, and telling whether a reboot is needed `needs-restarting`: both come with
//! `dnf-plugins-core`.

mod output;

use std::collections::BTreeMap;
use std::time::Duration;

use runwright_sdk::exec::{self, Output};
use runwright_sdk::via::Place;
use runwright_sdk::{Error, ErrorKind, Result};

use crate::manager::{Allowed, Manager, Simulation, Step, misread};
use crate::names::Wanted;

const DNF: &str = "/usr/bin/dnf";
const RPM: &str = "/usr/bin/rpm";
/// How long a question may take.
const ASK: Duration = Duration::from_secs(120);

/// The packages of one system.
pub(crate) struct Dnf {
    place: Place,
}

impl Dnf {
    /// The dnf of that place, if it is the one that is known: dnf 5 answers in other words, which would be misread.
    pub(crate) fn open(place: Place) -> Result<Self> {
        let dnf = Self { place };
        let output = dnf.ask(DNF, ["--version"])?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match output::major(&said) {
            Some(4) => Ok(dnf),
            Some(other) => {
                let message = format!("this is dnf {other}; only dnf 4 is known, so nothing was done");
                Err(Error::permanent(message).code("package.dnf-version"))
            }
            None if output.success() => {
                let message = format!("`dnf --version` says no version: {}", output::short(&said, &output.stderr));
                Err(Error::permanent(message).code("package.dnf-version"))
            }
            None => Err(failure("dnf --version", &output, ErrorKind::Transient)),
        }
    }

    fn ask<'a>(&self, program: &str, words: impl IntoIterator<Item = &'a str>) -> Result<Output> {
        self.place.command(program, words).timeout(ASK).run().map_err(|error| {
            let error = Error::from(error).context(program);
            if error.kind() == ErrorKind::UnknownOutcome { Error::transient(error.to_string()) } else { error }
        })
    }

    fn change<'a>(&self, words: impl IntoIterator<Item = &'a str>, timeout: Duration) -> Result<Output> {
        let words = ["--assumeyes", "--quiet", "--color=never"].into_iter().chain(words);
        let output = self.place.command(DNF, words).timeout(timeout).run().map_err(|error| match error {
            exec::Error::TimedOut => Error::unknown_outcome("dnf was cut off: it was killed").code("package.timed-out"),
            other => Error::from(other).context("dnf"),
        })?;
        if output.success() { Ok(output) } else { Err(failure("dnf", &output, ErrorKind::Partial)) }
    }

    /// The locks of dnf's plugin, by the names of the packages.
    fn locks(&self) -> Result<Vec<String>> {
        let output = self.ask(DNF, ["--quiet", "versionlock", "list"])?;
        if !output.success() {
            return Err(failure("dnf versionlock", &output, ErrorKind::Permanent));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        output::locks(&text).map_err(|line| misread("dnf versionlock list", &line))
    }
}

impl Manager for Dnf {
    fn simulate(&self, wanted: &[Wanted], allowed: Allowed) -> Result<Simulation> {
        let request = request(wanted, allowed);
        let words = ["--assumeno", "--color=never"].into_iter().chain(request.iter().map(String::as_str));
        let output = self.ask(DNF, words)?;
        let text = String::from_utf8_lossy(&output.stdout);
        // Status 1 also says that "no" was answered, as it was told.
        let said_no =
            text.contains("Operation aborted.") || String::from_utf8_lossy(&output.stderr).contains("aborted");
        if !output.success() && !said_no {
            // Nothing of that name is there to be upgraded: that is no failure of apt's either.
            if text.contains("No packages marked for upgrade") || failure_text(&output).contains("marked for upgrade") {
                return Ok(Simulation::default());
            }
            return Err(failure("dnf", &output, ErrorKind::Permanent));
        }
        let table = output::Table::read(&text);
        // "No" is answered only where there was something to answer for, and nothing to do is said.
        let nothing = !said_no && output::is_nothing(&text);
        if table == output::Table::default() && !nothing {
            return Err(misread("dnf --assumeno", &output::short(&text, &output.stderr)));
        }
        let names: Vec<_> = table.install.iter().chain(&table.remove).map(|(name, _)| name.clone()).collect();
        let found = self.installed(&names)?;
        let step = |(name, to): (String, String)| Step { from: found.get(&name).cloned(), name, to, security: false };
        Ok(Simulation {
            steps: table.install.into_iter().map(step).collect(),
            removed: table.remove,
            kept_back: table.skipped,
        })
    }

    fn act(&self, wanted: &[Wanted], allowed: Allowed, timeout: Duration) -> Result<()> {
        let request = request(wanted, allowed);
        self.change(request.iter().map(String::as_str), timeout).map(drop)
    }

    fn remove(&self, names: &[String], timeout: Duration) -> Result<()> {
        let words = ["--noautoremove", "remove"].into_iter().chain(names.iter().map(String::as_str));
        self.change(words, timeout).map(drop)
    }

    fn update(&self, timeout: Duration) -> Result<()> {
        let output = self.change(["--refresh", "makecache"], timeout)?;
        let text = String::from_utf8_lossy(&output.stdout);
        output::refreshed(&text).map_err(|line| misread("dnf makecache", &line))
    }

    /// rpm has nothing to bring to its end: the next transaction does what is left.
    fn repair(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn installed(&self, names: &[String]) -> Result<BTreeMap<String, String>> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let words = ["--query", "--queryformat", "%{NAME}\\t%{EVR}\\n", "--"];
        // The status counts those that are not installed.
        let output = self.ask(RPM, words.into_iter().chain(names.iter().map(String::as_str)))?;
        if matches!(output.status, None | Some(125..)) && names.len() < 125 {
            return Err(failure("rpm", &output, ErrorKind::Transient));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        output::installed(&text, names).map_err(|line| misread("rpm --query", &line))
    }

    fn available(&self, names: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
        let words = ["--quiet", "repoquery", "--available", "--showduplicates", "--queryformat", "%{name}|%{evr}"];
        let output = self.ask(DNF, words.into_iter().chain(names.iter().map(String::as_str)))?;
        if !output.success() {
            return Err(failure("dnf repoquery", &output, ErrorKind::Transient));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        output::available(&text).map_err(|line| misread("dnf repoquery", &line))
    }

    fn held(&self, names: &[String]) -> Result<Vec<String>> {
        let mut locks = self.locks()?;
        locks.retain(|name| names.contains(name));
        locks.dedup();
        Ok(locks)
    }

    fn hold(&self, hold: bool, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        // A bare name would lock every version that there is.
        let found = self.installed(names)?;
        let locked = |name: &String| match found.get(name) {
            Some(version) if hold => format!("{name}-{version}"),
            _ => name.clone(),
        };
        let specs: Vec<_> = names.iter().map(locked).collect();
        let verb = if hold { "add" } else { "delete" };
        let output =
            self.ask(DNF, ["--quiet", "versionlock", verb].into_iter().chain(specs.iter().map(String::as_str)))?;
        if output.success() { Ok(()) } else { Err(failure("dnf versionlock", &output, ErrorKind::Permanent)) }
    }

    /// dnf remembers by itself why a package is there.
    fn auto(&self, _: &[String]) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn mark_auto(&self, _: &[String]) -> Result<()> {
        Ok(())
    }

    fn reboot_reasons(&self) -> Result<Vec<String>> {
        let output = self.ask(DNF, ["--quiet", "needs-restarting", "--reboothint"])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status {
            Some(0) if output::needs_no_reboot(&text) => Ok(Vec::new()),
            Some(0) => Err(misread("dnf needs-restarting", &output::short(&text, &output.stderr))),
            Some(1) if text.contains("Reboot is required") => Ok(output::reasons(&text)),
            _ => Err(failure("dnf needs-restarting", &output, ErrorKind::Transient)),
        }
    }
}

/// The request to dnf.
fn request(wanted: &[Wanted], allowed: Allowed) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    if allowed.remove {
        words.push("--allowerasing".into());
    }
    // `install` takes an older version too, if it is named.
    words.push(if allowed.install || allowed.downgrade { "install" } else { "upgrade" }.into());
    words.extend(wanted.iter().map(|Wanted { name, version }| match version {
        Some(version) => format!("{name}-{version}"),
        None => name.clone(),
    }));
    words
}

fn failure_text(output: &Output) -> String {
    output::complaint(&String::from_utf8_lossy(&output.stderr), &String::from_utf8_lossy(&output.stdout))
}

fn failure(program: &str, output: &Output, otherwise: ErrorKind) -> Error {
    let said = failure_text(output);
    let message = format!("{program}: {said}");
    let (kind, code) = match output.status {
        None | Some(125..=127 | 255) if otherwise == ErrorKind::Partial => {
            (ErrorKind::UnknownOutcome, "package.no-answer")
        }
        None | Some(125..=127 | 255) => (ErrorKind::Transient, "package.no-answer"),
        _ if said.contains("lock") && said.contains("held by") => (ErrorKind::Transient, "package.locked"),
        _ if said.contains("Unable to find a match") || said.contains("No match for argument") => {
            (ErrorKind::Permanent, "package.not-found")
        }
        _ => (otherwise, "package.failed"),
    };
    Error::new(kind, message).code(code)
}
