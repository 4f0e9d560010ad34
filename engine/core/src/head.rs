//! The short form of a run: what lists show and the journal indexes.

use serde::{Deserialize, Serialize};

use crate::{Digest, RunId, Timestamp};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// It waits for its lock, or for its turn among the runs of its runbook.
    Queued,
    /// A step is due or in flight.
    Running,
    /// It sleeps until a time.
    Waiting,
    /// A person must decide.
    Blocked,
    /// It takes back what it did.
    RollingBack,
    /// Every step that had to succeed did.
    Succeeded,
    /// A step failed.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// What could be taken back was.
    RolledBack,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Blocked,
        Self::RollingBack,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::RolledBack,
    ];

    /// The word for it in files and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
            Self::RollingBack => "rolling-back",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::RolledBack => "rolled-back",
        }
    }

    /// Whether the run is over.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::RolledBack)
    }
}

/// The short form of a run after its last record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Head {
    /// The run.
    pub run: RunId,
    /// The runbook's name.
    pub name: String,
    /// The digest of its checked runbook.
    pub runbook: Digest,
    /// Where it stands.
    pub status: RunStatus,
    /// The lock that it holds or, while it is queued, waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// The locks that steps of it hold, each with the step's path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step_locks: Vec<(String, String)>,
    /// The sequence number of its last record.
    pub seq: u64,
    /// When it was created.
    pub created: Timestamp,
    /// When its last record was written.
    pub updated: Timestamp,
}
