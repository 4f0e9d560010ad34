//! Runs that no engine goes on with.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::Project;

/// A project whose `run` was killed in its second step.
fn killed() -> Project {
    let project = Project::new();
    let called = project.asleep("slow", "");
    called.signal(Signal::KILL);
    assert_eq!(called.wait().exit, None);
    project
}

#[test]
fn they_are_shown_as_interrupted_and_time_stands_still() {
    let project = killed();
    let listed = project.call(&["runs", "list"]);
    insta::assert_snapshot!(listed.shown(), @r"
    exit 0
    RUN                         RUNBOOK  STATUS                  STARTED               FOR  BY  INPUTS
    RUN  slow     interrupted, no engine  DATE  TIME  USER
    1 run interrupted: `runwright runs resume RUN` goes on with one, `runwright serve` with all
    ");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(project.call(&["runs", "list"]).out, listed.out, "nothing goes on");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    slow, started DATE by USER
      ✓ first  succeeded  TIME
      · sleep  running  TIME
    run RUN interrupted, no engine
      go on with it with `runwright runs resume RUN`, or with all by `runwright serve`
    ");
    let run = project.call(&["runs", "list", "-o", "json"]).json()["runs"][0].clone();
    assert_eq!((&run["status"], &run["live"]), (&json!("running"), &json!(false)));
    let run = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!((&run["status"], &run["outcome"], &run["live"]), (&json!("running"), &json!("running"), &json!(false)));
    assert!(project.call(&["status"]).out.contains("interrupted, no engine"));
}

#[test]
fn watching_one_beside_another_run_ends_with_its_last_record() {
    let project = killed();
    let interrupted = project.call(&["runs", "list", "-o", "json"]).json()["runs"][0]["run"].clone();
    let other = project.asleep("slow", "");
    let watched = project.call(&["runs", "watch", interrupted.as_str().expect("an id")]);
    assert_eq!(watched.exit, Some(75), "{watched:?}");
    assert!(watched.err.contains("runs resume"), "{watched:?}");
    other.signal(Signal::INT);
    assert_eq!(other.wait().exit, Some(6));
}
