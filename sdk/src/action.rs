//! One action of a plugin: typed functions, and what the engine must know of them.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Context, Error, Outcome, Preview, Result, Verdict,
    plugin::{Answer, Ruling},
    schema,
};

/// What one attempt of an action may do to the outside world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Only reads: always safe to repeat, and really runs in a dry run.
    Read,
    /// Writes; repeating it with the same idempotency key is safe.
    Idempotent,
    /// Writes; repeating it may act twice: never repeated blindly.
    Unsafe,
}

/// One action over the input `I` and the output `O`.
///
/// `plan`, `verify` and `undo` are offered to runbooks when there is a function for them.
pub struct Action<I, O> {
    pub(crate) erased: Erased,
    types: std::marker::PhantomData<fn(I) -> O>,
}

type Run = Box<dyn Fn(&str, &Context) -> Result<Answer>>;
type Plan = Box<dyn Fn(&str, &Context) -> Result<Preview>>;
type Verify = Box<dyn Fn(&str, &Context) -> Result<Ruling>>;
type Undo = Box<dyn Fn(&str, Option<&str>, &Context) -> Result<Answer>>;

/// An action without its types.
pub(crate) struct Erased {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) effect: Effect,
    pub(crate) destructive: bool,
    pub(crate) undo_safe_if_not_run: bool,
    pub(crate) defaults: Option<Value>,
    // Functions, not texts: a fresh instance per call must not make schemas that nobody asked for.
    pub(crate) input: fn() -> String,
    pub(crate) output: fn() -> String,
    pub(crate) run: Run,
    pub(crate) plan: Option<Plan>,
    pub(crate) verify: Option<Verify>,
    pub(crate) undo: Option<Undo>,
}

impl<I, O> Action<I, O>
where
    I: DeserializeOwned + JsonSchema + 'static,
    O: Serialize + JsonSchema + 'static,
{
    /// An action that only reads.
    pub fn read<F>(name: &'static str, summary: &'static str, run: F) -> Self
    where
        F: Fn(I, &Context) -> Result<Outcome<O>> + 'static,
    {
        Self::new(Effect::Read, name, summary, run)
    }

    /// An action that writes, and may be repeated with the same key.
    pub fn idempotent<F>(name: &'static str, summary: &'static str, run: F) -> Self
    where
        F: Fn(I, &Context) -> Result<Outcome<O>> + 'static,
    {
        Self::new(Effect::Idempotent, name, summary, run)
    }

    /// An action that writes, and may act twice when it is repeated. (`unsafe` is a keyword.)
    pub fn unsafe_<F>(name: &'static str, summary: &'static str, run: F) -> Self
    where
        F: Fn(I, &Context) -> Result<Outcome<O>> + 'static,
    {
        Self::new(Effect::Unsafe, name, summary, run)
    }

    /// An action of this effect class.
    pub fn new<F>(effect: Effect, name: &'static str, summary: &'static str, run: F) -> Self
    where
        F: Fn(I, &Context) -> Result<Outcome<O>> + 'static,
    {
        let erased = Erased {
            name,
            summary,
            effect,
            destructive: false,
            undo_safe_if_not_run: false,
            defaults: None,
            input: schema::input::<I>,
            output: schema::output::<O>,
            run: Box::new(move |json, context| run(parse(json)?, context).and_then(Answer::new)),
            plan: None,
            verify: None,
            undo: None,
        };
        Self { erased, types: std::marker::PhantomData }
    }

    /// It loses something that undo cannot bring back.
    #[must_use]
    pub fn destructive(mut self) -> Self {
        self.erased.destructive = true;
        self
    }

    /// Undo is safe when the action never happened, so an unknown outcome can be undone at once.
    #[must_use]
    pub fn undo_safe_if_not_run(mut self) -> Self {
        self.erased.undo_safe_if_not_run = true;
        self
    }

    /// Suggested step settings, for example `{"timeout-ms": 30000, "attempts": 3}`.
    #[must_use]
    pub fn defaults(mut self, defaults: Value) -> Self {
        self.erased.defaults = Some(defaults);
        self
    }

    /// What would happen; must change nothing outside.
    #[must_use]
    pub fn plan<F>(mut self, plan: F) -> Self
    where
        F: Fn(I, &Context) -> Result<Preview> + 'static,
    {
        self.erased.plan = Some(Box::new(move |json, context| plan(parse(json)?, context)));
        self
    }

    /// Whether an attempt whose answer was lost happened; only reads.
    #[must_use]
    pub fn verify<F>(mut self, verify: F) -> Self
    where
        F: Fn(I, &Context) -> Result<Verdict<O>> + 'static,
    {
        self.erased.verify = Some(Box::new(move |json, context| verify(parse(json)?, context).and_then(Ruling::new)));
        self
    }

    /// Takes an earlier run back, with the data that its outcome left for it: none when its answer was
    /// lost. Must be safe to repeat.
    #[must_use]
    pub fn undo<F, D, R>(mut self, undo: F) -> Self
    where
        F: Fn(I, Option<D>, &Context) -> Result<Outcome<R>> + 'static,
        D: DeserializeOwned,
        R: Serialize,
    {
        self.erased.undo = Some(Box::new(move |json, data, context| {
            let data = data.map(parse_undo).transpose()?;
            undo(parse(json)?, data, context).and_then(Answer::new)
        }));
        self
    }
}

fn parse<I: DeserializeOwned>(json: &str) -> Result<I> {
    serde_json::from_str(json).map_err(|error| Error::invalid_input(error.to_string()).code("input.invalid"))
}

fn parse_undo<D: DeserializeOwned>(json: &str) -> Result<D> {
    serde_json::from_str(json)
        .map_err(|error| Error::permanent(format!("the recorded undo-data is not valid: {error}")).code("undo.invalid"))
}
