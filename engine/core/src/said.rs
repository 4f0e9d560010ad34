//! What steps say while they run: lines that are kept beside the journal, and in no record of it.

use serde::{Deserialize, Serialize};

use crate::{Direction, Timestamp};

/// One line that a step said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// When it was said.
    pub at: Timestamp,
    /// The path of the step.
    pub step: String,
    /// Whether it was said while the step was done or undone.
    #[serde(default, skip_serializing_if = "Direction::is_forward")]
    pub direction: Direction,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How it was said.
    pub stream: Stream,
    /// The text, on one line, without secrets and without anything that could drive a terminal.
    pub text: String,
    /// Lines right before this one that were said and not kept. Where the text is empty, nothing more is known of what came
    /// after them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How a line was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// On the standard output of the plugin or of its program.
    Stdout,
    /// On the standard error of the plugin or of its program.
    Stderr,
    /// By `print` or `debug` of a script.
    Print,
    /// As a log line for the plugin's author.
    Trace,
    /// As a log line for who looks for a fault.
    Debug,
    /// As a log line for everyone.
    Info,
    /// As a log line: something is odd.
    Warn,
    /// As a log line: something failed.
    Error,
}

impl Stream {
    /// The word for it in files and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Print => "print",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Whether it is only for who looks closely.
    pub const fn is_detail(self) -> bool {
        matches!(self, Self::Trace | Self::Debug)
    }
}
