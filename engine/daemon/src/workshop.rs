//! What checking and previewing need: plugins and expressions, without a journal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host::{Host, Limits, regular, shown};
use lang::{Diagnostic, Parsed};
use runwright_core::{Catalog, Map, Runbook, Value};

use crate::plugins::PluginFiles;
use crate::view::{PluginView, Problem};
use crate::{Error, Library, Settings};

/// The plugins and the expressions of one configuration. Clones share them.
#[derive(Clone)]
pub struct Workshop {
    /// The plugin host.
    pub host: Arc<Host>,
    /// The expressions' engine.
    pub scripts: Arc<script::Engine>,
    pub(crate) files: PluginFiles,
    /// The names of the secrets that plugins are granted.
    pub(crate) secrets: Arc<BTreeSet<String>>,
}

impl Workshop {
    /// Loads the plugins of these settings for a command that makes nothing: where the state directory has no folder for
    /// compiled plugins yet, they are kept as [`users_host`] does.
    ///
    /// A plugin that can't be used is told in [`problems`](Self::problems); so are two different ones with one name, of
    /// which none is used.
    ///
    /// # Errors
    /// Also where the configuration of a plugin can't be read.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        match settings.compiled().is_dir() {
            true => Self::make(settings).await,
            false => Self::with(settings, users_host(settings.limits.clone())?, Err).await,
        }
    }

    /// The same for an engine, which keeps compiled plugins in its state directory.
    pub(crate) async fn make(settings: &Settings) -> Result<Self, Error> {
        Self::with(settings, Self::host(settings)?, Err).await
    }

    /// The same for an engine that is to serve: a plugin whose configuration can't be read is withheld, and told, and the
    /// others are used.
    pub(crate) async fn make_to_serve(settings: &Settings) -> Result<Self, Error> {
        let why = |error| format!("its configuration is not known: {error}; mend it and start the engine again");
        Self::with(settings, Self::host(settings)?, |error| Ok(why(error))).await
    }

    fn host(settings: &Settings) -> Result<Host, Error> {
        Ok(Host::new(host::Settings { cache: settings.compiled(), limits: settings.limits.clone() })?)
    }

    /// `withhold` makes the reason to withhold a plugin of what is wrong with its configuration.
    async fn with(
        settings: &Settings,
        host: Host,
        withhold: impl Fn(Error) -> Result<String, Error>,
    ) -> Result<Self, Error> {
        let host = Arc::new(host);
        let scripts = Arc::new(script::Engine::new(script::Limits::default()));
        for (name, entry) in &settings.plugin {
            match entry.config_file.as_deref().map(|path| read_config(path, &scripts)).transpose() {
                Ok(config) => host.set_grants(name, entry, config.as_ref())?,
                Err(error) => host.withhold(name, withhold(error)?),
            }
        }
        let files = PluginFiles::new(Arc::clone(&host), settings);
        files.scan(false).await;
        let secrets = settings.plugin.values().flat_map(|entry| entry.grants.secrets.keys().cloned()).collect();
        Ok(Self { host, scripts, files, secrets: Arc::new(secrets) })
    }

    /// The inputs that a run of `runbook` gets when it is given these; otherwise everything that is wrong with them.
    pub fn inputs(&self, runbook: &Runbook, given: Map) -> Result<Map, Error> {
        inputs(runbook, given, &self.secrets)
    }

    /// Plugins that can't be used as they are now, each with the reason.
    pub fn problems(&self) -> Vec<Problem> {
        self.files.problems()
    }

    /// The actions that new runs can use.
    pub fn catalog(&self) -> Catalog {
        self.host.catalog()
    }

    /// Whether steps of the runbook in this text call others.
    pub fn calls(&self, file: &str, bytes: &[u8]) -> bool {
        !lang::parse(file, bytes, None, &self.scripts).calls.is_empty()
    }

    /// Reads a runbook, which may call those in `library`, with everything that is wrong with it.
    pub fn parse(&self, file: &str, bytes: &[u8], library: &Library) -> Parsed {
        lang::parse(file, bytes, Some(&library.catalog(self.catalog())), &self.scripts)
    }

    /// Reads a runbook that must be without errors.
    pub fn runbook(&self, file: &str, bytes: &[u8], library: &Library) -> Result<Checked, Error> {
        Checked::of(self.parse(file, bytes, library)).map_err(|diagnostics| Error::Runbook {
            file: file.to_owned(),
            text: bytes.to_vec(),
            diagnostics,
        })
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

/// A runbook without errors.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Its checked form.
    pub runbook: Arc<Runbook>,
    /// What in its file may be meant otherwise, in one line.
    pub doubts: Option<String>,
}

impl Checked {
    /// The runbook of a file, or what is wrong with that.
    pub(crate) fn of(parsed: Parsed) -> Result<Self, Vec<Diagnostic>> {
        let Parsed { runbook, diagnostics, .. } = parsed;
        let doubts = lang::doubts(&diagnostics);
        runbook.map(|runbook| Self { runbook: Arc::new(runbook), doubts }).ok_or(diagnostics)
    }

    /// What people are told who start it from this file, if there is something.
    pub fn warning(&self, file: &str) -> Option<String> {
        self.doubts.as_ref().map(|doubts| format!("{file}: {doubts}; `runwright check {file}` shows more"))
    }
}

/// The inputs that a run of `runbook` gets when it is given these. Text for an input that is not text, as command lines
/// and the labels of alarms have it, is read as what the input wants. A secret is the name of one of `secrets`: a name that
/// no plugin is granted may be a secret itself, which no journal must see.
pub(crate) fn inputs(runbook: &Runbook, mut given: Map, secrets: &BTreeSet<String>) -> Result<Map, Error> {
    let mut problems: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, input) in &runbook.inputs {
        if let Some(text) = given.get(name).and_then(Value::as_str) {
            match runwright_core::input_from_text(input.kind, text) {
                Ok(value) => _ = given.insert(name.clone(), value),
                Err(problem) => _ = problems.insert(name.clone(), vec![format!("the input `{name}`: {problem}")]),
            }
        }
    }
    let given_names: BTreeSet<String> = given.keys().cloned().collect();
    let mut all = given.clone();
    for (name, input) in &runbook.inputs {
        input.default.iter().for_each(|default| _ = all.entry(name).or_insert_with(|| default.clone()));
    }
    let unread: BTreeSet<String> = problems.keys().cloned().collect();
    let admitted = runwright_core::admit_inputs(runbook, given);
    for problem in admitted.as_ref().err().into_iter().flatten().filter(|problem| !unread.contains(&problem.input)) {
        problems.entry(problem.input.clone()).or_default().push(problem.to_string());
    }
    for (name, secret) in runwright_core::secret_names(runbook, &all) {
        if !secrets.contains(secret) {
            problems.entry(name.to_owned()).or_insert_with(|| vec![not_granted(name, secrets)]);
        }
    }
    if let (Ok(inputs), true) = (admitted, problems.is_empty()) {
        return Ok(inputs);
    }
    let is_missing = |name: &&String| !given_names.contains(*name) && runbook.inputs[*name].default.is_none();
    let missing = runbook.inputs.keys().filter(is_missing).cloned().collect();
    Err(Error::Inputs { problems: problems.into_values().flatten().collect(), missing })
}

/// What is said of a secret that no plugin is granted: not what was given, which may be its value.
fn not_granted(input: &str, secrets: &BTreeSet<String>) -> String {
    let granted = secrets.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let granted = if granted.is_empty() { "none is granted".to_owned() } else { format!("there are: {granted}") };
    format!(
        "the input `{input}`: no plugin is granted a secret of this name; give the name that stands in `secrets` of a \
         plugin's grants in runwright.toml, never the value; {granted}"
    )
}

/// A plugin host for what is not any engine's yet: compiled plugins are kept in the user's own folder of them, or, where
/// that can't be, not at all.
pub fn users_host(limits: Limits) -> Result<Host, host::Error> {
    let cached = users_cache().map(|cache| Host::new(host::Settings { cache, limits: limits.clone() }));
    match cached {
        Some(Ok(host)) => Ok(host),
        // A home that can't be written to is no reason not to look at a plugin.
        _ => Host::uncached(limits),
    }
}

fn users_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(caches.join("runwright/compiled"))
}

/// A plugin's own configuration: YAML, of which JSON is a part.
fn read_config(path: &Path, scripts: &script::Engine) -> Result<Value, Error> {
    let bytes = regular::read(path, lang::limits::FILE_BYTES).map_err(|error| Error::io("read", path, error))?;
    let name = shown(path);
    lang::value(&name, &bytes, scripts).map_err(|diagnostics| Error::Settings {
        path: path.to_owned(),
        text: bytes,
        diagnostics,
    })
}
