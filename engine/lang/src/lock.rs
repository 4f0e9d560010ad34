//! The lock of a runbook.

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
        let Some(text) = key.text() else {
            self.wrong_type(key, "text like `vm/${{ inputs.vm }}`");
            return None;
        };
        if text.trim().is_empty() {
            let error = self.error("bad-value", key.span.clone(), "the lock's key is empty");
            error.help("of all runs with one key, one at a time goes on");
        }
        self.template(key, Scope::Inputs { inputs });
        Some(Lock { key: text.to_owned(), on_busy })
    }
}
