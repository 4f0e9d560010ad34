//! The response of a command plugin, read strictly, in the words of `sdk/wit`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Exited, wrong};
use crate::bindings::exports::runwright::plugin::actions::PluginInfo;
use crate::bindings::types;

/// Either is there, never both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    ok: Option<Value>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Info {
    name: String,
    version: String,
    #[serde(default)]
    summary: String,
    actions: Vec<Action>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Action {
    name: String,
    #[serde(default)]
    summary: String,
    input_schema: Value,
    output_schema: Value,
    effect: Effect,
    #[serde(default)]
    destructive: bool,
    #[serde(default)]
    has_plan: bool,
    #[serde(default)]
    has_verify: bool,
    #[serde(default)]
    has_undo: bool,
    #[serde(default)]
    undo_safe_if_not_run: bool,
    defaults: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Effect {
    Read,
    Idempotent,
    Unsafe,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Outcome {
    output: Value,
    #[serde(default)]
    changed: bool,
    undo_data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Happened(Outcome),
    NotHappened,
    CannotTell(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Preview {
    summary: String,
    #[serde(default)]
    changes: Vec<Change>,
    output: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Change {
    kind: crate::call::ChangeKind,
    subject: String,
    summary: String,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Problem {
    kind: Kind,
    message: String,
    code: Option<String>,
    details: Option<String>,
    retry_after_ms: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Transient,
    Permanent,
    InvalidInput,
    Denied,
    Partial,
    UnknownOutcome,
    Cancelled,
    UnknownAction,
}

/// What a program answered: what was asked for, or its own error.
pub(crate) type Answered<T> = Result<T, types::PluginError>;

/// The answer to `describe`.
pub(crate) fn info(exited: Exited) -> Result<PluginInfo, String> {
    let info: Info = match read(exited)? {
        Ok(info) => info,
        Err(error) => return Err(format!("answered with an error: {error:?}")),
    };
    let actions = info.actions.into_iter().map(action).collect();
    Ok(PluginInfo { name: info.name, version: info.version, summary: info.summary, actions })
}

/// The answer to `run` and `undo`.
pub(crate) fn outcome(exited: Exited) -> Result<Answered<types::Outcome>, String> {
    Ok(read::<Outcome>(exited)?.map(of_outcome))
}

/// The answer to `verify`.
pub(crate) fn verdict(exited: Exited) -> Result<Answered<types::Verdict>, String> {
    Ok(read::<Verdict>(exited)?.map(|verdict| match verdict {
        Verdict::Happened(outcome) => types::Verdict::Happened(of_outcome(outcome)),
        Verdict::NotHappened => types::Verdict::NotHappened,
        Verdict::CannotTell(reason) => types::Verdict::CannotTell(reason),
    }))
}

/// The answer to `plan`.
pub(crate) fn preview(exited: Exited) -> Result<Answered<types::Preview>, String> {
    Ok(read::<Preview>(exited)?.map(|preview| types::Preview {
        summary: preview.summary,
        changes: preview.changes.into_iter().map(change).collect(),
        output: preview.output.map(|output| output.to_string()),
    }))
}

fn read<T: DeserializeOwned>(exited: Exited) -> Result<Answered<T>, String> {
    let text = exited.text()?;
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        return Err(format!("wrote a response that is no JSON, a fault of the plugin: {error}"));
    }
    match serde_json::from_str::<Response>(&text).map_err(wrong)? {
        Response { ok: Some(ok), error: None } => serde_json::from_value(ok).map(Ok).map_err(wrong),
        Response { ok: None, error: Some(problem) } => Ok(Err(of_problem(problem))),
        Response { ok: Some(_), error: Some(_) } => Err(wrong("it has both `ok` and `error`")),
        Response { ok: None, error: None } => Err(wrong("it has neither `ok` nor `error`")),
    }
}

fn action(action: Action) -> types::ActionInfo {
    types::ActionInfo {
        name: action.name,
        summary: action.summary,
        input_schema: action.input_schema.to_string(),
        output_schema: action.output_schema.to_string(),
        effect: match action.effect {
            Effect::Read => types::Effect::Read,
            Effect::Idempotent => types::Effect::Idempotent,
            Effect::Unsafe => types::Effect::Unsafe,
        },
        destructive: action.destructive,
        has_plan: action.has_plan,
        has_verify: action.has_verify,
        has_undo: action.has_undo,
        undo_safe_if_not_run: action.undo_safe_if_not_run,
        defaults: action.defaults.map(|defaults| defaults.to_string()),
    }
}

fn of_outcome(outcome: Outcome) -> types::Outcome {
    let Outcome { output, changed, undo_data } = outcome;
    types::Outcome { output: output.to_string(), changed, undo_data }
}

fn change(change: Change) -> types::Change {
    use crate::call::ChangeKind;
    let kind = match change.kind {
        ChangeKind::None => types::ChangeKind::None,
        ChangeKind::Create => types::ChangeKind::Create,
        ChangeKind::Update => types::ChangeKind::Update,
        ChangeKind::Delete => types::ChangeKind::Delete,
        ChangeKind::Execute => types::ChangeKind::Execute,
    };
    let Change { subject, summary, before, after, kind: _ } = change;
    types::Change { kind, subject, summary, before, after }
}

fn of_problem(problem: Problem) -> types::PluginError {
    use types::PluginError as Error;
    let Problem { kind, message, code, details, retry_after_ms } = problem;
    if matches!(kind, Kind::UnknownAction) {
        return Error::UnknownAction(message);
    }
    let error = types::ErrorInfo { message, code, details };
    match kind {
        Kind::Transient => Error::Transient(types::TransientError { error, retry_after_ms }),
        Kind::Permanent => Error::Permanent(error),
        Kind::InvalidInput => Error::InvalidInput(error),
        Kind::Denied => Error::Denied(error),
        Kind::Partial => Error::Partial(error),
        Kind::UnknownOutcome => Error::UnknownOutcome(error),
        Kind::Cancelled | Kind::UnknownAction => Error::Cancelled,
    }
}
