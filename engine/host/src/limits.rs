//! What one call may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The bounds on every plugin and every call: `[limits]` in `runwright.toml`.
///
/// Sizes are bytes, times are milliseconds. A call that needs more ends its own step, with a reason that names the
/// limit, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// A plugin's binary. Compiling takes time and memory in proportion to it.
    pub component_bytes: usize,
    /// All linear memories of one call together.
    pub memory_bytes: usize,
    /// All linear memories of all calls together.
    pub memory_bytes_total: usize,
    /// Elements of all tables of one call together.
    pub table_elements: usize,
    /// Core instances, memories and tables of one call: plugins in Python need more than ten.
    pub instances: usize,
    /// Open handles (sockets, files, streams) of one call.
    pub handles: usize,
    /// What a plugin may hand over in one capability call, and as its answer, before it is looked at.
    pub hostcall_bytes: usize,
    /// An action's output, its undo data or its preview as JSON text: it goes into the journal.
    pub output_bytes: usize,
    /// One log line; the rest of a longer one is cut.
    pub log_line_bytes: usize,
    /// Lines that one call says, on its log and by its programs; of more the first and the last are kept.
    pub log_lines: usize,
    /// All of them together; of more the first and the last are kept.
    pub log_bytes: usize,
    /// The body of an HTTP request or response, and each output of a program.
    pub body_bytes: usize,
    /// Calls at the same time; further ones wait.
    pub calls: usize,
    /// The deadline of a call that is given none.
    pub deadline_ms: u64,
    /// How long a call may take to answer after its deadline or a cancel, before it is dropped.
    pub grace_ms: u64,
    /// How long a plugin may take to describe itself.
    pub describe_ms: u64,
}

const MIB: usize = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes: 32 * MIB,
            memory_bytes: 256 * MIB,
            memory_bytes_total: 4096 * MIB,
            table_elements: 100_000,
            instances: 64,
            handles: 1024,
            hostcall_bytes: 16 * MIB,
            output_bytes: MIB,
            log_line_bytes: 4096,
            log_lines: 10_000,
            log_bytes: MIB,
            body_bytes: MIB,
            calls: 512,
            deadline_ms: 3_600_000,
            grace_ms: 1000,
            describe_ms: 10_000,
        }
    }
}

impl Limits {
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    pub(crate) fn describe(&self) -> Duration {
        Duration::from_millis(self.describe_ms)
    }
}

/// `bytes` for people: `256 MiB`, `4 KiB`, `10 bytes`.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= MIB && bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        _ if bytes >= MIB => format!("{:.1} MiB", bytes as f64 / MIB as f64),
        _ if bytes >= 1024 => format!("{} KiB", bytes / 1024),
        _ => format!("{bytes} bytes"),
    }
}
