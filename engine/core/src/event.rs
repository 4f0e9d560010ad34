//! What happened to a run: the records that its history is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ActionName, Digest, EffectClass, Key, Map, Pin, RunId, Timestamp};

/// One event of one run, at its place in the run's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The run.
    pub run: RunId,
    /// The place in the run's history, from 1 without gaps.
    pub seq: u64,
    /// When the engine wrote it, by the wall clock. It orders nothing.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Something that happened to a run. It is durable before anyone acts on it.
///
/// **A crash** between two events is a crash between two records: whatever was going on outside is described by the
/// last one. A step with a [`Started`](Event::Started) and no [`Ended`](Event::Ended) was in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The run was admitted, with everything that it is pinned to.
    Created {
        /// The digest of the checked runbook, which the journal keeps in its sources.
        runbook: Digest,
        /// The runbook's name.
        name: String,
        /// The inputs with defaults filled in.
        inputs: Map,
        /// The actions that the runbook uses, as they were then.
        pins: BTreeMap<ActionName, Pin>,
        /// Who or what started it.
        cause: Cause,
        /// The lock that it must hold before its first step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lock: Option<String>,
    },
    /// A step holds its locks, until it is over; without a name, the run.
    Locked {
        /// The step.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        step: String,
    },
    /// A step will not run.
    Skipped {
        /// The step.
        step: String,
        /// Why not.
        reason: SkipReason,
    },
    /// A step could not begin: its condition or inputs could not be worked out. Nothing was started.
    Refused {
        /// The step.
        step: String,
        /// What was wrong.
        failure: Failure,
    },
    /// An attempt is about to act. A crash from here until its [`Ended`](Event::Ended) leaves it in flight.
    Started {
        /// The step.
        step: String,
        /// Doing or undoing.
        direction: Direction,
        /// Counts from 1 in each direction.
        attempt: u32,
        /// The idempotency key, the same for every attempt in this direction.
        key: Key,
        /// The action; none for a script.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<ActionName>,
        /// The plugin's digest; none for a script.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plugin: Option<Digest>,
        /// What the attempt may do outside.
        effect: EffectClass,
        /// The input with every expression worked out.
        input: Value,
        /// The locks that the step holds while it is at work: it begins when it has them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        locks: Vec<String>,
    },
    /// An attempt in flight left something to remember.
    Noted {
        /// The step.
        step: String,
        /// Doing or undoing.
        direction: Direction,
        /// The attempt.
        attempt: u32,
        /// What to remember.
        note: Note,
    },
    /// An attempt ended, or its answer was lost while the engine lived.
    Ended {
        /// The step.
        step: String,
        /// Doing or undoing.
        direction: Direction,
        /// The attempt.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// The answer of every attempt in flight is lost, because the engine that made the call is gone.
    Interrupted {
        /// How it went.
        engine: Exit,
        /// The steps whose calls still waited for their turn when the engine stopped: nothing can have happened, so they
        /// are started again and not asked about.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_begun: Vec<String>,
    },
    /// The plugin was asked whether the lost attempt happened.
    Verified {
        /// The step.
        step: String,
        /// Doing or undoing.
        direction: Direction,
        /// The attempt.
        attempt: u32,
        /// What it said.
        verdict: Verdict,
    },
    /// A person decided what became of a step.
    Settled {
        /// The step.
        step: String,
        /// The decision.
        settlement: Settlement,
        /// Who and why.
        by: By,
    },
    /// A person answered a step that asks for approval.
    Approval {
        /// The step.
        step: String,
        /// Whether they approve.
        yes: bool,
        /// Who and why.
        by: By,
    },
    /// A step took all the time that it may; without a name, the run.
    TimedOut {
        /// The step.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        step: String,
    },
    /// A person asked the run to stop.
    CancelRequested {
        /// Who and why.
        by: By,
        /// Whether it is to take back what it did.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rollback: bool,
    },
    /// A person asked the run to take back what it did, while it lasts or after its end.
    RollbackRequested {
        /// Who and why.
        by: By,
    },
    /// The run is over. Nothing follows but, if a person asks for it, a rollback.
    Finished {
        /// The runbook's outputs; empty unless it succeeded.
        outputs: Map,
        /// Why the outputs could not be worked out, where they could not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
}

/// How an engine left its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// It died; the next one found out.
    Died,
    /// It was stopped, and said so itself.
    Stopped,
}

/// Who or what started a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Cause {
    /// A person, or a program on their behalf.
    Person {
        /// Who and why.
        by: By,
    },
    /// An alarm.
    Alarm {
        /// The inbox key of the alarm.
        key: String,
        /// The alarm's name, for people.
        name: String,
    },
}

impl Cause {
    /// The person who asked; none where no person did.
    pub fn requester(&self) -> Option<&str> {
        match self {
            Self::Person { by } => Some(by.person()),
            Self::Alarm { .. } => None,
        }
    }
}

/// Who asked, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Who: a user name.
    pub who: String,
    /// Why, in their words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl By {
    /// The person, whichever account they used: `alice` where who asked is `alice as root`.
    pub fn person(&self) -> &str {
        self.who.split_once(" as ").map_or(&self.who, |(person, _)| person)
    }
}

/// Doing or undoing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Doing.
    #[default]
    Forward,
    /// Undoing.
    Undo,
}

impl Direction {
    /// Whether it is doing.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(crate) fn is_forward(&self) -> bool {
        *self == Self::Forward
    }
}

/// Why a step did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Its `if` was false.
    Condition,
    /// The run stopped before it.
    NotReached,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Outcome {
    /// It did what it should.
    Succeeded(Answer),
    /// It did not, and says what remains.
    Failed(Failure),
    /// Nobody knows whether it happened: it trapped, hit its timeout or says so itself.
    Lost {
        /// What went wrong, for people.
        reason: String,
    },
}

/// What an action gave back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// The output, which fits the action's output schema.
    pub output: Value,
    /// Whether anything outside changed.
    pub changed: bool,
    /// What `undo` needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_data: Option<String>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[error("{message}")]
pub struct Failure {
    /// What it means for what comes next.
    pub kind: FailureKind,
    /// For people.
    pub message: String,
    /// For machines, for example `http.429`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// More for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// Milliseconds that the plugin asks to wait before the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// A failure of this kind that says `message`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, details: None, retry_after_ms: None }
    }
}

/// What a failure means: did anything happen, and can trying again help?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Nothing happened: the input is wrong.
    InvalidInput,
    /// Nothing happened: a capability was refused.
    Denied,
    /// Nothing happened, and trying again will not help.
    Permanent,
    /// Nothing happened; may work later.
    Transient,
    /// It failed on the way and effects may remain.
    Partial,
    /// It was asked to stop, and did before anything happened.
    Cancelled,
}

impl FailureKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::InvalidInput, Self::Denied, Self::Permanent, Self::Transient, Self::Partial, Self::Cancelled];

    /// Whether it says nothing about the world: the engine or the plugin would not even try.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Denied | Self::InvalidInput)
    }

    /// The word for it in files and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid-input",
            Self::Denied => "denied",
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Partial => "partial",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Something that an attempt in flight needs remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Note {
    /// A checkpoint of the plugin: given back to later attempts. None removes it.
    Checkpoint {
        /// Its name.
        key: String,
        /// Its bytes, in JSON as hexadecimal text.
        #[serde(with = "crate::id::hex_bytes")]
        value: Option<Vec<u8>>,
    },
    /// A value that a script was given and that it gets again when it is run again: the time, or something random.
    Value {
        /// The function: `now`, `random` or `uuid`.
        function: String,
        /// What it gave.
        value: Value,
    },
    /// A process that the attempt started on the engine's host.
    Child {
        /// Its process id.
        pid: u32,
        /// Clock ticks since boot at which it started: with the pid it names one process.
        started: u64,
        /// The program's path.
        program: String,
        /// Whether it is meant to outlive the attempt and the engine.
        detached: bool,
    },
}

/// What `verify` says of a lost attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Verdict {
    /// It happened, and this is what it gave.
    Happened(Answer),
    /// It did not.
    NotHappened,
    /// The plugin can't say.
    CannotTell {
        /// Why not, for people.
        reason: String,
    },
}

/// What a person decided about a step whose outcome is unknown, or whose undo failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Settlement {
    /// It happened; the output is what later steps see.
    Done {
        /// The step's output.
        output: Value,
    },
    /// It did not happen, or not in full: go on as after a failure.
    Failed,
    /// Try again.
    Retry,
    /// Take back whatever it did, and what came before it.
    Undo,
}

impl Settlement {
    /// The word for it on the command line.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Failed => "failed",
            Self::Retry => "retry",
            Self::Undo => "undo",
        }
    }
}
