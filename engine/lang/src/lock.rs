//! The locks of runbooks and steps.

use runwright_core::{Lock, OnBusy};

use crate::check::{Check, Keys, find};
use crate::node::{Kind, Node};
use crate::runbook::first;
use crate::scope::Scope;

pub(crate) const KEYS: Keys = Keys { of: "`lock`", known: &["key", "on-busy"], later: &[] };

impl Check<'_> {
    /// The lock: its key, or a map with `key` and `on-busy`. The key reads `inputs` only.
    pub(crate) fn lock(&mut self, node: &Node, inputs: &[&str]) -> Option<Lock> {
        let (key, on_busy) = match &node.kind {
            Kind::Map(fields) => {
                self.keys(fields, &KEYS);
                let choices = [("queue", OnBusy::Queue), ("skip", OnBusy::Skip), ("replace", OnBusy::Replace)];
                let on_busy = find(fields, "on-busy").and_then(|field| self.choice(&field.value, &choices));
                let Some(key) = find(fields, "key") else {
                    let error = self.error("missing-key", first(node), "`lock` has no `key`");
                    error.help("say what is locked, for example `key: \"vm/${{ inputs.vm }}\"`");
                    return None;
                };
                (&key.value, on_busy.unwrap_or_default())
            }
            _ => (node, OnBusy::default()),
        };
        let key = self.lock_key(key, Scope::Inputs { inputs })?;
        Some(Lock { key, on_busy })
    }

    /// The lock of a step: its key. It always waits for its turn.
    pub(crate) fn step_lock(&mut self, node: &Node, scope: Scope) -> Option<String> {
        if let Kind::Map(fields) = &node.kind
            && find(fields, "key").is_some()
        {
            let message = "the lock of a step is only its key: a step waits for its turn";
            self.error("wrong-type", node.span.clone(), message).help("write `lock: \"vm/${{ inputs.vm }}\"`");
            return None;
        }
        self.lock_key(node, scope)
    }

    fn lock_key(&mut self, node: &Node, scope: Scope) -> Option<String> {
        let Some(text) = node.text() else {
            self.wrong_type(node, "text like `vm/${{ inputs.vm }}`");
            return None;
        };
        if text.trim().is_empty() {
            let error = self.error("bad-value", node.span.clone(), "the lock's key is empty");
            error.help("of all runs and steps with one key, one at a time goes on");
        }
        self.template(node, scope);
        Some(text.to_owned())
    }
}
