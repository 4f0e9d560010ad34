//! What checking and previewing need: plugins and expressions, without a journal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::driver::Hosted;
use host::Host;
use lang::Parsed;
use runwright_core::{Catalog, Digest, Map, Runbook, Value};

use crate::view::{PluginView, Problem};
use crate::{Error, Settings};

/// The plugins and the expressions of one configuration. Clones share them.
#[derive(Clone)]
pub struct Workshop {
    /// The plugin host.
    pub host: Arc<Host>,
    /// The expressions' engine.
    pub scripts: Arc<script::Engine>,
    /// Plugins that can't be used, each with the reason.
    pub problems: Vec<Problem>,
    /// The files that the plugins came from.
    files: Vec<(Digest, PathBuf)>,
}

impl Workshop {
    /// Loads the plugins of these settings. One that can't be loaded is told in [`problems`](Self::problems).
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let cache = settings.state_dir.join("cache");
        let host = Arc::new(Host::new(host::Settings { cache, limits: settings.limits.clone() })?);
        let scripts = Arc::new(script::Engine::new(script::Limits::default()));
        let (mut problems, mut files) = (Vec::new(), Vec::new());
        for (name, entry) in &settings.plugin {
            let config = match &entry.config_file {
                Some(path) => Some(read_config(path, &scripts)?),
                None => None,
            };
            host.set_grants(name, entry, config.as_ref())?;
        }
        for folder in &settings.plugins {
            for path in wasm_files(folder) {
                match host.load(&path).await {
                    Ok(facts) => files.push((facts.digest, path)),
                    Err(error) => {
                        problems.push(Problem { subject: path.display().to_string(), problem: error.to_string() });
                    }
                }
            }
        }
        Ok(Self { host, scripts, problems, files })
    }

    /// The actions that new runs can use.
    pub fn catalog(&self) -> Catalog {
        self.host.catalog()
    }

    /// Keeps a copy of every plugin in `folder`, so that runs which are pinned to one can go on when its file is gone.
    pub(crate) fn keep_plugins(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        for (digest, path) in &self.files {
            let kept = folder.join(Hosted::kept_name(*digest));
            if kept.exists() {
                continue;
            }
            let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
            if Digest::of(&bytes) != *digest {
                // It was replaced since it was loaded: what was loaded can't be kept, so no run may be pinned to it.
                return Err(Error::Internal(format!("{} changed while it was being loaded", path.display())));
            }
            let whole = folder.join(format!("{}.new", Hosted::kept_name(*digest)));
            let written = File::create(&whole).and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()?;
                std::fs::rename(&whole, &kept)?;
                File::open(folder)?.sync_all()
            });
            written.map_err(|error| Error::io("write", kept, error))?;
        }
        Ok(())
    }

    /// Reads a runbook, with everything that is wrong with it.
    pub fn parse(&self, file: &str, bytes: &[u8]) -> Parsed {
        lang::parse(file, bytes, Some(&self.catalog()), &self.scripts)
    }

    /// Reads a runbook that must be without errors.
    pub fn runbook(&self, file: &str, bytes: &[u8]) -> Result<Runbook, Error> {
        let parsed = self.parse(file, bytes);
        let diagnostics = parsed.diagnostics;
        let wrong = || Error::Runbook { file: file.to_owned(), text: bytes.to_vec(), diagnostics };
        parsed.runbook.ok_or_else(wrong)
    }

    /// What people are shown of the plugins.
    pub fn plugin_views(&self) -> Vec<PluginView> {
        let view = |facts: &runwright_core::PluginFacts| PluginView {
            name: facts.name.clone(),
            version: facts.version.clone(),
            digest: facts.digest.to_string(),
            actions: facts.actions.iter().map(|action| action.name.clone()).collect(),
        };
        self.host.plugins().iter().map(|facts| view(facts)).collect()
    }
}

/// The inputs that a run of `runbook` gets when it is given these. Text for an input that is not text, as command lines
/// and the labels of alarms have it, is read as what the input wants.
pub fn inputs(runbook: &Runbook, mut given: Map) -> Result<Map, Error> {
    let mut problems = BTreeMap::new();
    for (name, input) in &runbook.inputs {
        if let Some(text) = given.get(name).and_then(Value::as_str) {
            match lang::input_from_text(input.kind, text) {
                Ok(value) => _ = given.insert(name.clone(), value),
                Err(problem) => _ = problems.insert(name.clone(), format!("the input `{name}`: {problem}")),
            }
        }
    }
    let admitted = lang::admit_inputs(runbook, given);
    if let (Ok(inputs), true) = (&admitted, problems.is_empty()) {
        return Ok(inputs.clone());
    }
    for problem in admitted.err().unwrap_or_default() {
        problems.entry(problem.input.clone()).or_insert_with(|| problem.to_string());
    }
    Err(Error::Inputs { problems: problems.into_values().collect() })
}

/// The `*.wasm` files of a folder, sorted; none where there is no folder.
fn wasm_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    files
}

/// A plugin's own configuration: YAML, of which JSON is a part.
fn read_config(path: &Path, scripts: &script::Engine) -> Result<Value, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let name = path.display().to_string();
    lang::value(&name, &bytes, scripts)
        .map_err(|diagnostics| Error::Settings { path: path.to_owned(), what: lang::render(&diagnostics, &bytes) })
}
