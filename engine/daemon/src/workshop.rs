//! What checking and previewing need: plugins and expressions, without a journal.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use host::Host;
use lang::Parsed;
use runwright_core::{Catalog, Map, Runbook, Value};

use crate::plugins::PluginFiles;
use crate::view::{PluginView, Problem};
use crate::{Error, Settings};

/// The plugins and the expressions of one configuration. Clones share them.
#[derive(Clone)]
pub struct Workshop {
    /// The plugin host.
    pub host: Arc<Host>,
    /// The expressions' engine.
    pub scripts: Arc<script::Engine>,
    pub(crate) files: PluginFiles,
}

impl Workshop {
    /// Loads the plugins of these settings. One that can't be loaded is told in [`problems`](Self::problems); of two with one name the
    /// first in the order of their paths counts.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let cache = settings.state_dir.join("cache");
        let host = Arc::new(Host::new(host::Settings { cache, limits: settings.limits.clone() })?);
        let scripts = Arc::new(script::Engine::new(script::Limits::default()));
        for (name, entry) in &settings.plugin {
            let config = match &entry.config_file {
                Some(path) => Some(read_config(path, &scripts)?),
                None => None,
            };
            host.set_grants(name, entry, config.as_ref())?;
        }
        let files = PluginFiles::new(Arc::clone(&host), settings);
        files.scan(false).await;
        Ok(Self { host, scripts, files })
    }

    /// Plugins that can't be used as they are now, each with the reason.
    pub fn problems(&self) -> Vec<Problem> {
        self.files.problems()
    }

    /// The actions that new runs can use.
    pub fn catalog(&self) -> Catalog {
        self.host.catalog()
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

/// A plugin's own configuration: YAML, of which JSON is a part.
fn read_config(path: &Path, scripts: &script::Engine) -> Result<Value, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    let name = path.display().to_string();
    lang::value(&name, &bytes, scripts)
        .map_err(|diagnostics| Error::Settings { path: path.to_owned(), text: bytes, diagnostics })
}
