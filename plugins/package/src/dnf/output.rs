//! What dnf and rpm print, read. The samples of the tests follow what dnf 4.14
//! printed; rows that a small repository does not give were added by hand.

use std::collections::BTreeMap;

use crate::names;

/// Characters of what a program says that an error repeats.
const SHOWN_MAX: usize = 600;

/// Lines among which the one with dnf's version is.
const VERSION_LINES_MAX: usize = 8;

/// The table of a transaction: names with versions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) install: Vec<(String, String)>,
    pub(crate) remove: Vec<(String, String)>,
    pub(crate) skipped: Vec<String>,
}

impl Table {
    /// Reads what `dnf --assumeno` shows.
    pub(crate) fn read(text: &str) -> Self {
        let mut table = Self::default();
        let mut section = "";
        // A name that leaves no room has its other columns on the next line.
        let mut long: Option<&str> = None;
        for line in text.lines() {
            if line.starts_with("Transaction Summary") {
                break;
            }
            if !line.starts_with(' ') {
                section = line.trim_end_matches(':');
                long = None;
                continue;
            }
            let mut fields: Vec<&str> = long.take().into_iter().chain(line.split_whitespace()).collect();
            if fields.len() == 1 {
                long = fields.pop();
                continue;
            }
            let [name, _, version, _, ..] = fields.as_slice() else { continue };
            let package = ((*name).to_owned(), (*version).to_owned());
            match section {
                section if section.starts_with("Skipping") => table.skipped.push(package.0),
                section if section.starts_with("Removing") => table.remove.push(package),
                section if ["Upgrading", "Installing", "Downgrading"].iter().any(|word| section.starts_with(word)) => {
                    table.install.push(package);
                }
                _ => {}
            }
        }
        table
    }
}

/// The major version that `dnf --version` names: dnf 4 says `4.14.0` on a line, dnf 5 `dnf5 version 5.2.6.2`. Warnings may
/// stand in front of it.
pub(crate) fn major(text: &str) -> Option<u32> {
    let version = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let version = match words.as_slice() {
            [version] => version,
            [dnf, "version", version] if dnf.starts_with("dnf") => version,
            _ => return None,
        };
        let numbers: Option<Vec<u32>> = version.split('.').map(|number| number.parse().ok()).collect();
        numbers.filter(|numbers| numbers.len() > 1).map(|numbers| numbers[0])
    };
    text.lines().filter(|line| !line.trim().is_empty()).take(VERSION_LINES_MAX).find_map(version)
}

/// Whether dnf says that there is nothing to do.
pub(crate) fn is_nothing(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "Nothing to do.")
}

/// Lines that dnf and its plugins print around every answer.
fn is_aside(line: &str) -> bool {
    line.is_empty()
        || line.starts_with("Last metadata expiration check")
        || line.starts_with("Updating Subscription Management repositories")
}

/// Reads what `dnf --quiet makecache` prints: nothing, or that it was done. Another line is the error.
pub(crate) fn refreshed(text: &str) -> Result<(), String> {
    let other = |line: &&str| !is_aside(line) && *line != "Metadata cache created.";
    match text.lines().map(str::trim).find(other) {
        Some(line) => Err(line.chars().take(SHOWN_MAX).collect()),
        None => Ok(()),
    }
}

/// Whether `needs-restarting --reboothint` says that no reboot is needed.
pub(crate) fn needs_no_reboot(text: &str) -> bool {
    text.contains("Reboot should not be necessary")
}

/// The beginning of what a program said, for an error.
pub(crate) fn short(stdout: &str, stderr: &[u8]) -> String {
    let said = [stdout, &String::from_utf8_lossy(stderr)].join(" ");
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_MAX).collect();
    if said.is_empty() { "nothing".to_owned() } else { said }
}

/// Reads `NAME TAB VERSION` lines, and those that say, in whatever language, that one that was asked for is not installed;
/// any other is the error.
pub(crate) fn installed(text: &str, asked: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.split_once('\t') {
            Some((name, version)) => _ = found.insert(name.to_owned(), version.to_owned()),
            None if asked.iter().any(|name| line.contains(name.as_str())) => {}
            None => return Err(line.chars().take(SHOWN_MAX).collect()),
        }
    }
    Ok(found)
}

/// Reads `NAME|VERSION` lines. Another line is the error.
pub(crate) fn available(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !is_aside(line)) {
        let fields = line.split_once('|').filter(|(name, _)| names::shaped(name));
        let Some((name, version)) = fields else { return Err(line.chars().take(SHOWN_MAX).collect()) };
        versions.entry(name.into()).or_default().push(version.trim().into());
    }
    Ok(versions)
}

/// The packages that `dnf versionlock list` names as locked. A line that is neither a lock nor known otherwise is the error.
pub(crate) fn locks(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !is_aside(line)) {
        match locked(line) {
            Some(name) if names::shaped(&name) => found.push(name),
            None if line.starts_with('!') => {}
            _ => return Err(line.chars().take(SHOWN_MAX).collect()),
        }
    }
    Ok(found)
}

/// The package of a lock: `NAME-EPOCH:VERSION-RELEASE.*`; a line that begins with `!` is an exclusion and no lock.
fn locked(line: &str) -> Option<String> {
    let spec = line.trim().strip_suffix(".*")?;
    let mut parts = spec.rsplitn(3, '-');
    let (_, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    (version.contains(':') && !name.starts_with('!')).then(|| name.to_owned())
}

/// What `needs-restarting` names as updated since the last boot.
pub(crate) fn reasons(text: &str) -> Vec<String> {
    let named: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("* ")).collect();
    if named.is_empty() {
        return vec!["dnf says that a reboot is required".into()];
    }
    named.into_iter().map(|name| format!("{name} was updated since the last boot")).collect()
}

/// Why dnf failed, in its own words.
pub(crate) fn complaint(stderr: &str, stdout: &str) -> String {
    let telling = |line: &&str| {
        let line = line.trim_start();
        ["Error", "Problem", "No match", "- ", "Curl error"].iter().any(|word| line.starts_with(word))
            || line.contains("held by")
    };
    let all = || stderr.lines().chain(stdout.lines());
    let mut said: Vec<_> = all().filter(telling).collect();
    if said.is_empty() {
        said = stderr.lines().filter(|line| !line.trim().is_empty()).take(3).collect();
    }
    said.join("; ").split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &str = "\
Last metadata expiration check: 0:00:21 ago on Sat Nov 21 07:10:19 2026.
Dependencies resolved.
================================================================================
 Package           Architecture        Version            Repository       Size
================================================================================
Upgrading:
 rw-a              noarch              2-1                rw              5.4 k
 a-package-with-a-name-that-leaves-no-room
                   noarch              1:2-1              rw              5.4 k
Installing dependencies:
 rw-c              noarch              2-1                rw              5.4 k
Removing dependent packages:
 rw-old            noarch              1-1                @rw               0 
Skipping packages with broken dependencies:
 rw-bad              noarch              2-1              rw              5.5 k

Transaction Summary
================================================================================
Install  1 Package
Upgrade  2 Packages

Total size: 16 k
Operation aborted.
";

    #[test]
    fn a_table_is_read_by_its_sections() {
        let table = Table::read(UPGRADE);
        let shown: Vec<_> = table.install.iter().map(|(name, version)| format!("{name}={version}")).collect();
        assert_eq!(shown, ["rw-a=2-1", "a-package-with-a-name-that-leaves-no-room=1:2-1", "rw-c=2-1"]);
        assert_eq!(table.remove, [("rw-old".to_owned(), "1-1".to_owned())]);
        assert_eq!(table.skipped, ["rw-bad"]);
        assert_eq!(Table::read("Dependencies resolved.\nNothing to do.\nComplete!\n"), Table::default());
    }

    #[test]
    fn versions_and_locks_are_read() {
        assert_eq!(
            installed("rw-a\t1-1\npackage rw-none is not installed\n", &["rw-none".into()]).unwrap()["rw-a"],
            "1-1"
        );
        assert_eq!(installed("bash 5.2\n", &["rw-none".into()]).unwrap_err(), "bash 5.2");
        assert_eq!(available("rw-a|1-1\nrw-a|2-1\n").unwrap()["rw-a"], ["1-1", "2-1"]);
        assert_eq!(available("rw-a|1-1\nBienvenue\n").unwrap_err(), "Bienvenue");
        assert_eq!(locked("rw-b-0:2-1.*").as_deref(), Some("rw-b"));
        assert_eq!(locked("python3-dnf-1:4.14.0-3.fc38.*").as_deref(), Some("python3-dnf"));
        assert_eq!((locked("!rw-b-0:2-1.*"), locked("Last metadata")), (None, None));
    }

    #[test]
    fn what_dnf_5_says_is_not_taken_for_nothing() {
        assert_eq!(major("4.14.0\n  Installed: dnf-0:4.14.0-3.fc38.noarch\n"), Some(4));
        assert_eq!(major("dnf5 version 5.2.6.2\ndnf5 plugin API version 2.0\n"), Some(5));
        assert_eq!((major(""), major("usage: dnf [options]\n")), (None, None));
        let warned =
            "Unable to detect release version (use --releasever)\n4.14.0\n  Installed: dnf-0:4.14.0-3.fc38.noarch\n";
        assert_eq!(major(warned), Some(4), "a warning may stand before it");
        assert_eq!((major("*** Authorized use only ***\n"), major("version 4\n")), (None, None));
        let listed = "Last metadata expiration check: 0:00:21 ago.\nrw-b-0:2-1.*\n!rw-c-0:2-1.*\n\n";
        assert_eq!(locks(listed).unwrap(), ["rw-b"]);
        let dnf_5 = "# Added by 'versionlock add' command on 2026-01-08 01:41:00\nPackage name: bash\nevr = 5.2.32-1\n";
        assert!(locks(dnf_5).unwrap_err().starts_with("# Added"));
    }

    #[test]
    fn what_dnf_did_not_say_is_not_taken_for_nothing() {
        let welcome = "Bienvenue sur le serveur; tout va bien\n";
        assert!(is_nothing("Dependencies resolved.\nNothing to do.\nComplete!\n") && !is_nothing(welcome));
        assert_eq!(refreshed(welcome).unwrap_err(), welcome.trim());
        refreshed("").unwrap();
        refreshed("Updating Subscription Management repositories.\nMetadata cache created.\n").unwrap();
        assert!(!needs_no_reboot(welcome) && !needs_no_reboot(""));
        assert!(needs_no_reboot(
            "No core libraries or services have been updated since boot-up.\nReboot should not be necessary.\n"
        ));
        assert_eq!(locks(welcome).unwrap_err(), welcome.trim());
    }

    #[test]
    fn dnf_says_why() {
        let said = complaint("Error: Unable to find a match: rw-a-9\n", "No match for argument: rw-a-9\n");
        assert_eq!(said, "Error: Unable to find a match: rw-a-9; No match for argument: rw-a-9");
        let hint = "Core libraries or services have been updated since boot-up:\n  * kernel\n  * glibc\n\nReboot is required\n";
        assert_eq!(reasons(hint)[0], "kernel was updated since the last boot");
    }
}
