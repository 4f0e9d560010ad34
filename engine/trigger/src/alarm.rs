//! An alarm, whatever it came from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runwright_core::{Digest, Timestamp as Received, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Something that a monitoring system noticed, or that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alarm {
    /// The kind of system that sent it, for example `alertmanager`.
    pub source: String,
    /// One alarm while it lasts: the fingerprint and the second at which it began, for people and logs.
    pub id: String,
    /// Its name: the label `alertname`; empty where there is none, which is legal.
    pub name: String,
    /// Whether it is still so.
    pub status: Status,
    /// The label `severity`; may be empty.
    pub severity: String,
    /// What tells it apart from other alarms.
    pub labels: BTreeMap<String, String>,
    /// What people should know of it.
    pub annotations: BTreeMap<String, String>,
    /// When it began; none where the sender does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// When it ended, or will be taken to have ended if nothing more is heard; none where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// The same for the same labels: what the sender says, or else a digest of the sorted labels.
    pub fingerprint: String,
    /// What was changed of it so that it fits, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Whether an alarm is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is.
    Firing,
    /// It is over.
    Resolved,
}

impl Status {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl Alarm {
    /// What tells this notice apart from every other: source, fingerprint, begin and status. A notice that is sent again
    /// has the same key. Where nobody says when it began, one that is over counts by its end, and all that are firing are
    /// one.
    pub fn key(&self) -> String {
        let begin = match (self.starts, self.ends) {
            (Some(starts), _) => starts.as_millisecond().to_string(),
            (None, Some(ends)) if self.status == Status::Resolved => format!("until-{}", ends.as_millisecond()),
            (None, _) => "unknown".to_owned(),
        };
        format!("{}/{}/{begin}/{}", self.source, self.fingerprint, self.status.as_str())
    }

    /// The value of `alarm` in expressions: `name`, `status`, `firing`, `resolved`, `severity`, `labels`, `annotations`,
    /// `source`, `id`, `starts`, `ends` and `fingerprint`. Times are text (RFC 3339, UTC). Where nobody says when it began,
    /// that is when it was `received`; where nobody says when it ended, that is null.
    pub fn scope(&self, received: Received) -> Value {
        let received = i64::try_from(received.millis()).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        json!({
            "source": self.source,
            "id": self.id,
            "name": self.name,
            "status": self.status.as_str(),
            "firing": self.status == Status::Firing,
            "resolved": self.status == Status::Resolved,
            "severity": self.severity,
            "labels": self.labels,
            "annotations": self.annotations,
            "starts": self.starts.or(received).map(|starts| starts.to_string()),
            "ends": self.ends.map(|ends| ends.to_string()),
            "fingerprint": self.fingerprint,
        })
    }
}

/// The fingerprint of labels whose sender gave none: the first 16 hexadecimal digits of the SHA-256 over them, sorted.
pub(crate) fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let mut bytes = Vec::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    Digest::of(&bytes).bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
