//! `runwright plugin lock`

use std::path::PathBuf;

use daemon::{Pinned, PluginLock, Settings, Workshop};
use runwright_core::PluginFacts;
use serde_json::json;

use crate::human::clean;
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright plugin lock            pin every plugin that is not pinned yet
  runwright plugin lock vm http    pin these to what is there now, whatever they were pinned to

plugins.lock, beside runwright.toml, says which binary each name means. A file that is another binary is refused, with \
what it newly asks for, until it is accepted here. A plugin that is not in plugins.lock may be any binary. A serving \
engine sees the change within a second.";

/// Pin plugins to the binaries that are there now
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Lock {
    /// Plugins to accept as they are now; without any, all that are not pinned yet
    names: Vec<String>,
}

impl Lock {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let settings = context.settings()?;
        let mut lock = PluginLock::read(&settings.plugin_lock).map_err(Error::from)?;
        // What the lock refuses is loaded too, so that it can be accepted.
        let free = Settings { plugin_lock: PathBuf::new(), ..settings.clone() };
        let plugins = Workshop::open(&free).await?.host.plugins();
        if let Some(name) = self.names.iter().find(|name| !plugins.iter().any(|facts| facts.name == **name)) {
            let known: Vec<&str> = plugins.iter().map(|facts| facts.name.as_str()).collect();
            let error = Error::new(exit::INVALID, format!("could not pin {}: there is no such plugin", clean(name)));
            return Err(error.hint(format!("there are: {}", known.join(", "))));
        }
        let mut rows = Vec::new();
        let mut refused = false;
        for facts in &plugins {
            let (became, line) = self.pin(facts, &mut lock);
            refused |= became == "refused";
            let tone = if became == "refused" { Tone::Bad } else { Tone::Plain };
            context.screen.line(context.screen.paint(tone, line));
            rows.push(json!({ "plugin": facts.name, "digest": facts.digest, "became": became }));
        }
        lock.write(&settings.plugin_lock).map_err(Error::from)?;
        context.screen.json(&json!({ "lock": settings.plugin_lock, "plugins": rows }));
        Ok(if refused { exit::FAILED } else { exit::SUCCEEDED })
    }

    /// Pins one plugin, if that is asked for; says what became of it, as a word and as a line.
    fn pin(&self, facts: &PluginFacts, lock: &mut PluginLock) -> (&'static str, String) {
        let (name, digest, version) = (&facts.name, facts.digest, clean(&facts.version));
        let before = lock.plugin.get(name).map(|pinned| pinned.digest);
        let named = self.names.contains(name);
        match before {
            Some(before) if before == digest => ("kept", format!("{name}: is pinned to {digest} ({version})")),
            Some(before) if !named => {
                ("refused", format!("{name}: stays pinned to {before}; the file is {digest} ({version})"))
            }
            None if !named && !self.names.is_empty() => ("free", format!("{name}: is not pinned")),
            _ => {
                lock.plugin.insert(name.clone(), Pinned::of(facts, None));
                ("pinned", format!("{name}: pinned to {digest} ({version})"))
            }
        }
    }
}
