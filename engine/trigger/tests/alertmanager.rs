//! Bodies as Alertmanager sends them, and bodies that are wrong.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

use runwright_core::Timestamp;
use serde_json::{Value, json};
use trigger::{Alarm, Error, Format, Parts, Refused, Status, limits, read};

fn parts(body: &str) -> Result<Parts, Error> {
    read(Format::Alertmanager, body.as_bytes())
}

/// The alarms of a body in which all is good.
fn alarms(body: &str) -> Vec<Alarm> {
    let Parts { alarms, refused, left_out, warnings } = parts(body).unwrap();
    assert_eq!((refused, left_out, warnings), (vec![], 0, vec![]));
    alarms
}

/// A webhook's body with these alerts.
fn webhook(alerts: &[Value]) -> String {
    json!({"version": "4", "status": "firing", "receiver": "pager", "truncatedAlerts": 0, "alerts": alerts}).to_string()
}

fn alert(name: &str) -> Value {
    json!({"labels": {"alertname": name}, "startsAt": "2026-08-04T10:00:00Z"})
}

fn with(field: &str, value: Value) -> Value {
    let mut alert = alert("A");
    alert[field] = value;
    alert
}

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
    let alarms = alarms(WEBHOOK);
    assert_eq!(
        alarms.iter().map(Alarm::key).collect::<Vec<_>>(),
        ["alertmanager/ecd3edbd55dd82f1/1785838530123/firing", "alertmanager/0badc0de0badc0de/1785837600000/resolved",]
    );
    let [first, second] = alarms.as_slice() else { panic!("two alarms") };
    assert_eq!((first.name.as_str(), first.severity.as_str(), first.status), ("VmDown", "critical", Status::Firing));
    assert_eq!((first.ends, second.ends.map(|ends| ends.to_string())), (None, Some("2026-08-04T10:20:00Z".to_owned())));
    assert_eq!(first.id, "ecd3edbd55dd82f1-1785838530");
    let scope = first.scope(Timestamp::from_millis(0));
    assert_eq!(scope["labels"]["vm"], "web-1");
    assert_eq!((&scope["firing"], &scope["resolved"], &scope["ends"]), (&json!(true), &json!(false), &Value::Null));
    let kept: Alarm = serde_json::from_value(serde_json::to_value(first).unwrap()).unwrap();
    assert_eq!(kept, *first);
}

#[test]
fn a_list_and_one_alert_alone_are_accepted() {
    let alert = json!({"labels": {"alertname": "VmDown", "vm": "a"}, "startsAt": "2026-08-04T10:00:00Z"});
    let [alone] = alarms(&alert.to_string()).try_into().unwrap();
    let [listed] = alarms(&json!([alert]).to_string()).try_into().unwrap();
    assert_eq!(alone, listed);
    assert_eq!(alone.status, Status::Firing);
    // As in the answers of Alertmanager's API.
    let mut api = alert;
    api["status"] = json!({"state": "active", "silencedBy": [], "inhibitedBy": []});
    assert_eq!(alarms(&api.to_string()), [alone]);
}

#[test]
fn a_missing_fingerprint_follows_the_labels_alone() {
    let of = |labels: Value, starts: &str| {
        let body = json!({"labels": labels, "startsAt": starts, "fingerprint": ""});
        alarms(&body.to_string()).remove(0).fingerprint
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
    assert_eq!(alarms(&body.to_string())[0].status, Status::Resolved);
}

#[test]
fn wrong_bodies_say_where_and_what_to_do() {
    let bodies = [
        String::new(),
        "{\"alerts\": [\n  {\"labels\": }]}".to_owned(),
        "7".to_owned(),
        "{}".to_owned(),
        json!({"alerts": {}}).to_string(),
        " ".repeat(limits::BODY_BYTES + 1),
    ];
    let errors: Vec<String> = bodies.iter().map(|body| parts(body).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    line 1, column 0: no JSON: EOF while parsing a value
    line 2, column 14: no JSON: expected value
    expected an object, found a number
    there is neither `alerts` nor `labels` in it; send what Alertmanager's webhook sends, or one alert with `labels`
    alerts: expected a list, found an object
    it is 4097 KiB, more than 4096; set `max_alerts` in the webhook's configuration
    "#);
    assert_eq!(parts(&format!("[]{}", " ".repeat(limits::BODY_BYTES - 2))), Ok(Parts::default()));
}

#[test]
fn a_bad_alert_is_named_and_costs_the_others_nothing() {
    let many: Value =
        (0..=limits::LABELS).map(|n| (format!("l{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    let bad = [
        json!(1),
        with("labels", json!({})),
        with("labels", Value::Null),
        with("labels", json!([])),
        with("labels", json!({"alertname": "A", "port": 1.5})),
        with("labels", json!({"alertname": "A", "port": [80]})),
        with("labels", json!({"alertname": "A", "x": "y".repeat(limits::LABEL_BYTES + 1)})),
        with("labels", json!({"y".repeat(limits::NAME_BYTES + 1): "x"})),
        with("labels", many),
        with("startsAt", json!("yesterday")),
        with("startsAt", json!("2026-08-04T10:00:00+25:00")),
        with("status", json!("FIRING")),
    ];
    for bad in &bad {
        let Parts { alarms, refused, .. } = parts(&webhook(&[alert("one"), bad.clone(), alert("two")])).unwrap();
        assert_eq!(alarms.iter().map(|alarm| alarm.name.as_str()).collect::<Vec<_>>(), ["one", "two"], "{bad}");
        assert_eq!(refused.iter().map(|refused| &refused.alert).collect::<Vec<_>>(), [bad]);
    }
    let refused = parts(&webhook(&bad)).unwrap().refused;
    let errors: Vec<String> = refused.iter().map(|refused| refused.error.to_string()).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    alerts[0]: expected an object, found a number
    alerts[1].labels: there is none; labels tell one alert apart from another: send at least one, for example `alertname`
    alerts[2].labels: there is none; labels tell one alert apart from another: send at least one, for example `alertname`
    alerts[3].labels: expected an object, found a list
    alerts[4].labels.port: expected text, found a number with a fraction or of many digits; put it in quotes: 1.30 and 1.3 are the same number, but not the same text
    alerts[5].labels.port: expected text, found a list; put it in quotes
    alerts[6].labels.x: 4097 bytes, more than 4096
    alerts[7].labels: a name of 257 bytes, more than 256
    alerts[8].labels: 65 labels, more than 64
    alerts[9].startsAt: expected a time, found "yesterday"; times look like this: "2026-01-31T12:00:00Z"
    alerts[10].startsAt: expected a time, found "2026-08-04T10:00:00+25:00"; times look like this: "2026-01-31T12:00:00Z"
    alerts[11].status: expected "firing" or "resolved", found "FIRING"
    "#);
}

#[test]
fn a_bad_status_of_the_group_costs_only_alerts_without_their_own() {
    let own = with("status", json!("resolved"));
    let Parts { alarms, refused, .. } =
        parts(&json!({"status": "on", "alerts": [own, alert("A")]}).to_string()).unwrap();
    assert_eq!((alarms.len(), alarms[0].status), (1, Status::Resolved));
    assert_eq!(refused[0].error.to_string(), r#"status: expected "firing" or "resolved", found "on""#);
}

#[test]
fn what_is_at_a_bound_is_good() {
    let labels: Value =
        (0..limits::LABELS).map(|n| (format!("l{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    for alert in [
        with("labels", labels),
        with("labels", json!({"x": "y".repeat(limits::LABEL_BYTES)})),
        with("labels", json!({"y".repeat(limits::NAME_BYTES): "x"})),
        with("fingerprint", json!("0d1f-aa:77_x.y")),
        with("fingerprint", json!("f".repeat(limits::FINGERPRINT_BYTES))),
        with("annotations", Value::Null),
    ] {
        assert_eq!(alarms(&webhook(std::slice::from_ref(&alert))).len(), 1, "{alert}");
    }
}

#[test]
fn what_alertmanager_calls_legal_is_taken() {
    let nameless = with("labels", json!({"vm": "a", "code": 500, "up": false, "gone": null}));
    let body = webhook(&[nameless, with("startsAt", json!("0001-01-01T00:00:00Z")), with("startsAt", Value::Null)]);
    let alarms = alarms(&format!("\u{feff}{body}"));
    assert_eq!((alarms[0].name.as_str(), alarms[0].labels["code"].as_str()), ("", "500"));
    assert_eq!(alarms[0].labels.keys().collect::<Vec<_>>(), ["code", "up", "vm"]);
    let received = alarms[1].scope(Timestamp::from_millis(1_000));
    assert_eq!((alarms[1].starts, received["starts"].as_str()), (None, Some("1970-01-01T00:00:01Z")));
    assert_eq!(alarms[1].key(), alarms[2].key(), "without a begin all that fire are one");
    let ended = |at: &str| {
        let mut alert = with("startsAt", json!("0001-01-01T00:00:00Z"));
        (alert["status"], alert["endsAt"]) = (json!("resolved"), json!(at));
        self::alarms(&webhook(&[alert])).remove(0).key()
    };
    assert_ne!(ended("2026-01-31T11:59:00Z"), ended("2026-01-31T12:59:00Z"));
}

#[test]
fn annotations_are_cut_and_not_refused() {
    let of = |annotations: Value| alarms(&webhook(&[with("annotations", annotations)])).remove(0);
    let whole = of(json!({"d": "é".repeat(limits::ANNOTATION_BYTES / 2), "n": 7}));
    assert_eq!((whole.annotations["d"].len(), whole.annotations["n"].as_str()), (limits::ANNOTATION_BYTES, "7"));
    assert_eq!(whole.notes, [""; 0]);
    let cut = of(json!({"d": "é".repeat(limits::ANNOTATION_BYTES / 2 + 1)}));
    assert!(cut.annotations["d"].len() <= limits::ANNOTATION_BYTES);
    assert!(cut.annotations["d"].ends_with("é… [cut: 16386 bytes]"));
    assert_eq!(cut.notes, ["alerts[0].annotations.d: cut, it has 16386 bytes, more than 16384"]);
    let names = (0..=limits::ANNOTATIONS).map(|n| (format!("{n:03}"), json!("x")));
    let many = of(names.collect::<serde_json::Map<_, _>>().into());
    assert_eq!((many.annotations.len(), many.notes.len()), (limits::ANNOTATIONS, 1));
}

#[test]
fn of_a_storm_the_first_are_taken_and_it_is_said() {
    let storm = |count: usize| parts(&webhook(&vec![alert("A"); count])).unwrap();
    assert_eq!(storm(limits::ALERTS).warnings, [""; 0]);
    let Parts { alarms, left_out, warnings, .. } = storm(limits::ALERTS + 200);
    assert_eq!((alarms.len(), left_out), (limits::ALERTS, 200));
    insta::assert_snapshot!(warnings.join("\n"), @"1200 alerts came in one body: the first 1000 were taken, 200 were left out; set `max_alerts: 1000` in the webhook's configuration, or group alerts into smaller notifications");
}

#[test]
fn what_the_sender_left_out_is_a_warning() {
    let body = webhook(&[alert("A")]).replace("\"truncatedAlerts\":0", "\"truncatedAlerts\":9998");
    let Parts { alarms, warnings, .. } = parts(&body).unwrap();
    assert_eq!(alarms.len(), 1);
    insta::assert_snapshot!(warnings.join("\n"), @r#"alertmanager left 9998 alerts out of a notification of the receiver "pager" (`truncatedAlerts`): nothing was started for them; raise `max_alerts` of that webhook, or group alerts into smaller notifications"#);
}

#[test]
fn a_version_that_is_not_known_is_a_warning() {
    for (format, version, known) in [
        (Format::Alertmanager, json!("4"), true),
        (Format::Alertmanager, json!(4), true),
        (Format::Alertmanager, Value::Null, true),
        (Format::Alertmanager, json!("5"), false),
        (Format::Alertmanager, json!("2"), false),
        (Format::Alertmanager, json!("1"), false),
        (Format::Alertmanager, json!(["4"]), false),
        (Format::Grafana, json!("1"), true),
        (Format::Grafana, json!(1), true),
    ] {
        let body = json!({"version": version, "status": "firing", "alerts": [alert("A")]}).to_string();
        let Parts { alarms, refused, warnings, .. } = read(format, body.as_bytes()).unwrap();
        assert_eq!((alarms.len(), refused.len(), warnings.is_empty()), (1, 0, known), "{body}: {warnings:?}");
    }
    let body = json!({"version": "5", "alerts": [alert("A")]}).to_string();
    insta::assert_snapshot!(parts(&body).unwrap().warnings.join("\n"), @r#"alertmanager sent version "5" of the webhook, which is not known: its alerts were read as those of version 4"#);
}

#[test]
fn what_an_alert_can_do_without_is_left_out_and_noted() {
    let whole = alarms(&webhook(&[alert("A")])).remove(0);
    let mut notes = Vec::new();
    for bad in [
        with("annotations", json!("text")),
        with("annotations", json!(["a"])),
        with("annotations", json!(7)),
        with("endsAt", json!(17)),
        with("endsAt", json!("soon")),
        with("endsAt", json!("9999-12-31T23:59:59Z")),
        with("fingerprint", json!("f".repeat(limits::FINGERPRINT_BYTES + 1))),
        with("fingerprint", json!(17)),
        with("fingerprint", json!("../../etc/passwd")),
        with("fingerprint", json!("c0ffee é")),
    ] {
        let mut alarm = alarms(&webhook(std::slice::from_ref(&bad))).remove(0);
        notes.append(&mut alarm.notes);
        assert_eq!(alarm, whole, "{bad}");
    }
    insta::assert_snapshot!(notes.join("\n"), @r#"
    alerts[0].annotations: left out: expected an object, found text
    alerts[0].annotations: left out: expected an object, found a list
    alerts[0].annotations: left out: expected an object, found a number
    alerts[0].endsAt: left out: expected a time, found a number
    alerts[0].endsAt: left out: expected a time, found "soon"
    alerts[0].endsAt: left out: expected a time, found "9999-12-31T23:59:59Z"
    alerts[0].fingerprint: worked out from the labels: expected up to 64 letters, digits, `-`, `_`, `.` and `:`
    alerts[0].fingerprint: worked out from the labels: expected up to 64 letters, digits, `-`, `_`, `.` and `:`
    alerts[0].fingerprint: worked out from the labels: expected up to 64 letters, digits, `-`, `_`, `.` and `:`
    alerts[0].fingerprint: worked out from the labels: expected up to 64 letters, digits, `-`, `_`, `.` and `:`
    "#);
}

#[test]
fn a_fraction_of_a_second_may_have_any_number_of_digits() {
    let starts = |text: &str| alarms(&webhook(&[with("startsAt", json!(text))])).remove(0).starts.unwrap().to_string();
    assert_eq!(starts("2026-08-04T10:00:00.1234567891Z"), "2026-08-04T10:00:00.123456789Z");
    assert_eq!(starts("2026-08-04T12:00:00.123456789123456789123456+02:00"), "2026-08-04T10:00:00.123456789Z");
    assert_eq!(starts("2026-08-04T10:00:00-00:00"), "2026-08-04T10:00:00Z");
    assert_eq!(starts("2026-08-03T11:00:00-23:00"), "2026-08-04T10:00:00Z");
}

#[test]
fn an_alert_that_is_no_json_costs_only_itself() {
    let deep = format!("{{\"labels\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    let broken: [(&[u8], &str); 5] = [
        (br#"{"labels": {"alertname": "\ud800"}}"#, "hex escape"),
        (br#"{"labels": {"alertname": "A"}, "x": 1e999}"#, "number out of range"),
        (br#"{"labels": {"alertname": "A"}, "x": NaN}"#, "expected value"),
        (b"{\"labels\": {\"alertname\": \"caf\xe9\"}}", "unicode"),
        (deep.as_bytes(), "recursion limit"),
    ];
    let (one, two) = (alert("one").to_string(), alert("two").to_string());
    for (text, why) in broken {
        for (front, back, list) in [("{\"status\": \"firing\",\n\"alerts\": [", "]}", "alerts"), ("[", "]", "")] {
            let body = [front.as_bytes(), one.as_bytes(), b",\n", text, b",", two.as_bytes(), back.as_bytes()].concat();
            let Parts { alarms, refused, .. } = read(Format::Alertmanager, &body).unwrap();
            assert_eq!(alarms.iter().map(|alarm| alarm.name.as_str()).collect::<Vec<_>>(), ["one", "two"], "{why}");
            let [Refused { error, alert }] = refused.as_slice() else { panic!("{refused:?}") };
            let line = if list.is_empty() { 2 } else { 3 };
            assert_eq!((error.at.as_str(), alert), (&*format!("{list}[1]"), &json!(String::from_utf8_lossy(text))));
            assert!(error.message.starts_with(&format!("line {line}, column ")), "{error}");
            assert!(error.message.contains(why), "{error}");
        }
        let alone = read(Format::Alertmanager, &[b"[", text, b"]"].concat()).unwrap_err();
        assert!(alone.at.starts_with("line 1, column ") && alone.message.starts_with("no JSON: "), "{alone}");
    }
}

#[test]
fn what_is_silenced_starts_nothing_and_is_said() {
    let of = |state: &str| with("status", json!({"state": state, "silencedBy": ["a"], "inhibitedBy": []}));
    let body = json!([of("active"), of("suppressed"), of("unprocessed")]).to_string();
    let Parts { alarms, refused, warnings, .. } = parts(&body).unwrap();
    assert_eq!((alarms.len(), refused.len()), (2, 0));
    insta::assert_snapshot!(warnings.join("\n"), @"alerts that are silenced or inhibited (`status.state: suppressed`): 1; nothing was started for them");
    let all = parts(&json!([of("suppressed")]).to_string()).unwrap();
    assert_eq!((all.alarms.len(), all.refused.len(), all.warnings.len()), (0, 0, 1));
}

#[test]
fn without_a_status_an_end_that_has_passed_means_resolved() {
    let ends = "2026-08-04T11:00:00Z";
    let status = |alert: Value, received: &str| {
        let received = received.parse::<jiff::Timestamp>().unwrap().as_millisecond().try_into().unwrap();
        let body = json!([alert]).to_string();
        let parts = trigger::read_at(Format::Alertmanager, body.as_bytes(), Timestamp::from_millis(received)).unwrap();
        parts.alarms[0].status
    };
    let mut api = with("status", json!({"state": "active"}));
    api["endsAt"] = json!(ends);
    assert_eq!(status(api.clone(), "2026-08-04T10:59:59Z"), Status::Firing);
    assert_eq!(status(api.clone(), ends), Status::Resolved);
    assert_eq!(status(with("endsAt", json!(ends)), "2026-08-05T00:00:00Z"), Status::Resolved, "as `amtool` sends it");
    assert_eq!(status(alert("A"), "2026-08-05T00:00:00Z"), Status::Firing);
    api["status"] = json!("firing");
    assert_eq!(status(api, "2026-08-05T00:00:00Z"), Status::Firing, "the sender states it");
}

#[test]
fn a_key_that_stands_twice_is_refused_where_it_counts_and_noted_elsewhere() {
    let alert = |labels: &str, more: &str| {
        format!(r#"{{"labels": {{{labels}}}, "startsAt": "2026-08-04T10:00:00Z", "status": "firing"{more}}}"#)
    };
    let good = alert(r#""alertname": "A""#, "");
    let noted = alert(
        r#""alertname": "B""#,
        r#", "annotations": {"s": "1", "s": "2"}, "fingerprint": "a", "fingerprint": "b""#,
    );
    let bad = [
        alert(r#""alertname": "C", "vm": "web-1", "vm": "web-2""#, ""),
        alert(r#""alertname": "C", "vm": "web-1", "vm": "web-1""#, ""),
        alert(r#""alertname": "C""#, r#", "status": "resolved""#),
        alert(r#""alertname": "C""#, r#", "startsAt": "2026-08-04T11:00:00Z""#),
        alert(r#""alertname": "C""#, r#", "labels": {"alertname": "D"}"#),
    ];
    for (front, back, list) in [("{\"alerts\": [", "]}", "alerts"), ("[", "]", "")] {
        // Also beside an alert that is no JSON.
        for broken in ["", ", {\"labels\": NaN}"] {
            let body = format!("{front}{good}, {noted}, {}{broken}{back}", bad.join(", "));
            let Parts { alarms, refused, .. } = parts(&body).unwrap();
            assert_eq!(alarms.iter().map(|alarm| alarm.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
            assert!(alarms[0].notes.is_empty());
            let note = |path: &str| format!("{list}[1].{path}: it stands there twice: the last is kept");
            assert_eq!(alarms[1].notes, [note("fingerprint"), note("annotations.s")]);
            let told = refused.iter().take(bad.len()).map(|refused| refused.error.to_string()).collect::<Vec<_>>();
            let twice = |path: &str| {
                format!("{list}{path}: it stands there twice, and which one is meant is not known; send it once")
            };
            let paths = ["[2].labels.vm", "[3].labels.vm", "[4].status", "[5].startsAt", "[6].labels"];
            assert_eq!(told, paths.map(twice));
        }
    }
    let error = parts(&bad[0]).unwrap().refused.remove(0).error;
    assert!(error.to_string().starts_with("labels.vm: it stands there twice"), "{error}");
    // Half of the alerts would be lost in silence.
    let error = parts(&format!(r#"{{"alerts": [{good}], "alerts": [{noted}]}}"#)).unwrap_err();
    assert_eq!(error.to_string(), "alerts: it stands there twice, and which one is meant is not known; send it once");
}
