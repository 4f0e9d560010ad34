//! `plugins.lock`: which binary each plugin's name means.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use host::regular;
use lang::Toml;
use runwright_core::{Digest, PluginFacts};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The plugins that are pinned, by name. A plugin that is not here may be any binary.
///
/// ```toml
/// [plugin.vm]
/// digest  = "sha256:..."
/// version = "0.1.0"
/// asks-for = ["exec", "unix"]
/// source  = "oci://registry.example/vm@sha256:..."
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginLock {
    /// What is pinned.
    #[serde(default)]
    pub plugin: BTreeMap<String, Pinned>,
}

/// One plugin that is pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pinned {
    /// The binary.
    pub digest: Digest,
    /// Its version, for people.
    pub version: String,
    /// The capabilities that it can ask for and that need a grant.
    #[serde(default)]
    pub asks_for: Vec<String>,
    /// Where it came from, if it was pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Bytes that the file may have: some thousand plugins.
const BYTES_MAX: usize = 1 << 20;

const HEADING: &str =
    "# Which binary each plugin's name means: `runwright plugin lock` and `plugin pull` write it.\n\n";

impl PluginLock {
    /// What the file says; nothing is pinned where there is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        match regular::read_text(path, BYTES_MAX) {
            Ok(text) => {
                let name = path.display().to_string();
                let read = Toml::read(&name, text.as_bytes()).and_then(|file| file.typed());
                read.map_err(|diagnostics| Error::Settings { path: path.to_owned(), text: text.into(), diagnostics })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io("read", path, error)),
        }
    }

    /// Writes the file. **A crash** leaves the old one or the new one.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let text = toml::to_string(self).map_err(|error| Error::Internal(error.to_string()))?;
        let new = path.with_extension("lock.new");
        std::fs::write(&new, format!("{HEADING}{text}")).map_err(|error| Error::io("write", &new, error))?;
        std::fs::rename(&new, path).map_err(|error| Error::io("write", path, error))
    }

    /// Why this binary may not be used under its name; none if it may.
    pub fn refuses(&self, facts: &PluginFacts) -> Option<String> {
        let pinned = self.plugin.get(&facts.name).filter(|pinned| pinned.digest != facts.digest)?;
        let now = Pinned::of(facts, None);
        let new: Vec<&str> =
            now.asks_for.iter().filter(|ask| !pinned.asks_for.contains(ask)).map(String::as_str).collect();
        let asks = if new.is_empty() { String::new() } else { format!("; it newly asks for {}", new.join(", ")) };
        Some(format!(
            "plugins.lock pins {} to {} ({}), and this is {} ({}){asks}; look at it with `runwright plugin inspect`, and \
             accept it with `runwright plugin lock {}`",
            facts.name, pinned.digest, pinned.version, facts.digest, facts.version, facts.name
        ))
    }
}

impl Pinned {
    /// What pins this binary.
    pub fn of(facts: &PluginFacts, source: Option<String>) -> Self {
        let asks = host::asks(facts).into_iter().filter(|ask| ask.grant.is_some());
        let asks_for = asks.map(|ask| ask.capability.to_owned()).collect();
        Self { digest: facts.digest, version: facts.version.clone(), asks_for, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(binary: &[u8], imports: &[&str]) -> PluginFacts {
        PluginFacts {
            name: "vm".into(),
            version: "0.1.0".into(),
            summary: String::new(),
            digest: Digest::of(binary),
            imports: imports.iter().map(|import| (*import).to_owned()).collect(),
            actions: Vec::new(),
        }
    }

    #[test]
    fn what_is_pinned_is_read_back_and_another_binary_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plugins.lock");
        assert_eq!(PluginLock::read(&path).unwrap(), PluginLock::default());
        let old = facts(b"old", &["runwright:plugin/unix@0.1.0"]);
        let lock = PluginLock { plugin: [("vm".to_owned(), Pinned::of(&old, Some("oci://x".into())))].into() };
        lock.write(&path).unwrap();
        assert_eq!(PluginLock::read(&path).unwrap(), lock);
        assert_eq!(lock.refuses(&old), None);
        let new = facts(b"new", &["runwright:plugin/unix@0.1.0", "runwright:plugin/exec@0.1.0"]);
        let why = lock.refuses(&new).unwrap();
        assert!(why.contains("newly asks for exec;") && why.contains("plugin lock vm"), "{why}");
        assert_eq!(lock.refuses(&PluginFacts { name: "other".into(), ..new }), None);
        std::fs::write(&path, "[plugin.vm]\ndigest = 'sha256:1'\n").unwrap();
        assert!(PluginLock::read(&path).is_err());
    }
}
