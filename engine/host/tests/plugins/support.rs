//! A host for one test, calls to the fixture plugin, and notes that can be read back.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use host::{Call, Host, Limits, Notes, PluginEntry, Reply, Said, Settings, Verb};
use runwright_core::{Digest, Failure, FailureKind, Note, Outcome, Stream, Value};
use tempfile::TempDir;
use tokio::sync::watch;

/// Compiled plugins that all tests share.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

pub(crate) fn dist(plugin: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist");
    let folder = if plugin.ends_with("fixture") { built.join("test") } else { built };
    let path = folder.join(format!("{plugin}.wasm"));
    assert!(path.exists(), "{} is missing: run plugins/build", path.display());
    path
}

/// Everything that a call told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) lines: Mutex<Vec<(Stream, String)>>,
    /// Lines that were left out.
    pub(crate) left_out: Mutex<u64>,
    pub(crate) progress: Mutex<usize>,
    pub(crate) progress_notes: Mutex<Vec<String>>,
    pub(crate) notes: Mutex<Vec<Note>>,
    /// What `note` answers.
    pub(crate) refuse: bool,
}

impl Told {
    pub(crate) fn text(&self) -> String {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|(stream, line)| format!("{} {line}\n", stream.as_str())).collect()
    }
}

#[async_trait::async_trait]
impl Notes for Told {
    fn say(&self, said: Said) {
        if !said.passes {
            *self.left_out.lock().unwrap() += said.left_out;
            self.lines.lock().unwrap().push((said.stream, said.text));
        }
    }

    fn progress(&self, _: Option<u8>, note: &str) {
        self.progress_notes.lock().unwrap().push(note.to_owned());
        *self.progress.lock().unwrap() += 1;
    }

    async fn note(&self, note: Note) -> Result<(), String> {
        if self.refuse {
            return Err("the disk is full".to_owned());
        }
        self.notes.lock().unwrap().push(note);
        Ok(())
    }
}

/// A host with the fixture plugin, and a folder.
pub(crate) struct Bench {
    pub(crate) host: Host,
    pub(crate) plugin: Digest,
    pub(crate) name: &'static str,
    pub(crate) folder: TempDir,
    pub(crate) told: Arc<Told>,
    /// What ends the next calls.
    pub(crate) cancel: watch::Sender<bool>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Limits { grace_ms: 200, ..Limits::default() }).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::of("fixture", limits).await
    }

    /// A host with this plugin.
    pub(crate) async fn of(name: &'static str, limits: Limits) -> Self {
        let host = Host::new(Settings { limits, ..Settings::new(cache()) }).unwrap();
        let plugin = host.load(&dist(name)).await.unwrap().digest;
        let folder = tempfile::tempdir().unwrap();
        Self { host, plugin, name, folder, told: Arc::default(), cancel: watch::channel(false).0 }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Grants what the TOML text says, in which `FOLDER` is the test's folder.
    pub(crate) fn grant(&self, grants: &str) {
        let folder = self.folder.path().to_str().unwrap();
        let entry: PluginEntry = toml::from_str(&format!("[grants]\n{}", grants.replace("FOLDER", folder))).unwrap();
        self.host.set_grants(self.name, &entry, None).unwrap();
    }

    pub(crate) fn call(&self, verb: Verb, action: &str, input: Value) -> Call {
        Call {
            plugin: self.plugin,
            action: action.to_owned(),
            verb,
            input,
            undo_data: None,
            run: "the-run".to_owned(),
            step: "the-step".to_owned(),
            attempt: 1,
            key: "the-key".to_owned(),
            deadline: Some(Duration::from_secs(20)),
            cancel: self.cancel.subscribe(),
            checkpoints: Default::default(),
            read_only: false,
        }
    }

    pub(crate) async fn perform(&self, call: Call) -> Reply {
        self.host.call(call, Arc::<Told>::clone(&self.told)).await
    }

    pub(crate) async fn run(&self, action: &str, input: Value) -> Outcome {
        outcome(self.perform(self.call(Verb::Run, action, input)).await)
    }

    /// Runs in a dry run.
    pub(crate) async fn run_in_plan(&self, action: &str, input: Value) -> Outcome {
        outcome(self.perform(Call { read_only: true, ..self.call(Verb::Run, action, input) }).await)
    }

    /// The host is as good as new.
    pub(crate) async fn assert_works(&self) {
        let call = Call { cancel: watch::channel(false).1, ..self.call(Verb::Run, "empty", serde_json::json!({})) };
        let reply = self.perform(call).await;
        assert!(matches!(reply, Reply::Outcome(Outcome::Succeeded(_))), "{reply:?}");
    }
}

pub(crate) fn outcome(reply: Reply) -> Outcome {
    match reply {
        Reply::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

/// Why the answer was lost.
pub(crate) fn lost(outcome: Outcome) -> String {
    match outcome {
        Outcome::Lost { reason } => reason,
        other => panic!("{other:?}"),
    }
}

/// How it failed.
pub(crate) fn failed(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

/// What was denied, in words.
pub(crate) fn denied(outcome: Outcome) -> String {
    let failure = failed(outcome);
    assert_eq!(failure.kind, FailureKind::Denied, "{failure:?}");
    failure.message
}

pub(crate) fn output(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Succeeded(answer) => answer.output,
        other => panic!("{other:?}"),
    }
}

/// Waits up to 3 s until no process has this pid, not even a zombie.
pub(crate) async fn gone(pid: &str) -> bool {
    for _ in 0..60 {
        if !Path::new("/proc").join(pid).exists() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}
