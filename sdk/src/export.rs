//! From the engine's calls to a [`Plugin`] and back.

use crate::{
    Change, ChangeKind, Effect, Plugin,
    action::Erased,
    bindings::runwright::plugin::types,
    plugin::{Answer, Ruling},
};

pub use types::{Context, Outcome, PluginError, PluginInfo, Preview, Verdict};

/// Makes the crate a plugin: `export!(plugin)`, where `fn plugin() -> Plugin`.
///
/// Once per crate. Each call of the engine makes the plugin anew, so keep `plugin` cheap.
#[macro_export]
macro_rules! export {
    ($plugin:path) => {
        #[allow(unsafe_code, clippy::all, clippy::allow_attributes, reason = "generated")]
        const _: () = {
            use $crate::__export as sdk;

            struct Exported;

            impl sdk::Guest for Exported {
                fn describe() -> sdk::PluginInfo {
                    sdk::describe(&$plugin())
                }
                fn plan(action: String, input: String, context: sdk::Context) -> sdk::Answered<sdk::Preview> {
                    sdk::plan(&$plugin(), &action, &input, context)
                }
                fn run(action: String, input: String, context: sdk::Context) -> sdk::Answered<sdk::Outcome> {
                    sdk::run(&$plugin(), &action, &input, context)
                }
                fn verify(action: String, input: String, context: sdk::Context) -> sdk::Answered<sdk::Verdict> {
                    sdk::verify(&$plugin(), &action, &input, context)
                }
                fn undo(
                    action: String,
                    input: String,
                    data: Option<String>,
                    context: sdk::Context,
                ) -> sdk::Answered<sdk::Outcome> {
                    sdk::undo(&$plugin(), &action, &input, data.as_deref(), context)
                }
            }

    sdk::bindings_export!(Exported with_types_in sdk);
        };
    };
}

/// What a call answers.
pub type Answered<T> = Result<T, PluginError>;

/// What the plugin says of itself.
pub fn describe(plugin: &Plugin) -> PluginInfo {
    PluginInfo {
        name: plugin.name.into(),
        version: plugin.version.into(),
        summary: plugin.summary.into(),
        actions: plugin.actions.iter().map(action_info).collect(),
    }
}

/// The engine's `plan`.
pub fn plan(plugin: &Plugin, action: &str, input: &str, context: Context) -> Answered<Preview> {
    Ok(plugin.plan(action, input, &context.into())?.into())
}

/// The engine's `run`.
pub fn run(plugin: &Plugin, action: &str, input: &str, context: Context) -> Answered<Outcome> {
    Ok(plugin.run(action, input, &context.into())?.into())
}

/// The engine's `verify`.
pub fn verify(plugin: &Plugin, action: &str, input: &str, context: Context) -> Answered<Verdict> {
    Ok(plugin.verify(action, input, &context.into())?.into())
}

/// The engine's `undo`.
pub fn undo(plugin: &Plugin, action: &str, input: &str, data: Option<&str>, context: Context) -> Answered<Outcome> {
    Ok(plugin.undo(action, input, data, &context.into())?.into())
}

fn action_info(action: &Erased) -> types::ActionInfo {
    types::ActionInfo {
        name: action.name.into(),
        summary: action.summary.into(),
        input_schema: (action.input)(),
        output_schema: (action.output)(),
        effect: match action.effect {
            Effect::Read => types::Effect::Read,
            Effect::Idempotent => types::Effect::Idempotent,
            Effect::Unsafe => types::Effect::Unsafe,
        },
        destructive: action.destructive,
        has_plan: action.plan.is_some(),
        has_verify: action.verify.is_some(),
        has_undo: action.undo.is_some(),
        undo_safe_if_not_run: action.undo_safe_if_not_run,
        defaults: action.defaults.as_ref().map(ToString::to_string),
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { output: answer.output, changed: answer.changed, undo_data: answer.undo }
    }
}

impl From<Ruling> for Verdict {
    fn from(ruling: Ruling) -> Self {
        match ruling {
            Ruling::Happened(answer) => Self::Happened(answer.into()),
            Ruling::NotHappened => Self::NotHappened,
            Ruling::CannotTell(why) => Self::CannotTell(why),
        }
    }
}

impl From<crate::Preview> for Preview {
    fn from(preview: crate::Preview) -> Self {
        Self {
            summary: preview.summary,
            changes: preview.changes.into_iter().map(Into::into).collect(),
            output: preview.output.map(|output| output.to_string()),
        }
    }
}

impl From<Change> for types::Change {
    fn from(change: Change) -> Self {
        Self {
            kind: match change.kind {
                ChangeKind::None => types::ChangeKind::None,
                ChangeKind::Create => types::ChangeKind::Create,
                ChangeKind::Update => types::ChangeKind::Update,
                ChangeKind::Delete => types::ChangeKind::Delete,
                ChangeKind::Execute => types::ChangeKind::Execute,
            },
            subject: change.subject,
            summary: change.summary,
            before: change.before,
            after: change.after,
        }
    }
}
