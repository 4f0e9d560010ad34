//! What Prometheus' Alertmanager sends to a webhook, and Grafana in its likeness.
//!
//! The format is version 4 of Alertmanager's: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.
//!
//! A body is a webhook's, a bare list of its alerts as `amtool` and Alertmanager's own API have it, or one alert alone,
//! which is what a person writes into a file. Fields that are not known are ignored, as their senders add some.

use jiff::Timestamp;
use runwright_core::{Map, Value};

use crate::fields::{self, kind};
use crate::mend::Broken;
use crate::read::{Flaws, Parts, Refused, limits};
use crate::twice::Twice;
use crate::{Alarm, Error, Format, Status, grafana};

/// What is known of a body beside its alerts.
struct Group<'a> {
    format: Format,
    /// Where the list of alerts stands; empty where it is the body.
    list: &'a str,
    /// The status of the notification.
    status: Option<&'a Value>,
    /// When it was received, where that is known.
    received: Option<Timestamp>,
    twice: &'a Twice,
}

/// What is said of a key that stands twice in one object.
const TWICE: &str = "it stands there twice, and which one is meant is not known";

/// The parts of a body.
pub(crate) fn parts(format: Format, body: Value, received: Option<Timestamp>, flaws: Flaws) -> Result<Parts, Error> {
    let Flaws { broken, twice } = flaws;
    let bare = Group { format, list: "", status: None, received, twice: &twice };
    match body {
        Value::Array(alerts) => Ok(all(&bare, alerts, broken)),
        Value::Object(body) if body.contains_key("alerts") => webhook(bare, body, broken),
        Value::Object(alert) if alert.contains_key("labels") => Ok(all(&bare, vec![Value::Object(alert)], broken)),
        Value::Object(_) => Err(Error::new("", "there is neither `alerts` nor `labels` in it")
            .hint("send what Alertmanager's webhook sends, or one alert with `labels`")),
        other => Err(Error::new("", format!("expected an object, found {}", kind(&other)))),
    }
}

fn webhook(bare: Group<'_>, mut body: Map, broken: Broken) -> Result<Parts, Error> {
    // Some of the alerts would be lost, or count as something else.
    if let Some(key) = ["alerts", "status"].into_iter().find(|key| bare.twice.contains(key)) {
        return Err(Error::new(key, TWICE).hint("send it once"));
    }
    let format = if grafana::sent(&body) { Format::Grafana } else { bare.format };
    let alerts = match body.remove("alerts") {
        Some(Value::Array(alerts)) => alerts,
        other => {
            return Err(Error::new("alerts", format!("expected a list, found {}", kind(&other.unwrap_or_default()))));
        }
    };
    let group = Group { format, list: "alerts", status: body.get("status"), ..bare };
    let mut parts = all(&group, alerts, broken);
    parts.warnings.extend(unknown_version(format, body.get("version")));
    if let Some(truncated) = body.get("truncatedAlerts").and_then(Value::as_u64).filter(|count| *count > 0) {
        let receiver = body.get("receiver").and_then(Value::as_str).filter(|name| !name.is_empty());
        let from = receiver.map(|name| format!(" of the receiver {name:?}")).unwrap_or_default();
        parts.warnings.push(format!(
            "{format} left {truncated} alerts out of a notification{from} (`truncatedAlerts`): nothing was started for \
             them; raise `max_alerts` of that webhook, or group alerts into smaller notifications"
        ));
    }
    Ok(parts)
}

/// A warning where the version is not known: Grafana calls its form version 1, and Alertmanager's is version 4. What is in
/// it is taken all the same, alert by alert.
fn unknown_version(format: Format, version: Option<&Value>) -> Option<String> {
    let version = version.filter(|version| !version.is_null())?;
    let number = version.as_u64().or_else(|| version.as_str()?.parse().ok());
    if number == Some(4) || (number == Some(1) && format == Format::Grafana) {
        return None;
    }
    Some(format!(
        "{format} sent version {} of the webhook, which is not known: its alerts were read as those of version 4",
        fields::short(version)
    ))
}

fn all(group: &Group<'_>, mut alerts: Vec<Value>, mut broken: Broken) -> Parts {
    let mut parts = Parts { left_out: alerts.len().saturating_sub(limits::ALERTS), ..Parts::default() };
    if parts.left_out > 0 {
        parts.warnings.push(format!(
            "{} alerts came in one body: the first {} were taken, {} were left out; set `max_alerts: {}` in the \
             webhook's configuration, or group alerts into smaller notifications",
            alerts.len(),
            limits::ALERTS,
            parts.left_out,
            limits::ALERTS
        ));
        alerts.truncate(limits::ALERTS);
    }
    let alone = group.list.is_empty() && alerts.len() == 1;
    let mut suppressed = 0;
    for (index, alert) in alerts.into_iter().enumerate() {
        let at = if alone { String::new() } else { format!("{}[{index}]", group.list) };
        if let Some((error, text)) = broken.remove(&index) {
            let error = Error::new(at, format!("{}, {}", error.at, error.message));
            parts.refused.push(Refused { error, alert: Value::String(text) });
            continue;
        }
        let read = match &alert {
            Value::Object(alert) if is_suppressed(alert) => {
                suppressed += 1;
                continue;
            }
            Value::Object(alert) => alarm(group, &at, alert),
            other => Err(Error::new(&at, format!("expected an object, found {}", kind(other)))),
        };
        match read {
            Ok(alarm) => parts.alarms.push(alarm),
            Err(error) => parts.refused.push(Refused { error, alert }),
        }
    }
    if suppressed > 0 {
        parts.warnings.push(format!(
            "alerts that are silenced or inhibited (`status.state: suppressed`): {suppressed}; nothing was started for them"
        ));
    }
    parts
}

/// Whether Alertmanager's own API says that the alert is silenced or inhibited.
fn is_suppressed(alert: &Map) -> bool {
    alert.get("status").and_then(|status| status.get("state")).is_some_and(|state| state == "suppressed")
}

/// One alert of a group.
fn alarm(group: &Group<'_>, at: &str, alert: &Map) -> Result<Alarm, Error> {
    let path = |field: &str| if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") };
    let once = |field: &str| group.twice.contains(&path(field)).then(|| path(field));
    let label = group.twice.within(&path("labels")).map(str::to_owned);
    if let Some(at) = label.or_else(|| ["labels", "status", "startsAt"].into_iter().find_map(once)) {
        return Err(Error::new(at, TWICE).hint("send it once"));
    }
    let source = if grafana::sent_alert(alert) { Format::Grafana } else { group.format };
    let labels = fields::labels(&path("labels"), alert.get("labels"))?;
    let others = ["annotations", "endsAt", "fingerprint"].into_iter().filter_map(once);
    let others = others.chain(group.twice.within(&path("annotations")).map(str::to_owned));
    let mut notes: Vec<String> = others.map(|at| format!("{at}: it stands there twice: the last is kept")).collect();
    let annotations = fields::annotations(&path("annotations"), alert.get("annotations"), &mut notes);
    let ends = fields::end(&path("endsAt"), alert.get("endsAt"), &mut notes);
    let is_over = ends.zip(group.received).is_some_and(|(ends, received)| ends <= received);
    let status = match alert.get("status") {
        // Alertmanager's own API has an object there, or nothing: it goes by the end, and what has none is firing.
        Some(Value::Object(_)) | None if is_over => Status::Resolved,
        Some(Value::Object(_)) | None => {
            group.status.map_or(Ok(Status::Firing), |status| fields::status("status", status))?
        }
        Some(status) => fields::status(&path("status"), status)?,
    };
    let fingerprint = fields::fingerprint(&path("fingerprint"), alert.get("fingerprint"), &labels, &mut notes);
    let starts = fields::time(&path("startsAt"), alert.get("startsAt"))?;
    let id = starts.map_or_else(|| fingerprint.clone(), |starts| format!("{fingerprint}-{}", starts.as_second()));
    Ok(Alarm {
        source: source.as_str().to_owned(),
        id,
        name: labels.get("alertname").cloned().unwrap_or_default(),
        status,
        severity: labels.get("severity").cloned().unwrap_or_default(),
        labels,
        annotations,
        starts,
        ends,
        fingerprint,
        notes,
    })
}
