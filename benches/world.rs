//! The real engine, in this process: journal on disk, plugins in sandboxes, the machine's clock.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use driver::{Call, Driver, Hosted, Plugins, SystemClock};
use host::{Host, Notes, Settings};
use journal::SledJournal;
use runwright_core::{ActionName, Catalog, Digest, Failure, Outcome, RunId, Runbook, Value, Verdict};

/// The action that does nothing.
pub(crate) const ACTION: &str = "empty";

/// The plugin that has it.
pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist/test/fixture.wasm")
}

/// One engine, and the moments at which its steps began to act.
pub(crate) struct World {
    pub(crate) host: Arc<Host>,
    pub(crate) plugin: Digest,
    pub(crate) driver: Driver,
    pub(crate) begun: Arc<Begun>,
}

impl World {
    pub(crate) async fn open(folder: &Path) -> Self {
        let host = Arc::new(Host::new(Settings::new(folder.join("cache"))).unwrap());
        let plugin = host.load(&fixture()).await.expect("fixture.wasm: run plugins/build").digest;
        let begun = Arc::<Begun>::default();
        let hosted = Hosted { host: Arc::clone(&host), kept: folder.join("kept") };
        let driver = Driver::new(
            Arc::new(SledJournal::open(folder.join("state")).unwrap()),
            Arc::new(Timed { inner: hosted, begun: Arc::clone(&begun) }),
            Arc::new(SystemClock::default()),
            Arc::new(script::Engine::new(script::Limits::default())),
        );
        Self { host, plugin, driver, begun }
    }
}

/// When each call of each run began.
#[derive(Default)]
pub(crate) struct Begun(pub(crate) Mutex<Vec<(RunId, Instant)>>);

/// The plugins, with a look at the clock before each call.
struct Timed {
    inner: Hosted,
    begun: Arc<Begun>,
}

#[async_trait]
impl Plugins for Timed {
    fn catalog(&self) -> Catalog {
        self.inner.catalog()
    }

    async fn ready(&self, plugin: Digest) -> Result<(), String> {
        self.inner.ready(plugin).await
    }

    fn check(&self, plugin: Digest, action: &ActionName, input: &Value) -> Result<(), Failure> {
        self.inner.check(plugin, action, input)
    }

    async fn run(&self, call: Call, notes: Arc<dyn Notes>) -> Outcome {
        self.begun.0.lock().unwrap().push((call.run, Instant::now()));
        self.inner.run(call, notes).await
    }

    async fn undo(&self, call: Call, undo_data: Option<String>, notes: Arc<dyn Notes>) -> Outcome {
        self.inner.undo(call, undo_data, notes).await
    }

    async fn verify(&self, call: Call, notes: Arc<dyn Notes>) -> Verdict {
        self.inner.verify(call, notes).await
    }
}

/// A runbook of so many steps that do nothing.
pub(crate) fn runbook(world: &World, name: &str, steps: usize) -> Arc<Runbook> {
    let mut text = format!("name: {name}\nsteps:\n");
    for n in 1..=steps {
        text += &format!("  - {{ id: step-{n}, uses: fixture/{ACTION} }}\n");
    }
    let parsed = lang::parse(name, text.as_bytes(), Some(&world.host.catalog()), world.driver.scripts());
    Arc::new(parsed.runbook.unwrap())
}
