//! Who calls this program.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// The name of the user, for the audit: by the process's user id, not by what the environment claims. Behind sudo, both.
pub(crate) fn name() -> String {
    let Ok(process) = fs::metadata("/proc/self") else { return "unknown".to_owned() };
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = named(&users, process.uid()).unwrap_or_else(|| format!("uid {}", process.uid()));
    match std::env::var("SUDO_USER") {
        Ok(user) if !user.is_empty() && user != name => format!("{user} as {name}"),
        _ => name,
    }
}

/// The user with this id, by the lines of passwd(5).
fn named(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
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
}
