//! The wall clock jumps by an hour, while the engine lives and while it is dead: no wait ends early, and none hangs.
//!
//! libfaketime stands between the engine and the wall clock; the monotonic clock is the real one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::scene::{Scene, was_killed};

const WAITS: &str = r#"
name: waits
steps:
  - { id: first, uses: fixture/append, with: { file: FOLDER/effects, line: "first" } }
  - { id: pause, wait: 2s }
  - { id: last, uses: fixture/append, with: { file: FOLDER/effects, line: "last" } }
"#;

/// How long the pause is, and how long to wait for an end that an hour's jump must not put off.
const PAUSE: Duration = Duration::from_secs(2);
const HANGS: Duration = Duration::from_secs(120);

/// Puts the command under a wall clock that this file sets: `+3600` is an hour ahead.
fn under_clock(command: &mut Command, file: &Path, offset: &str) {
    set(file, offset);
    command
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1")
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
}

/// The clock's file must never be seen half written.
fn set(file: &Path, offset: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{offset}\n")).unwrap();
    std::fs::rename(new, file).unwrap();
}

fn ends(mut child: Child) {
    let began = Instant::now();
    while began.elapsed() < HANGS {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    panic!("it still waits");
}

#[test]
fn the_clock_that_is_set_is_the_one_that_the_engine_reads() {
    let scene = Scene::new("test/fixture.wasm", "fixture", WAITS, &[]);
    let mut run = scene.command(&["run", "runbook.yaml"], None);
    under_clock(&mut run, &scene.path("clock"), "-86400000");
    assert!(run.output().unwrap().status.success());
    let run = scene.latest().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let created = u128::from(run["created"].as_u64().unwrap_or_else(|| panic!("{run:#}")));
    assert!(now - created > 86_000_000_000, "{created} is years ago");
}

#[test]
fn a_jump_while_the_engine_lives_changes_nothing() {
    for jump in ["+3600", "-3600"] {
        let scene = Scene::new("test/fixture.wasm", "fixture", WAITS, &[]);
        let clock = scene.path("clock");
        let mut run = scene.command(&["run", "runbook.yaml"], None);
        under_clock(&mut run, &clock, "+0");
        let child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while scene.lines("effects").is_empty() && began.elapsed() < HANGS {
            std::thread::sleep(Duration::from_millis(5));
        }
        let before = Instant::now();
        set(&clock, jump);
        ends(child);
        assert_eq!(scene.lines("effects").len(), 2);
        assert!(before.elapsed() >= PAUSE * 9 / 10, "{jump}: the pause was cut to {:?}", before.elapsed());
    }
}

#[test]
fn a_clock_that_was_set_back_while_no_engine_lived_delays_nothing() {
    let scene = Scene::new("test/fixture.wasm", "fixture", WAITS, &[]);
    let clock = scene.path("clock");
    let mut run = scene.command(&["run", "runbook.yaml"], Some("after:4"));
    under_clock(&mut run, &clock, "+0");
    assert!(was_killed(&run.output().unwrap()));
    let left = scene.latest().unwrap();
    assert_eq!(left["outcome"], "waiting", "{left:#}");
    let mut resumed = scene.command(&["runs", "resume", "latest"], None);
    under_clock(&mut resumed, &clock, "-3600");
    ends(resumed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    assert_eq!(scene.lines("effects").len(), 2);
    assert_eq!(scene.latest().unwrap()["outcome"], "succeeded");
}
