//! A plan as people read it.

use std::collections::BTreeSet;

use runwright_core::{EffectClass, FailureKind, OnBusy, OnFailure, Step};

use super::known::Known;
use super::{Plan, PluginPlan, StepPlan};
use crate::human::{clean, count, duration, table, value};
use crate::screen::{Screen, Tone};
use host::missing;

/// The lines of a plan.
pub(crate) fn text(screen: &Screen, plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("plan of {}; nothing is started", screen.paint(Tone::Strong, &plan.runbook))];
    if !plan.description.is_empty() {
        lines.push(format!("  {}", clean(&plan.description)));
    }
    let inputs = plan.inputs.iter().map(|(key, input)| format!("  {} = {}", clean(key), value(input)));
    section(screen, &mut lines, "inputs", inputs);
    section(
        screen,
        &mut lines,
        "lock",
        plan.lock.iter().map(|(key, on_busy)| format!("  {}, {}", clean(key), busy(*on_busy))),
    );
    if let Some(most) = plan.max_parallel {
        section(
            screen,
            &mut lines,
            "turn",
            std::iter::once(format!("  at most {} of it at work at once", count(most as usize, "run"))),
        );
    }
    let width = plan.steps.iter().map(|step| step.id.chars().count()).max().unwrap_or(0);
    let steps = plan.steps.iter().flat_map(|step| step.text(screen, width));
    section(screen, &mut lines, "steps", steps);
    section(screen, &mut lines, "plugins", plan.plugins.iter().flat_map(|plugin| plugin.text(screen)));
    section(screen, &mut lines, "risks", plan.mind().into_iter().map(|line| format!("  {line}")));
    let problems = plan.problems.iter().map(|problem| format!("  {}", screen.paint(Tone::Bad, clean(problem))));
    section(screen, &mut lines, "problems", problems);
    lines
}

fn section(screen: &Screen, all: &mut Vec<String>, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        all.push(screen.paint(Tone::Strong, title));
        all.extend(lines);
    }
}

/// What becomes of a run whose lock is held.
fn busy(on_busy: OnBusy) -> &'static str {
    match on_busy {
        OnBusy::Queue => "one run at a time: it waits for its turn",
        OnBusy::Skip => "one run at a time: it is not started while another holds it",
        OnBusy::Replace => "one run at a time: the one that holds it is cancelled",
    }
}

impl Plan {
    /// What a person should know before they start it.
    fn mind(&self) -> Vec<String> {
        let ids = |wanted: &dyn Fn(&StepPlan) -> bool| {
            let steps = self.steps.iter().filter(|step| step.runs() && wanted(step));
            steps.map(|step| step.id.as_str()).collect::<Vec<_>>().join(", ")
        };
        let rows = [
            ("destroys what can't be brought back", ids(&|step| step.destructive)),
            ("can't be taken back by a rollback", self.not_undoable.join(", ")),
            ("forbids rolling back past it", ids(&|step| step.point_of_no_return)),
            ("needs a person after a crash in it", ids(&|step| step.after_crash == "ask")),
        ];
        let rows = rows.into_iter().filter(|(_, ids)| !ids.is_empty());
        table(&rows.map(|(what, ids)| vec![format!("{what}:"), ids]).collect::<Vec<_>>())
    }
}

impl StepPlan {
    fn text(&self, screen: &Screen, width: usize) -> Vec<String> {
        let action = self.action.as_deref().unwrap_or(self.kind);
        let mut traits = vec![self.effect.as_str()];
        let flags = [(self.destructive, "destructive"), (self.has_undo, "undo"), (self.has_verify, "verify")];
        traits.extend(flags.into_iter().filter(|(is, _)| *is).map(|(_, word)| word));
        traits.extend(self.always.then_some("always"));
        traits.extend(self.point_of_no_return.then_some("point of no return"));
        let id = format!("{:<width$}", self.id);
        let mut lines = vec![format!("  {}  {action}  ({})", screen.paint(Tone::Strong, id), traits.join(", "))];
        let mut add = |line: String| lines.push(format!("      {line}"));
        if let Some(condition) = &self.condition {
            let holds = match &self.runs {
                Known::Now(holds) if *holds == true => "true".to_owned(),
                Known::Now(_) => screen.paint(Tone::Dim, "false: it does not run"),
                unknown => screen.paint(Tone::Warn, shown(unknown)),
            };
            add(format!("if {}: {holds}", clean(condition)));
        }
        if !self.runs() {
            return lines;
        }
        for line in self.input() {
            add(line);
        }
        for line in self.settings() {
            add(screen.paint(Tone::Dim, line));
        }
        lines
    }

    fn input(&self) -> Vec<String> {
        match &self.input {
            Known::Now(runwright_core::Value::Object(map)) => {
                map.iter().map(|(key, input)| format!("{} = {}", clean(key), value(input))).collect()
            }
            Known::Map(entries) => {
                entries.iter().map(|(key, input)| format!("{} = {}", clean(key), shown(input))).collect()
            }
            Known::Now(runwright_core::Value::Null) => Vec::new(),
            other => vec![shown(other)],
        }
    }

    /// What is not as it is by default.
    fn settings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.until.iter().map(|until| format!("called again and again until {}", clean(until))));
        if !self.acts.is_empty() {
            lines.push(format!("may call {}, each call a step of its own", self.acts.join(", ")));
        }
        lines.extend(self.settings.iter().cloned());
        lines.extend(self.undo.iter().map(|undo| format!("undone by {undo}")));
        if self.timeout_ms != Step::DEFAULT_TIMEOUT_MS && self.kind != "wait" {
            lines.push(format!("timeout {}", duration(self.timeout_ms)));
        }
        if self.retry.attempts > 1 {
            let first = duration(self.retry.delay_ms);
            lines.push(format!("up to {} attempts, {first} before the second", self.retry.attempts));
        }
        match self.on_failure {
            OnFailure::Stop => {}
            OnFailure::Continue => lines.push("if it fails, and was not refused, the run goes on".to_owned()),
            OnFailure::ContinueAnyway => lines.push("if it fails, the run goes on".to_owned()),
            OnFailure::ContinueAfter { kinds, rollback } => {
                let kinds = kinds.iter().map(FailureKind::as_str).collect::<Vec<_>>().join(", ");
                let else_ = if rollback { "is rolled back" } else { "stops" };
                lines.push(format!("if it fails as {kinds}, the run goes on; else it {else_}"));
            }
            OnFailure::Rollback => lines.push("if it fails, the run is rolled back".to_owned()),
            OnFailure::RollbackWave => lines.push("if it fails, the items of its last wave are rolled back".to_owned()),
        }
        lines.extend(match (self.after_crash, self.effect) {
            ("again", EffectClass::Read) => None,
            ("again", _) if !self.acts.is_empty() => Some("after a crash in it: it goes on in its middle".to_owned()),
            ("again", _) => Some("after a crash in it: it is repeated, which is safe".to_owned()),
            ("verify", _) => Some("after a crash in it: the plugin is asked whether it happened".to_owned()),
            ("fail", _) => Some("after a crash in it: it counts as failed".to_owned()),
            _ => Some("after a crash in it: a person must say what became of it".to_owned()),
        });
        lines
    }
}

/// A value on one line, with `(known after STEP)` in the place of what is not known.
fn shown(known: &Known) -> String {
    match known {
        Known::Now(now) => value(now),
        Known::After(steps) => after(steps),
        Known::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{}: {}", clean(key), shown(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Known::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}

fn after(steps: &BTreeSet<String>) -> String {
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    match steps.as_slice() {
        [] => "(known when it starts)".to_owned(),
        steps => format!("(known after {})", steps.join(" and ")),
    }
}

impl PluginPlan {
    fn text(&self, screen: &Screen) -> Vec<String> {
        let digest: String = self.digest.trim_start_matches("sha256:").chars().take(12).collect();
        let mut lines = vec![format!("  {} {} ({digest})", self.name, self.version)];
        lines.extend(self.withheld.iter().map(|why| format!("    {}", screen.paint(Tone::Warn, why))));
        for reach in &self.reach {
            lines.extend(reach.granted.iter().map(|grant| format!("    may use {}: {grant}", reach.capability)));
        }
        let has_nothing = self.reach.iter().all(|reach| reach.granted.is_empty());
        if let Some((names, add)) = missing(&self.reach).filter(|_| has_nothing) {
            let told = format!("asks for {names}, not granted; where a step needs it, add to runwright.toml:");
            lines.push(format!("    {}", screen.paint(Tone::Warn, told)));
            lines.extend(add.lines().map(|line| format!("      {line}")));
        }
        lines
    }
}
