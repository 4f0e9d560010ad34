//! One call of one action, and what comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use runwright_core::{Digest, Failure, Outcome, Value, Verdict};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Which of an action's functions is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Say what `run` would do; nothing outside changes.
    Plan,
    /// Do it.
    Run,
    /// Did an earlier `run`, whose answer was lost, happen?
    Verify,
    /// Take an earlier `run` back.
    Undo,
}

/// One call of one action.
#[derive(Debug, Clone)]
pub struct Call {
    /// The plugin's digest; it must be loaded.
    pub plugin: Digest,
    /// The action's name within the plugin.
    pub action: String,
    /// What to do.
    pub verb: Verb,
    /// The step's input.
    pub input: Value,
    /// For [`Verb::Undo`]: what `run` left for it.
    pub undo_data: Option<String>,
    /// The run's id.
    pub run: String,
    /// The step's path.
    pub step: String,
    /// Counts from 1.
    pub attempt: u32,
    /// The idempotency key.
    pub key: String,
    /// The time that the call has, from when it starts; the time for which it waits for its turn does not count. None
    /// means [`Limits::deadline_ms`](crate::Limits::deadline_ms).
    pub deadline: Option<Duration>,
    /// Becomes true when the call should end early. A plugin that does not answer within the grace time is dropped.
    pub cancel: watch::Receiver<bool>,
    /// What earlier attempts of the step noted.
    pub checkpoints: BTreeMap<String, Vec<u8>>,
    /// The call is part of a dry run: capabilities only read. Always so for [`Verb::Plan`].
    pub read_only: bool,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To [`Verb::Run`] and [`Verb::Undo`].
    Outcome(Outcome),
    /// To [`Verb::Verify`]. A plugin that trapped or ran out of time cannot tell.
    Verdict(Result<Verdict, Failure>),
    /// To [`Verb::Plan`].
    Preview(Result<Preview, Failure>),
}

/// What a step would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Preview {
    /// One sentence for people.
    pub summary: String,
    /// The changes, in the plugin's order.
    pub changes: Vec<Change>,
    /// What `run` would answer as far as it can be known now; what can't be is left out, so it need not fit the schema.
    pub output: Option<Value>,
}

/// One change outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// What kind of change.
    pub kind: ChangeKind,
    /// What changes.
    pub subject: String,
    /// How, for people.
    pub summary: String,
    /// What it is now.
    pub before: Option<String>,
    /// What it would be.
    pub after: Option<String>,
}

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Nothing changes.
    None,
    /// Something new.
    Create,
    /// Something becomes different.
    Update,
    /// Something goes away.
    Delete,
    /// Something is run.
    Execute,
}
