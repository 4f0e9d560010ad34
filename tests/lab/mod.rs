//! The lab: real VMs for tests, in a folder of their own that is gone with the test.
//!
//! The work is done by the scripts beside this file, which people call as well; `README.md`
//! there says how a VM is started and how each way to break it shows. Whatever ends a test,
//! its VMs end too: [`Lab`] sweeps when it is dropped, also in a panic, and a guard in the
//! background sweeps after a SIGKILL.

mod remedies;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// A folder with VMs, `inventory.yaml` and `runwright.toml`. The methods panic, with what the
/// script said, when something does not work.
pub(crate) struct Lab {
    folder: PathBuf,
}

/// A way to break a VM. What helps: see each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The disk is overwritten and the guest panics. Helps: a new disk.
    Disk,
    /// The service answers 503, also after a restart. Helps: a new disk.
    Release,
    /// The guest panics. Helps: a restart.
    Panic,
    /// User space stands still; the watchdog panics after 9 s. Helps: a restart.
    Hang,
    /// User space stands still and stays so. Helps: a restart.
    Freeze,
    /// The guest agent dies and stays dead. Helps: a restart.
    Agent,
    /// The service answers 503. Helps: a restart.
    Service,
    /// QEMU dies. Helps: a start.
    Kill,
    /// QEMU is stopped: its sockets accept, nobody answers. Helps: SIGKILL and a start.
    Stun,
    /// QEMU pauses the guest. Helps: `cont`.
    Pause,
}

/// What `tests/lab/vm status` saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The runstate that QMP tells, `silent`, or `none` when there is no process.
    pub(crate) qmp: String,
    /// `ok`, `silent` or `none`.
    pub(crate) agent: String,
    /// HTTP status of the health check; `000` without an answer, `none` without a process.
    pub(crate) health: String,
    /// Version of the service, or `none`.
    pub(crate) version: String,
}

impl Fault {
    /// The option of `tests/lab/vm break`.
    fn option(self) -> String {
        format!("--{self:?}").to_lowercase()
    }
}

impl Lab {
    /// A lab with one VM, `web1`, not started.
    pub(crate) fn new() -> Lab {
        Lab::with(&["web1"])
    }

    /// A lab with these VMs, none started. The first call of a process looks for QEMU
    /// and builds the guest where it is missing.
    pub(crate) fn with(names: &[&str]) -> Lab {
        static READY: Once = Once::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        READY.call_once(|| {
            call("install", &["--check"]);
            call("build-guest", &[] as &[&str]);
        });
        call("sweep", &[] as &[&str]);
        let pid = process::id();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let lab = Lab { folder: root().join(format!("run-{pid}-{count}")) };
        let owner = pid.to_string();
        let mut words = vec![OsStr::new("--owner"), OsStr::new(&owner), lab.folder.as_os_str()];
        words.extend(names.iter().map(OsStr::new));
        call("inventory", &words);
        lab
    }

    /// The folder: `inventory.yaml`, `runwright.toml`, `runbooks/`, `alarms/`, `plugins/`,
    /// and one folder per VM.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a VM and waits until it is healthy; its disk stays as it is.
    pub(crate) fn start(&self, name: &str) {
        self.vm("start", &[], name);
    }

    /// Ends a VM.
    pub(crate) fn stop(&self, name: &str) {
        self.vm("stop", &[], name);
    }

    /// Breaks a VM and waits until it shows.
    pub(crate) fn break_with(&self, fault: Fault, name: &str) {
        self.vm("break", &[&fault.option()], name);
    }

    /// Breaks a VM so that only a new disk helps.
    pub(crate) fn break_disk(&self, name: &str) {
        self.break_with(Fault::Disk, name);
    }

    /// Looks at a VM from outside.
    pub(crate) fn status(&self, name: &str) -> Status {
        let line = self.vm("status", &[], name);
        let field = |key: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("no {key} in {line:?}")).to_owned()
        };
        Status { qmp: field("qmp"), agent: field("agent"), health: field("health"), version: field("version") }
    }

    /// The process of a VM, if it runs. The pid file alone does not tell: it may be old.
    pub(crate) fn pid(&self, name: &str) -> Option<u32> {
        let file = self.folder.join(name).join("qemu.pid");
        let pid = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let last = arguments.strip_suffix(b"\0")?.rsplit(|byte| *byte == 0).next()?;
        (last == file.as_os_str().as_encoded_bytes()).then_some(pid)
    }

    /// How a VM is started, one argument each, the program first.
    pub(crate) fn command(&self, name: &str) -> Vec<String> {
        self.vm("command", &[], name).lines().map(str::to_owned).collect()
    }

    /// The console of a VM so far.
    pub(crate) fn console(&self, name: &str) -> String {
        self.vm("log", &[], name)
    }

    /// Makes a process part of the lab, such as an engine that serves this folder: it is
    /// killed before the VMs are, however the test ends. Not needed for what ends before.
    pub(crate) fn adopt(&self, pid: u32) {
        let file = self.folder.join("children").join(pid.to_string());
        let start = start_ticks(pid).unwrap_or_else(|| panic!("process {pid} is dead already"));
        fs::write(file, start).unwrap_or_else(|error| panic!("could not adopt process {pid}: {error}"));
    }

    /// `runwright` with the lab's configuration.
    pub(crate) fn runwright(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runwright"));
        command.args(args).env("RUNWRIGHT_CONFIG", self.folder.join("runwright.toml"));
        command
    }

    fn vm(&self, verb: &str, options: &[&str], name: &str) -> String {
        let mut words = vec![OsStr::new(verb)];
        words.extend(options.iter().map(OsStr::new));
        words.extend([self.folder.as_os_str(), OsStr::new(name)]);
        call("vm", &words)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let swept = script("sweep").arg(&self.folder).status().is_ok_and(|status| status.success());
        assert!(swept || thread::panicking(), "could not sweep {}", self.folder.display());
    }
}

/// When a process started, in clock ticks since boot (proc(5), field 22 of `stat`). The second
/// field is in parentheses and may hold blanks; what follows starts with field 3.
fn start_ticks(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19).map(str::to_owned)
}

/// Where labs live: short, because a unix socket's path has a limit of 107 bytes.
fn root() -> PathBuf {
    let moved = std::env::var_os("RUNWRIGHT_LAB").map(PathBuf::from);
    moved.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab"))
}

fn script(name: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(name));
    command.stdin(process::Stdio::null());
    command
}

/// Runs a script of the lab and gives what it printed.
fn call(name: &str, words: &[impl AsRef<OsStr>]) -> String {
    let output = script(name).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("tests/lab/{name}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tests/lab/{name}: {}\n{complaint}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_lab_vm_boots_breaks_and_leaves_nothing_behind() {
    let lab = Lab::new();
    assert_eq!(lab.pid("web1"), None);
    lab.start("web1");
    let pid = lab.pid("web1").expect("it runs");
    let status = |qmp: &str, agent: &str, health: &str, version: &str| Status {
        qmp: qmp.to_owned(),
        agent: agent.to_owned(),
        health: health.to_owned(),
        version: version.to_owned(),
    };
    assert_eq!(lab.status("web1"), status("running", "ok", "200", "1.0"));

    lab.break_disk("web1");
    assert_eq!(lab.status("web1"), status("guest-panicked", "silent", "000", "none"));
    lab.stop("web1");
    assert_eq!(lab.pid("web1"), None);
    let refused = script("vm").arg("start").arg(lab.folder()).arg("web1").output().expect("it runs");
    assert!(!refused.status.success(), "a destroyed disk must not boot");
    assert!(lab.console("web1").contains("root disk unusable"), "{}", lab.console("web1"));

    let again = lab.pid("web1").expect("the panicked VM still runs");
    assert_ne!(again, pid);
    let folder = lab.folder().to_owned();
    drop(lab);
    assert!(!folder.exists());
    let left = fs::read(format!("/proc/{again}/cmdline")).unwrap_or_default();
    assert!(left.is_empty(), "process {again} is still there: {}", String::from_utf8_lossy(&left));
}

#[test]
fn a_killed_owner_leaves_neither_engine_nor_folder() {
    let _guest = Lab::new();
    let sleeper = || Command::new("sleep").arg("600").spawn().expect("sleep exists");
    let (mut owner, mut engine, mut stranger) = (sleeper(), sleeper(), sleeper());
    let folder = root().join(format!("run-{}-killed", process::id()));
    let pid = owner.id().to_string();
    call("inventory", &[OsStr::new("--owner"), OsStr::new(&pid), folder.as_os_str(), OsStr::new("web1")]);
    let lab = Lab { folder: folder.clone() };
    lab.adopt(engine.id());
    call("sweep", &[] as &[&str]);
    assert!(folder.exists(), "its owner still lives");

    owner.kill().and_then(|()| owner.wait()).expect("it was ours to end");
    call("sweep", &[] as &[&str]);
    assert!(!folder.exists());
    assert!(!engine.wait().expect("a child").success(), "it was killed");
    assert!(stranger.try_wait().expect("a child").is_none(), "no other process was touched");
    stranger.kill().and_then(|()| stranger.wait()).expect("it was ours to end");
}

#[test]
fn a_folder_too_deep_for_sockets_is_refused_with_what_to_do() {
    let deep = root().join("x".repeat(100));
    let output = script("inventory").arg(&deep).arg("web1").output().expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(complaint.contains("107 is the limit") && complaint.contains("RUNWRIGHT_LAB"), "{complaint}");
    assert!(!deep.exists());
}

#[test]
fn every_script_says_how_it_is_used() {
    for name in ["install", "build-guest", "inventory", "vm", "sweep", "qmp.py"] {
        assert!(call(name, &["--help"]).contains("usage: "), "{name}");
    }
}

#[test]
fn every_fault_is_a_way_that_the_script_knows() {
    use Fault::{Agent, Disk, Freeze, Hang, Kill, Panic, Pause, Release, Service, Stun};
    let help = call("vm", &["--help"]);
    for fault in [Disk, Release, Panic, Hang, Freeze, Agent, Service, Kill, Stun, Pause] {
        assert!(help.contains(&format!("\n  {} ", fault.option())), "{fault:?}");
    }
}

#[test]
fn the_readme_has_the_command_line_that_starts_a_vm() {
    let lab = Lab::new();
    let inventory = fs::read_to_string(lab.folder().join("inventory.yaml")).expect("it was made");
    let readme = include_str!("README.md");
    let mut template =
        readme.split_once("```text\n").and_then(|(_, rest)| rest.split_once("\n```")).expect("a block").0.to_owned();
    let fields = ["disk", "memory", "kernel", "initrd", "append", "sockets", "forward"];
    for field in fields {
        let value =
            inventory.lines().find_map(|line| line.trim().strip_prefix(field)?.strip_prefix(": ")).expect(field);
        template = template.replace(&field.to_uppercase(), value.trim_matches('"'));
    }
    assert_eq!(lab.command("web1").join("\n"), template.replace("\nNAME\n", "\nweb1\n"));
}
