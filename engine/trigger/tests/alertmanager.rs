//! Bodies as Alertmanager sends them, and bodies that are wrong.

use serde_json::{Value, json};
use trigger::{Alarm, Status, alertmanager, limits};

/// What Alertmanager 0.28 sends to a webhook, with made-up hosts.
const WEBHOOK: &str = r#"{
  "receiver": "runwright",
  "status": "firing",
  "alerts": [
    {
      "status": "firing",
      "labels": {"alertname": "VmDown", "instance": "10.0.0.7:9100", "job": "vms", "severity": "critical", "vm": "web-1"},
      "annotations": {"summary": "web-1 does not answer", "runbook_url": "https://runbooks.example/vm-down"},
      "startsAt": "2026-08-04T10:15:30.123456789Z",
      "endsAt": "0001-01-01T00:00:00Z",
      "generatorURL": "http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
      "fingerprint": "ecd3edbd55dd82f1"
    },
    {
      "status": "resolved",
      "labels": {"alertname": "VmDown", "vm": "web-2"},
      "annotations": {},
      "startsAt": "2026-08-04T12:00:00+02:00",
      "endsAt": "2026-08-04T10:20:00Z",
      "generatorURL": "",
      "fingerprint": "0badc0de0badc0de"
    }
  ],
  "groupLabels": {"alertname": "VmDown"},
  "commonLabels": {"alertname": "VmDown"},
  "commonAnnotations": {},
  "externalURL": "http://alertmanager.example:9093",
  "version": "4",
  "groupKey": "{}:{alertname=\"VmDown\"}",
  "truncatedAlerts": 0,
  "notification_reason": "new"
}"#;

#[test]
fn a_webhook_gives_its_alarms() {
    let alarms = alertmanager(WEBHOOK.as_bytes()).unwrap();
    assert_eq!(
        alarms.iter().map(Alarm::key).collect::<Vec<_>>(),
        ["alertmanager/ecd3edbd55dd82f1/1785838530123/firing", "alertmanager/0badc0de0badc0de/1785837600000/resolved",]
    );
    let [first, second] = alarms.as_slice() else { panic!("two alarms") };
    assert_eq!((first.name.as_str(), first.severity.as_str(), first.status), ("VmDown", "critical", Status::Firing));
    assert_eq!((first.ends, second.ends.map(|ends| ends.to_string())), (None, Some("2026-08-04T10:20:00Z".to_owned())));
    assert_eq!(first.id, "ecd3edbd55dd82f1-1785838530");
    let scope = first.scope();
    assert_eq!(scope["labels"]["vm"], "web-1");
    assert_eq!((&scope["firing"], &scope["resolved"], &scope["ends"]), (&json!(true), &json!(false), &Value::Null));
    let kept: Alarm = serde_json::from_value(serde_json::to_value(first).unwrap()).unwrap();
    assert_eq!(kept, *first);
}

#[test]
fn a_list_and_one_alert_alone_are_accepted() {
    let alert = json!({"labels": {"alertname": "VmDown", "vm": "a"}, "startsAt": "2026-08-04T10:00:00Z"});
    let [alone] = alertmanager(alert.to_string().as_bytes()).unwrap().try_into().unwrap();
    let [listed] = alertmanager(json!([alert]).to_string().as_bytes()).unwrap().try_into().unwrap();
    assert_eq!(alone, listed);
    assert_eq!(alone.status, Status::Firing);
    // As in the answers of Alertmanager's API.
    let mut api = alert;
    api["status"] = json!({"state": "active", "silencedBy": [], "inhibitedBy": []});
    assert_eq!(alertmanager(api.to_string().as_bytes()), Ok(vec![alone]));
}

#[test]
fn a_missing_fingerprint_follows_the_labels_alone() {
    let of = |labels: Value, starts: &str| {
        let body = json!({"labels": labels, "startsAt": starts, "fingerprint": ""});
        alertmanager(body.to_string().as_bytes()).unwrap().remove(0).fingerprint
    };
    let one = of(json!({"alertname": "A", "b": "c"}), "2026-08-04T10:00:00Z");
    assert_eq!(one, of(json!({"b": "c", "alertname": "A"}), "2026-08-04T11:00:00Z"));
    assert_ne!(one, of(json!({"alertname": "A", "bc": ""}), "2026-08-04T10:00:00Z"));
    assert_eq!(one.len(), 16);
}

#[test]
fn a_group_gives_its_status_to_alerts_without() {
    let alert = json!({"labels": {"alertname": "A"}, "startsAt": "2026-08-04T10:00:00Z"});
    let body = json!({"version": "4", "status": "resolved", "alerts": [alert]});
    assert_eq!(alertmanager(body.to_string().as_bytes()).unwrap()[0].status, Status::Resolved);
}

#[test]
fn wrong_bodies_say_where_and_what_to_do() {
    let good = json!({"labels": {"alertname": "A"}, "startsAt": "2026-08-04T10:00:00Z"});
    let with = |field: &str, value: Value| {
        let mut alert = good.clone();
        alert[field] = value;
        json!({"version": "4", "alerts": [good, alert]}).to_string()
    };
    let bodies = [
        String::new(),
        "{\"alerts\": [\n  {\"labels\": }]}".to_owned(),
        "7".to_owned(),
        "{}".to_owned(),
        json!({"version": "3", "alerts": []}).to_string(),
        json!({"version": "4", "status": "on", "alerts": []}).to_string(),
        json!({"alerts": {}}).to_string(),
        json!([1]).to_string(),
        with("labels", json!({"vm": "a"})),
        with("labels", json!({"alertname": "A", "port": 80})),
        with("labels", json!([])),
        with("labels", json!({"alertname": "A", "x": "y".repeat(5_000)})),
        with("startsAt", json!("yesterday")),
        with("startsAt", json!("0001-01-01T00:00:00Z")),
        with("endsAt", json!(17)),
        with("status", json!("FIRING")),
        with("fingerprint", json!("../../etc/passwd")),
        json!(vec![good.clone(); limits::ALARMS + 1]).to_string(),
        " ".repeat(limits::BODY_BYTES + 1),
    ];
    let errors: Vec<String> =
        bodies.iter().map(|body| alertmanager(body.as_bytes()).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    line 1, column 0: no JSON: EOF while parsing a value
    line 2, column 14: no JSON: expected value
    expected an object, found a number
    there is neither `alerts` nor `labels` in it; send what Alertmanager's webhook sends, or one alert with `labels`
    version: expected "4", found "3"; only version 4 of the webhook is known, which Alertmanager sends since 0.6
    status: expected "firing" or "resolved", found "on"
    alerts: expected a list, found an object
    [0]: expected an object, found a number
    alerts[1].labels: there is no `alertname` in it; every alarm needs a name: the label `alertname`, with text that is not empty
    alerts[1].labels.port: expected text, found a number; put it in quotes
    alerts[1].labels: expected an object, found a list
    alerts[1].labels.x: 5000 bytes, more than 4096
    alerts[1].startsAt: expected a time, found "yesterday"; times look like this: "2026-01-31T12:00:00Z"
    alerts[1].startsAt: it is missing; write when it began, for example "2026-01-31T12:00:00Z"
    alerts[1].endsAt: expected a time, found a number
    alerts[1].status: expected "firing" or "resolved", found "FIRING"
    alerts[1].fingerprint: expected up to 64 letters and digits; leave it out: it is then worked out from the labels
    1001 alarms, more than 1000; set `max_alerts` in Alertmanager's webhook_config
    it is 1025 KiB, more than 1024; set `max_alerts` in Alertmanager's webhook_config
    "#);
}
