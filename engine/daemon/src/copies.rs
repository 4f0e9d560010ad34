//! Copies that editors and sync tools leave beside a file, known by their names.

/// Why a file of this name is a copy that nobody meant to be used; none if it is not.
///
/// Only patterns that a tool writes and hardly anybody else: a file that people named so themselves must not vanish.
pub(crate) fn copy(name: &str) -> Option<&'static str> {
    if let Some((_, rest)) = name.split_once(".sync-conflict-")
        && rest.len() >= 8
        && rest.bytes().take(8).all(|byte| byte.is_ascii_digit())
    {
        return Some(
            "it is the copy of a conflict that Syncthing left: merge it into the file beside it and remove it",
        );
    }
    // Dropbox, Nextcloud and ownCloud; Seafile; Unison.
    let in_brackets = |words: &str| name.split_once('(').is_some_and(|(_, rest)| rest.contains(words));
    if ["conflicted copy", "SFConflict ", "conflict on "].into_iter().any(in_brackets) {
        return Some(
            "it is the copy of a conflict that a sync tool left: merge it into the file beside it and remove it",
        );
    }
    None
}

/// Why a file of this name is a backup or a draft of one that ends in `endings`; none if it is not. Hidden files are
/// nobody's business.
pub(crate) fn backup(name: &str, endings: &[&str]) -> Option<&'static str> {
    const BACKUPS: [&str; 10] =
        ["~", ".bak", ".orig", ".rej", ".dpkg-old", ".dpkg-dist", ".dpkg-new", ".rpmnew", ".rpmsave", ".rpmorig"];
    let is_ours = |name: &str| endings.iter().any(|ending| name.ends_with(ending));
    if name.starts_with('.') {
        return None;
    }
    if BACKUPS.iter().filter_map(|backup| name.strip_suffix(backup)).any(is_ours) {
        return Some("it is a backup: it is not used");
    }
    let draft = name.strip_prefix('#').and_then(|name| name.strip_suffix('#'));
    draft
        .filter(|name| is_ours(name))
        .map(|_| "it is what an editor keeps of an edit that was not saved: it is not used")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_sync_tools_are_known_and_what_people_named_is_not() {
        for name in [
            "recover.sync-conflict-20260131-120000-ABCDEFG.yaml",
            "recover (conflicted copy 2026-01-31 120000).yaml",
            "recover (Ada's conflicted copy 2026-01-31).yaml",
            "recover (SFConflict ada@example.org 2026-01-31-12-00-00).yaml",
            "recover (conflict on 2026-01-31).yaml",
        ] {
            assert!(copy(name).is_some(), "{name}");
        }
        for name in [
            "sync-conflict.yaml",
            "resolve.sync-conflict-now.yaml",
            "conflicted copy.yaml",
            "a copy.yaml",
            "a (1).yaml",
        ] {
            assert_eq!(copy(name), None, "{name}");
        }
    }

    #[test]
    fn backups_and_drafts_are_known() {
        let backup = |name| backup(name, &[".yaml", ".yml"]);
        for name in ["a.yaml~", "a.yml.bak", "a.yaml.orig", "#a.yaml#", "a.yaml.dpkg-old"] {
            assert!(backup(name).is_some(), "{name}");
        }
        for name in ["a.yaml", ".#a.yaml", "._a.yaml", "notes~", "a.txt.bak", "#a#", ".a.yaml~"] {
            assert_eq!(backup(name), None, "{name}");
        }
    }
}
