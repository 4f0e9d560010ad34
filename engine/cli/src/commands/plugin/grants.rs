//! `runwright plugin grants`

use std::collections::BTreeMap;

use daemon::{Settings, Workshop};
use host::PluginEntry;
use runwright_core::PluginFacts;
use serde_json::json;

use crate::human::{clean, table};
use crate::screen::Tone;
use crate::{Context, Error, exit};
use host::{Ask, Reach, asks, cautions, reach, withheld};

const EXAMPLES: &str = "\
Examples:
  runwright plugin grants vm
  runwright plugin grants vm -o json

What a plugin can ask for is read from its binary; what it has is what runwright.toml says. The lines for what it lacks \
are examples: name the programs, hosts and paths that it needs, and no more.";

/// Show what a plugin may reach, and which lines would grant what it lacks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Grants {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    name: String,
}

impl Grants {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let settings = context.settings()?;
        let workshop = Workshop::open(&settings).await?;
        let plugins = workshop.host.plugins();
        let facts = plugins.iter().find(|facts| facts.name == self.name).ok_or_else(|| {
            let known: Vec<&str> = plugins.iter().map(|facts| facts.name.as_str()).collect();
            let error = Error::new(exit::INVALID, format!("there is no plugin {:?}", self.name));
            error.hint(if known.is_empty() {
                "no plugin is loaded: `runwright plugin list` shows where they are looked for".to_owned()
            } else {
                format!("there are: {}", known.join(", "))
            })
        })?;
        let entry = settings.plugin.get(&self.name);
        let (reach, withheld) = (reach(facts, entry), withheld(facts, entry));
        let (asks, add) = (asks(facts), add(&reach, entry));
        let cautions = entry.map(|entry| cautions(&entry.grants)).unwrap_or_default();
        context.screen.json(&json!({
            "plugin": facts.name, "version": facts.version, "digest": facts.digest, "reach": reach, "asks-for": asks,
            "withheld": withheld, "add": add, "cautions": cautions,
        }));
        context.screen.lines(text(context, &settings, facts, &reach, &asks));
        context.screen.lines(withheld.map(|why| context.screen.paint(Tone::Warn, why)));
        let warnings = cautions.iter().map(|caution| context.screen.paint(Tone::Warn, format!("careful: {caution}")));
        context.screen.lines(warnings);
        if let Some(add) = add {
            let file = settings.path.as_deref().map_or(Settings::FILE_NAME.into(), |path| path.display().to_string());
            context.screen.line(String::new());
            context
                .screen
                .line(format!("To grant what it lacks, narrow these down and add them to {file}{}:", add.place));
            context.screen.lines(add.lines.iter().map(|line| format!("  {line}")));
        }
        Ok(exit::SUCCEEDED)
    }
}

/// Lines for `runwright.toml`.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Add {
    /// Where in it, for people; empty where that is anywhere.
    place: String,
    lines: Vec<String>,
}

/// What to add for the capabilities of which nothing is granted. A table that is there already can't begin twice.
fn add(reach: &[Reach], entry: Option<&PluginEntry>) -> Option<Add> {
    let missing: Vec<&str> = reach.iter().filter_map(|reach| reach.missing.as_deref()).collect();
    let table = missing.first()?.lines().next()?;
    let lines = missing.iter().filter_map(|missing| missing.lines().nth(1));
    Some(match entry {
        Some(_) => Add { place: format!(" under {table}"), lines: lines.map(str::to_owned).collect() },
        None => Add { place: String::new(), lines: std::iter::once(table).chain(lines).map(str::to_owned).collect() },
    })
}

fn text(context: &Context, settings: &Settings, facts: &PluginFacts, reach: &[Reach], asks: &[Ask]) -> Vec<String> {
    let name = context.screen.paint(Tone::Strong, &facts.name);
    let mut lines = vec![format!("{name} {}  ({})", clean(&facts.version), facts.digest)];
    if settings.plugin.get(&facts.name).is_some_and(|entry| entry.digest == Some(facts.digest)) {
        lines.push("  its grants are for this very binary".to_owned());
    }
    let granted: BTreeMap<&str, &Reach> = reach.iter().map(|reach| (reach.capability, reach)).collect();
    let mut rows = Vec::new();
    for ask in asks.iter().filter(|ask| ask.needs == "needs a grant") {
        match granted.get(ask.capability).map(|reach| reach.granted.as_slice()) {
            Some(grants @ [_, ..]) => {
                rows.extend(grants.iter().map(|grant| row("has", ask.capability, grant)));
            }
            _ => rows.push(row("lacks", ask.capability, ask.what)),
        }
    }
    // What is granted although the binary does not import it.
    for reach in reach.iter().filter(|reach| !asks.iter().any(|ask| ask.capability == reach.capability)) {
        let idle = |grant: &String| row("has", reach.capability, &format!("{grant}, which it does not import"));
        rows.extend(reach.granted.iter().map(idle));
    }
    lines.extend(table(&rows).into_iter().map(|line| format!("  {line}")));
    if rows.is_empty() {
        lines.push("  asks for nothing that needs a grant".to_owned());
    }
    lines
}

fn row(has: &str, capability: &str, what: &str) -> Vec<String> {
    vec![has.to_owned(), capability.to_owned(), clean(what)]
}
