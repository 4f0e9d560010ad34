//! `runwright plugin pull`

use std::path::PathBuf;

use daemon::{Pinned, PluginLock, Registry};
use serde_json::json;

use super::workbench::Workbench;
use crate::human::clean;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright plugin pull oci://registry.example/plugins/vm@sha256:8f2c…
  runwright plugin pull oci://localhost:5000/vm@sha256:8f2c… --plain-http
  runwright plugin pull oci://registry.example/plugins/vm@sha256:91aa… --accept

The plugin goes into the first folder of plugins and is pinned in plugins.lock, with where it came from. Where its name is \
pinned to another binary, what it newly asks for is told and nothing changes without --accept. With `public-key` below \
[registry] in runwright.toml it must carry a minisign signature by that key. A registry that wants a name and password \
gets those in RUNWRIGHT_REGISTRY_USER and RUNWRIGHT_REGISTRY_PASSWORD.";

/// The environment variables of a login: never on a command line.
const USER: &str = "RUNWRIGHT_REGISTRY_USER";
const PASSWORD: &str = "RUNWRIGHT_REGISTRY_PASSWORD";

/// Get a plugin from an OCI registry and pin it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Pull {
    /// The plugin: oci://HOST/REPOSITORY@sha256:DIGEST
    source: String,
    /// Take it although its name is pinned to another binary
    #[arg(long)]
    accept: bool,
    /// Speak HTTP without TLS, with a registry on this machine
    #[arg(long)]
    plain_http: bool,
}

impl Pull {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let settings = context.settings()?;
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let registry = Registry {
            login: set(USER).zip(set(PASSWORD)),
            plain_http: self.plain_http,
            public_key: settings.public_key.clone(),
            component_bytes_max: settings.limits.component_bytes,
        };
        let pulled = registry.pull(&self.source).await.map_err(Error::from)?;
        let folder = settings.plugins.first().cloned().unwrap_or_else(|| PathBuf::from("plugins"));
        let named = PathBuf::from(clean(&self.source));
        let bench = Workbench::load_bytes(&named, pulled.bytes.clone(), settings.limits.clone()).await?;
        let facts = &bench.facts;
        let mut lock = PluginLock::read(&settings.plugin_lock).map_err(Error::from)?;
        if let Some(why) = lock.refuses(facts).filter(|_| !self.accept) {
            let error = Error::new(exit::INVALID, format!("could not take it: {why}"));
            return Err(error.hint("look at it, then pull it again with --accept"));
        }
        let path = folder.join(format!("{}.wasm", facts.name));
        lock.plugin.insert(facts.name.clone(), Pinned::of(facts, Some(self.source.clone())));
        let new = folder.join(format!(".{}.new", facts.name));
        let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&new, &pulled.bytes));
        let failed = |error| Error::because(exit::INVALID, format!("could not write {}", path.display()), &error);
        written.map_err(failed)?;
        // The file comes last: a serving engine takes what is pinned, and keeps the one before until it is there.
        lock.write(&settings.plugin_lock).map_err(Error::from)?;
        std::fs::rename(&new, &path).map_err(failed)?;
        let signed = if pulled.signed { ", signed" } else { "" };
        context.screen.json(&json!({
            "plugin": facts.name, "version": facts.version, "digest": facts.digest, "file": path,
            "source": self.source, "signed": pulled.signed,
        }));
        context.screen.line(format!(
            "{} {}: pulled to {} and pinned to {}{signed}",
            facts.name,
            clean(&facts.version),
            path.display(),
            facts.digest
        ));
        Ok(exit::SUCCEEDED)
    }
}
