//! The engine killed with SIGKILL while programs of its plugins run: what is attached dies, what is detached stays, and
//! what was not durable never ran.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use host::{Notes, PluginEntry, Said, Verb};
use runwright_core::Note;
use serde_json::json;

use crate::support::{Bench, gone};

/// Set for the engine that will be killed: what it does, and the folder.
const VICTIM: &str = "RUNWRIGHT_TEST_VICTIM";

/// Notes that are never durable: the note stands in the folder, and the call waits.
struct NeverDurable(String);

#[async_trait::async_trait]
impl Notes for NeverDurable {
    fn say(&self, _: Said) {}

    fn progress(&self, _: Option<u8>, _: &str) {}

    async fn note(&self, note: Note) -> Result<(), String> {
        let Note::Child { pid, .. } = note else { return Err("no child".to_owned()) };
        fs::write(&self.0, pid.to_string()).unwrap();
        std::future::pending().await
    }
}

/// Not a test of its own: the engine that the others kill.
#[tokio::test]
#[ignore = "the other tests of this file start it"]
async fn victim() {
    let Ok(order) = env::var(VICTIM) else { return };
    let (what, folder) = order.split_once(' ').unwrap();
    let bench = Bench::new().await;
    let script = format!("{folder}/script");
    let grants = format!("[grants]\nexec = [{{ program = '{script}', detached = true }}]");
    let entry: PluginEntry = toml::from_str(&grants).unwrap();
    bench.host.set_grants("fixture", &entry, None).unwrap();
    let capability = if what == "attached" { "exec" } else { "detached" };
    let call = bench.call(Verb::Run, "deny", json!({"capability": capability, "subject": script}));
    let notes: Arc<dyn Notes> = if what == "undurable" {
        Arc::new(NeverDurable(format!("{folder}/noted")))
    } else {
        Arc::clone(&bench.told) as _
    };
    bench.host.call(call, notes).await;
    // A detached program is running; the engine goes on until it is killed.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// Starts an engine that does `what`, waits until the file `sign` is there, kills the engine; gives what the file says.
async fn kill_engine(what: &str, folder: &Path, sign: &str) -> String {
    let script = folder.join("script");
    fs::write(&script, "#!/bin/sh\necho $$ > \"${0%/*}/new\"\nmv \"${0%/*}/new\" \"${0%/*}/pid\"\nexec sleep 60\n")
        .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut engine = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::victim", "--ignored", "--nocapture"])
        .env(VICTIM, format!("{what} {}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let sign = folder.join(sign);
    let mut waited = 0;
    while fs::read_to_string(&sign).unwrap_or_default().is_empty() {
        assert!(waited < 400, "the engine did nothing");
        waited += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    engine.kill().unwrap();
    engine.wait().unwrap();
    fs::read_to_string(&sign).unwrap().trim().to_owned()
}

#[tokio::test]
async fn an_attached_program_dies_with_a_killed_engine() {
    let folder = tempfile::tempdir().unwrap();
    let pid = kill_engine("attached", folder.path(), "pid").await;
    assert!(gone(&pid).await, "process {pid} outlived its engine");
}

#[tokio::test]
async fn a_detached_program_outlives_a_killed_engine() {
    let folder = tempfile::tempdir().unwrap();
    let pid = kill_engine("detached", folder.path(), "pid").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let alive = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Command::new("kill").args(["-9", &pid]).status().unwrap();
    assert_eq!(alive.trim(), "sleep");
}

#[tokio::test]
async fn a_detached_program_never_runs_when_the_engine_dies_before_the_note_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let pid = kill_engine("undurable", folder.path(), "noted").await;
    assert!(gone(&pid).await, "the child at the gate outlived its engine");
    assert!(!folder.path().join("pid").exists(), "it ran");
}
