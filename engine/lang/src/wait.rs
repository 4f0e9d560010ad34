//! Steps that wait: for some time, or until something holds.

use runwright_core::{EffectClass, Until, Work};

use crate::check::{Check, Keys, find};
use crate::node::{Entry, Node};
use crate::runbook::first;
use crate::scope::Scope;
use crate::step::Doing;

pub(crate) const KEYS: Keys =
    Keys { of: "`wait-until`", known: &["uses", "with", "if", "every", "timeout"], later: &[] };

/// More than any duration, so that it never ends a step that only waits.
const WAIT_TIMEOUT_MS: u64 = 31 * 24 * 60 * 60 * 1000;

const EVERY_MS: u64 = 5_000;

/// Calls more often than this would only keep the engine and its journal busy.
const EVERY_MS_MIN: u64 = 100;

impl Check<'_> {
    /// The work of a step with `wait`. A duration that has expressions in it is checked when the run gets there.
    pub(crate) fn wait(&mut self, fields: &[Entry], wait: &Entry, scope: Scope) -> Option<Doing> {
        self.without(fields, &["retry", "timeout", "with"], "a step that waits");
        let node = &wait.value;
        match node.text().filter(|text| text.contains("${{")) {
            Some(_) => self.template(node, scope),
            None => drop(self.duration(node)?),
        }
        let work = Work::Wait { time: node.text()?.to_owned() };
        Some(Doing { work, until: None, timeout_ms: Some(WAIT_TIMEOUT_MS), limit_ms: None })
    }

    /// The work of a step with `wait-until`: an action that reads is called until a condition on its output holds.
    pub(crate) fn wait_until(&mut self, fields: &[Entry], wait: &Entry, scope: Scope) -> Option<Doing> {
        self.without(fields, &["retry", "with"], "a step with `wait-until`");
        let node = &wait.value;
        let inner = self.map(node, "a map like `{ uses: vm/diagnose, if: output.healthy, timeout: 2m }`")?;
        self.keys(inner, &KEYS);
        let work = self.polled(node, inner, scope);
        let scope = match scope {
            Scope::Run { inputs, steps, before, items, depth, .. } => {
                Scope::Run { inputs, steps, before, output: true, items, depth }
            }
            other => other,
        };
        let condition = match find(inner, "if") {
            Some(field) => self.condition(&field.value, scope),
            None => {
                let error = self.error("missing-key", first(node), "`wait-until` has no `if`");
                error.help("say what is waited for, for example `if: output.healthy`");
                None
            }
        };
        let every_ms = find(inner, "every").map_or(Some(EVERY_MS), |field| self.every(&field.value));
        let timeout_ms = match (find(inner, "timeout"), find(fields, "timeout")) {
            (Some(own), of_step) => {
                if let Some(of_step) = of_step {
                    let error = self.error("bad-value", of_step.at.clone(), "the step has two timeouts");
                    error.help("leave this one or the one in `wait-until`");
                }
                Some(self.duration(&own.value)?)
            }
            (None, Some(_)) => None,
            (None, None) => {
                let error = self.error("missing-key", first(node), "`wait-until` has no `timeout`");
                error.help("say how long to wait at most, for example `timeout: 2m`");
                None
            }
        };
        let until = Until { condition: condition?, every_ms: every_ms? };
        Some(Doing { work: work?, until: Some(until), timeout_ms, limit_ms: None })
    }

    /// The call that is repeated.
    fn polled(&mut self, node: &Node, inner: &[Entry], scope: Scope) -> Option<Work> {
        let with = find(inner, "with");
        let Some(uses) = find(inner, "uses") else {
            let error = self.error("missing-key", first(node), "`wait-until` has no `uses`");
            error.help("name an action that reads what is waited for: while a step waits, nothing else changes");
            with.iter().for_each(|with| self.template(&with.value, scope));
            return None;
        };
        let work = self.action(uses, with, scope)?;
        let facts = work.action().zip(self.catalog).and_then(|(action, catalog)| catalog.get(action));
        if facts.is_some_and(|facts| facts.effect != EffectClass::Read) {
            let message = "this action does more than read, and it would be called again and again";
            let error = self.error("unsafe-retry", uses.value.span.clone(), message);
            error.help("use one that only reads what is waited for");
        }
        Some(work)
    }

    fn every(&mut self, node: &Node) -> Option<u64> {
        let every_ms = self.duration(node)?;
        if every_ms < EVERY_MS_MIN {
            self.error("bad-value", node.span.clone(), format!("`every` is at least {EVERY_MS_MIN}ms"));
        }
        Some(every_ms)
    }

    /// Tells of keys of a step that mean nothing for this kind of step.
    pub(crate) fn without(&mut self, fields: &[Entry], keys: &[&str], kind: &str) {
        for entry in fields.iter().filter(|entry| keys.contains(&entry.key.as_str())) {
            let message = format!("{kind} has no `{}` of its own", entry.key);
            let error = self.error("bad-value", entry.at.clone(), message);
            if entry.key == "retry" && kind.contains("until") {
                error.help("it calls again by itself: say how often with `every`, and how long with `timeout`");
            } else if entry.key == "with" && kind.contains("until") {
                error.help("put it into `wait-until`");
            } else {
                error.help("leave it out");
            }
        }
    }
}
