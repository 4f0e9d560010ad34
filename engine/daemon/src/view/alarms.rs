//! What people and programs are shown of alarms.

use runwright_core::{By, RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// What became of alarms that were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Accepted {
    /// One entry for each alarm that could be read, in their order.
    pub alarms: Vec<AcceptedAlarm>,
    /// Alerts that can't be read. They are in the inbox with the reason, and start nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedAlert>,
    /// Alerts beyond the number that one body may hold: they were not looked at.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
    /// What people should know of the whole, for example that the sender left alerts out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Accepted {
    /// Whether some of what was sent was not taken.
    pub fn is_partial(&self) -> bool {
        !self.refused.is_empty() || self.left_out > 0
    }

    /// Whether something that an alarm calls for could not be started.
    pub fn has_failures(&self) -> bool {
        self.alarms.iter().any(|alarm| !alarm.failures.is_empty())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What became of one alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AcceptedAlarm {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its key in the inbox.
    pub key: String,
    /// It was here before, so nothing is started for it. Where the engine kept something from starting then, that is tried
    /// again, and this is false.
    pub duplicate: bool,
    /// The runs that it started.
    pub runs: Vec<RunId>,
    /// Why these.
    pub note: String,
    /// What it calls for and could not be started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<StartFailure>,
}

/// An alert that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefusedAlert {
    /// Its key in the inbox.
    pub key: String,
    /// What is wrong with it, and where.
    pub problem: String,
}

/// An alarm that calls for something which could not be started. It stays in the list until all of it was started or a
/// person dismissed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UnstartedAlarm {
    /// Its key in the inbox.
    pub key: String,
    /// Its name; empty where it has none.
    pub alarm: String,
    /// When it arrived, in milliseconds since 1970.
    pub at: Timestamp,
    /// What could not be started.
    pub failures: Vec<StartFailure>,
    /// The runbooks that were started for it, or skipped because of their lock: they are not started for it again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub started: Vec<String>,
    /// When it was last tried again, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried: Option<Timestamp>,
}

impl UnstartedAlarm {
    pub(crate) fn new(key: String, alarm: String, at: Timestamp) -> Self {
        Self { key, alarm, at, failures: Vec::new(), started: Vec::new(), retried: None }
    }
}

/// Why a runbook could not be started for an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StartFailure {
    /// The runbook; none where the alarm as a whole can't be read or handled, or not every runbook could be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// Why not.
    pub reason: String,
    /// The engine is the reason, for example a plugin that is missing, and neither the runbook nor the alarm: it is tried
    /// again when the alarm comes again.
    #[serde(default)]
    pub transient: bool,
}

/// What `POST /v1/alarms/unstarted/retry` and `/dismiss` take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UnstartedRequest {
    /// Keys of alarms in the list of those that could not start; empty: all of them.
    pub keys: Vec<String>,
    /// Who asks, and why.
    pub by: By,
}
