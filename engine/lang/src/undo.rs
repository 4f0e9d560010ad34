//! How a step is taken back.

use runwright_core::{Runbook, Step, Work};

use crate::check::{Check, Keys, find};
use crate::node::{Entry, Kind, Node};
use crate::runbook::first;
use crate::scope::Scope;

pub(crate) const KEYS: Keys = Keys { of: "`undo`", known: &["uses", "with", "script"], later: &[] };

impl Check<'_> {
    /// What takes a step back: a call of an action, or a script. It runs when others have run, so it reads all steps.
    pub(crate) fn undo(&mut self, node: &Node, scope: Scope) -> Option<Work> {
        let scope = match scope {
            Scope::Run { inputs, steps, items, depth, .. } => {
                Scope::Run { inputs, steps, before: steps.len(), output: false, items, depth }
            }
            other => other,
        };
        let fields = self.map(node, "a map with `uses` or `script`")?;
        self.keys(fields, &KEYS);
        let with = find(fields, "with");
        match (find(fields, "uses"), find(fields, "script")) {
            (Some(_), Some(script)) => {
                let error = self.error("bad-value", script.at.clone(), "an `undo` has `uses` or `script`, not both");
                error.help("do both in one action or script");
                None
            }
            (Some(uses), None) => self.action(uses, with, scope),
            (None, Some(script)) => self.script(script, with, scope, true),
            (None, None) => {
                let error = self.error("missing-key", first(node), "the `undo` has neither `uses` nor `script`");
                error.help("name an action, for example `undo: { uses: vm/restart }`");
                with.iter().for_each(|with| self.template(&with.value, scope));
                None
            }
        }
    }

    /// Warns of a rollback that can't take anything back.
    pub(crate) fn rollback(&mut self, runbook: &Runbook, fields: &[Entry], steps: &[Node]) {
        let Some(catalog) = self.catalog else { return };
        let undoable = |step: &&Step| {
            let acts = match &step.work {
                Work::Action { action, .. } => std::slice::from_ref(action),
                Work::Script { acts, .. } => acts,
                _ => &[],
            };
            step.undo.is_some() || acts.iter().any(|act| catalog.get(act).is_none_or(|facts| facts.has_undo))
        };
        let all = runbook.all_steps();
        if !all.iter().any(|step| step.on_failure.may_roll_back()) || all.iter().copied().any(|step| undoable(&step)) {
            return;
        }
        let defaults = find(fields, "defaults").map(|field| field.value.entries()).unwrap_or_default();
        let mut entries: Vec<&Entry> = fields.iter().chain(defaults).collect();
        steps.iter().for_each(|step| deep(step, &mut entries));
        let asks = |entry: &&&Entry| {
            entry.key == "on-failure" && matches!(entry.value.text(), Some("rollback" | "rollback-wave"))
        };
        if let Some(entry) = entries.iter().filter(asks).min_by_key(|entry| entry.at.start) {
            let warning =
                self.warning("no-undo", entry.at.start..entry.value.span.end, "nothing can be rolled back here");
            warning.help("no step has an `undo`, and no action in it has one of its own");
        }
    }
}

/// The entries of a step, and of the steps in it.
fn deep<'n>(step: &'n Node, all: &mut Vec<&'n Entry>) {
    for entry in step.entries() {
        all.push(entry);
        if let ("steps" | "parallel" | "between" | "rescue", Kind::List(steps)) =
            (entry.key.as_str(), &entry.value.kind)
        {
            steps.iter().for_each(|step| deep(step, all));
        }
    }
}
