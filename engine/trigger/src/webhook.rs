//! What Prometheus' Alertmanager sends to a webhook, and Grafana in its likeness.
//!
//! The format is version 4 of Alertmanager's: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.
//!
//! A body is a webhook's, a bare list of its alerts as `amtool` and Alertmanager's own API have it, or one alert alone,
//! which is what a person writes into a file. Fields that are not known are ignored, as their senders add some.

use runwright_core::{Map, Value};

use crate::fields::{self, kind};
use crate::read::{Parts, Refused, limits};
use crate::{Alarm, Error, Format, Status, grafana};

/// The parts of a body.
pub(crate) fn parts(format: Format, body: Value) -> Result<Parts, Error> {
    match body {
        Value::Array(alerts) => Ok(all(format, "", alerts, None)),
        Value::Object(body) if body.contains_key("alerts") => webhook(format, body),
        Value::Object(alert) if alert.contains_key("labels") => Ok(all(format, "", vec![Value::Object(alert)], None)),
        Value::Object(_) => Err(Error::new("", "there is neither `alerts` nor `labels` in it")
            .hint("send what Alertmanager's webhook sends, or one alert with `labels`")),
        other => Err(Error::new("", format!("expected an object, found {}", kind(&other)))),
    }
}

fn webhook(format: Format, mut body: Map) -> Result<Parts, Error> {
    let format = if grafana::sent(&body) { Format::Grafana } else { format };
    check_version(format, body.get("version"))?;
    let alerts = match body.remove("alerts") {
        Some(Value::Array(alerts)) => alerts,
        other => {
            return Err(Error::new("alerts", format!("expected a list, found {}", kind(&other.unwrap_or_default()))));
        }
    };
    let mut parts = all(format, "alerts", alerts, body.get("status"));
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

/// Grafana calls its form version 1; of Alertmanager only version 4 is known.
fn check_version(format: Format, version: Option<&Value>) -> Result<(), Error> {
    let known = match version {
        None | Some(Value::Null) => true,
        Some(Value::String(version)) => version == "4" || (version == "1" && format == Format::Grafana),
        Some(other) => other == 4,
    };
    if known {
        return Ok(());
    }
    let found = fields::short(version.unwrap_or(&Value::Null));
    Err(Error::new("version", format!("expected \"4\", found {found}"))
        .hint("only version 4 of the webhook is known, which Alertmanager sends since 0.6, and Grafana's"))
}

fn all(format: Format, list: &str, mut alerts: Vec<Value>, group: Option<&Value>) -> Parts {
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
    let alone = list.is_empty() && alerts.len() == 1;
    for (index, alert) in alerts.into_iter().enumerate() {
        let at = if alone { String::new() } else { format!("{list}[{index}]") };
        let read = match &alert {
            Value::Object(alert) => alarm(format, &at, alert, group),
            other => Err(Error::new(&at, format!("expected an object, found {}", kind(other)))),
        };
        match read {
            Ok(alarm) => parts.alarms.push(alarm),
            Err(error) => parts.refused.push(Refused { error, alert }),
        }
    }
    parts
}

/// One alert; `group` is the status of the notification that it came in.
fn alarm(format: Format, at: &str, alert: &Map, group: Option<&Value>) -> Result<Alarm, Error> {
    let path = |field: &str| if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") };
    let source = if grafana::sent_alert(alert) { Format::Grafana } else { format };
    let labels = fields::labels(&path("labels"), alert.get("labels"))?;
    let mut notes = Vec::new();
    let annotations = fields::annotations(&path("annotations"), alert.get("annotations"), &mut notes)?;
    let status = match alert.get("status") {
        // Alertmanager's own API has an object there; what it lists is firing.
        Some(Value::Object(_)) | None => group.map_or(Ok(Status::Firing), |status| fields::status("status", status))?,
        Some(status) => fields::status(&path("status"), status)?,
    };
    let fingerprint = fields::fingerprint(&path("fingerprint"), alert.get("fingerprint"), &labels)?;
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
        ends: fields::time(&path("endsAt"), alert.get("endsAt"))?,
        fingerprint,
        notes,
    })
}
