//! From a file to a plugin that can be called.

use std::io::{self, Read};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use runwright_core::{Digest, PluginFacts};
use tokio::task::spawn_blocking;
use wasmtime::component::Component;

use crate::bindings::exports::runwright::plugin::actions::PluginInfo;
use crate::command::{self, Exchange};
use crate::ending::Ending;
use crate::error::Error;
use crate::facts::check;
use crate::grants::Granted;
use crate::host::{Host, Loaded};
use crate::limits::size;
use crate::linked::Linked;
use crate::notes::Silent;
use crate::regular;
use crate::shown::shown;
use crate::state::Setup;

/// After compiling for so long, people are told why they wait.
const PATIENCE: Duration = Duration::from_secs(1);

impl Host {
    /// Loads the plugin at `path`: reads it, compiles it or takes it from the cache, asks it to describe itself with
    /// every capability refused, and checks what it says.
    ///
    /// New runs use it from now on in place of one with its name. Older ones stay loaded, by their digest, until
    /// [`forget`](Self::forget). A file that fails to load changes nothing.
    pub async fn load(&self, path: &Path) -> Result<Arc<PluginFacts>, Error> {
        let digest = self.load_pinned(path).await?;
        self.offer(digest).ok_or_else(|| no_plugin(&shown(path), "it was forgotten"))
    }

    /// Loads a plugin from its bytes, for example those that a run is pinned to; `name` is for errors.
    pub async fn load_bytes(&self, name: &str, bytes: Vec<u8>) -> Result<Arc<PluginFacts>, Error> {
        let digest = self.prepare(name, bytes).await?;
        self.offer(digest).ok_or_else(|| no_plugin(name, "it was forgotten"))
    }

    /// Lets new runs use the plugin with this digest in place of one with its name; none if it is not loaded.
    pub fn offer(&self, digest: Digest) -> Option<Arc<PluginFacts>> {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        let loaded = plugins.by_digest.get(&digest).cloned()?;
        let place = plugins
            .current
            .iter()
            .position(|current| plugins.by_digest.get(current).is_some_and(|current| current.name == loaded.name));
        match place {
            Some(place) => plugins.current[place] = digest,
            None => plugins.current.push(digest),
        }
        Some(Arc::clone(&loaded.facts))
    }

    /// Lets no new run use the plugin with this digest; it stays loaded for those that are pinned to it.
    pub fn withdraw(&self, digest: Digest) {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins.current.retain(|current| *current != digest);
    }

    /// What the plugin with this digest says of itself, if it is loaded.
    pub fn facts_of(&self, digest: Digest) -> Option<Arc<PluginFacts>> {
        self.plugin(digest).map(|loaded| Arc::clone(&loaded.facts))
    }

    /// Loads a plugin for the runs that are pinned to it, without offering it to new ones.
    pub async fn load_pinned(&self, path: &Path) -> Result<Digest, Error> {
        let name = shown(path);
        let digest = self.read(path, digest).await?;
        {
            let _alone = self.loading.lock().await;
            if self.is_loaded(digest) {
                return Ok(digest);
            }
            // What is compiled already need not be held in memory.
            if let Some(component) = self.cache.get(&self.sandbox.engine, digest) {
                return self.link(&name, digest, component).await;
            }
        }
        let bytes = self.read(path, read).await?;
        self.prepare(&name, bytes).await
    }

    /// What `read` makes of the file.
    async fn read<T: Send + 'static>(&self, path: &Path, read: Reading<T>) -> Result<T, Error> {
        let (file, limit) = (path.to_owned(), self.sandbox.limits.component_bytes);
        let read = spawn_blocking(move || read(&file, limit)).await.map_err(Error::engine)?;
        let read = read.map_err(|source| Error::Read { path: path.to_owned(), source })?;
        read.ok_or_else(|| Error::TooLarge { plugin: shown(path), limit: size(limit) })
    }

    async fn prepare(&self, name: &str, bytes: Vec<u8>) -> Result<Digest, Error> {
        if bytes.len() > self.sandbox.limits.component_bytes {
            return Err(Error::TooLarge { plugin: name.to_owned(), limit: size(self.sandbox.limits.component_bytes) });
        }
        let _alone = self.loading.lock().await;
        let digest = Digest::of(&bytes);
        if self.is_loaded(digest) {
            return Ok(digest);
        }
        let component = self.compiled(name, digest, bytes).await?;
        self.link(name, digest, component).await
    }

    /// Makes a compiled plugin one that can be called.
    async fn link(&self, name: &str, digest: Digest, component: Component) -> Result<Digest, Error> {
        let imports = component.component_type();
        let imports = imports.imports(&self.sandbox.engine).map(|(import, _)| import.to_owned()).collect();
        let linked = self.sandbox.link(&component).map_err(|reason| no_plugin(name, reason))?;
        let info = self.facts(name, digest, &linked).await?;
        let (facts, schemas) = spawn_blocking(move || check(info, digest, imports))
            .await
            .map_err(Error::engine)?
            .map_err(|problems| Error::Facts { plugin: name.to_owned(), problems })?;
        if let Some(why) = self.withheld(&facts.name) {
            return Err(no_plugin(name, why));
        }
        let loaded = Loaded {
            name: facts.name.as_str().into(),
            facts: Arc::new(facts),
            schemas: schemas.into_iter().collect(),
            linked,
        };
        self.plugins.write().unwrap_or_else(PoisonError::into_inner).by_digest.insert(digest, Arc::new(loaded));
        Ok(digest)
    }

    /// The compiled plugin from the cache; what is not there is compiled on a thread of its own and kept.
    async fn compiled(&self, name: &str, digest: Digest, bytes: Vec<u8>) -> Result<Component, Error> {
        if let Some(component) = self.cache.get(&self.sandbox.engine, digest) {
            return Ok(component);
        }
        let mut compiling = pin!(self.compiler.compile(&self.sandbox.engine, bytes));
        let compiled = tokio::select! {
            compiled = &mut compiling => compiled,
            () = tokio::time::sleep(PATIENCE) => {
                tracing::warn!("compiling {name}: a large plugin takes a while, once");
                compiling.await
            }
        };
        let (component, code) = compiled.map_err(|error| no_plugin(name, error))?;
        if let Err(error) = self.cache.put(digest, &code) {
            tracing::warn!(plugin = name, %error, "a compiled plugin cannot be kept and will be compiled again");
        }
        // The kept file is mapped rather than copied, so that it is in memory once.
        Ok(self.cache.get(&self.sandbox.engine, digest).unwrap_or(component))
    }

    /// What the plugin says of itself, which must be the same whenever it is asked: runs are pinned to it. It is asked
    /// twice, unless it says what it said to an earlier engine.
    async fn facts(&self, name: &str, digest: Digest, linked: &Linked) -> Result<PluginInfo, Error> {
        let info = self.describe(name, linked).await?;
        let said = Digest::of(format!("{info:?}").as_bytes());
        if self.cache.said(digest) == Some(said) {
            return Ok(info);
        }
        if said != Digest::of(format!("{:?}", self.describe(name, linked).await?).as_bytes()) {
            let problems = vec!["it describes itself differently each time".to_owned()];
            return Err(Error::Facts { plugin: name.to_owned(), problems });
        }
        if let Err(error) = self.cache.keep_said(digest, said) {
            tracing::warn!(plugin = name, %error, "what a plugin says of itself cannot be kept and will be asked again");
        }
        Ok(info)
    }

    async fn describe(&self, name: &str, linked: &Linked) -> Result<PluginInfo, Error> {
        let time = self.sandbox.limits.describe();
        let told = |reason| Error::Describe { plugin: name.to_owned(), reason: format!("it {reason}") };
        match linked {
            Linked::Component(plugin) => {
                let described = self.sandbox.enter(self.describing(time, None), time, async |store| {
                    let instance = plugin.instantiate_async(&mut *store).await?;
                    instance.runwright_plugin_actions().call_describe(store).await
                });
                Ok(described.await.map_err(told)?.answer)
            }
            Linked::Command(program) => {
                let exchange = Exchange::describe(&self.sandbox.limits);
                let response = exchange.response.clone();
                let setup = self.describing(time, Some(exchange));
                let work = async |store: &mut _| command::run(program, store, response).await;
                let exited = self.sandbox.enter(setup, time, work).await.map_err(told)?.answer;
                command::info(exited).map_err(told)
            }
        }
    }

    /// Describing is pure: every capability is refused.
    fn describing(&self, time: Duration, exchange: Option<Exchange>) -> Setup {
        Setup {
            plugin: "new".into(),
            grants: Arc::new(Granted::withheld("a plugin describes itself without any".to_owned())),
            ending: Ending::after(time),
            notes: Arc::new(Silent),
            tainted: self.sandbox.shared.tainted.for_call(),
            checkpoints: Default::default(),
            read_only: true,
            exchange,
        }
    }
}

fn no_plugin(name: &str, reason: impl Into<String>) -> Error {
    Error::NoPlugin { plugin: name.to_owned(), reason: reason.into() }
}

/// Reads a file of at most this many bytes; none where it has more.
type Reading<T> = fn(&Path, usize) -> io::Result<Option<T>>;

/// The digest of the file, if it has no more than `limit` bytes.
fn digest(path: &Path, limit: usize) -> io::Result<Option<Digest>> {
    let (mut file, mut length) = (regular::open(path)?.0.take(limit as u64 + 1), 0);
    let digest = Digest::of_parts(|part| file.read(part).inspect(|read| length += read))?;
    Ok((length <= limit).then_some(digest))
}

/// The file's bytes, if they are no more than `limit`.
fn read(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let bytes = regular::read_beginning(path, limit)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}
