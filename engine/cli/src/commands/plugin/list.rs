//! `runwright plugin list`

use daemon::Workshop;
use runwright_core::{ActionFacts, PluginFacts};
use serde_json::json;

use super::pins::{Keeper, pins};
use crate::human::{clean, one_line, table};
use crate::screen::Tone;
use crate::{Context, Error, exit};
use host::{Reach, reach, withheld};

const EXAMPLES: &str = "\
Examples:
  runwright plugin list
  runwright plugin list -o json

A run keeps the plugins that it began with: `kept by` names the unfinished runs of each.";

/// Runs that a line names.
const KEEPERS_SHOWN: usize = 5;

/// List the plugins, their actions, and what they may reach
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct List {}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let settings = context.settings()?;
        let workshop = Workshop::open(&settings).await?;
        let mut pins = pins(context).await?;
        let mut shown = Vec::new();
        for facts in workshop.host.plugins() {
            let entry = settings.plugin.get(&facts.name);
            let (reach, withheld) = (reach(&facts, entry), withheld(&facts, entry));
            let by = pins.remove(&facts.digest).map(|pinned| pinned.by).unwrap_or_default();
            context.screen.lines(text(context, &facts, &reach, withheld.as_deref()));
            context.screen.lines(kept(&by));
            let mut plugin = json!(*facts);
            plugin["reach"] = json!(reach);
            plugin["withheld"] = json!(withheld);
            plugin["kind"] = json!(workshop.host.kind(facts.digest));
            plugin["kept-by"] = json!(by);
            shown.push(plugin);
        }
        let mut older = Vec::new();
        for (digest, pinned) in &pins {
            context.screen.line(format!("{} as it was, for runs that began with it  ({digest})", clean(&pinned.name)));
            context.screen.lines(kept(&pinned.by));
            older.push(json!({ "name": pinned.name, "digest": digest, "kept-by": pinned.by }));
        }
        for problem in &workshop.problems() {
            let mark = context.screen.paint(Tone::Bad, "can't be used:");
            context.screen.line(format!("{} {mark} {}", clean(&problem.subject), one_line(&problem.problem)));
        }
        if shown.is_empty() && older.is_empty() && workshop.problems().is_empty() {
            let folders: Vec<String> = settings.plugins.iter().map(|path| path.display().to_string()).collect();
            context.screen.line(format!("no plugins in {}", folders.join(", ")));
        }
        context.screen.json(&json!({ "plugins": shown, "older": older, "problems": workshop.problems() }));
        Ok(if workshop.problems().is_empty() { exit::SUCCEEDED } else { exit::FAILED })
    }
}

/// The runs that keep a plugin, on one line.
fn kept(by: &[Keeper]) -> Option<String> {
    let more = by.len().saturating_sub(KEEPERS_SHOWN);
    let runs = by.iter().take(KEEPERS_SHOWN).map(|keeper| format!("{} ({})", keeper.run, clean(&keeper.runbook)));
    let mut runs: Vec<String> = runs.collect();
    if more > 0 {
        runs.push(format!("and {more} more"));
    }
    (!runs.is_empty()).then(|| format!("  kept by {}", runs.join(", ")))
}

fn text(context: &Context, facts: &PluginFacts, reach: &[Reach], withheld: Option<&str>) -> Vec<String> {
    let name = context.screen.paint(Tone::Strong, &facts.name);
    let mut lines = vec![format!("{name} {}  {}  ({})", clean(&facts.version), clean(&facts.summary), facts.digest)];
    let rows: Vec<Vec<String>> = facts.actions.iter().map(row).collect();
    lines.extend(table(&rows).into_iter().map(|line| format!("  {line}")));
    for reach in reach {
        lines.extend(reach.granted.iter().map(|grant| format!("  may use {}: {grant}", reach.capability)));
        if reach.missing.is_some() {
            lines.push(format!("  asks for {}, which is not granted", reach.capability));
        }
    }
    lines.extend(withheld.map(|why| format!("  {}", context.screen.paint(Tone::Warn, why))));
    lines
}

/// An action in a table of them.
pub(super) fn row(action: &ActionFacts) -> Vec<String> {
    let flags = [
        (action.destructive, "destructive"),
        (action.has_plan, "plan"),
        (action.has_verify, "verify"),
        (action.has_undo, "undo"),
    ];
    let mut traits = vec![action.effect.as_str()];
    traits.extend(flags.into_iter().filter(|(is, _)| *is).map(|(_, word)| word));
    vec![action.name.clone(), traits.join(", "), clean(&action.summary)]
}
