//! Who asks for something, as the system knows it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use runwright_core::By;
use tokio::net::unix::UCred;

/// The login of a process that nobody logged in for.
const NO_LOGIN: u32 = u32::MAX;

/// The name of the user of this process, for the audit: by the process's user id, not by what the environment claims. Behind
/// sudo, both.
pub fn name() -> String {
    let Ok(process) = fs::metadata("/proc/self") else { return "unknown".to_owned() };
    let name = user(process.uid());
    match std::env::var("SUDO_USER") {
        Ok(user) if !user.is_empty() && user != name => format!("{user} as {name}"),
        _ => name,
    }
}

/// Who starts a run or answers a question from this process.
pub(crate) fn here(claimed: String) -> String {
    known(login("/proc/self/loginuid"), claimed)
}

/// Who starts a run or answers a question over the socket. It is open to its owner and to root only, so several people
/// share it by sudo: the system keeps who logged in. Where it does not, `claimed` is what the command says of itself.
pub(crate) fn behind(peer: &UCred, claimed: String) -> String {
    known(peer.pid().and_then(|pid| login(&format!("/proc/{pid}/loginuid"))), claimed)
}

/// The login counts, where there is one; with the account that was used where that is told with it.
fn known(login: Option<String>, claimed: String) -> String {
    match login {
        Some(login) if By { who: claimed.clone(), why: String::new() }.person() != login => login,
        _ => claimed,
    }
}

/// Whether one of these members of a role is the person: a user's name, or `@` and the name of a group.
pub(crate) fn is_among(members: &[String], who: &str) -> bool {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    members.iter().any(|member| match member.strip_prefix('@') {
        Some(group) => is_in(&read("/etc/group"), &read("/etc/passwd"), group, who),
        None => member == who,
    })
}

/// The user who logged in, by what the kernel keeps of it.
fn login(path: &str) -> Option<String> {
    let id = fs::read_to_string(path).ok()?.trim().parse().ok().filter(|id| *id != NO_LOGIN)?;
    Some(user(id))
}

fn user(id: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    named(&users, id).unwrap_or_else(|| format!("uid {id}"))
}

/// The user with this id, by the lines of passwd(5).
fn named(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

/// Whether the group has this member, by the lines of group(5), or is their own, by those of passwd(5).
fn is_in(groups: &str, users: &str, group: &str, who: &str) -> bool {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let Some(group) = groups.lines().map(fields).find(|line| line.first().is_some_and(|name| name == group)) else {
        return false;
    };
    let is_listed = group.get(3).is_some_and(|members| members.split(',').any(|member| member == who));
    let own = users.lines().map(fields).find(|line| line.first().is_some_and(|name| name == who));
    !who.is_empty() && (is_listed || own.is_some_and(|user| user.get(3) == group.get(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_user_id() {
        let users = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(named(users, 1000).as_deref(), Some("alice"));
        assert_eq!(named(users, 7), None);
    }

    #[test]
    fn a_login_counts_more_than_what_is_claimed() {
        let who = |login: Option<&str>, claimed: &str| known(login.map(str::to_owned), claimed.to_owned());
        assert_eq!(who(Some("alice"), "mallory as root"), "alice");
        assert_eq!(who(Some("alice"), "alice as root"), "alice as root");
        assert_eq!(who(None, "bob"), "bob");
    }

    #[test]
    fn a_role_has_users_and_groups() {
        let groups = "ops:x:27:alice,bob\nopsx:x:28:carol\nnone:x:29:\n";
        let users = "dora:x:1003:27::/home/dora:/bin/sh\n";
        let is_in = |group, who| super::is_in(groups, users, group, who);
        assert!(is_in("ops", "bob") && is_in("ops", "dora"), "also those whose own group it is");
        assert!(!is_in("ops", "carol") && !is_in("none", "") && !is_in("op", "alice") && !is_in("away", "bob"));
        assert!(is_among(&["alice".to_owned()], "alice") && !is_among(&["@alice".to_owned()], "alice"));
    }
}
