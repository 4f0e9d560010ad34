//! `runwright serve`, and the commands that go through it.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Called, Project};

const RUNBOOK: &str = r#"
name: recover
description: Writes a line for each alarm.
inputs:
  vm: { type: string }
  sleep: { type: integer, default: 0 }
on:
  alarm:
    where: alarm.name == "VmDown" && alarm.firing
    with: { vm: "${{ alarm.labels.vm }}" }
steps:
  - id: sleep
    uses: fixture/sleep
    with: { ms: "${{ inputs.sleep }}" }
  - id: write
    uses: fixture/append
    with: { file: FOLDER/effects, line: "${{ inputs.vm }}" }
"#;

const ALARM: &str = r#"{"version": "4", "status": "firing", "receiver": "r", "groupKey": "g", "truncatedAlerts": 0,
  "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
  "alerts": [{"status": "firing", "labels": {"alertname": "VmDown", "vm": "web1"}, "annotations": {},
    "startsAt": "2026-01-02T03:04:05Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
    "fingerprint": "0123456789abcdef"}]}"#;

/// A project with an engine that serves it.
fn serving() -> (Project, Called) {
    let project = Project::new();
    project.write("runbooks/recover.yaml", RUNBOOK);
    project.write("alarm.json", ALARM);
    let served = project.start(&["serve"]);
    let served = served.wait_until("serving", || project.path("state/api.sock").exists());
    (project, served)
}

#[test]
fn it_says_what_it_serves_and_ends_when_told() {
    let (_project, served) = serving();
    served.signal(Signal::TERM);
    let ran = served.wait();
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    insta::assert_snapshot!(ran.shown().lines().take(2).collect::<Vec<_>>().join("\n"), @r"
    exit 0
    runwright 0.1.0 serves state (PID): 1 runbook, 2 plugins
    ");
}

#[test]
fn a_socket_that_somebody_removes_is_made_again() {
    let (project, mut served) = serving();
    let socket = project.path("state/api.sock");
    for _ in 0..2 {
        std::fs::remove_file(&socket).expect("a socket");
        served = served.wait_until("the socket", || socket.exists());
        assert_eq!(project.call(&["status", "-o", "json"]).json()["serves"], true);
    }
    served.signal(Signal::TERM);
    let ran = served.wait();
    assert_eq!((ran.exit, socket.exists()), (Some(0), false), "{ran:?}");
}

#[test]
fn sighup_ends_it_cleanly_however_often() {
    let (project, mut served) = serving();
    for _ in 0..6 {
        served.signal(Signal::HUP);
        let ran = served.wait();
        assert_eq!(ran.exit, Some(0), "{ran:?}");
        served = project.start(&["serve"]).wait_until("serving", || project.path("state/api.sock").exists());
    }
    assert_eq!(project.call(&["status", "-o", "json"]).json()["safe-mode"], json!(null));
}

#[test]
fn nobody_has_to_read_what_it_logs() {
    let project = Project::new();
    project.write("runbooks/recover.yaml", RUNBOOK);
    project.write("alarm.json", ALARM);
    let mut served = project.command(&["serve"]).spawn().expect("runwright starts");
    drop(served.stderr.take());
    let end = Instant::now() + Duration::from_secs(30);
    while !project.path("state/api.sock").exists() {
        assert!(Instant::now() < end, "it does not serve");
        std::thread::sleep(Duration::from_millis(10));
    }
    let sent = project.call(&["alarm", "send", "alarm.json"]);
    let watched = project.call(&["runs", "watch", "latest"]);
    served.kill().expect("it serves still");
    served.wait().expect("a child");
    assert_eq!((sent.exit, watched.exit), (Some(0), Some(0)), "{sent:?} {watched:?}");
}

#[test]
fn a_list_says_which_alarm_it_was_and_for_what() {
    let (project, _served) = serving();
    assert_eq!(project.call(&["alarm", "send", "alarm.json"]).exit, Some(0));
    assert_eq!(project.call(&["runs", "watch", "latest"]).exit, Some(0));
    insta::assert_snapshot!(project.call(&["runs", "list"]).shown(), @r"
    exit 0
    RUN                         RUNBOOK  STATUS     STARTED               FOR  BY  INPUTS
    RUN  recover  succeeded  DATE  TIME  alarm VmDown  vm=web1 sleep=0
    ");
    let run = project.call(&["runs", "list", "-o", "json"]).json()["runs"][0].clone();
    assert_eq!((&run["cause"]["name"], &run["inputs"]), (&json!("VmDown"), &json!({"vm": "web1", "sleep": 0})));
}

#[test]
fn an_alarm_starts_the_runbook_that_it_matches_once() {
    let (project, _served) = serving();
    insta::assert_snapshot!(project.call(&["alarm", "send", "alarm.json"]).shown(), @r"
    exit 0
    VmDown: starts 1 run: recover matches
      RUN
    ");
    assert_eq!(project.call(&["runs", "watch", "latest"]).exit, Some(0));
    assert!(project.lines("effects")[0].ends_with(" web1"), "{:?}", project.lines("effects"));
    let again = project.call_with(&["alarm", "send", "-", "-o", "json"], ALARM).json();
    assert_eq!((&again["alarms"][0]["duplicate"], &again["alarms"][0]["name"]), (&json!(true), &json!("VmDown")));
    assert_eq!(project.lines("effects").len(), 1);
    let cause = project.call(&["runs", "show", "latest", "-o", "json"]).json()["cause"].clone();
    assert_eq!((&cause["type"], &cause["name"]), (&json!("alarm"), &json!("VmDown")));
}

#[test]
fn a_run_goes_through_it() {
    let (project, _served) = serving();
    let ran = project.call(&["run", "recover", "-i", "vm=web2"]);
    insta::assert_snapshot!(ran.shown(), @r"
    exit 0
    run RUN of recover, started by USER
    sleep: started
    sleep: succeeded in TIME
    write: started
    write: succeeded in TIME
    run RUN succeeded in TIME
    ");
    let detached = project.call(&["run", "recover", "-i", "vm=web3", "-i", "sleep=20000", "--detach", "-o", "json"]);
    assert_eq!(detached.exit, Some(0));
    let watched = project.start(&["runs", "watch", "latest"]).wait_until_printed("sleep: started");
    watched.signal(Signal::INT);
    insta::assert_snapshot!(watched.wait().shown(), @r"
    exit 75
    run RUN of recover, started by USER
    sleep: started
    --- standard error
    error: run RUN is not over
      hint: the engine that serves goes on with it; watch it with `runwright runs watch RUN`
    ");
    let id = detached.json()["run"].as_str().expect("an id").to_owned();
    assert_eq!(project.call(&["runs", "cancel", &id]).exit, Some(0));
}

#[test]
fn status_shows_what_it_has() {
    let (project, served) = serving();
    insta::assert_snapshot!(project.call(&["status"]).shown(), @r"
    exit 0
    runwright 0.1.0 serves (PID) for TIME
    runbooks
      recover  Writes a line for each alarm.  runbooks/recover.yaml
    plugins
      fixture  0.1.0  empty, echo, append, append-blind, append-once, loop, trap, panic, recurse, allocate, flood, non-zero, sleep, deny, huge-output, nested-output, lie, not-json, hoard, connect, listen, count, random, look-around, job, fall, leak, touch, fetch
      hello    0.1.0  greet
    ");
    assert_eq!(project.call(&["status", "--require-engine"]).exit, Some(0));
    project.write("runbooks/bad.yaml", "name: bad\n");
    let _served =
        served.wait_until("a problem", || project.call(&["status", "-o", "json"]).json()["problems"] != json!([]));
    let status = project.call(&["status", "-o", "json"]).json();
    assert_eq!((&status["serves"], &status["runbooks"][0]["name"]), (&json!(true), &json!("recover")));
    assert!(project.call(&["status"]).out.contains("problem: runbooks/bad.yaml"));
}

#[test]
fn what_it_refuses_looks_the_same_as_without_it() {
    let (project, _served) = serving();
    let refused = |words: &[&str]| project.call(words).shown();
    insta::assert_snapshot!(refused(&["run", "recover"]), @r"
    exit 3
    --- standard error
    error: could not run recover
      cause: the input `vm` is missing
      hint: give it with -i vm=…
    ");
    project.write("bad.yaml", "name: bad\nsteps:\n  - id: a\n    uses: hello/gret\n");
    insta::assert_snapshot!(refused(&["run", "bad.yaml"]), @r"
    exit 3
    --- standard error
    error: the plugin `hello` has no action `gret` [unknown-action]
     --> bad.yaml:4:11
      |
    4 |     uses: hello/gret
      |           ^^^^^^^^^^
      = help: did you mean `hello/greet`?

    bad.yaml: 1 error

    error: could not run bad.yaml
      cause: bad.yaml is not a runbook that can run: 1 problem found
    ");
    insta::assert_snapshot!(refused(&["runs", "show", "nothing"]), @r#"
    exit 3
    --- standard error
    error: could not show run nothing
      cause: there is no run "nothing"; `runwright runs list` shows those that there are
    "#);
    insta::assert_snapshot!(refused(&["journal", "verify"]), @r"
    exit 3
    --- standard error
    error: could not open the journal
      cause: state is in use by runwright serve (PID)
      hint: this needs the journal for itself: end that first (Ctrl-C, or SIGTERM to its pid), or use another state directory with --state-dir
    ");
    insta::assert_snapshot!(refused(&["serve"]), @r"
    exit 3
    --- standard error
    error: could not serve
      cause: state is in use by runwright serve (PID)
      hint: this needs the journal for itself: end that first (Ctrl-C, or SIGTERM to its pid), or use another state directory with --state-dir
    ");
}

#[test]
fn an_engine_that_died_again_and_again_starts_nothing_until_it_was_stopped_cleanly() {
    let serve = |project: &Project| {
        let _ = std::fs::remove_file(project.path("state/api.sock"));
        project.start(&["serve"]).wait_until("serving", || project.path("state/api.sock").exists())
    };
    let (project, first) = serving();
    first.signal(Signal::KILL);
    first.wait();
    for _ in 0..4 {
        let served = serve(&project);
        let listed = || project.call(&["status", "-o", "json"]);
        let served = served.wait_until("answering", || listed().exit == Some(0));
        assert_eq!(listed().json()["safe-mode"], json!(null));
        served.signal(Signal::KILL);
        served.wait();
    }
    let served = serve(&project);
    let refused = project.call(&["run", "recover", "-i", "vm=web1"]);
    insta::assert_snapshot!(refused.shown(), @r"
    exit 70
    --- standard error
    error: could not run recover
      cause: the engine is in safe mode: it died 5 times within 10 minutes; stop it and start it again to go on
    ");
    insta::assert_snapshot!(project.call(&["alarm", "send", "alarm.json"]).shown(), @r"
    exit 0
    VmDown: it waits: the engine is in safe mode
    ");
    assert_eq!(project.call(&["status", "--require-engine"]).exit, Some(1), "it starts nothing");
    let status = project.call(&["status"]).shown();
    insta::assert_snapshot!(status.lines().skip(2).take(1).collect::<String>(), @"safe mode: nothing is started, because it died 5 times within 10 minutes; stop it and start it again to go on");
    assert_eq!(project.lines("effects").len(), 0);
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
    let _served = serve(&project).wait_until("the alarm's effect", || !project.lines("effects").is_empty());
    assert_eq!(project.call(&["status", "-o", "json"]).json()["safe-mode"], json!(null));
}
