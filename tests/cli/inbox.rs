//! The inbox under those who send too much, hang up, or send poison, and under an engine that dies.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::alarm::{LOCKED, WRITES, alert, notification};
use crate::support::{Project, request};

const PATH: &str = "/v1/alarms/alertmanager";

/// Two runbooks that each alarm starts, so that their runs begin in one commit.
const TWICE: &str = r#"
name: NAME
on: { alarm: { where: 'alarm.name == "VmDown"' } }
steps: [{ id: a, script: "1" }]
"#;

#[test]
fn what_was_accepted_is_handled_though_its_sender_hangs_up() {
    const SENDERS: usize = 8;
    const EACH: usize = 100;
    let project = Project::new();
    for name in ["one", "two"] {
        project.write(&format!("runbooks/{name}.yaml"), &TWICE.replace("NAME", name));
    }
    let served = project.serve();
    let name = |sender: usize, n: usize| format!("{sender}-{n}");
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (project, name) = (&project, &name);
            scope.spawn(move || {
                for n in 0..EACH {
                    let mut stream = project.connect().expect("it serves");
                    let body = notification(&[alert(&name(sender, n))]);
                    stream.write_all(&request("POST", PATH, &body)).expect("it is sent");
                    std::thread::sleep(Duration::from_micros(u64::try_from(n % 4).expect("small") * 1_000));
                }
            });
        }
    });
    // Everything is sent once more: what was accepted before is a duplicate, and has its runs.
    let alerts: Vec<Value> = (0..SENDERS * EACH).map(|n| alert(&name(n / EACH, n % EACH))).collect();
    let (mut again, mut duplicates) = (json!(null), 0);
    let served = served.wait_until("all are handled", || {
        let (status, answer) = project.ask("POST", PATH, &notification(&alerts));
        if status == 503 {
            // Those whose senders are gone are under way.
            return false;
        }
        assert_eq!(status, 202, "{answer}");
        again = serde_json::from_str(&answer).expect("an answer");
        let alarms = again["alarms"].as_array().expect("a list");
        duplicates = alarms.iter().filter(|alarm| alarm["duplicate"] == json!(true)).count();
        alarms.iter().all(|alarm| alarm["note"].as_str().is_some_and(|note| !note.starts_with("it waits")))
    });
    assert!(duplicates > 0, "nothing was accepted before its sender was gone");
    let alarms = again["alarms"].as_array().expect("a list");
    let without: Vec<_> =
        alarms.iter().filter(|alarm| alarm["runs"].as_array().is_none_or(|runs| runs.len() != 2)).collect();
    assert!(without.is_empty(), "{} without their runs: {:?}", without.len(), without.first());
    // By runbook: a list has at most 1000 runs.
    let of = |name: &str| {
        let (_, answer) = project.ask("GET", &format!("/v1/runs?name={name}"), "");
        serde_json::from_str::<Vec<Value>>(&answer).expect("a list")
    };
    let _served = served.wait_until("every run has ended", || {
        let ended = |runs: Vec<Value>| runs.iter().filter(|run| run["status"] == json!("succeeded")).count();
        ["one", "two"].iter().all(|name| ended(of(name)) >= SENDERS * EACH)
    });
    assert_eq!((of("one").len(), of("two").len()), (SENDERS * EACH, SENDERS * EACH));
}

/// Runbooks that together take all the time that the expressions of an alarm have: two seconds.
pub(super) fn slow_runbooks(project: &Project) {
    let list = format!("[{}]", "0,".repeat(100));
    let slow = format!("{list}.map(|a| {list}.map(|b| {list}.map(|c| a + b + c).len())).len() == 0");
    for n in 0..20 {
        let slow = TWICE.replace("NAME", &format!("slow-{n}")).replace("alarm.name == \"VmDown\"", &slow);
        project.write(&format!("runbooks/slow-{n}.yaml"), &slow);
    }
}

/// Sends this; who drops what it gives hangs up before the answer.
fn send(project: &Project, body: &str) -> UnixStream {
    let mut stream = project.connect().expect("it serves");
    // It may be refused before all of it is sent.
    let _ = stream.write_all(&request("POST", PATH, body));
    stream
}

#[test]
fn those_who_hang_up_leave_a_bounded_number_of_requests() {
    let project = Project::new();
    slow_runbooks(&project);
    let served = project.serve();
    let (mut sent, mut answer) = (0, String::new());
    let _served = served.wait_until("one is refused", || {
        let held: Vec<_> =
            (sent..sent + 100).map(|n| send(&project, &notification(&[alert(&n.to_string())]))).collect();
        sent += held.len();
        let status;
        (status, answer) = project.ask("POST", PATH, "{");
        status == 503
    });
    assert!(answer.contains("too many requests are under way"), "{answer}");
    assert_eq!(project.ask("GET", "/v1/runs?limit=1", "").0, 200, "who only looks is answered");
}

#[test]
fn large_bodies_that_wait_for_their_turn_keep_no_other_out() {
    let project = Project::new();
    slow_runbooks(&project);
    let _served = project.serve();
    let large = |body: &str| " ".repeat(70_000) + body;
    let _held: Vec<_> = (0..10).map(|n| send(&project, &large(&notification(&[alert(&n.to_string())])))).collect();
    let (status, answer) = project.ask("POST", PATH, &large("[17"));
    assert_eq!(status, 400, "{answer}");
}

#[test]
fn slow_conditions_make_no_other_request_wait() {
    let project = Project::new();
    slow_runbooks(&project);
    let _served = project.serve();
    assert_eq!(project.status()["runbooks"].as_array().expect("a list").len(), 20, "{}", project.status()["problems"]);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..12)
            .map(|n| {
                let project = &project;
                scope.spawn(move || project.ask("POST", PATH, &notification(&[alert(&n.to_string())])))
            })
            .collect();
        let mut slowest = Duration::ZERO;
        while !senders.iter().all(|sender| sender.is_finished()) {
            let began = Instant::now();
            assert_eq!(project.ask("GET", "/v1/runs?limit=1", "").0, 200);
            slowest = slowest.max(began.elapsed());
        }
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        assert!(senders.into_iter().all(|sender| sender.join().expect("it ends").0 == 202));
    });
}

/// Fifty alerts, ten of them bad in different ways: eight can't be read, and two give a lock no key.
fn storm() -> Vec<Value> {
    let with = |field: &str, value: Value| {
        let mut alert = alert("bad");
        alert[field] = value;
        alert
    };
    let many: serde_json::Map<String, Value> = (0..100).map(|n| (format!("l{n}"), json!("x"))).collect();
    let bad = [
        json!("text"),
        with("labels", json!(["vm"])),
        with("labels", json!({"alertname": "VmDown", "vm": "x".repeat(5_000)})),
        with("labels", Value::Object(many)),
        with("labels", json!({"alertname": "VmDown", "vm": 1.30})),
        with("startsAt", json!("yesterday")),
        with("status", json!("burning")),
        with("labels", Value::Null),
        alert(""),
        alert(&"x".repeat(300)),
    ];
    let mut all: Vec<Value> = (0..40).map(|n| alert(&format!("vm-{n:02}"))).collect();
    for (n, bad) in bad.into_iter().enumerate() {
        all.insert(n * 5, bad);
    }
    all
}

/// A project with three runbooks, one of which is broken: its plugin is missing.
fn beset() -> Project {
    let project = Project::new();
    project.write("runbooks/locked.yaml", LOCKED);
    project.write("runbooks/writes.yaml", WRITES);
    project
        .write("runbooks/broken.yaml", &TWICE.replace("NAME", "broken").replace("script: \"1\"", "uses: nobody/has"));
    project
}

/// How often each machine was written down.
fn written(project: &Project) -> BTreeMap<String, usize> {
    let mut written = BTreeMap::new();
    for line in project.lines("effects") {
        *written.entry(line.rsplit("vm=").next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    written
}

/// Nothing that was accepted is lost, and everything that could not start is listed with its reason.
/// Alerts in the list that could not be read.
fn unreadable(project: &Project) -> usize {
    let status = project.status();
    let alarms = status["alarms"].as_array().expect("a list");
    alarms.iter().filter(|alarm| alarm["key"].as_str().is_some_and(|key| key.starts_with("unreadable/"))).count()
}

fn assert_all_told(project: &Project) {
    let alarms = project.status()["alarms"].as_array().expect("a list").clone();
    let reasons = |name: &str| alarms.iter().filter(|alarm| alarm.to_string().contains(name)).count();
    assert_eq!(unreadable(project), 8);
    assert_eq!((reasons("no plugin `nobody`"), reasons("could not work out `lock`")), (42, 2), "{alarms:?}");
    let written = written(project);
    assert_eq!(written.len(), 42, "{written:?}");
    assert!(written.values().all(|times| *times == 1), "{written:?}");
}

#[test]
fn a_storm_with_poison_is_told_part_by_part() {
    let project = beset();
    let served = project.serve();
    let (status, answer) = project.ask("POST", PATH, &notification(&storm()));
    assert_eq!(status, 207, "{answer}");
    let served = served.wait_until("all is handled", || written(&project).len() == 42 && unreadable(&project) == 8);
    assert_all_told(&project);
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
    let _served = project.serve();
    assert_all_told(&project);
}

#[test]
fn a_storm_with_poison_survives_an_engine_that_is_killed_in_it() {
    for record in [1, 7, 40, 90] {
        let project = beset();
        let killed = project.serve_with(|command| {
            command.env("RUNWRIGHT_KILL_AT", format!("after:{record}"));
        });
        let body = notification(&storm());
        let _ = project.ask("POST", PATH, &body);
        assert_eq!(killed.wait().exit, None, "it is killed");
        let served = project.serve();
        // Who got no answer sends it again.
        let (status, answer) = project.ask("POST", PATH, &body);
        assert_eq!(status, 207, "{answer}");
        let _served =
            served.wait_until("all is handled", || written(&project).len() == 42 && unreadable(&project) == 8);
        assert_all_told(&project);
    }
}
