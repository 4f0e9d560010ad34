//! One shipped plugin in a host of its own, whose every verb can be called: with grants, without an engine.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use host::{Call, Host, Limits, Notes, PluginEntry, Preview, Reply, Said, Settings, Verb};
use runwright_core::{Answer, Digest, Failure, Note, Outcome, Value, Verdict};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::support::plugin;

/// What a step's calls told: its log and its notes.
#[derive(Default)]
struct Told {
    lines: Mutex<Vec<String>>,
    checkpoints: Mutex<BTreeMap<String, Vec<u8>>>,
}

#[async_trait::async_trait]
impl Notes for Told {
    fn say(&self, said: Said) {
        self.lines.lock().unwrap().push(said.text);
    }

    fn progress(&self, _: Option<u8>, _: &str) {}

    async fn note(&self, note: Note) -> Result<(), String> {
        if let Note::Checkpoint { key, value } = note {
            let mut checkpoints = self.checkpoints.lock().unwrap();
            match value {
                Some(value) => checkpoints.insert(key, value),
                None => checkpoints.remove(&key),
            };
        }
        Ok(())
    }
}

/// A plugin, a folder, and one step at a time.
pub(crate) struct Bench {
    runtime: Runtime,
    host: Host,
    name: String,
    digest: Digest,
    config: Option<Value>,
    folder: TempDir,
    told: Arc<Told>,
    step: u32,
    cancel: watch::Sender<bool>,
}

impl Bench {
    /// The built plugin `name`; nothing is granted.
    pub(crate) fn new(name: &str) -> Self {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&cache).unwrap();
        let runtime = Runtime::new().unwrap();
        let host = Host::new(Settings { limits: Limits::default(), ..Settings::new(cache) }).unwrap();
        let digest = runtime.block_on(host.load(&plugin(name))).unwrap().digest;
        let folder = tempfile::Builder::new().prefix("rw").tempdir().unwrap();
        let told = Arc::default();
        let cancel = watch::channel(false).0;
        Self { runtime, host, name: name.to_owned(), digest, config: None, folder, told, step: 1, cancel }
    }

    /// The same with this configuration.
    pub(crate) fn config(mut self, config: Value) -> Self {
        self.config = Some(config);
        self
    }

    /// Grants what the TOML text says, and nothing else; `FOLDER` in it is the folder.
    pub(crate) fn grant(&self, grants: &str) {
        let folder = self.folder.path().to_str().unwrap();
        let entry: PluginEntry = toml::from_str(&format!("[grants]\n{}", grants.replace("FOLDER", folder))).unwrap();
        self.host.set_grants(&self.name, &entry, self.config.as_ref()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text, for inputs.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// What follows is another step: another key, and no notes.
    pub(crate) fn next_step(&mut self) {
        self.step += 1;
        self.told = Arc::default();
    }

    /// The log of the step.
    pub(crate) fn log(&self) -> String {
        self.told.lines.lock().unwrap().join("\n")
    }

    fn call(&self, verb: Verb, action: &str, input: &Value, undo_data: Option<String>) -> Reply {
        // An undo has a key of its own.
        let direction = if verb == Verb::Undo { "back" } else { "on" };
        let call = Call {
            plugin: self.digest,
            action: action.to_owned(),
            verb,
            input: input.clone(),
            undo_data,
            run: "the-run".to_owned(),
            step: format!("step-{}", self.step),
            attempt: 1,
            key: format!("key-{}-{direction}", self.step),
            deadline: Some(Duration::from_secs(50)),
            cancel: self.cancel.subscribe(),
            checkpoints: self.told.checkpoints.lock().unwrap().clone(),
            read_only: verb == Verb::Plan,
        };
        self.runtime.block_on(self.host.call(call, Arc::<Told>::clone(&self.told)))
    }

    /// An attempt of the step. A second one is what follows when the answer of the first was lost.
    pub(crate) fn attempt(&self, action: &str, input: &Value) -> Outcome {
        match self.call(Verb::Run, action, input, None) {
            Reply::Outcome(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// An attempt that succeeds.
    pub(crate) fn run(&self, action: &str, input: &Value) -> Answer {
        match self.attempt(action, input) {
            Outcome::Succeeded(answer) => answer,
            other => panic!("{other:?}; log: {}", self.log()),
        }
    }

    /// An attempt that fails.
    pub(crate) fn fail(&self, action: &str, input: &Value) -> Failure {
        match self.attempt(action, input) {
            Outcome::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    /// An attempt of which the plugin does not know what it did.
    pub(crate) fn lose(&self, action: &str, input: &Value) -> String {
        match self.attempt(action, input) {
            Outcome::Lost { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    /// The same for an attempt that is cut off as soon as `begun`.
    pub(crate) fn cut_off(&self, action: &str, input: &Value, begun: impl Fn() -> bool + Sync) -> String {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let end = Instant::now() + Duration::from_secs(45);
                while !begun() && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(10));
                }
                self.cancel.send_replace(true);
            });
            let reason = self.lose(action, input);
            self.cancel.send_replace(false);
            reason
        })
    }

    pub(crate) fn plan(&self, action: &str, input: &Value) -> Preview {
        match self.call(Verb::Plan, action, input, None) {
            Reply::Preview(Ok(preview)) => preview,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn verify(&self, action: &str, input: &Value) -> Verdict {
        match self.call(Verb::Verify, action, input, None) {
            Reply::Verdict(Ok(verdict)) => verdict,
            other => panic!("{other:?}"),
        }
    }

    /// Takes back what the answer is of; none: the answer was lost.
    pub(crate) fn undo(&self, action: &str, input: &Value, answer: Option<&Answer>) -> Outcome {
        match self.call(Verb::Undo, action, input, answer.and_then(|answer| answer.undo_data.clone())) {
            Reply::Outcome(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// The same where it succeeds.
    pub(crate) fn undone(&self, action: &str, input: &Value, answer: Option<&Answer>) -> Answer {
        match self.undo(action, input, answer) {
            Outcome::Succeeded(answer) => answer,
            other => panic!("{other:?}; log: {}", self.log()),
        }
    }
}

/// The answer of a verdict that it happened.
pub(crate) fn happened(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Happened(answer) => answer,
        other => panic!("{other:?}"),
    }
}
