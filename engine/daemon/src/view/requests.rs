//! What people and programs ask of runs, and what they are answered.

use runwright_core::{By, Map, RunId, Settlement};
use serde::{Deserialize, Serialize};

/// What `POST /v1/runs` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StartRequest {
    /// The runbook.
    pub runbook: RunbookRef,
    /// Its inputs.
    #[serde(default)]
    pub inputs: Map,
    /// Who starts it, and why.
    pub by: By,
}

/// Which runbook to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunbookRef {
    /// One of the watched directory.
    Name(String),
    /// This text, with the file name for its diagnostics.
    Text {
        /// The file's name.
        file: String,
        /// The text.
        text: String,
    },
}

/// What `POST /v1/runs` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// What whoever started it should know, for example that its file has errors now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What `POST /v1/runs/RUN/cancel` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CancelRequest {
    /// Who asks, and why.
    pub by: By,
    /// Whether the run is to take back what it did.
    #[serde(default)]
    pub rollback: bool,
}

/// What `POST /v1/runs/RUN/settle` takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SettleRequest {
    /// The step; or a pattern for all that wait for a person, in which `*` stands for any characters of a name and `**` for
    /// any names.
    pub step: String,
    /// The decision.
    pub settlement: Settlement,
    /// Who decides, and why.
    pub by: By,
}

/// What `POST /v1/runs/RUN/settle` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settled {
    /// The run.
    pub run: RunId,
    /// The steps that were settled.
    #[serde(default)]
    pub settled: Vec<String>,
    /// Those that fit the pattern and were not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedSettlement>,
}

/// A step that could not be settled so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefusedSettlement {
    /// The step.
    pub step: String,
    /// Why not.
    pub problem: String,
}

/// What `POST /v1/runs/RUN/approve` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ApproveRequest {
    /// The step.
    pub step: String,
    /// Whether they approve.
    pub yes: bool,
    /// Who answers, and why. Where the system knows who logged in, that counts.
    pub by: By,
}
