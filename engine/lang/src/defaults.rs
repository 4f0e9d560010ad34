//! What a runbook says for all its steps.

use runwright_core::{OnFailure, OnUnknown, Retry, Work};

use crate::check::{Check, Keys, find};
use crate::failing::Failing;
use crate::node::Node;

pub(crate) const KEYS: Keys =
    Keys { of: "`defaults`", known: &["timeout", "retry", "on-failure", "on-unknown"], later: &[] };

/// What holds for the steps that say nothing of it themselves, as far as it fits their kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Defaults {
    timeout_ms: Option<u64>,
    retry: Option<Retry>,
    pub(crate) on_failure: Option<Failing>,
    on_unknown: Option<OnUnknown>,
}

impl Defaults {
    /// Milliseconds that an attempt may take. Waits, questions and what holds steps take the time that they need.
    pub(crate) fn timeout_ms(&self, work: &Work, polls: bool) -> Option<u64> {
        self.timeout_ms.filter(|_| calls(work) && !polls)
    }

    /// Attempts of a call. What holds steps is not done again as a whole unless it says so itself: with those of the steps
    /// in it, its attempts would multiply.
    pub(crate) fn retry(&self, work: &Work, polls: bool) -> Option<Retry> {
        self.retry.filter(|_| calls(work) && !polls)
    }

    /// What follows where nobody can tell whether a call happened.
    pub(crate) fn on_unknown(&self, work: &Work) -> Option<OnUnknown> {
        self.on_unknown.filter(|_| calls(work))
    }

    /// What a failure means; `otherwise` is what follows where the list does not go on. A no to a question is an answer, which
    /// only the step itself can say to go on after.
    pub(crate) fn on_failure(&self, work: &Work, always: bool, otherwise: OnFailure) -> OnFailure {
        match self.on_failure {
            // That is `otherwise` already, except where a step has an undo of its own around it.
            Some(Failing::Ends(_)) | None => otherwise,
            Some(_) if matches!(work, Work::Approve { .. }) => otherwise,
            Some(goes_on) => goes_on.of_step(always, otherwise),
        }
    }
}

/// Whether it calls actions.
const fn calls(work: &Work) -> bool {
    matches!(work, Work::Action { .. } | Work::Script { .. })
}

impl Check<'_> {
    /// The `defaults` of a runbook.
    pub(crate) fn defaults(&mut self, node: &Node) -> Defaults {
        let Some(fields) = self.map(node, "a map like `{ timeout: 2m, retry: { attempts: 3 } }`") else {
            return Defaults::default();
        };
        self.keys(fields, &KEYS);
        let field = |key| find(fields, key).map(|entry| &entry.value);
        Defaults {
            timeout_ms: field("timeout").and_then(|value| self.duration(value)),
            retry: field("retry").and_then(|value| self.retry(value)),
            on_failure: field("on-failure").and_then(|value| self.failing(value, false)),
            on_unknown: field("on-unknown").and_then(|value| self.default_on_unknown(value)),
        }
    }

    fn default_on_unknown(&mut self, node: &Node) -> Option<OnUnknown> {
        if node.text() == Some("retry") {
            let error =
                self.error("unsafe-retry", node.span.clone(), "`retry` can't be the default: a step may act twice");
            error.help("write `on-unknown: retry` at the steps that may be repeated, with `idempotent: true`");
            return None;
        }
        self.choice(node, &[("ask", OnUnknown::Ask), ("fail", OnUnknown::Fail)])
    }
}
