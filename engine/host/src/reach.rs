//! What a plugin can ask for, beside what it is granted.

use std::collections::BTreeSet;

use runwright_core::PluginFacts;
use serde::Serialize;

use crate::binding::withheld;
use crate::grants::{Grants, PluginEntry, SecretSource};
use crate::said::clean;

/// One capability of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reach {
    /// Its name, which is also the key under `[plugin.NAME.grants]`.
    pub capability: &'static str,
    /// Whether the binary imports what it belongs to. Languages that import all of WASI, whatever they use, ask for no
    /// `files` by that.
    pub asked: bool,
    /// What is granted, one line each.
    pub granted: Vec<String>,
    /// Where nothing is granted: what to add to `runwright.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// The capabilities that need a grant, each with an example of one.
pub(crate) const KINDS: [(&str, &str); 6] = [
    ("env", "env = [\"VARIABLE\"]"),
    ("exec", "exec = [{ program = \"/usr/bin/PROGRAM\", args = [\"ARGUMENT\"] }]"),
    ("files", "files = [{ path = \"/FOLDER\" }]"),
    ("http", "http = [{ method = \"GET\", url = \"https://HOST/*\" }]"),
    ("secrets", "secrets = { NAME = { env = \"VARIABLE\" } }"),
    ("unix", "unix = [\"/SOCKET\"]"),
];

/// What the plugin can ask for or is granted, capability by capability. `entry` is what `runwright.toml` says of it; of
/// grants that are [`withheld`] none counts. The bare list of what it imports stands in [`PluginFacts::imports`].
pub fn reach(facts: &PluginFacts, entry: Option<&PluginEntry>) -> Vec<Reach> {
    let wanted = wanted(facts);
    let none = Grants::default();
    let grants = entry.filter(|_| withheld(facts, entry).is_none()).map_or(&none, |entry| &entry.grants);
    let reach = KINDS.into_iter().map(|(capability, example)| {
        let granted = granted(grants, capability);
        let add = || format!("[plugin.{}.grants]\n{example}", facts.name);
        let asked = wanted.contains(capability);
        let missing = (asked && granted.is_empty()).then(add);
        Reach { capability, asked, granted, missing }
    });
    reach.filter(|reach| reach.missing.is_some() || !reach.granted.is_empty()).collect()
}

/// The names of the capabilities of which nothing is granted, and what to add to `runwright.toml`; none where there are
/// none.
pub fn missing(reach: &[Reach]) -> Option<(String, String)> {
    let missing: Vec<(&str, &str)> =
        reach.iter().filter_map(|reach| Some((reach.capability, reach.missing.as_deref()?))).collect();
    let table = missing.first()?.1.lines().next().unwrap_or_default();
    let lines = missing.iter().filter_map(|(_, add)| add.lines().nth(1));
    let add = std::iter::once(table).chain(lines).collect::<Vec<_>>().join("\n");
    Some((missing.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "), add))
}

/// The capabilities that the binary asks for by what it imports. That of WASI's files counts where the language imports
/// what is used: one that imports sockets too, which nobody is ever granted, imports everything.
pub(crate) fn wanted(facts: &PluginFacts) -> BTreeSet<&'static str> {
    let imports = || facts.imports.iter().map(String::as_str);
    let all_of_wasi = imports().any(|import| import.starts_with("wasi:sockets/"));
    imports()
        .filter_map(|import| match import.split('@').next()? {
            "wasi:http/outgoing-handler" => Some("http"),
            "wasi:filesystem/preopens" => (!all_of_wasi).then_some("files"),
            own => {
                let own = own.strip_prefix("runwright:plugin/")?;
                KINDS.into_iter().map(|(name, _)| name).find(|name| *name == own)
            }
        })
        .collect()
}

fn granted(grants: &Grants, capability: &str) -> Vec<String> {
    let mark = |flag: bool, word: &str| if flag { format!(" ({word})") } else { String::new() };
    match capability {
        "exec" => grants
            .exec
            .iter()
            .map(|grant| {
                let args = grant.args.iter().map(|arg| format!(" {arg}")).collect::<String>();
                let any = mark(grant.args.last().is_some_and(|last| last == "**"), "any arguments");
                clean(&format!("{}{args}{any}{}", grant.program.display(), mark(grant.detached, "detached")))
            })
            .collect(),
        "files" => grants
            .files
            .iter()
            .map(|grant| {
                let how = if grant.write { "read and write" } else { "read" };
                clean(&format!("{} ({how})", grant.path.display()))
            })
            .collect(),
        "http" => grants
            .http
            .iter()
            .map(|grant| {
                let private = mark(grant.private, "also private addresses");
                let follows = mark(grant.redirects > 0, "follows redirects");
                clean(&format!("{} {}{private}{follows}", grant.method, grant.url))
            })
            .collect(),
        "secrets" => {
            grants.secrets.iter().map(|(name, source)| clean(&format!("{name} ({})", place(source)))).collect()
        }
        "env" => grants.env.iter().map(|name| clean(name)).collect(),
        "unix" => grants.unix.iter().map(|grant| clean(&grant.path)).collect(),
        _ => Vec::new(),
    }
}

/// Where a secret comes from, never what it is.
fn place(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("from the environment variable {name}"),
        SecretSource::File(path) => format!("from the file {}", path.display()),
        SecretSource::Credential(name) => format!("from the systemd credential {name}"),
    }
}

#[cfg(test)]
mod tests {
    use runwright_core::Digest;

    use super::*;

    fn facts() -> PluginFacts {
        let imports = [
            "runwright:plugin/exec@0.1.0",
            "runwright:plugin/unix@0.1.0",
            "runwright:plugin/log@0.1.0",
            "wasi:filesystem/types@0.2.6",
        ];
        PluginFacts {
            name: "vm".into(),
            version: "0.1.0".into(),
            summary: String::new(),
            digest: Digest::of(b"vm"),
            imports: imports.map(str::to_owned).to_vec(),
            actions: Vec::new(),
        }
    }

    fn entry() -> PluginEntry {
        let mut entry = PluginEntry::default();
        entry.grants.unix.push(crate::UnixGrant { path: "/vms/*/qmp.sock".into(), in_plan: false });
        entry
    }

    #[test]
    fn what_is_imported_but_not_granted_is_missing() {
        let reach = reach(&facts(), Some(&entry()));
        let names: Vec<_> = reach.iter().map(|reach| (reach.capability, reach.missing.is_some())).collect();
        assert_eq!(names, [("exec", true), ("unix", false)]);
        assert!(reach[0].missing.as_ref().unwrap().starts_with("[plugin.vm.grants]\nexec = "), "{reach:?}");
        assert!(reach[0].asked && reach[1].asked);
        let (names, add) = missing(&reach).unwrap();
        assert_eq!(names, "exec");
        assert_eq!(toml::from_str::<toml::Table>(&add).unwrap().keys().collect::<Vec<_>>(), ["plugin"], "{add}");
    }

    #[test]
    fn files_are_asked_for_by_who_imports_what_it_uses() {
        let wants = |imports: &[&str]| {
            let facts = PluginFacts { imports: imports.iter().map(|import| (*import).to_owned()).collect(), ..facts() };
            wanted(&facts).contains("files")
        };
        assert!(wants(&["wasi:filesystem/types@0.2.6", "wasi:filesystem/preopens@0.2.6"]));
        assert!(!wants(&["wasi:filesystem/types@0.2.6"]), "standard streams need these");
        assert!(!wants(&["wasi:filesystem/preopens@0.2.6", "wasi:sockets/tcp@0.2.6"]));
    }

    #[test]
    fn what_is_granted_and_never_asked_for_is_shown_too() {
        let mut entry = entry();
        entry.grants.secrets.insert("token".into(), SecretSource::Env("TOKEN".into()));
        let reach = reach(&facts(), Some(&entry));
        let secrets = reach.iter().find(|reach| reach.capability == "secrets").unwrap();
        assert!(!secrets.asked && secrets.granted == ["token (from the environment variable TOKEN)"]);
    }

    #[test]
    fn grants_for_another_binary_do_not_hold() {
        let entry = PluginEntry { digest: Some(Digest::of(b"older")), ..entry() };
        assert!(reach(&facts(), Some(&entry)).iter().all(|reach| reach.granted.is_empty()));
        assert!(withheld(&facts(), Some(&entry)).unwrap().contains("plugin grants vm"));
    }
}
