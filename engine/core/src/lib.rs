//! The pure machine of Runwright: what a runbook is, what happened to a run, and what the world owes it.
//!
//! A run's history is a list of [`Event`]s and its state ([`Run`]) is the fold of them: [`Run::apply`] is the one
//! transition table, used live and on replay alike. [`Run::due`] says what must happen next as a list of [`Effect`]s.
//! Nothing here reads a clock, a file or a random source; time, ids and random values are arguments.
//!
//! ```
//! let name: runwright_core::ActionName = "vm/restart".parse().unwrap();
//! assert_eq!((name.plugin(), name.action()), ("vm", "restart"));
//! ```

mod action;
mod admit;
mod closest;
mod duration;
mod event;
mod head;
mod id;
mod input;
mod on_failure;
mod recovery;
mod run;
mod runbook;
mod said;
mod time;
mod words;

pub use action::{ActionFacts, Catalog, EffectClass, Pin, PluginFacts};
pub use admit::{InputProblem, Wrong, admit_inputs, constraints, input_from_text, less, pattern, secret_names};
pub use closest::{closest, did_you_mean};
pub use duration::duration_ms;
pub use event::{
    Answer, By, Cause, Direction, Event, Exit, Failure, FailureKind, Note, Outcome, Record, Settlement, SkipReason,
    Verdict,
};
pub use head::{Head, RunStatus};
pub use id::{ActionName, Digest, Key, ParseIdError, RunId};
pub use input::{Input, InputKind};
pub use on_failure::{FailureKinds, OnFailure};
pub use recovery::{Recovery, recovery};
pub use run::{
    Approver, Attempt, Attempts, Effect, Items, Misfit, Path, Phase, Reads, Run, ScriptCall, StepRun, StepState,
};
pub use runbook::{Limit, Lock, OnBusy, OnTimeout, OnUnknown, Retry, Runbook, Share, Step, Trigger, Until, Work};
pub use said::{Line, Stream};
pub use time::Timestamp;
pub use words::{kind_of, listed, plain, short};

/// A JSON object in the order in which it was written.
pub type Map = serde_json::Map<String, serde_json::Value>;
pub use serde_json::Value;
