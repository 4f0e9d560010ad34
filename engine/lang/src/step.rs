//! One step.

use runwright_core::{EffectClass, OnFailure, OnUnknown, Retry, Step, Until, Work, closest};

use crate::check::{Check, Keys, find};
use crate::foreign;
use crate::node::{Entry, Node};
use crate::runbook::first;
use crate::scope::Scope;

pub(crate) const KEYS: Keys = Keys {
    of: "a step",
    known: &[
        "id",
        "if",
        "uses",
        "with",
        "script",
        "wait",
        "wait-until",
        "steps",
        "parallel",
        "for-each",
        "as",
        "waves",
        "at-once",
        "max-failures",
        "between",
        "fail-fast",
        "rescue",
        "approve",
        "runbook",
        "timeout",
        "retry",
        "on-failure",
        "on-unknown",
        "idempotent",
        "always",
        "undo",
        "point-of-no-return",
        "lock",
    ],
    later: &["silence"],
};

pub(crate) const RETRY: Keys =
    Keys { of: "`retry`", known: &["attempts", "delay", "backoff", "max-delay"], later: &[] };

/// The kinds of step.
pub(crate) const KINDS: [&str; 9] =
    ["for-each", "uses", "script", "wait", "wait-until", "approve", "runbook", "steps", "parallel"];

/// What a step does, and what its kind says of how.
pub(crate) struct Doing {
    pub(crate) work: Work,
    pub(crate) until: Option<Until>,
    /// The timeout, where it is not the step's own.
    pub(crate) timeout_ms: Option<u64>,
    /// The time that all of it may take, where that is not the step's `timeout`.
    pub(crate) limit_ms: Option<u64>,
}

impl Check<'_> {
    /// The step in `node`; `same` is the one before it with the same id.
    pub(crate) fn step(
        &mut self,
        node: &Node,
        same: Option<&Node>,
        on_failure: OnFailure,
        scope: Scope,
    ) -> Option<Step> {
        let fields = self.map(node, "a step: a map with `id`, and `uses` or `script`")?;
        self.keys(fields, &KEYS);
        let read_around = std::mem::take(&mut self.steps_read);
        let id = self.id(node, fields, same);
        let field = |key| find(fields, key).map(|entry| &entry.value);
        let condition = field("if").and_then(|value| self.condition(value, scope));
        // What is taken back as a whole by an undo of its own does not go back step by step.
        let inherited = if field("undo").is_some() { OnFailure::Stop } else { on_failure };
        let doing = self.doing(node, fields, inherited, scope);
        let undo = field("undo").map(|value| self.undo(value, scope));
        let lock = field("lock").and_then(|value| self.step_lock(value, scope));
        let point_of_no_return = field("point-of-no-return").and_then(|value| self.boolean(value)).unwrap_or(false);
        let timeout = field("timeout").and_then(|value| self.duration(value));
        let retry = field("retry").map(|value| self.retry(value).unwrap_or_default());
        let idempotent = field("idempotent").and_then(|value| self.boolean(value)).unwrap_or(false);
        let always = field("always").and_then(|value| self.boolean(value)).unwrap_or(false);
        let is_each = field("for-each").is_some();
        let failing = field("on-failure").map(|value| self.failing(value, is_each));
        let choices = [("ask", OnUnknown::Ask), ("retry", OnUnknown::Retry), ("fail", OnUnknown::Fail)];
        let on_unknown = field("on-unknown").map(|value| self.choice(value, &choices));
        let read = std::mem::replace(&mut self.steps_read, read_around);
        let Doing { work, until, timeout_ms, limit_ms } = doing?;
        if let Some(undo) = find(fields, "undo")
            && goes_back(&work)
        {
            let message = "a step in it says `on-failure: rollback`, and this `undo` takes all of it back as a whole";
            let error = self.error("bad-value", undo.at.clone(), message);
            error.help("let the steps in it say `stop`, and the step around them `rollback`");
        }
        if on_unknown == Some(Some(OnUnknown::Retry)) && !idempotent {
            self.repeatable(fields, &work);
        }
        let limit_ms = limit_ms.or(timeout.filter(|_| has_limit(&work)));
        let (defaults, polls) = (self.defaults, until.is_some());
        let timeout_ms = timeout_ms.or(timeout).or(defaults.timeout_ms(&work, polls));
        let timeout_ms = timeout_ms.or_else(|| self.usual_timeout(&work)).unwrap_or(Step::DEFAULT_TIMEOUT_MS);
        let retry = retry.or(defaults.retry(&work, polls)).unwrap_or_default();
        let on_failure = match failing {
            Some(failing) => failing?.of_step(always, on_failure),
            None => defaults.on_failure(&work, always, on_failure),
        };
        let on_unknown = on_unknown.unwrap_or_else(|| defaults.on_unknown(&work).or(Some(OnUnknown::Ask)))?;
        let id = id?;
        self.gives(&id, &work);
        let builds_on = read.into_iter().filter(|step| *step != id).collect();
        Some(Step {
            id,
            condition,
            work,
            lock,
            timeout_ms,
            limit_ms,
            retry,
            on_failure,
            on_unknown,
            idempotent,
            always,
            undo: undo.flatten(),
            point_of_no_return,
            until,
            builds_on,
        })
    }

    fn id(&mut self, node: &Node, fields: &[Entry], same: Option<&Node>) -> Option<String> {
        let Some(entry) = find(fields, "id") else {
            let error = self.error("missing-key", first(node), "the step has no `id`");
            error.help("give it a name of its own, for example `id: restart`");
            return None;
        };
        let id = self.text(&entry.value)?;
        if self.identifier(id, &entry.value.span, "a step")
            && let Some(same) = same
        {
            let (line, _) = self.source.place(same.span.start);
            let error =
                self.error("duplicate-step", entry.value.span.clone(), format!("there is a step `{id}` already"));
            error.note(format!("its first place is line {line}")).help("give each step an id of its own");
        }
        Some(id.to_owned())
    }

    fn doing(&mut self, node: &Node, fields: &[Entry], on_failure: OnFailure, scope: Scope) -> Option<Doing> {
        let with = find(fields, "with");
        let is_each = find(fields, "for-each").is_some();
        let kinds = KINDS.iter().filter(|kind| !is_each || **kind != "steps");
        let kinds: Vec<&Entry> = kinds.filter_map(|kind| find(fields, kind)).collect();
        if !is_each {
            self.only_for_each(fields, &kinds);
        }
        let plain = |work| Doing { work, until: None, timeout_ms: None, limit_ms: None };
        match kinds.as_slice() {
            [first, second, ..] => {
                let message = format!("a step has `{}` or `{}`, not both", first.key, second.key);
                self.error("bad-value", second.at.clone(), message).help("make two steps of it");
                None
            }
            [kind] => match kind.key.as_str() {
                "uses" => self.action(kind, with, scope).map(plain),
                "script" => self.script(kind, with, scope, false).map(plain),
                "wait" => self.wait(fields, kind, scope),
                "steps" | "parallel" => self.group(fields, kind, on_failure, scope).map(plain),
                "for-each" => self.for_each(node, fields, kind, on_failure, scope).map(plain),
                "approve" => self.approve(fields, kind, scope),
                "runbook" => self.called(fields, kind, with, scope).map(plain),
                _ => self.wait_until(fields, kind, scope),
            },
            [] => {
                let meant = |entry: &Entry| {
                    foreign::is_work(&entry.key)
                        || closest(&entry.key, KEYS.known.iter().copied()).is_some_and(|key| KINDS.contains(&key))
                };
                if !fields.iter().any(meant) {
                    let (last, others) = KINDS.split_last().unwrap_or((&"", &[]));
                    let message = format!("the step has none of `{}` and `{last}`", others.join("`, `"));
                    let error = self.error("missing-key", first(node), message);
                    error.help("name an action, for example `uses: vm/restart`");
                }
                with.iter().for_each(|with| self.template(&with.value, scope));
                None
            }
        }
    }

    pub(crate) fn retry(&mut self, node: &Node) -> Option<Retry> {
        let fields = self.map(node, "a map like `{ attempts: 3, delay: 5s }`")?;
        self.keys(fields, &RETRY);
        let usual = Retry::default();
        let field = |key| find(fields, key).map(|entry| &entry.value);
        let attempts = match field("attempts") {
            Some(value) => self.integer(value, 1..=100),
            None => {
                let error = self.error("missing-key", first(node), "`retry` has no `attempts`");
                error.help("say how often in all, for example `attempts: 3`");
                None
            }
        };
        let delay_ms = field("delay").and_then(|value| self.duration(value)).unwrap_or(usual.delay_ms);
        let max_delay_ms = field("max-delay").and_then(|value| self.duration(value));
        let backoff = field("backoff").and_then(|value| match value.value().as_f64() {
            Some(backoff) if (1.0..=100.0).contains(&backoff) => Some(backoff),
            Some(_) => {
                self.error("bad-value", value.span.clone(), "expected a factor from 1 to 100");
                None
            }
            None => {
                self.wrong_type(value, "a factor like `2`");
                None
            }
        });
        if let (Some(most), Some(value)) = (max_delay_ms, field("max-delay"))
            && most < delay_ms
        {
            let error = self.error("bad-value", value.span.clone(), "`max-delay` is less than `delay`");
            error.help("`max-delay` is what the growing delay never exceeds");
        }
        let max_delay_ms = max_delay_ms.unwrap_or(usual.max_delay_ms.max(delay_ms));
        Some(Retry { attempts: attempts?, delay_ms, backoff: backoff.unwrap_or(usual.backoff), max_delay_ms })
    }

    /// Refuses `on-unknown: retry` where repeating is not known to be safe.
    fn repeatable(&mut self, fields: &[Entry], work: &Work) {
        let Work::Action { action, .. } = work else { return };
        let effect = self.catalog.and_then(|catalog| catalog.get(action)).map(|facts| facts.effect);
        if effect == Some(EffectClass::Unsafe)
            && let Some(entry) = find(fields, "on-unknown")
        {
            let message = format!("`{action}` may act twice when it is repeated");
            let error = self.error("unsafe-retry", entry.value.span.clone(), message);
            error.help("use `on-unknown: ask`; or, if you know that repeating is safe here, add `idempotent: true`");
        }
    }

    /// Keeps what the step gives, for the checks of those that read it.
    fn gives(&mut self, id: &str, work: &Work) {
        let facts = work.action().zip(self.catalog).and_then(|(action, catalog)| catalog.get(action));
        match facts {
            Some(facts) => _ = self.types.outputs.insert(id.to_owned(), &facts.output_schema),
            None => _ = self.types.outputs.remove(id),
        }
    }

    /// The timeout that the action's plugin suggests.
    fn usual_timeout(&self, work: &Work) -> Option<u64> {
        let Work::Action { action, .. } = work else { return None };
        self.catalog?.get(action)?.defaults.as_ref()?.get("timeout-ms")?.as_u64().filter(|ms| *ms > 0)
    }
}

/// Whether a `timeout` bounds all of it, and not a call.
const fn has_limit(work: &Work) -> bool {
    matches!(work, Work::Group { .. } | Work::Each { .. } | Work::Approve { .. } | Work::Runbook { .. })
}

/// Whether a list in it would take itself back.
fn goes_back(work: &Work) -> bool {
    let steps: Vec<&Step> = match work {
        Work::Group { steps, .. } => steps.iter().map(|step| &**step).collect(),
        Work::Each { body, between, .. } => std::iter::once(&**body).chain(between.as_deref()).collect(),
        Work::Runbook { runbook, .. } => runbook.steps.iter().map(|step| &**step).collect(),
        _ => Vec::new(),
    };
    steps.into_iter().any(|step| step.on_failure.may_roll_back() || goes_back(&step.work))
}
