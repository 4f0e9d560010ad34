//! What apt and dpkg print, read.

use std::collections::BTreeMap;

use crate::manager::{Simulation, Step};
use crate::names;

/// Characters of what a program says that an error repeats.
const SHOWN_MAX: usize = 600;

/// Reads the output of `apt-get --simulate`. The error is a line of a step that is not understood, or all of it where the
/// summary at its end is missing or says other than the steps do: then it is not apt that answered.
pub(crate) fn simulation(text: &str) -> Result<Simulation, String> {
    let mut simulation = Simulation::default();
    let mut keeps = false;
    let mut counts = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Inst ") {
            simulation.steps.push(step(rest).ok_or_else(|| shown(line))?);
        } else if let Some(rest) = line.strip_prefix("Remv ") {
            let version = rest.split(['[', ']']).nth(1).unwrap_or_default();
            let name = rest.split(' ').next().filter(|name| names::shaped(name)).ok_or_else(|| shown(line))?;
            simulation.removed.push((name.into(), version.into()));
        } else if line.starts_with("The following packages have been kept back") {
            keeps = true;
            continue;
        } else if keeps && line.starts_with("  ") {
            if !line.split_whitespace().all(names::shaped) {
                return Err(shown(line));
            }
            simulation.kept_back.extend(line.split_whitespace().map(Into::into));
            continue;
        } else if let Some(found) = summary(line) {
            counts = Some(found);
        }
        keeps = false;
    }
    let there = (!simulation.steps.is_empty(), !simulation.removed.is_empty());
    match counts {
        Some((installs, removes)) if (installs > 0, removes > 0) == there => Ok(simulation),
        _ => Err(said(text)),
    }
}

/// How much the summary says would be installed, and removed. Its numbers, in every language: upgraded, newly installed,
/// perhaps reinstalled and downgraded, to remove, not upgraded.
fn summary(line: &str) -> Option<(u64, u64)> {
    if ["Conf ", "  "].iter().any(|other| line.starts_with(other)) {
        return None;
    }
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [installs @ .., removes, _] = numbers.as_slice() else { return None };
    (2..=4).contains(&installs.len()).then(|| (installs.iter().sum(), *removes))
}

/// The beginning of what a program said, for an error.
pub(crate) fn said(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { "nothing".into() } else { shown(&words) }
}

/// Reads what `apt-mark showhold` and its like print: one name per line, as it was asked for where only an architecture
/// makes the difference. Another line is the error.
pub(crate) fn marked(text: &str, asked: &[String]) -> Result<Vec<String>, String> {
    let plain = |name: &str| name.split(':').next().unwrap_or(name).to_owned();
    let one = |line: &str| {
        let name = line.trim();
        if !names::shaped(name) {
            return Err(shown(line));
        }
        let same = asked.iter().find(|asked| *asked == name);
        let same = same.or_else(|| asked.iter().find(|asked| plain(asked) == plain(name)));
        Ok(same.cloned().unwrap_or_else(|| name.to_owned()))
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(one).collect()
}

/// Reads what `apt-get update` prints where it succeeds: `Hit:1 ...`, `Reading package lists...`. The error is the line of
/// a list that could not be fetched, or all of it where nothing is of apt.
pub(crate) fn updated(text: &str) -> Result<(), String> {
    if let Some(line) = text.lines().find(|line| line.starts_with("Err:") || line.starts_with("W: Failed to fetch")) {
        return Err(shown(line));
    }
    let fetched = |line: &str| {
        let number = line.split_whitespace().next().and_then(|word| word.rsplit_once(':'));
        number.is_some_and(|(_, number)| number.parse::<u32>().is_ok())
    };
    let known = text.lines().any(|line| line.contains("...") || line.contains('…') || fetched(line));
    if known { Ok(()) } else { Err(said(text)) }
}

fn shown(line: &str) -> String {
    line.chars().take(SHOWN_MAX).collect()
}

/// `NAME [FROM] (TO ORIGIN, ORIGIN [ARCH]) []`; without `[FROM]` it is new.
fn step(text: &str) -> Option<Step> {
    let (head, rest) = text.split_once(" (")?;
    let inside = rest.split(')').next().filter(|inside| !inside.is_empty())?;
    let (to, origins) = inside.split_once(' ').unwrap_or((inside, ""));
    let (name, from) = match head.split_once(" [") {
        Some((name, from)) => (name, Some(from.trim_end_matches(']').to_owned())),
        None => (head, None),
    };
    if !names::shaped(name.trim()) {
        return None;
    }
    // For example `Debian:12.9/stable, Debian-Security:12/stable-security [amd64]`.
    let security = origins.to_ascii_lowercase().contains("security");
    Some(Step { name: name.trim().into(), from, to: to.into(), security })
}

/// Reads `NAME TAB VERSION TAB STATUS` lines: those that are installed, by the names under which they were asked for where
/// an architecture makes a difference. Another line is the error.
pub(crate) fn installed(text: &str, asked: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let [name, version, status] = line.split('\t').collect::<Vec<_>>()[..] else { return Err(shown(line)) };
        let plain = name.split(':').next().unwrap_or(name);
        let name = if asked.iter().any(|asked| asked == name) { name } else { plain };
        // The second letter is what is: `i` is installed and configured.
        if status.get(1..2) == Some("i") {
            found.insert(name.to_owned(), version.to_owned());
        }
    }
    Ok(found)
}

/// Reads `NAME | VERSION | SOURCE` lines. Another line is the error.
pub(crate) fn available(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split('|').map(str::trim);
        let (Some(name), Some(version)) = (fields.next(), fields.next()) else { return Err(shown(line)) };
        versions.entry(name.into()).or_default().push(version.into());
    }
    Ok(versions)
}

/// The newest of the packages `linux-image-RELEASE`, in words, if it is newer than the kernel that runs.
pub(crate) fn newer_kernel<'a>(packages: impl Iterator<Item = &'a String>, running: &str) -> Option<String> {
    let newest = packages.filter_map(|name| name.strip_prefix("linux-image-")).max_by_key(|name| numbers(name))?;
    (numbers(newest) > numbers(running)).then(|| format!("the kernel {newest} is installed, and {running} runs"))
}

/// The numbers of a kernel's release up to its flavour: `6.1.0-31-amd64` is 6, 1, 0, 31.
fn numbers(release: &str) -> Vec<u64> {
    let parts = release.split(['.', '-', '+']);
    parts.map_while(|part| part.parse().ok()).collect()
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
                    2 upgraded, 1 newly installed, 1 to remove and 2 not upgraded.\n\
                    Conf liba (1.1-1 Debian:12.9/stable [amd64])\n";
        let simulation = simulation(text).unwrap();
        let steps: Vec<_> =
            simulation.steps.iter().map(|step| (step.name.as_str(), step.from.as_deref(), step.to.as_str())).collect();
        assert_eq!(steps, [("liba", Some("1.0-1"), "1.1-1"), ("b", Some("1"), "2"), ("new:i386", None, "3")]);
        assert_eq!(simulation.steps.iter().filter(|step| step.security).count(), 1);
        assert_eq!(simulation.removed, [("old".to_owned(), "1.0".to_owned())]);
        assert_eq!(simulation.kept_back, ["held-one", "held-two"]);
        for nothing in [
            "0 upgraded, 0 newly installed, 0 to remove and 3 not upgraded.\n",
            "0 mis à jour, 0 nouvellement installés, 0 à enlever et 3 non mis à jour.\n",
        ] {
            assert_eq!(super::simulation(nothing).unwrap(), Simulation::default());
        }
    }

    #[test]
    fn what_apt_did_not_say_is_not_taken_for_nothing() {
        let welcome = "Bienvenue sur le serveur; tout va bien\n";
        assert_eq!(simulation(welcome).unwrap_err(), welcome.trim());
        assert_eq!(simulation("").unwrap_err(), "nothing");
        let other = "1 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n";
        assert_eq!(simulation(other).unwrap_err(), other.trim(), "the step for it is missing");
        let one = "Inst a [1] (2 local [all])\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n";
        assert!(simulation(one).is_err());

        assert_eq!(marked(welcome, &["bash".into()]).unwrap_err(), welcome.trim());
        let asked = ["bash".to_owned(), "libc6:amd64".to_owned()];
        assert_eq!(marked("bash\nlibc6\n", &asked).unwrap(), asked);
        assert_eq!(marked("", &asked).unwrap(), [""; 0]);

        assert_eq!(updated(welcome).unwrap_err(), welcome.trim());
        assert_eq!(updated("").unwrap_err(), "nothing");
        updated("Hit:1 http://deb.debian.org bookworm InRelease\n").unwrap();
        updated("Reading package lists...\n").unwrap();
        let failed = "Hit:1 http://a stable InRelease\nErr:2 http://b stable InRelease\nReading package lists...\n";
        assert_eq!(updated(failed).unwrap_err(), "Err:2 http://b stable InRelease");
    }

    #[test]
    fn kernels_are_compared_by_their_numbers() {
        assert!(numbers("6.12.1+bpo-amd64") > numbers("6.1.0-32-amd64"));
        assert_eq!(numbers("6.1.0-31-amd64"), numbers("6.1.0-31-cloud-amd64"));
        let packages = ["linux-image-6.1.0-9-amd64", "linux-image-6.1.0-32-amd64"].map(str::to_owned);
        let newer = newer_kernel(packages.iter(), "6.1.0-31-amd64").unwrap();
        assert_eq!(newer, "the kernel 6.1.0-32-amd64 is installed, and 6.1.0-31-amd64 runs");
        assert_eq!(newer_kernel(packages.iter(), "6.1.0-32-amd64"), None);
    }

    #[test]
    fn only_what_is_configured_is_installed() {
        let text = "a\t1\tii \nlibc6:amd64\t2\tii \nhalf\t3\tiF \ngone\t4\trc \nheld\t5\thi \nnever\t\tun \n";
        let found = installed(text, &["a".into(), "libc6".into()]).unwrap();
        let found: Vec<_> = found.iter().map(|(name, version)| format!("{name}={version}")).collect();
        assert_eq!(found, ["a=1", "held=5", "libc6=2"]);
    }

    #[test]
    fn versions_of_the_archives_are_read() {
        let found = available(
            "      a | 2-1 | http://deb.debian.org bookworm/main amd64 Packages\n      a | 1 | file:/repo ./ Packages\n",
        )
        .unwrap();
        assert_eq!(found["a"], ["2-1", "1"]);
        assert_eq!(available("N: Unable to locate\n").unwrap_err(), "N: Unable to locate");
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
