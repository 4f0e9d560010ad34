//! Bodies as Grafana's unified alerting sends them.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

use serde_json::{Value, json};
use trigger::{Alarm, Format, read};

/// What the button "Test" of a webhook contact point sends, with made-up hosts.
fn test_button() -> Value {
    json!({
        "receiver": "", "status": "firing", "version": "1", "orgId": 1, "truncatedAlerts": 0, "state": "alerting",
        "title": "[FIRING:1]  (TestAlert Grafana)", "message": "**Firing**", "externalURL": "https://grafana.example/",
        "groupKey": "{alertname=\"TestAlert\"}2026-01-31", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "alerts": [{
            "status": "firing", "labels": {"alertname": "TestAlert", "instance": "Grafana"},
            "annotations": {"summary": "Notification test"},
            "startsAt": "2026-01-31T13:12:07.926076741+01:00", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "", "fingerprint": "57c6d9296de2ad39", "silenceURL": "https://grafana.example/silence",
            "dashboardURL": "", "panelURL": "", "values": null, "valueString": "[ metric='foo' value=10 ]"
        }]
    })
}

fn one(body: &Value) -> Alarm {
    read(Format::Alertmanager, body.to_string().as_bytes()).unwrap().alarms.remove(0)
}

#[test]
fn it_is_known_by_its_own_fields() {
    let mut body = test_button();
    let alarm = one(&body);
    assert_eq!((alarm.source.as_str(), alarm.name.as_str()), ("grafana", "TestAlert"));
    assert_eq!(alarm.key(), "grafana/57c6d9296de2ad39/1769861527926/firing");
    body["version"] = json!("4");
    assert_eq!(one(&body), alarm);
    body.as_object_mut().unwrap().remove("orgId");
    assert_eq!(one(&body), alarm, "its alerts alone tell it");
    assert_eq!(one(&body["alerts"][0]), alarm, "and one alone");
    let forced = read(Format::Grafana, body.to_string().as_bytes()).unwrap().alarms.remove(0);
    assert_eq!(forced, alarm);
}

#[test]
fn the_same_instant_written_otherwise_is_one_alarm() {
    let (body, mut utc) = (test_button(), test_button());
    utc["alerts"][0]["startsAt"] = json!("2026-01-31T12:12:07.926Z");
    assert_eq!(one(&utc).key(), one(&body).key());
}

#[test]
fn formats_have_names() {
    for format in Format::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    let wrong = "nagios".parse::<Format>().unwrap_err().to_string();
    assert_eq!(wrong, "there is no alarm format \"nagios\"; there are: alertmanager, grafana");
}
