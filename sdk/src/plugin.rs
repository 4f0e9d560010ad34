//! A plugin: its actions by name, without their types.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Action, Context, Error, ErrorKind, Outcome, Preview, Result, Verdict, action::Erased};

/// A plugin: what it is called, and its actions.
pub struct Plugin {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) actions: Vec<Erased>,
}

impl Plugin {
    /// A plugin without actions. `name` is what runbooks write before the slash.
    pub fn new(name: &'static str, version: &'static str, summary: &'static str) -> Self {
        Self { name, version, summary, actions: Vec::new() }
    }

    /// The same with one more action.
    #[must_use]
    pub fn action<I, O>(mut self, action: Action<I, O>) -> Self
    where
        I: DeserializeOwned + JsonSchema + 'static,
        O: Serialize + JsonSchema + 'static,
    {
        self.actions.push(action.erased);
        self
    }

    /// Runs `action` on the JSON text `input`.
    ///
    /// # Errors
    ///
    /// The action's own, [`ErrorKind::InvalidInput`] for an input that it can't read, and
    /// [`ErrorKind::UnknownAction`].
    pub fn run(&self, action: &str, input: &str, context: &Context) -> Result<Answer> {
        (self.find(action)?.run)(input, context)
    }

    /// Says what `action` would do.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run); an action without `plan` is unknown here.
    pub fn plan(&self, action: &str, input: &str, context: &Context) -> Result<Preview> {
        let found = self.find(action)?;
        let plan = found.plan.as_ref().ok_or_else(|| lacks(action, "plan"))?;
        plan(input, context)
    }

    /// Says whether a lost attempt of `action` happened.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run); an action without `verify` is unknown here.
    pub fn verify(&self, action: &str, input: &str, context: &Context) -> Result<Ruling> {
        let found = self.find(action)?;
        let verify = found.verify.as_ref().ok_or_else(|| lacks(action, "verify"))?;
        verify(input, context)
    }

    /// Takes a run of `action` back; `data` is the JSON text that its outcome left.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run); an action without `undo` is unknown here.
    pub fn undo(&self, action: &str, input: &str, data: Option<&str>, context: &Context) -> Result<Answer> {
        let found = self.find(action)?;
        let undo = found.undo.as_ref().ok_or_else(|| lacks(action, "undo"))?;
        undo(input, data, context)
    }

    fn find(&self, action: &str) -> Result<&Erased> {
        self.actions
            .iter()
            .find(|candidate| candidate.name == action)
            .ok_or_else(|| Error::new(ErrorKind::UnknownAction, action))
    }
}

fn lacks(action: &str, what: &str) -> Error {
    Error::new(ErrorKind::UnknownAction, format!("{action} ({what})"))
}

/// What an action did, without its types.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// JSON text.
    pub output: String,
    /// Whether anything outside is different now.
    pub changed: bool,
    /// JSON text that undo gets back.
    pub undo: Option<String>,
}

impl Answer {
    pub(crate) fn new<T: Serialize>(outcome: Outcome<T>) -> Result<Self> {
        let output = serde_json::to_string(&outcome.output)
            .map_err(|error| Error::partial(format!("the output has no JSON form: {error}")))?;
        Ok(Self { output, changed: outcome.changed, undo: outcome.undo.map(|data| data.to_string()) })
    }

    /// The output as a value, for tests.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Partial`] when it is no JSON.
    pub fn value(&self) -> Result<Value> {
        serde_json::from_str(&self.output).map_err(|error| Error::partial(error.to_string()))
    }
}

/// A [`Verdict`] without its types.
#[derive(Debug, Clone, PartialEq)]
pub enum Ruling {
    /// It happened, and this is what it would have answered.
    Happened(Answer),
    /// It did not: running it again is safe.
    NotHappened,
    /// It can't be known, and why.
    CannotTell(String),
}

impl Ruling {
    pub(crate) fn new<T: Serialize>(verdict: Verdict<T>) -> Result<Self> {
        Ok(match verdict {
            Verdict::Happened(outcome) => Self::Happened(Answer::new(outcome)?),
            Verdict::NotHappened => Self::NotHappened,
            Verdict::CannotTell(why) => Self::CannotTell(why),
        })
    }
}
