//! What apt and dpkg print, read.

use std::collections::BTreeMap;

/// Characters of what a program says that an error repeats.
const SHOWN_MAX: usize = 600;

/// What apt-get says that it would do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Simulation {
    /// What it would install, in the order of dependencies.
    pub(crate) steps: Vec<Step>,
    /// What it would remove, with its version.
    pub(crate) removed: Vec<(String, String)>,
    /// What could be upgraded, but is held or needs more than was allowed.
    pub(crate) kept_back: Vec<String>,
}

/// One package that would be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// The version of now; none: it is not installed.
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    /// Where it comes from, for example `Debian-Security:12/stable-security`.
    pub(crate) origin: String,
}

impl Simulation {
    /// Reads the output of `apt-get --simulate`.
    pub(crate) fn read(text: &str) -> Self {
        let mut simulation = Self::default();
        let mut keeps = false;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("Inst ") {
                simulation.steps.extend(step(rest));
            } else if let Some(rest) = line.strip_prefix("Remv ") {
                let version = rest.split(['[', ']']).nth(1).unwrap_or_default();
                let name = rest.split(' ').next().unwrap_or_default();
                simulation.removed.push((name.into(), version.into()));
            } else if line.starts_with("The following packages have been kept back") {
                keeps = true;
                continue;
            } else if keeps && line.starts_with("  ") {
                simulation.kept_back.extend(line.split_whitespace().map(Into::into));
                continue;
            }
            keeps = false;
        }
        simulation
    }
}

/// `NAME [FROM] (TO ORIGIN, ORIGIN [ARCH]) []`; without `[FROM]` it is new.
fn step(text: &str) -> Option<Step> {
    let (head, rest) = text.split_once(" (")?;
    let inside = rest.split(')').next()?;
    let (to, origins) = inside.split_once(' ').unwrap_or((inside, ""));
    let (name, from) = match head.split_once(" [") {
        Some((name, from)) => (name, Some(from.trim_end_matches(']').to_owned())),
        None => (head, None),
    };
    let origin = origins.rsplit_once(" [").map_or(origins, |(origins, _)| origins);
    Some(Step { name: name.trim().into(), from, to: to.into(), origin: origin.trim().into() })
}

/// Reads `NAME TAB VERSION TAB STATUS` lines: those that are installed, by the names under which they were asked for where
/// an architecture makes a difference.
pub(crate) fn installed(text: &str, asked: &[String]) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let mut fields = line.split('\t');
        let (name, version, status) = (fields.next()?, fields.next()?, fields.next()?);
        let plain = name.split(':').next().unwrap_or(name);
        let name = if asked.iter().any(|asked| asked == name) { name } else { plain };
        // The second letter is what is: `i` is installed and configured.
        (status.get(1..2) == Some("i")).then(|| (name.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// Reads `NAME | VERSION | SOURCE` lines.
pub(crate) fn available(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split('|').map(str::trim);
        if let (Some(name), Some(version)) = (fields.next(), fields.next()) {
            versions.entry(name.into()).or_default().push(version.into());
        }
    }
    versions
}

/// Why a program failed, in its own words: the lines of errors, or the last ones.
pub(crate) fn complaint(stderr: &str, stdout: &str) -> String {
    let errors = |text: &str| {
        let said = text.lines().filter(|line| line.starts_with("E: ") || line.contains("error"));
        said.map(|line| line.trim_start_matches("E: ")).collect::<Vec<_>>().join("; ")
    };
    // What does not fit together stands in the output.
    let unmet: Vec<_> = stdout.lines().filter(|line| line.starts_with(' ') && line.contains("Depends:")).collect();
    let mut said = errors(stderr);
    if said.is_empty() {
        said = stderr.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("; ");
    }
    if !unmet.is_empty() {
        said += &format!("; {}", unmet.join("; "));
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_is_read_in_its_order() {
        let text = "Reading package lists...\nThe following packages have been kept back:\n  held-one held-two\n\
                    The following packages will be upgraded:\n  b\n\
                    Remv old [1.0] []\n\
                    Inst liba [1.0-1] (1.1-1 Debian:12.9/stable, Debian-Security:12/stable-security [amd64]) []\n\
                    Inst b [1] (2 local [all]) [c:amd64 ]\nInst new:i386 (3 local [i386])\n\
                    Conf liba (1.1-1 Debian:12.9/stable [amd64])\n";
        let simulation = Simulation::read(text);
        let steps: Vec<_> =
            simulation.steps.iter().map(|step| (step.name.as_str(), step.from.as_deref(), step.to.as_str())).collect();
        assert_eq!(steps, [("liba", Some("1.0-1"), "1.1-1"), ("b", Some("1"), "2"), ("new:i386", None, "3")]);
        assert_eq!(simulation.steps[0].origin, "Debian:12.9/stable, Debian-Security:12/stable-security");
        assert_eq!(simulation.removed, [("old".to_owned(), "1.0".to_owned())]);
        assert_eq!(simulation.kept_back, ["held-one", "held-two"]);
        assert_eq!(Simulation::read(""), Simulation::default());
    }

    #[test]
    fn only_what_is_configured_is_installed() {
        let text = "a\t1\tii \nlibc6:amd64\t2\tii \nhalf\t3\tiF \ngone\t4\trc \nheld\t5\thi \nnever\t\tun \n";
        let found = installed(text, &["a".into(), "libc6".into()]);
        let found: Vec<_> = found.iter().map(|(name, version)| format!("{name}={version}")).collect();
        assert_eq!(found, ["a=1", "held=5", "libc6=2"]);
    }

    #[test]
    fn versions_of_the_archives_are_read() {
        let found = available(
            "      a | 2-1 | http://deb.debian.org bookworm/main amd64 Packages\n      a | 1 | file:/repo ./ Packages\n",
        );
        assert_eq!(found["a"], ["2-1", "1"]);
    }

    #[test]
    fn a_complaint_is_what_went_wrong() {
        let stderr = "W: odd\nE: Unable to correct problems, you have held broken packages.\n";
        let stdout =
            "The following packages have unmet dependencies:\n b : Depends: a (>= 2) but 1 is to be installed\n";
        assert_eq!(
            complaint(stderr, stdout),
            "Unable to correct problems, you have held broken packages.; b : Depends: a (>= 2) but 1 is to be installed"
        );
        assert_eq!(complaint("one\ntwo\n", ""), "one; two");
    }
}
