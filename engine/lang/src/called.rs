//! Steps that do what another runbook says.

use std::collections::BTreeSet;
use std::sync::Arc;

use runwright_core::{Catalog, Map, Runbook, Step, Value, Work, did_you_mean, short};

use crate::check::Check;
use crate::limits;
use crate::node::Entry;
use crate::scope::Scope;
use crate::trigger::Giver;

/// Keys of calls of actions, which mean nothing for a runbook.
const OF_CALLS: [&str; 2] = ["on-unknown", "idempotent"];

impl Check<'_> {
    /// The work of a step with `runbook`.
    pub(crate) fn called(
        &mut self,
        fields: &[Entry],
        entry: &Entry,
        with: Option<&Entry>,
        scope: Scope,
    ) -> Option<Work> {
        self.without(fields, &OF_CALLS, "a step with `runbook`");
        let name = self.text(&entry.value)?;
        self.calls.insert(name.to_owned());
        let runbook = match self.catalog {
            Some(catalog) => self.runbook_of(name, entry, catalog),
            // What it needs is not looked at.
            None => Some(Arc::new(Runbook::empty(name))),
        };
        match (&runbook, self.catalog) {
            (Some(runbook), Some(_)) => {
                let declared: Vec<&str> = runbook.inputs.keys().map(String::as_str).collect();
                let giver =
                    Giver { who: "the step", of: &format!("the runbook `{name}`"), at: entry.value.span.clone() };
                self.given(with, &runbook.inputs, &declared, scope, &giver);
            }
            _ => with.iter().for_each(|with| self.template(&with.value, scope)),
        }
        let with = match with.map(|with| with.value.value()) {
            Some(Value::Object(with)) => with,
            _ => Map::new(),
        };
        Some(Work::Runbook { runbook: self.bounded(runbook?, entry, scope)?, with })
    }

    /// The runbook of this name, unless it comes back to the one that is checked.
    fn runbook_of(&mut self, name: &str, entry: &Entry, catalog: &Catalog) -> Option<Arc<Runbook>> {
        let at = entry.value.span.clone();
        let Some(runbook) = catalog.runbook(name) else {
            let names = || catalog.runbooks();
            let (message, help) = match catalog.is_unusable(name) {
                true => (
                    format!("the runbook `{}` can't be used: its own file has errors", short(name)),
                    "`runwright check` with that file shows them".to_owned(),
                ),
                false => {
                    let known = || format!("there are: {}", names().collect::<Vec<_>>().join(", "));
                    let none = "it is looked for in the folder of runbooks, which has none".to_owned();
                    let help = did_you_mean(name, names()).unwrap_or_else(|| names().next().map_or(none, |_| known()));
                    (format!("there is no runbook `{}`", short(name)), help)
                }
            };
            self.error("unknown-runbook", at, message).help(help);
            return None;
        };
        if let Some(way) = way_to(runbook, &self.own, &mut BTreeSet::new()) {
            let way = way.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ");
            let error = self.error("circle", at, format!("it comes back to itself: `{}` → {way}", self.own));
            error.help("a runbook can't be a part of itself: take what both need into a third one");
            return None;
        }
        Some(Arc::clone(runbook))
    }

    /// The runbook, where it and all others that are called fit into one run.
    fn bounded(&mut self, runbook: Arc<Runbook>, entry: &Entry, scope: Scope) -> Option<Arc<Runbook>> {
        if self.called_steps > limits::CALLED_STEPS || self.called_bytes > limits::CALLED_BYTES {
            // It is told already.
            return None;
        }
        self.called_steps = self.called_steps.saturating_add(runbook.all_steps().len());
        self.called_bytes = self.called_bytes.saturating_add(runbook.source().1.len());
        let message = if scope.depth() + depth(&runbook.steps) >= limits::DEPTH_OF_STEPS {
            format!("with it steps stand in steps more than {} deep", limits::DEPTH_OF_STEPS)
        } else if self.called_steps > limits::CALLED_STEPS {
            format!("with it the runbooks that are called have more than {} steps", limits::CALLED_STEPS)
        } else if self.called_bytes > limits::CALLED_BYTES {
            format!("with it the runbooks that are called are larger than {} MiB", limits::CALLED_BYTES / 1024 / 1024)
        } else {
            return Some(runbook);
        };
        self.error("too-large", entry.at.clone(), message);
        None
    }
}

/// The names from this runbook to the one named `wanted`, if it is or calls that, directly or through others.
fn way_to<'r>(runbook: &'r Runbook, wanted: &str, seen: &mut BTreeSet<&'r str>) -> Option<Vec<&'r str>> {
    if runbook.name == wanted {
        return Some(vec![&runbook.name]);
    }
    if !seen.insert(&runbook.name) {
        return None;
    }
    let called = runbook.all_steps().into_iter().filter_map(|step| match &step.work {
        Work::Runbook { runbook, .. } => Some(&**runbook),
        _ => None,
    });
    let mut ways = called.filter_map(|called| way_to(called, wanted, seen));
    ways.next().map(|way| std::iter::once(runbook.name.as_str()).chain(way).collect())
}

/// How deep steps stand in these.
fn depth(steps: &[Arc<Step>]) -> usize {
    fn of(step: &Step) -> usize {
        // What holds the steps of an item, or of a rescue, is none that people wrote.
        let own = usize::from(!step.id.is_empty() && step.id != "rescue");
        own + step.steps().map(of).max().unwrap_or(0)
    }
    steps.iter().map(|step| of(step)).max().unwrap_or(0)
}
