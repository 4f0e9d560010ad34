//! Commands beside a `run` that has the state directory: they go through it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Project, request};

fn listed(project: &Project) -> Vec<Value> {
    let list = project.call(&["runs", "list", "-o", "json"]).json();
    list["runs"].as_array().expect("a list").clone()
}

/// The id of the newest run of this runbook.
fn id(project: &Project, name: &str) -> String {
    let run = listed(project).into_iter().find(|run| run["name"] == name).expect("it is listed");
    run["run"].as_str().expect("an id").to_owned()
}

#[test]
fn every_command_works_beside_a_run() {
    let project = Project::new();
    let called = project.asleep("slow", "");
    insta::assert_snapshot!(project.call(&["runs", "list"]).shown(), @r"
    exit 0
    RUN                         RUNBOOK  STATUS   STARTED               FOR  BY  INPUTS
    RUN  slow     running  DATE  TIME  USER
    ");
    let run = &listed(&project)[0];
    assert_eq!((&run["status"], &run["live"]), (&json!("running"), &json!(true)));
    let shown = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!((&shown["status"], &shown["live"]), (&json!("running"), &json!(true)));
    let status = project.call(&["status"]).shown();
    insta::assert_snapshot!(status.lines().take(4).collect::<Vec<_>>().join("\n"), @r"
    exit 0
    no engine serves; `runwright run slow.yaml` (PID) answers here as long as it lasts; start one with `runwright serve`
    runs that are not over
      RUN  slow  running  DATE
    ");
    assert_eq!(project.call(&["status", "-o", "json"]).json()["serves"], json!(false));
    let watched = project.start(&["runs", "watch", "latest"]);
    assert_eq!(project.call(&["runs", "cancel", "latest"]).exit, Some(0));
    assert_eq!((called.wait().exit, watched.wait().exit), (Some(6), Some(6)));
    assert!(!project.path("state/api.sock").exists(), "nobody answers any more");
    assert_eq!(project.call(&["status"]).exit, Some(0));
}

#[test]
fn a_run_beside_the_first_is_waited_for() {
    let project = Project::new();
    let first = project.asleep("one", "");
    let second = project.asleep("two", "");
    assert_eq!(project.call(&["runs", "cancel", &id(&project, "one")]).exit, Some(0));
    let status = project.call(&["status", "-o", "json"]).json();
    assert_eq!(status["command"], "runwright run one.yaml", "it still answers: {status:#}");
    assert_eq!(project.call(&["runs", "cancel", &id(&project, "two")]).exit, Some(0));
    insta::assert_snapshot!(first.wait().shown(), @r"
    exit 6
    run RUN of one, started by USER
    first: started
    first: succeeded in TIME
    sleep: started
    cancelled by USER
    sleep: failed in TIME: it was asked to stop: the run was cancelled after TIME
    run RUN cancelled after TIME
    --- standard error
    waiting for 1 run that other commands have here: RUN; Ctrl-C leaves them
    ");
    insta::assert_snapshot!(second.wait().shown(), @r"
    exit 6
    run RUN of two, started by USER
    first: started
    first: succeeded in TIME
    sleep: started
    cancelled by USER
    sleep: failed in TIME: it was asked to stop: the run was cancelled after TIME
    run RUN cancelled after TIME
    ");
}

#[test]
fn a_run_beside_one_that_is_ended_can_be_resumed() {
    let project = Project::new();
    let first = project.asleep("one", "");
    let second = project.asleep("two", "");
    first.signal(Signal::TERM);
    let (first, second) = (first.wait(), second.wait());
    assert_eq!((first.exit, second.exit), (Some(75), Some(75)), "{first:?} {second:?}");
    assert!(first.err.contains(&id(&project, "two")), "{first:?}");
    assert!(second.err.contains("go on with it with `runwright runs resume"), "{second:?}");
    assert_eq!(listed(&project).iter().filter(|run| run["live"] == false).count(), 2);
    // Who goes on with a run answers too.
    let resumed = project.start(&["runs", "resume", &id(&project, "two")]);
    let is_live = || listed(&project).iter().any(|run| run["name"] == "two" && run["live"] == true);
    let resumed = resumed.wait_until("it goes on", is_live);
    assert_eq!(project.call(&["runs", "cancel", &id(&project, "two")]).exit, Some(0));
    assert_eq!(resumed.wait().exit, Some(6));
}

#[test]
fn alarms_and_runs_to_leave_are_for_an_engine_that_serves() {
    let project = Project::new();
    let called = project.asleep("slow", "");
    project.write("alarm.json", r#"{"alerts": [{"status": "firing", "labels": {"alertname": "x"}}]}"#);
    insta::assert_snapshot!(project.call(&["alarm", "send", "alarm.json"]).shown(), @r"
    exit 3
    --- standard error
    error: could not send the alarm
      cause: no engine serves this state directory: `runwright run slow.yaml` answers here only while it lasts
      hint: start one with `runwright serve`
    ");
    insta::assert_snapshot!(project.call(&["run", "slow.yaml", "--detach"]).shown(), @r"
    exit 3
    --- standard error
    error: could not detach: no engine serves this state directory
      hint: start one with `runwright serve`, or leave --detach out
    ");
    called.signal(Signal::INT);
    assert_eq!(called.wait().exit, Some(6));
    let exported = project.call(&["journal", "export"]).out;
    assert!(!exported.contains("alertname"), "it is not in the inbox, so that it can be sent again: {exported}");
}

#[test]
fn who_needs_the_journal_alone_is_told_who_has_it() {
    let project = Project::new();
    let called = project.asleep("slow", "");
    for words in [&["journal", "verify"][..], &["serve"]] {
        let ran = project.call(words);
        assert!(ran.err.contains("state is in use by runwright run slow.yaml (pid "), "{ran:?}");
        assert!(ran.err.contains("this needs the journal for itself: end that first"), "{ran:?}");
        assert_eq!(ran.exit, Some(3));
    }
    // Somebody put another socket in its place, which is left alone: the hint names what helps then.
    drop(UnixListener::bind(project.path("state/other.sock")).expect("a socket"));
    fs::rename(project.path("state/other.sock"), project.path("state/api.sock")).expect("it is moved");
    let ran = project.call(&["runs", "list"]);
    assert!(ran.err.contains("hint: it answers nobody"), "{ran:?}");
    called.signal(Signal::INT);
    assert_eq!(called.wait().exit, Some(6));
}

const LOCKED: &str = r#"
name: locked
lock: vm/web1
steps:
  - { id: first, uses: fixture/append, with: { file: FOLDER/effects, line: locked } }
  - { id: sleep, uses: fixture/sleep, with: { ms: 50000 } }
"#;

#[test]
fn a_run_in_a_queue_says_behind_whom() {
    let project = Project::new();
    project.write("locked.yaml", LOCKED);
    let first = project.start(&["run", "locked.yaml"]);
    let first = first.wait_until("its first step", || project.lines("effects").len() == 1);
    let second = project.start(&["run", "locked.yaml"]);
    let second = second.wait_until("it is queued", || listed(&project).len() == 2);
    let (queued, holder) = (&listed(&project)[0], &listed(&project)[1]);
    assert_eq!(queued["queued-behind"], json!({ "lock": "vm/web1", "run": holder["run"] }));
    insta::assert_snapshot!(project.call(&["runs", "list"]).shown(), @r"
    exit 0
    RUN                         RUNBOOK  STATUS                                    STARTED               FOR  BY  INPUTS
    RUN  locked   queued behind RUN  DATE  TIME  USER
    RUN  locked   running                                   DATE  TIME  USER
    ");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r#"
    exit 0
    locked, started DATE by USER
      · first  pending
      · sleep  pending
    run RUN queued
      it waits for the lock "vm/web1", which run RUN holds
    "#);
    second.signal(Signal::INT);
    insta::assert_snapshot!(second.wait().shown(), @r#"
    exit 6
    run RUN of locked, started by USER
    waits for the lock "vm/web1", which run RUN holds
    cancelling: the step in flight was asked to stop; Ctrl-C again leaves the run to be resumed
    cancelled by USER (Ctrl-C)
    first: skipped: the run ended before it
    sleep: skipped: the run ended before it
    run RUN cancelled after TIME
    "#);
    first.signal(Signal::INT);
    assert_eq!(first.wait().exit, Some(6));
}

#[test]
fn a_run_in_a_queue_behind_one_that_is_blocked_is_not_waited_for() {
    let steps = "[{ id: pause, wait: 6s }, { id: blind, uses: fixture/append-blind, with: { file: FOLDER/effects, line: x, fail: unknown } }]";
    let of_run = format!("name: blocks\nlock: vm/web1\nsteps: {steps}\n");
    let of_step = format!("name: blocks\nsteps: [{{ id: hold, lock: vm/web1, steps: {steps} }}]\n");
    std::thread::scope(|scope| {
        let both = [of_run, of_step].map(|runbook| scope.spawn(move || is_not_waited_for(&runbook)));
        both.into_iter().for_each(|checked| checked.join().expect("it is not waited for"));
    });
}

fn is_not_waited_for(runbook: &str) {
    let project = Project::new();
    project.write("blocks.yaml", runbook);
    let first = project.start(&["run", "blocks.yaml"]);
    let first = first.wait_until("it goes on", || project.call(&["runs", "list"]).out.contains("blocks"));
    let second = project.start(&["run", "blocks.yaml"]);
    let second = second.wait_until("it is queued", || listed(&project).len() == 2);
    let first = first.wait();
    assert_eq!(first.exit, Some(4), "{first:?}");
    assert_eq!(second.wait().exit, Some(75));
}

#[test]
fn a_run_that_is_started_as_the_first_ends_comes_to_its_end() {
    let project = Project::new();
    project.write("first.yaml", "name: first\nsteps: [{ id: a, wait: 4s }]\n");
    let first = project.start(&["run", "first.yaml"]);
    let first = first.wait_until("it answers", || project.path("state/api.sock").exists());
    let text = "name: second\nsteps: [{ id: a, wait: 1s }]\n";
    let body = json!({
        "runbook": { "text": { "file": "second.yaml", "text": text } },
        "inputs": {},
        "by": { "who": "ada", "why": "" },
    });
    let begun = request("POST", "/v1/runs", &body.to_string());
    let (begin, rest) = begun.split_at(begun.len() - 5);
    let mut stream = project.connect().expect("it answers");
    stream.write_all(begin).expect("it is sent");
    let first = first.wait_until("it ends", || !project.path("state/api.sock").exists());
    stream.write_all(rest).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(first.wait().exit, Some(0));
    assert_eq!((&listed(&project)[0]["name"], &listed(&project)[0]["status"]), (&json!("second"), &json!("succeeded")));
}

#[test]
fn a_socket_that_can_not_be_made_stops_no_run() {
    let project = Project::new();
    project.write("one.yaml", "name: one\nsteps: [{ id: a, script: 1 + 1 }]\n");
    for (chars, warns) in [(40, false), (120, true)] {
        let state = "s".repeat(chars);
        let ran = project.call(&["run", "one.yaml", "--state-dir", &state]);
        assert_eq!(ran.exit, Some(0), "{ran:?}");
        assert_eq!(ran.err.contains("other commands can't go through this one"), warns, "{ran:?}");
        assert_eq!(project.call(&["runs", "list", "--state-dir", &state]).exit, Some(0));
    }
}
