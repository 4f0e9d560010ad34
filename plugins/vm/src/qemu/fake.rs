//! Stands in for a QEMU in unit tests: its monitor, a run state, and what it was told.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use runwright_sdk::Context;
use serde_json::{Value, json};

/// A new empty folder of this test process.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("runwright-vm-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Removes the folder of a test that passed.
pub(crate) fn remove(folder: impl AsRef<Path>) {
    fs::remove_dir_all(folder).unwrap();
}

/// Makes a qcow2 image at `path`, on top of another one if one is given.
pub(crate) fn image(path: &str, base: Option<&str>) {
    let size = if base.is_none() { Some("1M") } else { None };
    let base = base.map(|base| ["-F", "qcow2", "-b", base]).into_iter().flatten();
    let words: Vec<_> = ["create", "-q", "-f", "qcow2"].into_iter().chain(base).chain([path]).chain(size).collect();
    qemu_img(&words);
}

/// Calls the image tool, which must succeed.
pub(crate) fn qemu_img(words: &[&str]) {
    let output = Command::new("/usr/bin/qemu-img").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}

/// Writes a program that is this shell script.
pub(crate) fn script(path: impl AsRef<Path>, text: &str) {
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A QEMU of the VM `web1`, which has the snapshot `s1` with memory.
pub(crate) struct Fake {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

struct State {
    status: String,
    told: Vec<String>,
    objects: Vec<Value>,
    job: Option<Value>,
    loads: bool,
}

impl Fake {
    /// In this run state; a snapshot of it can be loaded, or not.
    pub(crate) fn new(name: &str, status: &str, loads: bool) -> Self {
        let folder = folder(name);
        let state = State { status: status.into(), told: Vec::new(), objects: Vec::new(), job: None, loads };
        let state = Arc::new(Mutex::new(state));
        let listener = UnixListener::bind(folder.join("qmp.sock")).unwrap();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || talk(stream, &shared));
            }
        });
        Self { folder, state }
    }

    pub(crate) fn context(&self) -> Context {
        let vm = json!({"disk": self.folder.join("disk.qcow2"), "memory": 64, "sockets": self.folder,
            "qemu-img": "/bin/true"});
        Context::new("run", "step", "key").with_config(json!({"vms": {"web1": vm}}).to_string())
    }

    /// Its run state.
    pub(crate) fn status(&self) -> String {
        self.state.lock().unwrap().status.clone()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What changed it, in order.
    pub(crate) fn told(&self) -> Vec<String> {
        self.state.lock().unwrap().told.clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn talk(mut stream: UnixStream, state: &Mutex<State>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let _ = stream.write_all(b"{\"QMP\": {}}\n");
    for line in lines.map_while(Result::ok) {
        let asked: Value = serde_json::from_str(&line).unwrap();
        let command = asked["execute"].as_str().unwrap();
        let answer = state.lock().unwrap().answer(command, &asked["arguments"]);
        let _ = stream.write_all(format!("{}\n", json!({"return": answer, "id": asked["id"]})).as_bytes());
    }
}

impl State {
    fn answer(&mut self, command: &str, arguments: &Value) -> Value {
        match command {
            "qmp_capabilities" => {}
            "query-name" => return json!({"name": "web1"}),
            "query-status" => return json!({"status": self.status}),
            "query-jobs" => return self.job.iter().cloned().collect(),
            "qom-list" => return self.objects.iter().map(|id| json!({"name": id})).collect(),
            "query-named-block-nodes" => {
                let snapshots = json!([{"name": "s1", "vm-state-size": 1}]);
                return json!([{"node-name": "disk", "image": {"snapshots": snapshots}}]);
            }
            "job-dismiss" => self.job = None,
            _ => self.act(command, arguments),
        }
        json!({})
    }

    fn act(&mut self, command: &str, arguments: &Value) {
        self.told.push(command.into());
        match command {
            "stop" if self.status == "running" => self.status = "paused".into(),
            "cont" => self.status = "running".into(),
            "object-add" => self.objects.push(arguments["id"].clone()),
            "snapshot-load" => {
                // As QEMU does it, also where it was saved while it ran.
                self.status = "paused".into();
                let error = (!self.loads).then_some("no");
                self.job = Some(json!({"id": arguments["job-id"], "status": "concluded", "error": error}));
            }
            _ => {}
        }
    }
}
