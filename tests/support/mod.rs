//! What tests of the program need: a project in a folder of its own, and a way to call it.

mod api;
mod asleep;
mod redact;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use api::request;

/// A call that takes longer than this is killed, and its test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with `runwright.toml`, plugins and runbooks; it is gone with the test.
pub(crate) struct Project {
    folder: TempDir,
    /// Whether the journal's files are a thousandth as large as usual.
    small_files: bool,
}

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; none: a signal ended it.
    pub(crate) exit: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
    folder: PathBuf,
}

/// The built plugin with this name; those that are for tests only lie apart from the others.
pub(crate) fn plugin(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist");
    let folder = if name.ends_with("fixture") { built.join("test") } else { built };
    let built = folder.join(format!("{name}.wasm"));
    assert!(built.is_file(), "there is no {}: run `make plugins`", built.display());
    built
}

impl Project {
    /// A project with the plugins `hello` and `fixture`; the latter may write into its folder.
    pub(crate) fn new() -> Self {
        let project = Self::with_plugins(&["hello", "fixture"]);
        let grants = format!("[plugin.fixture.grants]\nfiles = [{{ path = {:?}, write = true }}]\n", project.folder());
        project.write("runwright.toml", &format!("state-dir = \"state\"\ngrace = 2\n{grants}"));
        project
    }

    /// A project with these plugins, and nothing granted.
    pub(crate) fn with_plugins(names: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("rw").tempdir().expect("a folder");
        let project = Self { folder, small_files: false };
        for folder in ["plugins", "runbooks", "alarms", "state"] {
            fs::create_dir(project.path(folder)).expect("a folder");
        }
        for name in names {
            fs::copy(plugin(name), project.path(&format!("plugins/{name}.wasm"))).expect("a copy");
        }
        // Compiling a plugin takes seconds, so tests share what is compiled.
        share(&compiled(), &project.path("state/cache"));
        project.write("runwright.toml", "state-dir = \"state\"\ngrace = 2\n");
        project
    }

    /// The same project; what is called in it crosses the limits of the journal's files with little.
    pub(crate) fn with_small_files(mut self) -> Self {
        self.small_files = true;
        self
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file; `FOLDER` in its text becomes the project's folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let text = text.replace("FOLDER", self.folder().to_str().expect("UTF-8"));
        fs::write(self.path(name), text).expect("it is written");
    }

    /// The lines of a file; none where there is no file.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Calls `runwright` in the project's folder and waits for its end.
    pub(crate) fn call(&self, words: &[&str]) -> Ran {
        self.start(words).wait()
    }

    /// Calls `runwright` with this on its standard input.
    pub(crate) fn call_with(&self, words: &[&str], input: &str) -> Ran {
        let mut command = self.command(words);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("runwright starts");
        // It may refuse its arguments before it reads.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        Called::new(child, self.folder()).wait()
    }

    /// Calls `runwright` and does not wait.
    pub(crate) fn start(&self, words: &[&str]) -> Called {
        self.start_as(heeding_hangups(&self.command(words)))
    }

    /// The same for a call that a test changed.
    pub(crate) fn start_as(&self, mut command: Command) -> Called {
        Called::new(command.spawn().expect("runwright starts"), self.folder())
    }

    /// The call, for tests that change more of it.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runwright"));
        command.args(words).current_dir(self.folder());
        for variable in ["RUNWRIGHT_CONFIG", "RUNWRIGHT_LOG", "NO_COLOR", "SUDO_USER", "RUST_BACKTRACE"] {
            command.env_remove(variable);
        }
        if self.small_files {
            command.env("RUNWRIGHT_SMALL_FILES", "1");
        }
        // What is compiled outside of an engine goes to the user's cache.
        command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
        // Help is wrapped to the width of the terminal.
        command.env("COLUMNS", "100");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        share(&self.path("state/cache"), &compiled());
    }
}

/// Where compiled plugins stay from test to test.
fn compiled() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

/// Makes the files of one folder those of another one too. The engine uses such a folder only if it is private.
fn share(from: &Path, to: &Path) {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to).expect("a folder");
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(entry.file_name());
        if target.exists() || target.extension().is_none_or(|extension| extension != "cwasm") {
            continue;
        }
        // Across file systems only a copy is possible; it becomes visible when it is whole.
        if fs::hard_link(entry.path(), &target).is_err() {
            let part = target.with_extension(format!("{}.part", std::process::id()));
            let _ = fs::copy(entry.path(), &part).and_then(|_| fs::rename(&part, &target));
        }
    }
}

/// A call that goes on. Dropping it ends it.
pub(crate) struct Called {
    child: Child,
    out: Option<Printed>,
    err: Option<Printed>,
    folder: PathBuf,
}

/// What came out of a pipe so far; a thread reads it.
struct Printed {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Called {
    fn new(mut child: Child, folder: &Path) -> Self {
        let out = child.stdout.take().map(Printed::of);
        let err = child.stderr.take().map(Printed::of);
        Self { child, out, err, folder: folder.to_owned() }
    }

    /// Waits until `done`, and panics with what it printed if it ends before.
    pub(crate) fn wait_until(mut self, what: &str, mut done: impl FnMut() -> bool) -> Self {
        let end = Instant::now() + PATIENCE;
        while !done() {
            if self.child.try_wait().expect("a child").is_some() {
                panic!("it ended before: {what}: {:?}", self.wait());
            }
            assert!(Instant::now() < end, "{what} did not happen within {PATIENCE:?}");
            thread::sleep(Duration::from_millis(10));
        }
        self
    }

    /// Waits until it has printed this.
    pub(crate) fn wait_until_printed(self, text: &str) -> Self {
        let out = self.out.as_ref().map(|out| Arc::clone(&out.bytes)).expect("a pipe");
        self.wait_until(text, || String::from_utf8_lossy(&out.lock().expect("it is read")).contains(text))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("it still runs");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ran {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if Instant::now() > end {
                self.child.kill().expect("it was ours to end");
                let out = self.out.take().map(Printed::whole);
                panic!("runwright takes longer than {PATIENCE:?}; so far:\n{}", out.unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(2));
        };
        let read = |printed: &mut Option<Printed>| printed.take().map(Printed::whole).expect("a pipe");
        let (out, err) = (read(&mut self.out), read(&mut self.err));
        Ran { exit: status.code(), out, err, folder: self.folder.clone() }
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Printed {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
        let written = Arc::clone(&bytes);
        let thread = thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                written.lock().expect("it is read").extend_from_slice(&piece[..length]);
            }
        });
        Self { bytes, thread }
    }

    /// All of it, at its end.
    fn whole(self) -> String {
        self.thread.join().expect("it was read");
        String::from_utf8_lossy(&self.bytes.lock().expect("it is read")).into_owned()
    }
}

impl Ran {
    /// Everything that can be compared: the exit code, then both outputs, without what differs from call to call.
    pub(crate) fn shown(&self) -> String {
        let exit = self.exit.map_or("signal".to_owned(), |exit| exit.to_string());
        let mut text = format!("exit {exit}\n{}", self.out);
        let err: String = self.err.split_inclusive('\n').filter(|line| !redact::depends_on_speed(line)).collect();
        if !err.is_empty() {
            text.push_str("--- standard error\n");
            text.push_str(&err);
        }
        redact::redact(&text, &self.folder)
    }

    /// Its standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its error as JSON.
    pub(crate) fn error(&self) -> Value {
        let error: Value = serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        error["error"].clone()
    }
}

/// The same call, which heeds SIGHUP though the tests themselves may have been started under nohup.
fn heeding_hangups(command: &Command) -> Command {
    let mut heeding = Command::new("env");
    heeding.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => heeding.env(name, value),
            None => heeding.env_remove(name),
        };
    }
    command.get_current_dir().map(|folder| heeding.current_dir(folder));
    heeding.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    heeding
}
