//! How a script reaches outside: `act`, `now`, `random` and `uuid`.

use rhai::{Dynamic, EvalAltResult, ImmutableString, NativeCallContext, Position};
use runwright_core::Value;

use crate::error::stop;
use crate::functions::Fallible;
use crate::{Names, convert, explain, guard};

/// What a script reaches outside.
///
/// The caller journals each call and answers. When the script is run again it makes the same calls in the same order, as
/// long as it gets the same answers to them.
pub trait Outside: Send {
    /// Calls an action, which the script names as a literal `plugin/action`, with a map as its input, and gives its
    /// output. It blocks until the action ended.
    fn act(&mut self, action: &str, input: Value) -> Result<Value, Refusal>;

    /// The value of `now` (milliseconds since 1970, an integer), `random` (a number from 0 up to, without, 1) or `uuid`
    /// (text).
    fn value(&mut self, function: &'static str) -> Result<Value, Refusal>;

    /// Takes what `print` or `debug` says, which may have several lines. It must not wait. When the script is run again, it
    /// says it again.
    fn print(&mut self, text: &str);
}

/// Why a call gives nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The action failed. The script may catch it: what it catches is a map with `kind`, `message` and `code`.
    Failed {
        /// The kind of failure, for example `transient`.
        kind: String,
        /// What went wrong, for people.
        message: String,
        /// What went wrong, for machines, for example `http.429`.
        code: Option<String>,
    },
    /// The script must end, for this reason: it goes another way than before, or the engine stops. It can't be caught.
    Halt(String),
}

/// The outside of one evaluation, with what may still be asked of it.
pub(crate) struct World {
    outside: Box<dyn Outside>,
    actions: Vec<String>,
    calls_left: usize,
}

impl World {
    /// `outside` for a script with these names, which may ask for so much.
    pub(crate) fn new(outside: Box<dyn Outside>, names: &Names, calls: usize) -> Self {
        let actions = names.acts().map(|(action, _)| action.to_owned()).collect();
        Self { outside, actions, calls_left: calls }
    }
}

/// Adds the functions to an engine. In an evaluation without a [`World`] they are errors.
pub(crate) fn register(engine: &mut rhai::Engine) {
    engine.register_fn("act", |context: NativeCallContext, action: ImmutableString, input: Dynamic| {
        act(&context, &action, &input)
    });
    engine.register_fn("act", |context: NativeCallContext, action: ImmutableString| {
        act(&context, &action, &Dynamic::from_map(rhai::Map::new()))
    });
    for function in ["now", "random", "uuid"] {
        engine.register_fn(function, move |context: NativeCallContext| {
            ask(&context, |world| {
                world.take_call()?;
                Ok(world.outside.value(function))
            })
        });
    }
}

fn act(context: &NativeCallContext, action: &str, input: &Dynamic) -> Fallible<Dynamic> {
    let input = convert::value(input).map_err(|error| error.message)?;
    if !input.is_object() {
        return Err(format!("the input of `{action}` is a map, found {}", explain::kind(&input)).into());
    }
    ask(context, |world| {
        if !world.actions.iter().any(|known| known == action) {
            // Called in a roundabout way, for example through `Fn("act")`: nobody could know of it before the run.
            return Err(format!("`{action}` stands in no `act(…)` of this script").into());
        }
        world.take_call()?;
        Ok(world.outside.act(action, input))
    })
}

impl World {
    pub(crate) fn print(&mut self, text: &str) {
        self.outside.print(text);
    }

    fn take_call(&mut self) -> Fallible<()> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or_else(|| end(stop::CALLS))?;
        Ok(())
    }
}

fn ask(
    context: &NativeCallContext,
    call: impl FnOnce(&mut World) -> Fallible<Result<Value, Refusal>>,
) -> Fallible<Dynamic> {
    match guard::ask(call).unwrap_or_else(|| Err("only a script reaches outside".into()))? {
        Ok(value) => {
            let value = convert::dynamic(&value);
            context.engine().ensure_data_size_within_limits(&value).map_err(|_| end(stop::ANSWER))?;
            Ok(value)
        }
        Err(Refusal::Failed { kind, message, code }) => {
            let code = code.map_or(Dynamic::UNIT, Dynamic::from);
            let entries = [("kind", kind.into()), ("message", message.into()), ("code", code)];
            let thrown: rhai::Map = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
            Err(EvalAltResult::ErrorRuntime(thrown.into(), Position::NONE).into())
        }
        Err(Refusal::Halt(why)) => {
            guard::halt(why);
            Err(end(stop::HALTED))
        }
    }
}

fn end(why: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(why.into(), Position::NONE).into()
}
