//! Many scripts at a time, and calls that wait for their turn.

use rustix::process::Signal;
use serde_json::json;

use crate::support::Project;

/// More than there are threads for scripts, and more than the runtime has threads for what blocks: so many runbooks that
/// each alarm starts, and so many alarms.
const SCRIPTS: [usize; 2] = [10, 53];

/// A script whose call waits, so that many of them wait at the same time, and then touches a file.
const BUSY: &str = r#"
name: busy-NUMBER
inputs: { n: { type: string } }
on:
  alarm:
    where: alarm.name == "Busy"
    with: { n: "${{ alarm.labels.n }}" }
steps:
  - id: work
    timeout: 2m
    script: |
      act("fixture/append-once", #{ file: `FOLDER/effects-NUMBER-${inputs.n}`, line: inputs.n, "sleep-ms": 5000 });
"#;

#[test]
fn more_scripts_than_there_are_threads_end_well() {
    let project = Project::new();
    let [runbooks, alarms] = SCRIPTS;
    for n in 0..runbooks {
        project.write(&format!("runbooks/busy-{n}.yaml"), &BUSY.replace("NUMBER", &n.to_string()));
    }
    let alert = |n: usize| {
        json!({"status": "firing", "labels": {"alertname": "Busy", "n": n.to_string()}, "annotations": {},
            "startsAt": "2026-01-02T03:04:05Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
            "fingerprint": format!("{n:016x}")})
    };
    let alerts: Vec<_> = (0..alarms).map(alert).collect();
    let body = json!({"version": "4", "status": "firing", "receiver": "r", "groupKey": "g", "truncatedAlerts": 0,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": alerts});
    project.write("alarm.json", &body.to_string());
    let served = project.start(&["serve"]).wait_until("serving", || project.path("state/api.sock").exists());
    let sent = project.call(&["alarm", "send", "alarm.json"]);
    assert_eq!(sent.exit, Some(0), "{sent:?}");
    let unfinished = || {
        let runs = project.call(&["runs", "list", "--unfinished", "--limit", "999", "-o", "json"]).json();
        runs["runs"].as_array().expect("a list").len()
    };
    let _served = served.wait_until("all of them are over", || unfinished() == 0);
    let over = project.call(&["runs", "list", "--status", "succeeded", "--limit", "999", "-o", "json"]).json();
    assert_eq!(over["runs"].as_array().expect("a list").len(), runbooks * alarms);
    let files = (0..runbooks).flat_map(|runbook| (0..alarms).map(move |n| format!("effects-{runbook}-{n}")));
    assert_eq!(files.filter(|file| project.lines(file).len() == 1).count(), runbooks * alarms);
}

const QUEUED: &str = r#"
name: queued
steps:
  - { id: write, uses: fixture/append-blind, with: { file: FOLDER/effects, line: x } }
"#;

#[test]
fn a_call_that_waits_for_its_turn_when_the_engine_stops_is_not_asked_about() {
    let project = Project::new();
    let settings = std::fs::read_to_string(project.path("runwright.toml")).expect("it is there");
    project.write("runwright.toml", &format!("{settings}[limits]\ncalls = 1\n"));
    project.write("sleep.yaml", "name: sleep\nsteps:\n  - { id: s, uses: fixture/sleep, with: { ms: 60000 } }\n");
    project.write("queued.yaml", QUEUED);
    let served = project.start(&["serve"]).wait_until("serving", || project.path("state/api.sock").exists());
    let run = |file: &str| project.call(&["run", file, "--detach"]).out.trim().to_owned();
    let sleeping = run("sleep.yaml");
    let outcome = |run: &str| project.call(&["runs", "show", run, "-o", "json"]).json()["outcome"].clone();
    let served = served.wait_until("the first call", || outcome(&sleeping) == "running");
    let queued = run("queued.yaml");
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
    assert_ne!(outcome(&queued), "blocked", "nothing of it had begun");
    let resumed = project.call(&["runs", "resume", &queued]);
    assert_eq!((resumed.exit, project.lines("effects").len()), (Some(0), 1), "{resumed:?}");
}
