//! What Prometheus' Alertmanager sends.
//!
//! The format is version 4 of its webhook: <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runwright_core::{Map, Value};

use crate::alarm::fingerprint;
use crate::{Alarm, Error, Status};

/// The bounds of a body.
pub mod limits {
    /// Bytes of a body.
    pub const BODY_BYTES: usize = 1024 * 1024;
    /// Alarms in a body.
    pub const ALARMS: usize = 1_000;
    /// Labels, and annotations, of one alarm.
    pub const LABELS: usize = 64;
    /// Bytes of the name of a label or annotation.
    pub const NAME_BYTES: usize = 256;
    /// Bytes of the value of a label.
    pub const LABEL_BYTES: usize = 4 * 1024;
    /// Bytes of the value of an annotation.
    pub const ANNOTATION_BYTES: usize = 16 * 1024;
}

/// The alarms in a body: a webhook's (version 4), a bare list of its alerts as `amtool` and Alertmanager's own API have
/// it, or one alert alone, which is what a person writes into a file.
///
/// Fields that are not known are ignored, as their senders add some; those that are known must be right.
pub fn alertmanager(body: &[u8]) -> Result<Vec<Alarm>, Error> {
    if body.len() > limits::BODY_BYTES {
        let message = format!("it is {} KiB, more than {}", body.len().div_ceil(1024), limits::BODY_BYTES / 1024);
        return Err(Error::new("", message).hint("set `max_alerts` in Alertmanager's webhook_config"));
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
        Error::new(format!("line {}, column {}", error.line(), error.column()), format!("no JSON: {message}"))
    })?;
    match body {
        Value::Array(alerts) => all("", &alerts, None),
        Value::Object(body) if body.contains_key("alerts") => webhook(&body),
        Value::Object(alert) if alert.contains_key("labels") => Ok(vec![alarm("", &alert, None)?]),
        Value::Object(_) => Err(Error::new("", "there is neither `alerts` nor `labels` in it")
            .hint("send what Alertmanager's webhook sends, or one alert with `labels`")),
        other => Err(Error::new("", format!("expected an object, found {}", kind(&other)))),
    }
}

fn webhook(body: &Map) -> Result<Vec<Alarm>, Error> {
    match body.get("version") {
        None => {}
        Some(Value::String(version)) if version == "4" => {}
        Some(other) => {
            return Err(Error::new("version", format!("expected \"4\", found {other}"))
                .hint("only version 4 of the webhook is known, which Alertmanager sends since 0.6"));
        }
    }
    let status = body.get("status").map(|value| status("status", value)).transpose()?;
    match &body["alerts"] {
        Value::Array(alerts) => all("alerts", alerts, status),
        other => Err(Error::new("alerts", format!("expected a list, found {}", kind(other)))),
    }
}

fn all(at: &str, alerts: &[Value], status: Option<Status>) -> Result<Vec<Alarm>, Error> {
    if alerts.len() > limits::ALARMS {
        let message = format!("{} alarms, more than {}", alerts.len(), limits::ALARMS);
        return Err(Error::new(at, message).hint("set `max_alerts` in Alertmanager's webhook_config"));
    }
    let one = |(index, alert): (usize, &Value)| {
        let at = format!("{at}[{index}]");
        match alert {
            Value::Object(alert) => alarm(&at, alert, status),
            other => Err(Error::new(at, format!("expected an object, found {}", kind(other)))),
        }
    };
    alerts.iter().enumerate().map(one).collect()
}

/// One alert; `fallback` is the status of the group that it came in.
fn alarm(at: &str, alert: &Map, fallback: Option<Status>) -> Result<Alarm, Error> {
    let path = |field: &str| if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") };
    let labels = texts(&path("labels"), alert.get("labels"), limits::LABEL_BYTES)?;
    let annotations = texts(&path("annotations"), alert.get("annotations"), limits::ANNOTATION_BYTES)?;
    let name = labels.get("alertname").filter(|name| !name.is_empty()).cloned().ok_or_else(|| {
        let hint = "every alarm needs a name: the label `alertname`, with text that is not empty";
        Error::new(path("labels"), "there is no `alertname` in it").hint(hint)
    })?;
    let starts = time(&path("startsAt"), alert.get("startsAt"))?.ok_or_else(|| {
        let hint = "write when it began, for example \"2026-01-31T12:00:00Z\"";
        Error::new(path("startsAt"), "it is missing").hint(hint)
    })?;
    let status = match alert.get("status") {
        Some(Value::String(_)) => status(&path("status"), &alert["status"])?,
        // Alertmanager's own API has an object there; what it lists is firing.
        Some(Value::Object(_)) | None => fallback.unwrap_or(Status::Firing),
        Some(other) => return Err(Error::new(path("status"), format!("expected text, found {}", kind(other)))),
    };
    let fingerprint = match alert.get("fingerprint") {
        None | Some(Value::Null) => fingerprint(&labels),
        Some(Value::String(text)) if text.is_empty() => fingerprint(&labels),
        Some(Value::String(text)) if text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            text.clone()
        }
        Some(_) => {
            return Err(Error::new(path("fingerprint"), "expected up to 64 letters and digits")
                .hint("leave it out: it is then worked out from the labels"));
        }
    };
    Ok(Alarm {
        source: "alertmanager".to_owned(),
        id: format!("{fingerprint}-{}", starts.as_second()),
        name,
        status,
        severity: labels.get("severity").cloned().unwrap_or_default(),
        labels,
        annotations,
        starts,
        ends: time(&path("endsAt"), alert.get("endsAt"))?,
        fingerprint,
    })
}

fn status(at: &str, value: &Value) -> Result<Status, Error> {
    match value.as_str() {
        Some("firing") => Ok(Status::Firing),
        Some("resolved") => Ok(Status::Resolved),
        _ => Err(Error::new(at, format!("expected \"firing\" or \"resolved\", found {}", short(value)))),
    }
}

fn texts(at: &str, value: Option<&Value>, bytes: usize) -> Result<BTreeMap<String, String>, Error> {
    let map = match value {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map,
        Some(other) => return Err(Error::new(at, format!("expected an object, found {}", kind(other)))),
    };
    if map.len() > limits::LABELS {
        return Err(Error::new(at, format!("{} entries, more than {}", map.len(), limits::LABELS)));
    }
    let entry = |(name, value): (&String, &Value)| match value {
        _ if name.len() > limits::NAME_BYTES => {
            Err(Error::new(at, format!("a name of {} bytes, more than {}", name.len(), limits::NAME_BYTES)))
        }
        Value::String(text) if text.len() > bytes => {
            Err(Error::new(format!("{at}.{name}"), format!("{} bytes, more than {bytes}", text.len())))
        }
        Value::String(text) => Ok((name.clone(), text.clone())),
        other => Err(Error::new(format!("{at}.{name}"), format!("expected text, found {}", kind(other)))
            .hint("put it in quotes")),
    };
    map.iter().map(entry).collect()
}

/// A time in RFC 3339. The year 1 is how Go, and so Alertmanager, writes that there is none.
fn time(at: &str, value: Option<&Value>) -> Result<Option<Timestamp>, Error> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.starts_with("0001-01-01T00:00:00") => return Ok(None),
        Some(Value::String(text)) => text,
        Some(other) => return Err(Error::new(at, format!("expected a time, found {}", kind(other)))),
    };
    let wrong = || {
        Error::new(at, format!("expected a time, found {}", short(&Value::from(text.as_str()))))
            .hint("times look like this: \"2026-01-31T12:00:00Z\"")
    };
    text.parse().map(Some).map_err(|_| wrong())
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
