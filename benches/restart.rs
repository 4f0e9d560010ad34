//! A serving engine that is killed with a thousand runs at work, and one with ten thousand that sleep.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Runs whose step is in flight when the engine is killed.
pub(crate) const AT_WORK: usize = 1_000;

/// Runs that wait.
pub(crate) const ASLEEP: usize = 10_000;

/// Alerts in one request: it may have a million bytes.
const AT_ONCE: usize = 1_000;

const WORKS: &str = r#"
name: works
on: { alarm: { where: alarm.name == "Work" } }
steps:
  - { id: first, uses: fixture/empty }
  - { id: long, uses: fixture/sleep, with: { ms: 3600000 }, timeout: 2h }
"#;

const SLEEPS: &str = r#"
name: sleeps
on: { alarm: { where: alarm.name == "Sleep" } }
steps:
  - { id: first, uses: fixture/empty }
  - { id: long, wait: 24h }
"#;

/// A folder in which an engine serves.
pub(crate) struct Place(PathBuf);

/// An engine that serves. Dropping it kills it.
pub(crate) struct Served {
    process: Child,
    /// From its start to its word that it serves.
    pub(crate) ready: Duration,
}

impl Place {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let folder = folder.join(name);
        fs::create_dir_all(folder.join("plugins")).unwrap();
        fs::create_dir_all(folder.join("runbooks")).unwrap();
        fs::copy(crate::world::fixture(), folder.join("plugins/fixture.wasm")).unwrap();
        fs::write(folder.join("runbooks/works.yaml"), WORKS).unwrap();
        fs::write(folder.join("runbooks/sleeps.yaml"), SLEEPS).unwrap();
        fs::write(folder.join("runwright.toml"), "[limits]\ncalls = 2000\n").unwrap();
        Self(folder)
    }

    pub(crate) fn serve(&self) -> Served {
        let began = Instant::now();
        let mut process = self.command(&["serve", "-o", "json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("unfinished"), "{line}");
        Served { process, ready: began.elapsed() }
    }

    /// Starts so many runs by so many alarms.
    pub(crate) fn alarms(&self, name: &str, count: usize) {
        for first in (0..count).step_by(AT_ONCE) {
            let alerts: Vec<Value> = (first..count.min(first + AT_ONCE)).map(|n| alert(name, n)).collect();
            let body = json!({ "version": "4", "status": "firing", "receiver": "r", "groupKey": "g",
                "truncatedAlerts": 0, "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
                "externalURL": "", "alerts": alerts });
            fs::write(self.0.join("alarms.json"), body.to_string()).unwrap();
            assert!(self.command(&["alarm", "send", "alarms.json"]).stdout(Stdio::null()).status().unwrap().success());
        }
    }

    /// How many runs have at least so many records.
    pub(crate) fn with_records(&self, seq: u64) -> usize {
        let listed = self.command(&["runs", "list", "--limit", "100000", "-o", "json"]).output().unwrap();
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
        let runs = listed["runs"].as_array().cloned().unwrap_or_default();
        runs.iter().filter(|run| run["seq"].as_u64() >= Some(seq)).count()
    }

    /// Waits until `count` runs have so many records.
    pub(crate) fn until(&self, count: usize, seq: u64) {
        while self.with_records(seq) < count {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Reads every file of the journal once: how long it takes, and how many bytes there are.
    pub(crate) fn read_once(&self) -> (Duration, u64) {
        let began = Instant::now();
        let bytes = read(&self.0.join(".runwright/log")) + read(&self.0.join(".runwright/sled"));
        (began.elapsed(), bytes)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runwright"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Served {
    /// The memory that it holds, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn alert(name: &str, n: usize) -> Value {
    json!({ "status": "firing", "labels": { "alertname": name, "n": n.to_string() }, "annotations": {},
        "startsAt": "2026-01-02T03:04:05Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        "fingerprint": format!("{n:016x}") })
}

fn read(folder: &Path) -> u64 {
    let size =
        |path: PathBuf| if path.is_dir() { read(&path) } else { fs::read(path).map_or(0, |all| all.len() as u64) };
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| size(entry.path())).sum()
}
