//! Ctrl-C, SIGTERM and SIGHUP while a run goes on.

use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Called, Project};

/// What stands behind the step in which the run is.
const LAST: &str = "  - { id: last, uses: fixture/append, with: { file: FOLDER/effects, line: last } }\n";

/// A run that is in its second step.
fn sleeping() -> (Project, Called) {
    let project = Project::new();
    let called = project.asleep("slow", LAST);
    (project, called)
}

#[test]
fn ctrl_c_cancels() {
    let (project, called) = sleeping();
    called.signal(Signal::INT);
    insta::assert_snapshot!(called.wait().shown(), @r"
    exit 6
    run RUN of slow, started by USER
    first: started
    first: succeeded in TIME
    sleep: started
    cancelling: the step in flight was asked to stop; Ctrl-C again leaves the run to be resumed
    cancelled by USER (Ctrl-C)
    sleep: failed in TIME: it was asked to stop: the run was cancelled after TIME
    last: skipped: the run ended before it
    run RUN cancelled after TIME
    ");
    assert_eq!(project.lines("effects").len(), 1);
}

#[test]
fn sigterm_leaves_a_run_that_can_be_resumed() {
    let (project, called) = sleeping();
    called.signal(Signal::TERM);
    insta::assert_snapshot!(called.wait().shown(), @r"
    exit 75
    run RUN of slow, started by USER
    first: started
    first: succeeded in TIME
    sleep: started
    --- standard error
    error: run RUN is not over
      hint: go on with it with `runwright runs resume RUN`
    ");
    // What is in the journal is shown; nobody goes on with it.
    insta::assert_snapshot!(project.call(&["runs", "watch", "latest"]).shown(), @r"
    exit 75
    run RUN of slow, started by USER
    first: started
    first: succeeded in TIME
    sleep: started
    the engine was stopped
    sleep: attempt 1 was in flight when the engine ended; trying again
    --- standard error
    error: run RUN is not over
      hint: go on with it with `runwright runs resume RUN`
    ");
    let resumed = project.start(&["runs", "resume", "latest"]);
    let resumed = resumed.wait_until("its next attempt", || project.is_asleep("slow", 2));
    resumed.signal(Signal::INT);
    assert_eq!(resumed.wait().exit, Some(6));
    assert_eq!(project.lines("effects").len(), 1);
}

#[test]
fn a_run_that_was_left_can_be_cancelled() {
    let (project, called) = sleeping();
    called.signal(Signal::KILL);
    assert_eq!(called.wait().exit, None);
    let cancelled = project.call(&["runs", "cancel", "latest", "--reason", "wrong host"]);
    assert_eq!(cancelled.exit, Some(0), "{cancelled:?}");
    let shown = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!(shown["outcome"], "cancelled");
    let attempts: Vec<_> = shown["steps"].as_array().expect("a list").iter().map(|step| &step["attempts"]).collect();
    assert_eq!(attempts, [1, 1, 0], "its step is not started again first");
    insta::assert_snapshot!(cancelled.shown(), @r"
    exit 0
    run RUN of slow, started by USER
    so far: first succeeded, sleep running
    the engine died and another one took over
    sleep: attempt 1 was in flight when the engine ended; trying again
    cancelled by USER (wrong host)
    sleep: failed in TIME: cancelled while it waited
    last: skipped: the run ended before it
    run RUN cancelled after TIME
    ");
}

#[test]
fn sighup_is_like_sigterm() {
    let (project, called) = sleeping();
    called.signal(Signal::HUP);
    let ran = called.wait();
    assert_eq!(ran.exit, Some(75), "{ran:?}");
    assert!(ran.err.contains("go on with it with `runwright runs resume"), "{ran:?}");
    let history = project.call(&["runs", "show", "latest", "--history", "-o", "json"]).json()["history"].clone();
    let last = history.as_array().expect("a list").last().expect("a record").clone();
    assert_eq!((&last["event"]["type"], &last["event"]["engine"]), (&json!("interrupted"), &json!("stopped")));
}

#[test]
fn sighup_that_is_ignored_stays_so() {
    let project = Project::new();
    project.write_asleep("slow", LAST);
    let run = project.command(&["run", "slow.yaml"]);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", r#"trap '' HUP; exec "$0" "$@""#]).arg(run.get_program()).args(run.get_args());
    nohup.current_dir(project.folder()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let called = project.start_as(nohup);
    let called = called.wait_until("its second step", || project.is_asleep("slow", 1));
    called.signal(Signal::HUP);
    let live = project.call(&["runs", "list", "-o", "json"]).json()["runs"][0]["live"].clone();
    assert_eq!(live, json!(true));
    called.signal(Signal::INT);
    assert_eq!(called.wait().exit, Some(6));
}
