//! `runwright alarm`; that alarms start runs is shown with `serve`.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::Project;

/// Claims a lock whose key comes from the alarm.
pub(super) const LOCKED: &str = r#"
name: locked
inputs: { vm: { type: string } }
lock: "${{ inputs.vm }}"
on: { alarm: { where: 'alarm.name == "VmDown"', with: { vm: "${{ alarm.labels.vm }}" } } }
steps: [{ id: a, script: "1" }]
"#;

/// Writes a line for each alarm.
pub(super) const WRITES: &str = r#"
name: writes
inputs: { vm: { type: string } }
on: { alarm: { where: 'alarm.name == "VmDown"', with: { vm: "${{ alarm.labels.vm }}" } } }
steps: [{ id: a, uses: fixture/append, with: { file: FOLDER/effects, line: "vm=${{ inputs.vm }}" } }]
"#;

/// An alert of this machine.
pub(super) fn alert(vm: &str) -> Value {
    json!({"labels": {"alertname": "VmDown", "vm": vm}, "startsAt": "2026-01-02T03:04:05Z"})
}

/// A notification with these alerts.
pub(super) fn notification(alerts: &[Value]) -> String {
    json!({"version": "4", "status": "firing", "receiver": "pager", "alerts": alerts}).to_string()
}

#[test]
fn without_an_engine_that_serves_it_is_refused() {
    let project = Project::new();
    project.write("alarm.json", "{}");
    insta::assert_snapshot!(project.call(&["alarm", "send", "alarm.json"]).shown(), @r"
    exit 3
    --- standard error
    error: could not send the alarm
      cause: no engine serves this state directory
      hint: start one with `runwright serve`
    ");
    insta::assert_snapshot!(project.call(&["alarm", "send", "none.json", "-o", "json"]).shown(), @r#"
    exit 3
    --- standard error
    {"error":{"message":"could not read none.json: No such file or directory (os error 2)","hint":null,"exit":3}}
    "#);
    project.write("large.json", &" ".repeat((4 << 20) + 1));
    insta::assert_snapshot!(project.call(&["alarm", "send", "large.json"]).shown(), @r"
    exit 3
    --- standard error
    error: could not send the alarm
      cause: large.json has more than 4096 KiB
      hint: send fewer alerts at once
    ");
}

#[test]
fn a_poison_alarm_is_a_note_and_touches_no_other_runbook() {
    let project = Project::new();
    project.write("runbooks/locked.yaml", LOCKED);
    project.write("runbooks/writes.yaml", WRITES);
    let served = project.serve();
    let empty = project.call_with(&["alarm", "send", "-"], &alert("").to_string());
    insta::assert_snapshot!(empty.shown(), @r#"
    exit 1
    VmDown: starts 1 run: writes matches; locked can't be started: could not work out `lock`: "${{ inputs.vm }}" gives an empty text
      RUN
    "#);
    let long = alert(&"x".repeat(257)).to_string();
    assert_eq!(project.call_with(&["alarm", "send", "-"], &long).exit, Some(1));
    assert_eq!(project.call_with(&["alarm", "send", "-"], &alert(&"y".repeat(256)).to_string()).exit, Some(0));
    let again = project.call_with(&["alarm", "send", "-", "-o", "json"], &long);
    assert_eq!((again.exit, &again.json()["alarms"][0]["duplicate"]), (Some(1), &json!(true)));
    let served = served.wait_until("three lines", || project.lines("effects").len() == 3);
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));

    let _served = project.serve();
    insta::assert_snapshot!(project.call(&["alarm", "list"]).shown(), @r#"
    exit 0
    VmDown  DATE  alertmanager/55a90c7255acff3d/MILLIS/firing
      locked: could not work out `lock`: "${{ inputs.vm }}" gives 257 bytes, more than 256
    VmDown  DATE  alertmanager/146c13f3cbae66f9/MILLIS/firing
      locked: could not work out `lock`: "${{ inputs.vm }}" gives an empty text
    "#);
    let status = project.call(&["status"]).out;
    assert!(status.contains("alarms that could not start") && status.contains("gives an empty text"), "{status}");
    let listed = project.call(&["alarm", "list", "-o", "json"]).json()["alarms"].clone();
    assert_eq!((&listed[0]["alarm"], &listed[0]["failures"][0]["runbook"]), (&json!("VmDown"), &json!("locked")));
    assert!(listed[0]["at"].is_u64() && listed[0]["failures"][0]["reason"].is_string());

    let key = listed[0]["key"].as_str().expect("a key").to_owned();
    let retried = project.call(&["alarm", "retry", &key]);
    assert_eq!(retried.exit, Some(1), "the reason is still there: {retried:?}");
    assert_eq!(project.call(&["alarm", "dismiss", &key]).exit, Some(0));
    assert_eq!(project.call(&["alarm", "dismiss", &key]).exit, Some(3));
    assert_eq!(project.call(&["alarm", "dismiss", "--all"]).exit, Some(0));
    assert_eq!(project.status()["alarms"], json!([]));
    assert_eq!(project.lines("effects").len(), 3, "what had started is not started again");
}

#[test]
fn an_alarm_that_comes_while_a_plugin_is_missing_is_started_when_it_is_back() {
    let project = Project::new();
    project.write("runbooks/writes.yaml", WRITES);
    let (plugin, away) = (project.path("plugins/fixture.wasm"), project.path("away"));
    let gone = |project: &Project| {
        let plugins = project.status()["plugins"].to_string();
        !plugins.contains("\"fixture\"")
    };
    for served_without in [false, true] {
        let vm = format!("vm-{served_without}");
        let alarm = alert(&vm).to_string();
        let mut served = if served_without { None } else { Some(project.serve()) };
        std::fs::rename(&plugin, &away).expect("it is moved");
        let served = match served.take() {
            Some(served) => served.wait_until("it is gone", || gone(&project)),
            None => project.serve(),
        };
        let sent = project.call_with(&["alarm", "send", "-"], &alarm);
        assert_eq!(sent.exit, Some(1), "{sent:?}");
        assert!(sent.out.contains("writes can't be started") && sent.out.contains("fixture"), "{sent:?}");
        std::fs::rename(&away, &plugin).expect("it is moved");
        let served = served.wait_until("it is back", || {
            let status = project.status();
            status["plugins"].to_string().contains("\"fixture\"") && status["runbooks"] != json!([])
        });
        // The alarm comes again, or a person asks for it.
        let again = match served_without {
            false => project.call_with(&["alarm", "send", "-"], &alarm),
            true => project.call(&["alarm", "retry", "--all"]),
        };
        assert_eq!(again.exit, Some(0), "{again:?}");
        assert!(again.out.contains("starts 1 run"), "{again:?}");
        let ended = || project.lines("effects").iter().filter(|line| line.ends_with(&format!("vm={vm}"))).count() == 1;
        let served = served.wait_until("its effect", ended);
        assert_eq!(project.status()["alarms"], json!([]));
        let third = project.call_with(&["alarm", "send", "-"], &alarm);
        assert_eq!((third.exit, third.out.as_str()), (Some(0), "VmDown: was here before, nothing is started\n"));
        served.signal(Signal::TERM);
        assert_eq!(served.wait().exit, Some(0));
        assert_eq!(project.lines("effects").iter().filter(|line| line.ends_with(&vm)).count(), 1);
    }
}

#[test]
fn an_alarm_that_comes_while_the_runbooks_are_away_is_started_when_they_are_back() {
    let project = Project::new();
    project.write("runbooks/writes.yaml", WRITES);
    let served = project.serve();
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
    let (runbooks, away) = (project.path("runbooks"), project.path("away"));
    std::fs::rename(&runbooks, &away).expect("it is moved");
    let served = project.serve();
    assert!(!runbooks.exists(), "no empty folder is made where one was before");
    let alarm = alert("web-1").to_string();
    let sent = project.call_with(&["alarm", "send", "-"], &alarm);
    assert_eq!(sent.exit, Some(1), "{sent:?}");
    assert!(sent.out.contains("not every runbook could be asked") && sent.out.contains("can't be read"), "{sent:?}");
    assert_eq!(project.status()["alarms"].as_array().map(Vec::len), Some(1));
    std::fs::rename(&away, &runbooks).expect("it is moved");
    let served = served.wait_until("they are back", || project.status()["runbooks"] != json!([]));
    let again = project.call_with(&["alarm", "send", "-"], &alarm);
    assert!(again.exit == Some(0) && again.out.contains("starts 1 run"), "{again:?}");
    let _served = served.wait_until("its effect", || project.lines("effects").len() == 1);
    assert_eq!(project.status()["alarms"], json!([]));
}

#[test]
fn what_a_broken_runbook_may_have_missed_is_asked_again_and_nothing_is_started_twice() {
    let project = Project::new();
    project.write("runbooks/writes.yaml", WRITES);
    project.write("runbooks/fixed.yaml", "name: [");
    let served = project.serve();
    let sent = project.call_with(&["alarm", "send", "-"], &alert("web-1").to_string());
    assert!(sent.exit == Some(1) && sent.out.contains("starts 1 run") && sent.out.contains("has errors"), "{sent:?}");
    project.write("runbooks/fixed.yaml", &WRITES.replace("name: writes", "name: fixed").replace("vm=", "fixed="));
    let served = served.wait_until("it is mended", || {
        project.status()["runbooks"].as_array().is_some_and(|runbooks| runbooks.len() == 2)
    });
    let again = project.call(&["alarm", "retry", "--all"]);
    assert!(again.exit == Some(0) && again.out.contains("starts 1 run: fixed matches"), "{again:?}");
    let served = served.wait_until("two effects", || project.lines("effects").len() == 2);
    assert_eq!((project.status()["alarms"].clone(), project.runs().len()), (json!([]), 2));
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
}

#[test]
fn an_alarm_that_comes_again_and_again_is_not_tried_each_time() {
    let project = Project::new();
    project.write("runbooks/writes.yaml", &WRITES.replace("fixture/append", "nobody/has"));
    let served = project.serve();
    let body = notification(&[alert("web-1")]);
    let send = || {
        let (status, answer) = project.ask("POST", "/v1/alarms/alertmanager", &body);
        assert_eq!(status, 202, "{answer}");
        serde_json::from_str::<Value>(&answer).expect("an answer")["alarms"][0].clone()
    };
    let told: Vec<Value> = (0..6).map(|_| send()).collect();
    assert!(told.iter().all(|alarm| alarm["failures"][0]["runbook"] == json!("writes")), "{told:?}");
    let duplicates = told.iter().filter(|alarm| alarm["duplicate"] == json!(true)).count();
    assert_eq!(duplicates, 4, "it was tried when it came, and once more: {told:?}");
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
    let exported = project.call(&["journal", "export"]).out;
    assert_eq!(exported.lines().filter(|line| line.contains("\"again/alertmanager/")).count(), 1, "{exported}");
}

#[test]
fn what_is_good_in_a_notification_is_taken_and_what_is_not_is_named() {
    let project = Project::new();
    project.write("runbooks/writes.yaml", WRITES);
    let _served = project.serve();
    let mut bad = alert("web-2");
    bad["startsAt"] = json!("yesterday");
    let body = notification(&[alert("web-1"), bad.clone(), alert("web-3")]);
    let (status, answer) = project.ask("POST", "/v1/alarms/alertmanager", &body);
    assert_eq!(status, 207, "{answer}");
    let sent = project.call_with(&["alarm", "send", "-"], &body);
    insta::assert_snapshot!(sent.shown(), @r#"
    exit 7
    VmDown: was here before, nothing is started
    VmDown: was here before, nothing is started
    not taken: alerts[1].startsAt: expected a time, found "yesterday"; times look like this: "2026-01-31T12:00:00Z"
    "#);
    let alarms = project.status()["alarms"].clone();
    let key = alarms[0]["key"].as_str().expect("a key");
    assert!(key.starts_with("unreadable/") && alarms.as_array().expect("a list").len() == 1, "{alarms}");
    let alone = project.call_with(&["alarm", "send", "-"], &bad.to_string());
    insta::assert_snapshot!(alone.shown(), @r#"
    exit 3
    --- standard error
    error: could not send the alarm
      cause: startsAt: expected a time, found "yesterday"; times look like this: "2026-01-31T12:00:00Z"
    "#);
    let (status, answer) = project.ask("POST", "/v1/alarms/alertmanager", &notification(&[bad.clone(), bad]));
    assert!(status == 400 && answer.contains("none of the 2 alerts can be read"), "{status} {answer}");
}

#[test]
fn an_alert_without_a_begin_is_taken() {
    let project = Project::new();
    project.write("runbooks/writes.yaml", &WRITES.replace("alarm.labels.vm", "alarm.starts"));
    let served = project.serve();
    let mut ended = alert("web-2");
    (ended["status"], ended["startsAt"]) = (json!("resolved"), json!("0001-01-01T00:00:00Z"));
    ended["endsAt"] = json!("2026-01-31T11:59:00Z");
    let sent = project.call_with(&["alarm", "send", "-"], &notification(&[alert("web-1"), ended]));
    assert_eq!(sent.exit, Some(0), "{sent:?}");
    let _served = served.wait_until("two lines", || project.lines("effects").len() == 2);
    assert!(project.lines("effects").iter().any(|line| line.ends_with("vm=2026-01-02T03:04:05Z")));
}

#[test]
fn of_alerts_that_are_missing_people_hear() {
    let project = Project::new();
    let served = project.serve();
    let truncated = notification(&[alert("web-1")]).replacen('{', "{\"truncatedAlerts\": 9998,", 1);
    let sent = project.call_with(&["alarm", "send", "-"], &truncated);
    assert_eq!(sent.exit, Some(0));
    assert!(sent.out.contains("warning: alertmanager left 9998 alerts out"), "{sent:?}");
    let alerts: Vec<Value> = (0..1_001).map(|n| alert(&n.to_string())).collect();
    let storm = project.call_with(&["alarm", "send", "-"], &notification(&alerts));
    assert_eq!(storm.exit, Some(7));
    assert!(storm.out.contains("warning: 1001 alerts came in one body: the first 1000 were taken"), "{storm:?}");
    let status = project.call(&["status"]).out;
    assert!(status.contains("9998") && status.contains("1001 alerts came"), "{status}");
    served.signal(Signal::TERM);
    let log = served.wait().err;
    assert!(log.contains("9998") && log.contains("1001 alerts came"), "{log}");
}

#[test]
fn grafana_is_known_by_its_name_and_every_instant_by_what_it_is() {
    let project = Project::new();
    let grafana = WRITES.replace("alarm.name == \"VmDown\"", "alarm.source == \"grafana\"");
    project.write("runbooks/writes.yaml", &grafana);
    let _served = project.serve();
    let mut sent = alert("web-1");
    (sent["values"], sent["valueString"]) = (Value::Null, json!("[ value=10 ]"));
    sent["startsAt"] = json!("2026-01-31T13:12:07.926076741+01:00");
    let body = json!({"version": "1", "orgId": 1, "status": "firing", "alerts": [sent]});
    let mut utc = body.clone();
    utc["alerts"][0]["startsAt"] = json!("2026-01-31T12:12:07.926Z");
    for path in ["/v1/alarms/alertmanager", "/v1/alarms/grafana"] {
        let (status, answer) = project.ask("POST", path, &body.to_string());
        assert_eq!(status, 202, "{answer}");
    }
    let again = project.call_with(&["alarm", "send", "-", "-o", "json"], &utc.to_string()).json();
    assert_eq!(again["alarms"][0]["duplicate"], json!(true), "{again}");
    assert_eq!(project.runs().len(), 1);
    let (status, answer) = project.ask("POST", "/v1/alarms/nagios", "{}");
    assert!(status == 404 && answer.contains("there are: alertmanager, grafana"), "{status} {answer}");
}

#[test]
fn no_name_of_an_alarm_drives_a_terminal() {
    let project = Project::new();
    project.write("runbooks/locked.yaml", &LOCKED.replace("alarm.name == \"VmDown\"", "true"));
    let served = project.serve();
    let mut odd = alert("");
    odd["labels"]["alertname"] = json!("\u{1b}[2J\u{202e}\u{9b}x\nforged");
    let body = json!({"alerts": [odd], "receiver": "\u{1b}]0;title\u{7}", "truncatedAlerts": 1}).to_string();
    let sent = project.call_with(&["alarm", "send", "-"], &body);
    assert_eq!(sent.exit, Some(1), "{sent:?}");
    let shown = [project.call(&["alarm", "list"]), project.call(&["status"]), sent];
    served.signal(Signal::TERM);
    let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    for ran in shown.into_iter().chain([served.wait()]) {
        assert!(!ran.out.contains(raw) && !ran.err.contains(raw), "{ran:?}");
        assert!(!format!("{}{}", ran.out, ran.err).lines().any(|line| line.starts_with("forged")), "{ran:?}");
    }
}
