//! What a plugin can ask for, beside what it is granted.

use std::collections::BTreeSet;

use host::{Grants, PluginEntry};
use runwright_core::PluginFacts;
use serde::Serialize;

use crate::human::clean;

/// One capability of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Reach {
    /// Its name, which is also the key under `[plugin.NAME.grants]`.
    pub(crate) capability: &'static str,
    /// What is granted, one line each.
    pub(crate) granted: Vec<String>,
    /// Where nothing is granted: what to add to `runwright.toml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<String>,
}

/// The capabilities that need a grant, each with an example of one.
const KINDS: [(&str, &str); 6] = [
    ("env", "env = [\"VARIABLE\"]"),
    ("exec", "exec = [{ program = \"/usr/bin/PROGRAM\", args = [\"*\"] }]"),
    ("files", "files = [{ path = \"/FOLDER\" }]"),
    ("http", "http = [{ method = \"GET\", url = \"https://HOST/*\" }]"),
    ("secrets", "secrets = { NAME = { env = \"VARIABLE\" } }"),
    ("unix", "unix = [\"/SOCKET\"]"),
];

/// What a plugin imports, in plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Ask {
    /// The capability's name.
    pub(crate) capability: &'static str,
    /// What that means.
    pub(crate) what: &'static str,
    /// What it takes to get it.
    pub(crate) needs: &'static str,
    /// An example of a grant, where it needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grant: Option<&'static str>,
}

/// What each capability means, most powerful first, and what a plugin needs to get it.
const WORDS: [(&str, &str, &str); 13] = [
    ("exec", "needs a grant", "run programs on the engine's machine"),
    ("files", "needs a grant", "read and write folders (all programs for WASI import this)"),
    ("unix", "needs a grant", "talk to Unix sockets on the engine's machine"),
    ("http", "needs a grant", "send HTTP requests"),
    ("secrets", "needs a grant", "read named secrets"),
    ("env", "needs a grant", "read environment variables of the engine (all programs for WASI import this)"),
    ("sockets", "never granted", "open TCP and UDP connections and look up names"),
    ("checkpoint", "always there", "keep durable notes from attempt to attempt of a step"),
    ("log", "always there", "write log lines and tell its progress"),
    ("clock", "always there", "tell the time and sleep until it is told to stop"),
    ("random", "always there", "get random numbers"),
    ("standard streams", "always there", "read its request, write its response and log lines"),
    ("unknown", "not there", "something that this version does not know"),
];

/// What the plugin's binary imports, in plain words, most powerful first.
pub(crate) fn asks(facts: &PluginFacts) -> Vec<Ask> {
    let imported: BTreeSet<&str> = facts.imports.iter().filter_map(|import| meant(import)).collect();
    let asks = WORDS.into_iter().filter(|(capability, ..)| imported.contains(capability));
    asks.map(|(capability, needs, what)| {
        let example = KINDS.into_iter().find(|(name, _)| *name == capability).map(|(_, example)| example);
        // Every program for WASI imports these, so that they are there says nothing.
        let grant = example.filter(|_| !matches!(capability, "files" | "env"));
        Ask { capability, what, needs, grant }
    })
    .collect()
}

/// The capability behind an imported interface; none for the plumbing that others need.
fn meant(import: &str) -> Option<&'static str> {
    let interface = import.split('@').next()?;
    let known = |name: &str| WORDS.into_iter().map(|(known, ..)| known).find(|known| *known == name);
    if let Some(own) = interface.strip_prefix("runwright:plugin/") {
        return match own {
            "types" => None,
            own => Some(known(own).unwrap_or("unknown")),
        };
    }
    Some(match interface {
        "wasi:cli/environment" => "env",
        "wasi:cli/exit" => return None,
        _ if interface.starts_with("wasi:cli/") => "standard streams",
        _ if interface.starts_with("wasi:clocks/") => "clock",
        _ if interface.starts_with("wasi:filesystem/") => "files",
        _ if interface.starts_with("wasi:http/") => "http",
        _ if interface.starts_with("wasi:io/") => return None,
        _ if interface.starts_with("wasi:random/") => "random",
        _ if interface.starts_with("wasi:sockets/") => "sockets",
        _ => "unknown",
    })
}

/// What the plugin can ask for or is granted. `entry` is what `runwright.toml` says of it.
pub(crate) fn reach(facts: &PluginFacts, entry: Option<&PluginEntry>) -> Vec<Reach> {
    let wanted: BTreeSet<&str> = facts.imports.iter().filter_map(|import| wanted(import)).collect();
    let none = Grants::default();
    let grants = entry.filter(|_| withheld(facts, entry).is_none()).map_or(&none, |entry| &entry.grants);
    let reach = KINDS.into_iter().map(|(capability, example)| {
        let granted = granted(grants, capability);
        let add = || format!("[plugin.{}.grants]\n{example}", facts.name);
        let missing = (wanted.contains(capability) && granted.is_empty()).then(add);
        Reach { capability, granted, missing }
    });
    reach.filter(|reach| reach.missing.is_some() || !reach.granted.is_empty()).collect()
}

/// The names of the capabilities of which nothing is granted, and what to add to `runwright.toml`; none where there are
/// none.
pub(crate) fn missing(reach: &[Reach]) -> Option<(String, String)> {
    let missing: Vec<(&str, &str)> =
        reach.iter().filter_map(|reach| Some((reach.capability, reach.missing.as_deref()?))).collect();
    let table = missing.first()?.1.lines().next().unwrap_or_default();
    let lines = missing.iter().filter_map(|(_, add)| add.lines().nth(1));
    let add = std::iter::once(table).chain(lines).collect::<Vec<_>>().join("\n");
    Some((missing.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "), add))
}

/// Why none of the grants hold, although there are some: they are bound to another binary.
pub(crate) fn withheld(facts: &PluginFacts, entry: Option<&PluginEntry>) -> Option<String> {
    let bound = entry?.digest?;
    (bound != facts.digest).then(|| {
        let (name, now) = (&facts.name, facts.digest);
        format!("the grants of plugin {name} are for {bound}, but it is {now}: look at it, then set digest to that")
    })
}

/// The capability that an imported interface belongs to. Every program of WASI imports its file system, whether it uses
/// it or not, so that says nothing.
fn wanted(import: &str) -> Option<&'static str> {
    if import.starts_with("wasi:http/outgoing-handler") {
        return Some("http");
    }
    let interface = import.strip_prefix("runwright:plugin/")?.split('@').next()?;
    KINDS.into_iter().map(|(name, _)| name).find(|name| *name == interface)
}

fn granted(grants: &Grants, capability: &str) -> Vec<String> {
    let mark = |flag: bool, word: &str| if flag { format!(" ({word})") } else { String::new() };
    match capability {
        "exec" => grants
            .exec
            .iter()
            .map(|grant| {
                let args = grant.args.iter().map(|arg| format!(" {arg}")).collect::<String>();
                clean(&format!("{}{args}{}", grant.program.display(), mark(grant.detached, "detached")))
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
                clean(&format!("{} {}{}", grant.method, grant.url, mark(grant.private, "also private addresses")))
            })
            .collect(),
        "env" => grants.env.iter().map(|name| clean(name)).collect(),
        "secrets" => grants.secrets.keys().map(|name| clean(name)).collect(),
        "unix" => grants.unix.iter().map(|grant| clean(&grant.path)).collect(),
        _ => Vec::new(),
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
        entry.grants.unix.push(host::UnixGrant { path: "/vms/*/qmp.sock".into(), in_plan: false });
        entry
    }

    #[test]
    fn what_is_imported_but_not_granted_is_missing() {
        let reach = reach(&facts(), Some(&entry()));
        let names: Vec<_> = reach.iter().map(|reach| (reach.capability, reach.missing.is_some())).collect();
        assert_eq!(names, [("exec", true), ("unix", false)]);
        assert!(reach[0].missing.as_ref().unwrap().starts_with("[plugin.vm.grants]\nexec = "), "{reach:?}");
    }

    #[test]
    fn grants_for_another_binary_do_not_hold() {
        let entry = PluginEntry { digest: Some(Digest::of(b"older")), ..entry() };
        assert!(reach(&facts(), Some(&entry)).iter().all(|reach| reach.granted.is_empty()));
        assert!(withheld(&facts(), Some(&entry)).unwrap().contains("look at it"));
    }
}
