//! The host: plugins, their grants, and calls to them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use runwright_core::{Catalog, Digest, Failure, FailureKind, PluginFacts, Value};
use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::binding::Binding;
use crate::cache::Cache;
use crate::capability::secrets;
use crate::compile::Compiler;
use crate::error::Error;
use crate::facts::Schemas;
use crate::grants::{Granted, PluginEntry, SecretSource};
use crate::limits::Limits;
use crate::linked::{Kind, Linked};
use crate::notes::Notes;
use crate::said::Log;
use crate::sandbox::Sandbox;

/// What a [`Host`] needs to begin.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder for compiled plugins. It must be the engine's user's alone; it is made if it is not there.
    pub cache: PathBuf,
    /// The bounds on plugins and calls.
    pub limits: Limits,
}

impl Settings {
    /// Compiled plugins in `cache`, and the usual limits.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), limits: Limits::default() }
    }
}

/// Everything that plugins run in: one per process.
///
/// It is cheap to share by reference or [`Arc`]. Loading and calling need a tokio runtime with time and I/O enabled.
pub struct Host {
    pub(crate) sandbox: Sandbox,
    pub(crate) cache: Cache,
    pub(crate) compiler: Compiler,
    /// One plugin is loaded at a time, so that none is compiled twice.
    pub(crate) loading: tokio::sync::Mutex<()>,
    pub(crate) calls: Semaphore,
    pub(crate) plugins: RwLock<Plugins>,
    entries: RwLock<HashMap<String, Arc<Entry>>>,
    /// Names of plugins that are not loaded, each with the reason.
    withheld: RwLock<HashMap<String, String>>,
    /// Granted secrets whose values are not known yet.
    new_secrets: Mutex<Vec<(String, SecretSource)>>,
    reading_secrets: tokio::sync::Mutex<()>,
}

/// The loaded plugins.
#[derive(Default)]
pub(crate) struct Plugins {
    pub(crate) by_digest: HashMap<Digest, Arc<Loaded>>,
    /// The digests that new runs use, one per name, in the order in which the names were first loaded.
    pub(crate) current: Vec<Digest>,
}

/// A plugin that is ready to be called.
pub(crate) struct Loaded {
    pub(crate) facts: Arc<PluginFacts>,
    pub(crate) name: Arc<str>,
    pub(crate) schemas: HashMap<String, Schemas>,
    pub(crate) linked: Linked,
}

/// What the operator says of the plugins of one name.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) granted: Arc<Granted>,
    /// The plugin's configuration as JSON text.
    pub(crate) config: Option<String>,
}

impl Host {
    /// Sets up the engine and opens the cache. No plugin is loaded.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let Settings { cache, limits } = settings;
        Self::with(limits, |engine| Cache::open(&cache, engine))
    }

    /// The same without a folder for compiled plugins: each is compiled when it is loaded, and nothing is kept.
    pub fn uncached(limits: Limits) -> Result<Self, Error> {
        Self::with(limits, |_| Ok(Cache::none()))
    }

    fn with(limits: Limits, cache: impl FnOnce(&Engine) -> Result<Cache, Error>) -> Result<Self, Error> {
        let calls = Semaphore::new(limits.calls.clamp(1, Semaphore::MAX_PERMITS));
        let sandbox = Sandbox::new(limits)?;
        let cache = cache(&sandbox.engine)?;
        Ok(Self {
            sandbox,
            cache,
            compiler: Compiler::new(),
            loading: tokio::sync::Mutex::default(),
            calls,
            plugins: RwLock::default(),
            entries: RwLock::default(),
            withheld: RwLock::default(),
            new_secrets: Mutex::default(),
            reading_secrets: tokio::sync::Mutex::default(),
        })
    }

    /// Sets what plugins called `plugin` may reach and how they are configured, from their next call on. Without this
    /// they may reach nothing.
    ///
    /// `config` is what the file `entry.config_file` says; reading it is the caller's.
    pub fn set_grants(&self, plugin: &str, entry: &PluginEntry, config: Option<&Value>) -> Result<(), Error> {
        let binding = Binding { digest: entry.digest, version: entry.version.clone() };
        let granted = Granted::new(binding, entry.grants.clone())
            .map_err(|problems| Error::Grants { plugin: plugin.to_owned(), problems })?;
        let secrets = entry.grants.secrets.iter().map(|(name, source)| (name.clone(), source.clone()));
        self.new_secrets.lock().unwrap_or_else(PoisonError::into_inner).extend(secrets);
        let entry = Entry { granted: Arc::new(granted), config: config.map(Value::to_string) };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(plugin.to_owned(), Arc::new(entry));
        Ok(())
    }

    /// Whether some plugin is granted a secret of this name.
    pub fn grants_secret(&self, name: &str) -> bool {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().any(|entry| entry.granted.secrets.contains_key(name))
    }

    /// Takes back what [`set_grants`](Self::set_grants) gave to plugins called `plugin`.
    pub fn clear_grants(&self, plugin: &str) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(plugin);
    }

    /// Lets no plugin called `plugin` be loaded, for the reason `why`: neither for new runs nor for those that are pinned to
    /// one. It would be called without the configuration that the operator meant it to have.
    pub fn withhold(&self, plugin: &str, why: String) {
        self.withheld.write().unwrap_or_else(PoisonError::into_inner).insert(plugin.to_owned(), why);
    }

    /// Why no plugin of this name may be loaded; none if it may.
    pub(crate) fn withheld(&self, plugin: &str) -> Option<String> {
        self.withheld.read().unwrap_or_else(PoisonError::into_inner).get(plugin).cloned()
    }

    /// Makes the values of all granted secrets known, so that no call shows one, whichever plugin's it is.
    pub(crate) async fn know_secrets(&self) {
        let new = || self.new_secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if new().is_empty() {
            return;
        }
        // Who comes meanwhile waits until they are known.
        let _one_reads = self.reading_secrets.lock().await;
        let sources = new().clone();
        if !sources.is_empty() {
            secrets::know(sources.clone(), &self.sandbox.shared.tainted).await;
            new().retain(|source| !sources.contains(source));
        }
    }

    pub(crate) fn entry(&self, plugin: &str) -> Arc<Entry> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(plugin).cloned().unwrap_or_default()
    }

    /// The log of a script: bounded, and without the secrets that calls may have been given.
    pub fn log(&self, notes: Arc<dyn Notes>) -> Log {
        Log::new(notes, Arc::clone(&self.sandbox.limits), self.sandbox.shared.tainted.for_call())
    }

    /// The plugins that new runs use, one per name.
    pub fn plugins(&self) -> Vec<Arc<PluginFacts>> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins
            .current
            .iter()
            .filter_map(|digest| plugins.by_digest.get(digest))
            .map(|it| Arc::clone(&it.facts))
            .collect()
    }

    /// The actions that new runs can use.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(self.plugins().iter().map(|facts| &**facts))
    }

    /// Whether the plugin with this digest is loaded, also when a newer one has its name.
    pub fn is_loaded(&self, plugin: Digest) -> bool {
        self.plugin(plugin).is_some()
    }

    /// What the plugin with this digest exports, if it is loaded: the names of interfaces.
    pub fn exports(&self, plugin: Digest) -> Vec<String> {
        self.plugin(plugin).map(|loaded| loaded.linked.exports(&self.sandbox.engine)).unwrap_or_default()
    }

    /// How the plugin with this digest is called, if it is loaded.
    pub fn kind(&self, plugin: Digest) -> Option<Kind> {
        self.plugin(plugin).map(|loaded| loaded.linked.kind())
    }

    pub(crate) fn plugin(&self, plugin: Digest) -> Option<Arc<Loaded>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).by_digest.get(&plugin).cloned()
    }

    /// Forgets the plugin with this digest; calls that it is in go on. No run that needs it may be unfinished.
    pub fn forget(&self, plugin: Digest) {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins.by_digest.remove(&plugin);
        plugins.current.retain(|current| *current != plugin);
    }

    /// Does `input` fit the input schema of the action? A failure has all that does not.
    pub fn validate(&self, plugin: Digest, action: &str, input: &Value) -> Result<(), Failure> {
        let loaded = self.plugin(plugin).ok_or_else(|| not_loaded(plugin))?;
        let schemas = loaded.schemas(action)?;
        schemas.input.check(input).map_err(|why| Failure::new(FailureKind::InvalidInput, why))
    }
}

impl Loaded {
    pub(crate) fn schemas(&self, action: &str) -> Result<&Schemas, Failure> {
        let unknown = || {
            let known: Vec<_> = self.facts.actions.iter().map(|facts| facts.name.as_str()).collect();
            format!("plugin {} has no action {action:?}; it has {}", self.name, known.join(", "))
        };
        self.schemas.get(action).ok_or_else(|| Failure::new(FailureKind::Permanent, unknown()))
    }
}

pub(crate) fn not_loaded(plugin: Digest) -> Failure {
    Failure::new(FailureKind::Permanent, format!("the plugin with digest {plugin} is not loaded"))
}
