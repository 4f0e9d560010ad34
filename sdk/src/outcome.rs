//! What an action answers.

use serde::Serialize;
use serde_json::Value;

use crate::{Error, Result};

/// What an action did.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<T> {
    /// What later steps see; fits the action's output schema.
    pub output: T,
    /// Whether anything outside is different now.
    pub changed: bool,
    /// What undo gets back.
    pub undo: Option<Value>,
}

impl<T> Outcome<T> {
    /// Something outside is different now.
    pub fn changed(output: T) -> Self {
        Self { output, changed: true, undo: None }
    }

    /// All was as it should be, or was only read.
    pub fn unchanged(output: T) -> Self {
        Self { output, changed: false, undo: None }
    }

    /// The same with what undo needs to know. It stands in the journal: no secrets.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Partial`](crate::ErrorKind::Partial) when `data` has no JSON form, for example a map whose keys are no text.
    pub fn with_undo(mut self, data: impl Serialize) -> Result<Self> {
        let data = serde_json::to_value(data)
            .map_err(|error| Error::partial(format!("undo-data has no JSON form: {error}")))?;
        self.undo = Some(data);
        Ok(self)
    }
}

/// Whether an attempt whose answer was lost happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<T> {
    /// It did, and this is what it would have answered.
    Happened(Outcome<T>),
    /// It did not: running it again is safe.
    NotHappened,
    /// It can't be known, and why: a person must decide.
    CannotTell(String),
}

impl<T> Verdict<T> {
    /// It can't be known, because of `why`.
    pub fn cannot_tell(why: impl Into<String>) -> Self {
        Self::CannotTell(why.into())
    }
}

/// What an action would do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preview {
    /// One line for people.
    pub summary: String,
    /// What would be different.
    pub changes: Vec<Change>,
    /// What `run` would answer, as far as it can be known: fields that can't are left out.
    pub output: Option<Value>,
}

impl Preview {
    /// A preview with this line for people.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// The same with one more change.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// The same with what is known of the output.
    #[must_use]
    pub fn output(mut self, output: Value) -> Self {
        self.output = Some(output);
        self
    }
}

/// One thing that would be different.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What would be done to it.
    pub kind: ChangeKind,
    /// What it is: a VM, a file, a service.
    pub subject: String,
    /// What would happen to it.
    pub summary: String,
    /// Its state before, for a comparison.
    pub before: Option<String>,
    /// Its state after.
    pub after: Option<String>,
}

impl Change {
    /// `subject` would be changed, as `summary` says.
    pub fn new(kind: ChangeKind, subject: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), summary: summary.into(), before: None, after: None }
    }

    /// The same with the states before and after.
    #[must_use]
    pub fn states(mut self, before: impl Into<String>, after: impl Into<String>) -> Self {
        self.before = Some(before.into());
        self.after = Some(after.into());
        self
    }
}

/// What would be done to the subject of a [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Nothing: it is as it should be.
    None,
    /// It would be made.
    Create,
    /// It would be altered.
    Update,
    /// It would be removed.
    Delete,
    /// Something would be run on it.
    Execute,
}
