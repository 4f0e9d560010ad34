//! The front door: compile, evaluate, resolve, run.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use runwright_core::Value;

use crate::cache::Cache;
use crate::compile::{Compiled, Missing, compile};
use crate::explain::{explain, kind};
use crate::guard::{Bounds, Watched, watched, within};
use crate::known::{Function, Functions};
use crate::outside::{Outside, World};
use crate::resolve::Room;
use crate::{Error, Limits, Names, Read, Reason, convert, functions};

/// Compiles and evaluates expressions and scripts; shared by all threads. What it compiled it keeps.
///
/// Scopes are JSON objects whose entries are the variables. Maps that expressions make have their keys sorted.
pub struct Engine {
    rhai: rhai::Engine,
    functions: Functions,
    limits: Limits,
    expressions: Cache<Compiled>,
    scripts: Cache<Compiled>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with these limits.
    pub fn new(limits: Limits) -> Self {
        const KEPT_BYTES: usize = 8 * 1024 * 1024;
        let rhai = functions::engine(&limits);
        Self {
            functions: Functions::of(&rhai),
            rhai,
            expressions: Cache::new(limits.cached, KEPT_BYTES),
            scripts: Cache::new(limits.cached, KEPT_BYTES),
            limits,
        }
    }

    /// What the expression reads; an error where it does not compile.
    pub fn check_expression(&self, text: &str) -> Result<Names, Error> {
        self.expression(text).map(|compiled| compiled.names.clone())
    }

    /// What the script reads; an error where it does not compile.
    pub fn check_script(&self, text: &str) -> Result<Names, Error> {
        self.script(text).map(|compiled| compiled.names.clone())
    }

    /// What all expressions in a template read; none where one of them does not compile.
    pub fn reads(&self, template: &Value) -> Option<Names> {
        let mut names = Names::default();
        let mut rest = vec![template];
        while let Some(value) = rest.pop() {
            match value {
                Value::String(text) => {
                    for part in crate::parts(text).ok()? {
                        if let crate::Part::Expression { text, .. } = part {
                            names.add(&self.expression(text).ok()?.names);
                        }
                    }
                }
                Value::Array(items) => rest.extend(items),
                Value::Object(entries) => rest.extend(entries.values()),
                _ => {}
            }
        }
        Some(names)
    }

    /// What an expression reads that is one read and nothing else, such as `inputs.vm`; none for all others.
    pub fn plain_read(&self, text: &str) -> Option<Read> {
        let compiled = self.expression(text).ok()?;
        compiled.names.only().filter(|_| compiled.plain).cloned()
    }

    /// The calls in a text of functions that there are not, or not with so many values.
    ///
    /// They are no errors when it compiles: a run goes on with a text that it never gets that far in.
    pub fn wrong_calls<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = Error> + 'a {
        self.functions.wrong(&names.called)
    }

    /// The functions that texts can call, sorted by name.
    pub fn functions(&self) -> Vec<Function> {
        self.functions.all()
    }

    /// The value of an expression.
    ///
    /// A property that is missing is an error, except before `??`.
    pub fn evaluate(&self, expression: &str, scope: &Value) -> Result<Value, Error> {
        self.evaluate_in(expression, scope, Missing::Refused, &mut Room::new(&self.limits))
    }

    /// The value of an expression, which takes what it needs from `room`.
    pub(crate) fn evaluate_in(
        &self,
        expression: &str,
        scope: &Value,
        missing: Missing,
        room: &mut Room,
    ) -> Result<Value, Error> {
        let compiled = self.expression(expression)?;
        if let Some(value) = compiled.look_up(scope) {
            return Ok(value.clone());
        }
        let bounds = Bounds {
            operations: room.operations,
            time: self.limits.expression_time,
            cancel: None,
            data_bytes: self.limits.data_bytes,
            outside_bytes: 0,
            world: None,
        };
        let (result, operations) = self.run(&compiled, scope, missing, bounds);
        room.operations = operations;
        result
    }

    /// Whether a condition holds. A value that is neither `true` nor `false` is an error, never a guess.
    ///
    /// A label or an annotation that an alarm lacks is empty here.
    pub fn condition(&self, expression: &str, scope: &Value) -> Result<bool, Error> {
        match self.evaluate_in(expression, scope, Missing::Empty, &mut Room::new(&self.limits))? {
            Value::Bool(holds) => Ok(holds),
            other => {
                let text: String = other.to_string().chars().take(60).collect();
                let what = match kind(&other) {
                    "null" => "null".to_owned(),
                    kind => format!("{kind} ({text})"),
                };
                let error = Error::value(format!("expected true or false, found {what}"));
                Err(error.hint("compare it, for example with `==` or `!=`"))
            }
        }
    }

    /// `template` with every `${{ }}` in its texts worked out, inside maps and lists too (keys stay as they are).
    ///
    /// A text that is one whole `${{ }}` becomes the value with its type. Otherwise the values are joined into the text:
    /// text, numbers, `true` and `false` as they are written; null, lists and maps are errors. `$${{` stands for `${{`.
    /// What an expression gives is never looked at again: `${{` in it stays as it is. All of them together have the
    /// operations of one expression, and the time of five.
    pub fn resolve(&self, template: &Value, scope: &Value) -> Result<Value, Error> {
        /// Many small ones take hardly any time each, even where the machine is busy.
        const EXPRESSIONS: u32 = 5;
        let work = || self.resolve_in(template, scope, &mut Room::new(&self.limits));
        self.within(self.limits.expression_time * EXPRESSIONS, work)
    }

    /// Calls `work`, whose evaluations on this thread take at most `time` together, whatever each may take alone.
    pub fn within<T>(&self, time: Duration, work: impl FnOnce() -> T) -> T {
        within(time, work)
    }

    /// Runs a script until it ends, `deadline` is over, `cancel` becomes true, or `outside` halts it: its last value, or why
    /// it failed.
    ///
    /// It blocks its thread for that long, and for as long as `outside` takes to answer, which `deadline` leaves out.
    pub fn run_script(
        &self,
        source: &str,
        scope: &Value,
        deadline: Duration,
        cancel: &Arc<AtomicBool>,
        outside: Box<dyn Outside>,
    ) -> Result<Value, Error> {
        let compiled = self.script(source)?;
        let bounds = Bounds {
            operations: self.limits.script_operations,
            time: deadline,
            cancel: Some(Arc::clone(cancel)),
            data_bytes: self.limits.data_bytes,
            outside_bytes: 0,
            world: Some(World::new(outside, &compiled.names, self.limits.calls)),
        };
        self.run(&compiled, scope, Missing::Refused, bounds).0
    }

    /// What became of it, and the operations that are left.
    fn run(&self, compiled: &Compiled, scope: &Value, missing: Missing, bounds: Bounds) -> (Result<Value, Error>, u64) {
        let variables = compiled.variables(scope, missing);
        let most = self.limits.data_bytes;
        let held = variables.iter().try_fold(0, |held, (_, value)| Ok(held + convert::bytes(value, most - held)?));
        let Ok::<usize, &str>(held) = held else {
            let error = Error::new(Reason::Limit, "it reads too much data, or data that nests too deeply");
            return (Err(error.hint("read only the properties that it needs")), bounds.operations);
        };
        let bounds = Bounds { outside_bytes: held, ..bounds };
        let Watched { result, halted, ended, operations } = watched(bounds, variables, || {
            match self.rhai.eval_ast_with_scope::<rhai::Dynamic>(&mut rhai::Scope::new(), &compiled.ast) {
                Ok(value) => convert::value(&value),
                Err(error) => Err(explain(&error, &compiled.names, scope)),
            }
        });
        let result = match (halted, ended, result) {
            (Some(message), _, Err(error)) if error.reason == Reason::Halted => Err(Error { message, ..error }),
            (Some(message), ..) => Err(Error::new(Reason::Halted, message)),
            // It caught the error that would have ended it, and did nothing more.
            (None, Some(why), Ok(_)) => Err(Error::of_stop(why)),
            (None, _, result) => result,
        };
        (result, operations)
    }

    fn expression(&self, text: &str) -> Result<Arc<Compiled>, Error> {
        self.expressions.get(text, || compile(&self.rhai, &self.limits, text, false))
    }

    fn script(&self, text: &str) -> Result<Arc<Compiled>, Error> {
        self.scripts.get(text, || compile(&self.rhai, &self.limits, text, true))
    }
}
