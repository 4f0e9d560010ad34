//! What a plugin imports, in plain words.

use std::collections::BTreeSet;

use runwright_core::PluginFacts;
use serde::Serialize;

use crate::reach::{KINDS, wanted};

/// One thing that a plugin can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ask {
    /// The capability's name.
    pub capability: &'static str,
    /// What that means.
    pub what: &'static str,
    /// What it takes to get it.
    pub needs: &'static str,
    /// An example of a grant, where it needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<&'static str>,
}

/// What each capability means, most powerful first, and what a plugin needs to get it.
const WORDS: [(&str, &str, &str); 13] = [
    ("exec", "needs a grant", "run programs on the engine's machine"),
    ("files", "needs a grant", "read and write folders (some languages import this in any case)"),
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
pub fn asks(facts: &PluginFacts) -> Vec<Ask> {
    let imported: BTreeSet<&str> = facts.imports.iter().filter_map(|import| meant(import)).collect();
    let wanted = wanted(facts);
    let asks = WORDS.into_iter().filter(|(capability, ..)| imported.contains(capability));
    asks.map(|(capability, needs, what)| {
        let example = KINDS.into_iter().find(|(name, _)| *name == capability).map(|(_, example)| example);
        let grant = example.filter(|_| wanted.contains(capability));
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
