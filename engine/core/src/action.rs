//! What a plugin says of itself and its actions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ActionName, Digest, Runbook};

/// What one attempt of an action may do to the outside world, ordered by how dangerous a blind repeat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// Only reads: always safe to repeat, and really run in a dry run.
    Read,
    /// Writes; repeating it with the same idempotency key is safe.
    Idempotent,
    /// Writes; repeating it may act twice, so it is never repeated blindly.
    Unsafe,
}

impl EffectClass {
    /// The word for it in files and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::Unsafe => "unsafe",
        }
    }
}

/// What a plugin says of one of its actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActionFacts {
    /// The part of the [`ActionName`] behind the slash.
    pub name: String,
    /// One sentence for people.
    pub summary: String,
    /// JSON Schema 2020-12 of the input.
    pub input_schema: Value,
    /// JSON Schema 2020-12 of the output.
    pub output_schema: Value,
    /// What an attempt may do outside.
    pub effect: EffectClass,
    /// Loses something that undo cannot bring back.
    pub destructive: bool,
    /// `plan` answers.
    pub has_plan: bool,
    /// `verify` answers whether a lost attempt happened.
    pub has_verify: bool,
    /// `undo` takes a run back.
    pub has_undo: bool,
    /// `undo` is safe when the action never happened.
    pub undo_safe_if_not_run: bool,
    /// Suggested step settings, for example `{"timeout-ms": 30000}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Value>,
}

impl ActionFacts {
    /// The part that a run keeps for its whole life, from the plugin with this digest.
    pub fn pin(&self, plugin: Digest) -> Pin {
        Pin {
            plugin,
            effect: self.effect,
            destructive: self.destructive,
            has_verify: self.has_verify,
            has_undo: self.has_undo,
            undo_safe_if_not_run: self.undo_safe_if_not_run,
        }
    }
}

/// What a run keeps of an action that it uses: which binary, and what decides after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pin {
    /// The plugin's digest.
    pub plugin: Digest,
    /// What an attempt may do outside.
    pub effect: EffectClass,
    /// Loses something that undo cannot bring back.
    pub destructive: bool,
    /// `verify` answers whether a lost attempt happened.
    pub has_verify: bool,
    /// `undo` takes a run back.
    pub has_undo: bool,
    /// `undo` is safe when the action never happened.
    pub undo_safe_if_not_run: bool,
}

/// What a plugin says of itself, with what the engine read from its binary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PluginFacts {
    /// The part of an [`ActionName`] before the slash.
    pub name: String,
    /// The plugin's own version, for people.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// The digest of its binary.
    pub digest: Digest,
    /// The interfaces that the binary imports: what it can ask for.
    pub imports: Vec<String>,
    /// Its actions, in its own order.
    pub actions: Vec<ActionFacts>,
}

/// What runbooks can use now: actions, each with the digest of the plugin that has it, and other runbooks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    actions: BTreeMap<ActionName, (Digest, ActionFacts)>,
    /// By name; none where a file of that name can't be used.
    runbooks: BTreeMap<String, Option<Arc<Runbook>>>,
}

impl Catalog {
    /// The catalog of these plugins; of two with one name the later one wins.
    pub fn new<'a>(plugins: impl IntoIterator<Item = &'a PluginFacts>) -> Self {
        let mut actions = BTreeMap::new();
        for plugin in plugins {
            for facts in &plugin.actions {
                if let Ok(name) = ActionName::new(&plugin.name, &facts.name) {
                    actions.insert(name, (plugin.digest, facts.clone()));
                }
            }
        }
        Self { actions, runbooks: BTreeMap::new() }
    }

    /// The same with these runbooks, and the names of some that can't be used.
    #[must_use]
    pub fn with_runbooks(
        mut self,
        runbooks: impl IntoIterator<Item = Arc<Runbook>>,
        unusable: impl IntoIterator<Item = String>,
    ) -> Self {
        self.runbooks.extend(unusable.into_iter().map(|name| (name, None)));
        self.runbooks.extend(runbooks.into_iter().map(|runbook| (runbook.name.clone(), Some(runbook))));
        self
    }

    /// The runbook with this name.
    pub fn runbook(&self, name: &str) -> Option<&Arc<Runbook>> {
        self.runbooks.get(name)?.as_ref()
    }

    /// Whether there is a runbook of this name, but its file has errors.
    pub fn is_unusable(&self, name: &str) -> bool {
        self.runbooks.get(name).is_some_and(Option::is_none)
    }

    /// The names of the runbooks that can be used, sorted.
    pub fn runbooks(&self) -> impl Iterator<Item = &str> {
        self.runbooks.iter().filter(|(_, runbook)| runbook.is_some()).map(|(name, _)| name.as_str())
    }

    /// What is known of `action`.
    pub fn get(&self, action: &ActionName) -> Option<&ActionFacts> {
        self.actions.get(action).map(|(_, facts)| facts)
    }

    /// What a run that uses `action` keeps of it.
    pub fn pin(&self, action: &ActionName) -> Option<Pin> {
        self.actions.get(action).map(|(plugin, facts)| facts.pin(*plugin))
    }

    /// Every action's name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &ActionName> {
        self.actions.keys()
    }
}
