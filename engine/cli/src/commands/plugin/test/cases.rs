//! What a file of cases says.

use std::collections::BTreeMap;

use host::{Grants, Limits};
use runwright_core::{FailureKind, Value};
use serde::Deserialize;

/// A file of cases for one plugin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Cases {
    /// What the plugin may reach, as in `runwright.toml`; nothing otherwise.
    #[serde(default)]
    pub(super) grants: Grants,
    /// Fakes for the secrets that it asks for.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// The plugin's own configuration.
    pub(super) config: Option<Value>,
    /// The bounds on each call, as in `runwright.toml`.
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) cases: Vec<Case>,
}

/// One call and what it should come to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) action: String,
    #[serde(default)]
    pub(super) verb: Verb,
    #[serde(default = "empty")]
    pub(super) input: Value,
    /// For undo: what run left for it.
    pub(super) undo_data: Option<String>,
    /// For undo: the case above whose undo data it gets.
    pub(super) undo_of: Option<String>,
    #[serde(default = "one")]
    pub(super) attempt: u32,
    /// The deadline of the call.
    pub(super) timeout_ms: Option<u64>,
    /// Whether it is part of a dry run.
    #[serde(default)]
    pub(super) read_only: bool,
    #[serde(default)]
    pub(super) expect: Expect,
}

fn one() -> u32 {
    1
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verb {
    Plan,
    #[default]
    Run,
    Verify,
    Undo,
}

impl From<Verb> for host::Verb {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Plan => Self::Plan,
            Verb::Run => Self::Run,
            Verb::Verify => Self::Verify,
            Verb::Undo => Self::Undo,
        }
    }
}

/// What a call should come to. What is left out is not compared; a call is expected to succeed unless this says otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expect {
    /// The whole output.
    pub(super) output: Option<Value>,
    pub(super) changed: Option<bool>,
    pub(super) undo_data: Option<String>,
    /// For verify.
    pub(super) verdict: Option<Verdict>,
    /// For plan: a part of its summary.
    pub(super) summary: Option<String>,
    /// For plan: the subjects of its changes, in their order.
    pub(super) changes: Option<Vec<String>>,
    /// How it fails.
    pub(super) error: Option<Failed>,
    /// A part of why its outcome is lost, for example which limit ended it.
    pub(super) lost: Option<String>,
    /// Parts of log lines that it writes, in any order.
    pub(super) log: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Happened,
    NotHappened,
    CannotTell,
}

/// How a call fails.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Failed {
    pub(super) kind: Option<FailureKind>,
    /// A part of the message.
    pub(super) message: Option<String>,
    pub(super) code: Option<String>,
}
