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
        #[doc(hidden)]
        mod __runwright_export {
            #![allow(unsafe_code, missing_docs, clippy::all, reason = "generated")]
            use $crate::__export as sdk;

            struct Exported;

            impl sdk::Guest for Exported {
                fn describe() -> sdk::PluginInfo {
                    sdk::describe(super::$plugin())
                }
                fn plan(
                    action: String,
                    input: String,
                    context: sdk::Context,
                ) -> Result<sdk::Preview, sdk::PluginError> {
                    sdk::plan(super::$plugin(), &action, &input, context)
                }
                fn run(
                    action: String,
                    input: String,
                    context: sdk::Context,
                ) -> Result<sdk::Outcome, sdk::PluginError> {
                    sdk::run(super::$plugin(), &action, &input, context)
                }
                fn verify(
                    action: String,
                    input: String,
                    context: sdk::Context,
                ) -> Result<sdk::Verdict, sdk::PluginError> {
                    sdk::verify(super::$plugin(), &action, &input, context)
                }
                fn undo(
                    action: String,
                    input: String,
                    data: Option<String>,
                    context: sdk::Context,
                ) -> Result<sdk::Outcome, sdk::PluginError> {
                    sdk::undo(super::$plugin(), &action, &input, data.as_deref(), context)
                }
            }

            sdk::bindings_export!(Exported with_types_in sdk);
        }
    };
}

type Answered<T> = Result<T, PluginError>;

pub fn describe(plugin: Plugin) -> PluginInfo {
    PluginInfo {
        name: plugin.name.into(),
        version: plugin.version.into(),
        summary: plugin.summary.into(),
        actions: plugin.actions.iter().map(action_info).collect(),
    }
}

pub fn plan(plugin: Plugin, action: &str, input: &str, context: Context) -> Answered<Preview> {
    Ok(plugin.plan(action, input, &context.into())?.into())
}

pub fn run(plugin: Plugin, action: &str, input: &str, context: Context) -> Answered<Outcome> {
    Ok(plugin.run(action, input, &context.into())?.into())
}

pub fn verify(plugin: Plugin, action: &str, input: &str, context: Context) -> Answered<Verdict> {
    Ok(plugin.verify(action, input, &context.into())?.into())
}

pub fn undo(
    plugin: Plugin,
    action: &str,
    input: &str,
    data: Option<&str>,
    context: Context,
) -> Answered<Outcome> {
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
        Self {
            output: answer.output,
            changed: answer.changed,
            undo_data: answer.undo,
        }
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
