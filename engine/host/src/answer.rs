//! What a plugin answered, checked and in the words of `core`.

use runwright_core::{Answer, Failure, FailureKind, Outcome, Value, Verdict};

use crate::bindings::types::{self, ErrorInfo, PluginError};
use crate::call::{Change, ChangeKind, Preview};
use crate::capability::Report;
use crate::limits::{Limits, size};
use crate::redact::Tainted;
use crate::said::{clean, cut};
use crate::schema::Schema;

/// Bytes of a failure's message, and of its details.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Bytes of a failure's code.
const CODE_BYTES_MAX: usize = 128;
/// Changes of one preview.
const CHANGES_MAX: usize = 1000;

/// A failure, or a loss for which nobody knows whether anything happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unanswered {
    Failed(Failure),
    Lost(String),
}

impl Unanswered {
    /// Its words.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Failed(failure) => &failure.message,
            Self::Lost(reason) => reason,
        }
    }
}

impl From<Unanswered> for Outcome {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Failed(failure) => Self::Failed(failure),
            Unanswered::Lost(reason) => Self::Lost { reason },
        }
    }
}

/// What a plugin answered, and what is needed to judge it.
pub(crate) struct Judge<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) output: &'a Schema,
    pub(crate) tainted: &'a Tainted,
    /// What the plugin could not know of the call.
    pub(crate) report: &'a Report,
    /// The call was one that acts, and it changed something outside, or may have.
    pub(crate) acted: bool,
    /// Why the call had to end before it came back, in words.
    pub(crate) cut: Option<&'a str>,
}

impl Judge<'_> {
    /// The plugin's own error. Where it says `denied`, its message tells how to allow it, whatever it says itself; where
    /// the host knows more of how it came to fail, it tells that too.
    pub(crate) fn error(&self, error: PluginError) -> Unanswered {
        let (kind, info, retry_after_ms) = match error {
            PluginError::UnknownAction(action) => {
                let message = format!("the plugin does not know its action {:?}", cut(&self.message(&action), 80));
                return Unanswered::Failed(Failure::new(FailureKind::Permanent, message));
            }
            PluginError::Cancelled => {
                return Unanswered::Failed(Failure::new(
                    FailureKind::Cancelled,
                    self.explained("it was asked to stop"),
                ));
            }
            PluginError::UnknownOutcome(info) => return Unanswered::Lost(self.explained(&self.message(&info.message))),
            PluginError::InvalidInput(info) => (FailureKind::InvalidInput, info, None),
            PluginError::Denied(info) => (FailureKind::Denied, info, None),
            PluginError::Transient(info) => (FailureKind::Transient, info.error, info.retry_after_ms),
            PluginError::Permanent(info) => (FailureKind::Permanent, info, None),
            PluginError::Partial(info) => (FailureKind::Partial, info, None),
        };
        let ErrorInfo { message: text, code, details } = info;
        let message = self.message(&text);
        let (kind, message) = match self.report.refusal().filter(|_| kind == FailureKind::Denied) {
            Some(refusal) if message.contains(&refusal.why) => (refusal.kind, message),
            Some(refusal) if message.is_empty() => (refusal.kind, refusal.why.clone()),
            Some(refusal) => (refusal.kind, format!("{message}: {}", refusal.why)),
            None if kind == FailureKind::Denied || kind == FailureKind::InvalidInput => (kind, message),
            None => (kind, self.explained(&message)),
        };
        let (kind, message) = match self.remains(kind) {
            true => (FailureKind::Partial, format!("{message} (before that the call had acted: effects may remain)")),
            false => (kind, message),
        };
        Unanswered::Failed(Failure {
            kind,
            message,
            code: code.map(|code| cut(&self.message(&code), CODE_BYTES_MAX).to_owned()),
            details: details.map(|details| self.tainted.hide_head(&details, MESSAGE_BYTES_MAX).into_owned()),
            retry_after_ms: retry_after_ms.map(u64::from).filter(|_| kind == FailureKind::Transient),
        })
    }

    /// Whether effects may remain though `kind` says that nothing happened: languages hand on what a capability refused,
    /// as if it had been the first that the call asked for.
    fn remains(&self, kind: FailureKind) -> bool {
        let refused = match kind {
            FailureKind::Denied => true,
            FailureKind::InvalidInput => self.report.refusal().is_some_and(|refusal| refusal.kind == kind),
            FailureKind::Transient => self.report.late,
            _ => false,
        };
        self.acted && refused
    }

    /// `message` with what the host knows beside it.
    fn explained(&self, message: &str) -> String {
        let aside = self.report.aside.as_ref().map(|aside| format!(" ({aside})")).unwrap_or_default();
        let cut = self.cut.map(|cut| format!(": {cut}")).unwrap_or_default();
        format!("{message}{aside}{cut}")
    }

    /// A plugin whose answer can't be used has acted nevertheless.
    pub(crate) fn outcome(&self, outcome: types::Outcome) -> Result<Answer, Unanswered> {
        let answer = self.undone(outcome)?;
        self.output.check(&answer.output).map_err(|why| {
            Unanswered::Lost(format!("gave an output that does not fit its own schema, a fault of the plugin: {why}"))
        })?;
        Ok(answer)
    }

    /// What an undo answers is its own: the schema is that of the action's output.
    pub(crate) fn undone(&self, outcome: types::Outcome) -> Result<Answer, Unanswered> {
        let types::Outcome { output, changed, undo_data } = outcome;
        let bytes = output.len().max(undo_data.as_ref().map_or(0, String::len));
        self.bounded("output", bytes)?;
        Ok(Answer { output: self.json(&output)?, changed, undo_data })
    }

    pub(crate) fn verdict(&self, verdict: types::Verdict) -> Result<Verdict, Unanswered> {
        Ok(match verdict {
            types::Verdict::Happened(outcome) => Verdict::Happened(self.outcome(outcome)?),
            types::Verdict::NotHappened => Verdict::NotHappened,
            types::Verdict::CannotTell(reason) => Verdict::CannotTell { reason: self.message(&reason) },
        })
    }

    pub(crate) fn preview(&self, preview: types::Preview) -> Result<Preview, Unanswered> {
        let types::Preview { summary, changes, output } = preview;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let sum = |change: &types::Change| {
            change.subject.len() + change.summary.len() + text(&change.before) + text(&change.after)
        };
        let bytes = summary.len() + text(&output) + changes.iter().map(sum).sum::<usize>();
        self.bounded("preview", bytes)?;
        if changes.len() > CHANGES_MAX {
            return Err(Unanswered::Lost(format!("gave a preview of more than {CHANGES_MAX} changes")));
        }
        let output = output.map(|output| self.json(&output)).transpose()?;
        Ok(Preview {
            summary: self.message(&summary),
            changes: changes.into_iter().map(|change| self.change(change)).collect(),
            output,
        })
    }

    fn bounded(&self, what: &str, bytes: usize) -> Result<(), Unanswered> {
        let limit = self.limits.output_bytes;
        if bytes <= limit {
            return Ok(());
        }
        Err(Unanswered::Lost(format!(
            "gave {what} of {} where its limit is {}; raise output-bytes under [limits] in runwright.toml if it should",
            size(bytes),
            size(limit)
        )))
    }

    fn json(&self, text: &str) -> Result<Value, Unanswered> {
        serde_json::from_str(text)
            .map_err(|error| Unanswered::Lost(format!("gave output that is no JSON, a fault of the plugin: {error}")))
    }

    fn change(&self, change: types::Change) -> Change {
        let kind = match change.kind {
            types::ChangeKind::None => ChangeKind::None,
            types::ChangeKind::Create => ChangeKind::Create,
            types::ChangeKind::Update => ChangeKind::Update,
            types::ChangeKind::Delete => ChangeKind::Delete,
            types::ChangeKind::Execute => ChangeKind::Execute,
        };
        let types::Change { subject, summary, before, after, kind: _ } = change;
        Change { kind, subject: self.message(&subject), summary: self.message(&summary), before, after }
    }

    /// A plugin's text for people: bounded, on one line, without control characters and secrets.
    fn message(&self, text: &str) -> String {
        let cleaned = clean(&self.tainted.hide_head(text, 2 * MESSAGE_BYTES_MAX));
        // What was taken away may have stood within a secret.
        self.tainted.hide_head(&cleaned, MESSAGE_BYTES_MAX).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Refusal;
    use serde_json::json;

    fn judge<T>(limits: &Limits, report: &Report, with: impl FnOnce(Judge<'_>) -> T) -> T {
        let output = &Schema::new(&json!({"type": "object"})).unwrap();
        with(Judge { limits, output, tainted: &Tainted::default(), report, acted: report.acts > 0, cut: None })
    }

    fn refused(kind: FailureKind) -> Report {
        Report { refused: vec![Refusal { kind, why: "add x".to_owned() }], ..Report::default() }
    }

    fn info(message: &str) -> ErrorInfo {
        ErrorInfo { message: message.to_owned(), code: None, details: None }
    }

    #[test]
    fn a_denial_tells_how_to_allow_it() {
        let limits = Limits::default();
        let told = |message: &str| {
            judge(&limits, &refused(FailureKind::Denied), |judge| {
                match judge.error(PluginError::Denied(info(message))) {
                    Unanswered::Failed(failure) => failure.message,
                    Unanswered::Lost(reason) => reason,
                }
            })
        };
        assert_eq!(told("no socket"), "no socket: add x");
        assert_eq!(told("sorry: add x"), "sorry: add x");
        assert_eq!(told(""), "add x");
    }

    #[test]
    fn what_nobody_could_be_granted_is_wrong_input() {
        let kind = |report: &Report, error| {
            judge(&Limits::default(), report, |judge| match judge.error(error) {
                Unanswered::Failed(failure) => failure.kind,
                Unanswered::Lost(reason) => panic!("{reason}"),
            })
        };
        let invalid = refused(FailureKind::InvalidInput);
        assert_eq!(kind(&invalid, PluginError::Denied(info("no"))), FailureKind::InvalidInput);
        // A plugin that goes on and fails later is believed.
        assert_eq!(kind(&invalid, PluginError::Partial(info("no"))), FailureKind::Partial);
        assert_eq!(kind(&refused(FailureKind::Denied), PluginError::Denied(info("no"))), FailureKind::Denied);
    }

    #[test]
    fn what_is_refused_after_an_effect_leaves_the_effect() {
        let told = |report: &Report, error| {
            judge(&Limits::default(), report, |judge| match judge.error(error) {
                Unanswered::Failed(failure) => (failure.kind, failure.message),
                Unanswered::Lost(reason) => panic!("{reason}"),
            })
        };
        let acted = |report: Report| Report { acts: 1, ..report };
        let transient =
            || PluginError::Transient(types::TransientError { error: info("later"), retry_after_ms: Some(5) });
        let (kind, message) = told(&acted(refused(FailureKind::Denied)), PluginError::Denied(info("no")));
        assert_eq!(kind, FailureKind::Partial);
        assert_eq!(message, "no: add x (before that the call had acted: effects may remain)");
        let invalid = || acted(refused(FailureKind::InvalidInput));
        for error in [PluginError::Denied(info("no")), PluginError::InvalidInput(info("no"))] {
            assert_eq!(told(&invalid(), error).0, FailureKind::Partial);
        }
        let late = Report { late: true, ..acted(Report::default()) };
        assert_eq!(told(&late, transient()).0, FailureKind::Partial);
        // What nobody refused is the plugin's own word.
        assert_eq!(told(&acted(Report::default()), transient()).0, FailureKind::Transient);
        let own = told(&acted(Report::default()), PluginError::InvalidInput(info("no such volume")));
        assert_eq!(own, (FailureKind::InvalidInput, "no such volume".to_owned()));
        assert_eq!(told(&Report { late: true, ..Report::default() }, transient()).0, FailureKind::Transient);
    }

    #[test]
    fn an_error_tells_what_only_the_host_knows() {
        let limits = Limits::default();
        let report = Report { aside: Some("SIGKILL".to_owned()), ..Report::default() };
        let told = |error| {
            let output = &Schema::new(&json!({})).unwrap();
            let cut = Some("the run was cancelled");
            let (limits, tainted) = (&limits, &Tainted::default());
            match (Judge { limits, output, tainted, report: &report, acted: false, cut }).error(error) {
                Unanswered::Failed(failure) => failure.message,
                Unanswered::Lost(reason) => reason,
            }
        };
        assert_eq!(told(PluginError::Partial(info("it was killed"))), "it was killed (SIGKILL): the run was cancelled");
        assert_eq!(told(PluginError::UnknownOutcome(info("lost"))), "lost (SIGKILL): the run was cancelled");
        assert_eq!(told(PluginError::InvalidInput(info("wrong"))), "wrong");
    }

    #[test]
    fn an_answer_that_cannot_be_used_is_a_loss() {
        let limits = Limits { output_bytes: 100, ..Limits::default() };
        let outcome = |output: &str| types::Outcome { output: output.to_owned(), changed: true, undo_data: None };
        let lost = |output: &str| {
            judge(&limits, &Report::default(), |judge| match judge.outcome(outcome(output)) {
                Err(Unanswered::Lost(reason)) => reason,
                other => panic!("{other:?}"),
            })
        };
        assert!(lost("{").contains("no JSON"));
        assert!(lost("[]").contains("schema"));
        assert!(lost(&"[".repeat(101)).contains("output-bytes"));
        assert!(lost(&"[".repeat(100)).contains("no JSON"));
        assert_eq!(judge(&limits, &Report::default(), |judge| judge.outcome(outcome("{}"))).unwrap().output, json!({}));
        assert!(
            judge(&limits, &Report::default(), |judge| judge.undone(outcome("[]"))).is_ok(),
            "an undo has an output of its own"
        );
        assert!(judge(&limits, &Report::default(), |judge| judge.undone(outcome("{"))).is_err());
    }

    #[test]
    fn messages_are_clean_and_bounded() {
        let limits = Limits::default();
        let error = PluginError::UnknownOutcome(info(&format!("\u{1b}[2Jx\n{}", "y".repeat(10_000))));
        let Unanswered::Lost(reason) = judge(&limits, &Report::default(), |judge| judge.error(error)) else { panic!() };
        assert!(reason.starts_with("x y") && reason.len() <= MESSAGE_BYTES_MAX);
    }
}
