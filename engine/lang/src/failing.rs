//! What the failure of a step means.

use runwright_core::{FailureKind, FailureKinds, OnFailure};

use crate::check::{Check, Keys, find};
use crate::node::{Kind, Node};
use crate::runbook::first;

pub(crate) const KEYS: Keys = Keys { of: "`on-failure`", known: &["continue"], later: &[] };

/// What `on-failure` says, before it is known of which step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failing {
    /// The list goes no further.
    Ends(OnFailure),
    /// The list goes on, unless the step was refused.
    GoesOn,
    /// The list goes on after these kinds.
    GoesOnAfter(FailureKinds),
}

impl Failing {
    /// What it means for a step that `always` runs or not; `otherwise` is what follows where the list does not go on.
    pub(crate) fn of_step(self, always: bool, otherwise: OnFailure) -> OnFailure {
        let rollback = otherwise == OnFailure::Rollback;
        match self {
            Self::Ends(ends) => ends,
            Self::GoesOn if !rollback => OnFailure::Continue,
            Self::GoesOn => {
                let kinds = if always { FailureKinds::all() } else { FailureKinds::findings() };
                OnFailure::ContinueAfter { kinds, rollback }
            }
            Self::GoesOnAfter(kinds) => OnFailure::ContinueAfter { kinds, rollback },
        }
    }
}

impl Check<'_> {
    /// The `on-failure` of a step.
    pub(crate) fn failing(&mut self, node: &Node, is_each: bool) -> Option<Failing> {
        if matches!(node.kind, Kind::Map(_)) {
            return self.goes_on_after(node).map(Failing::GoesOnAfter);
        }
        let choices = [
            ("stop", Failing::Ends(OnFailure::Stop)),
            ("rollback", Failing::Ends(OnFailure::Rollback)),
            ("continue", Failing::GoesOn),
            ("rollback-wave", Failing::Ends(OnFailure::RollbackWave)),
        ];
        if !is_each && node.text() == Some("rollback-wave") {
            self.error("bad-value", node.span.clone(), "only a `for-each` has waves")
                .help("use `on-failure: rollback`, or put it beside the `for-each`");
            return None;
        }
        self.choice(node, if is_each { &choices } else { &choices[..3] })
    }

    /// The kinds of failure in `{ continue: […] }`.
    fn goes_on_after(&mut self, node: &Node) -> Option<FailureKinds> {
        const EXAMPLE: &str = "name kinds of failure, for example `{ continue: [transient, permanent] }`";
        let fields = node.entries();
        if let Some(go) = find(fields, "go") {
            self.error("unsupported", go.at.clone(), "`go` is not supported by this version yet")
                .help("use `on-failure: continue`, and `if` in the steps behind");
            return None;
        }
        self.keys(fields, &KEYS);
        let Some(field) = find(fields, "continue") else {
            self.error("missing-key", first(node), "this `on-failure` has no `continue`").help(EXAMPLE);
            return None;
        };
        let Kind::List(kinds) = &field.value.kind else {
            self.wrong_type(&field.value, "a list of kinds of failure like `[transient, permanent]`");
            return None;
        };
        if kinds.is_empty() {
            let error = self.error("bad-value", field.value.span.clone(), "`continue` names no kind of failure");
            error.help(format!("{EXAMPLE}; or write `on-failure: stop`"));
            return None;
        }
        let choices = FailureKind::ALL.map(|kind| (kind.as_str(), kind));
        let kinds: Vec<Option<FailureKind>> = kinds.iter().map(|kind| self.choice(kind, &choices)).collect();
        kinds.into_iter().collect()
    }
}
