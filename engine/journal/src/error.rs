//! Why the journal could not do something.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runwright_core::RunId;

/// Why the journal could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another process has the state directory open.
    #[error("{} is in use by {holder}{}", path.display(), pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Locked {
        /// The state directory.
        path: PathBuf,
        /// The other process's id, where it could be read.
        pid: Option<u32>,
        /// What the other process said that it is.
        holder: String,
    },
    /// A newer version of Runwright wrote this.
    #[error("{what} has format {found}, and this version knows formats up to {known}: a newer version wrote it")]
    NewerFormat {
        /// The file or record.
        what: String,
        /// Its format.
        found: u64,
        /// The newest format that this version knows.
        known: u64,
    },
    /// The state directory is on a file system on which a journal can't be kept.
    #[error("{} is on {kind}, where locks and fsync can't be relied on: use a local disk", path.display())]
    Network {
        /// The state directory.
        path: PathBuf,
        /// The kind of file system.
        kind: &'static str,
    },
    /// A run's history is not what was written. Other runs are not affected.
    #[error("run {run} is damaged at record {seq}: {what}")]
    Damaged {
        /// The run.
        run: RunId,
        /// The first record that is not what was written.
        seq: u64,
        /// What is wrong with it.
        what: String,
    },
    /// There is no room on the disk. Nothing was written; it works again when there is room.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Writing failed in a way after which nobody knows what is on the disk. Final: restart the engine.
    #[error("the journal has failed: {0}")]
    Failed(String),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// A record does not follow the run's last one. Nothing was written.
    #[error("run {run}: record {found} was appended where record {expected} is next")]
    Sequence {
        /// The run.
        run: RunId,
        /// The next sequence number.
        expected: u64,
        /// The one that was appended.
        found: u64,
    },
    /// The inbox entry does not exist or was handled before. Nothing was written.
    #[error("inbox entry {0:?} is not waiting")]
    NotWaiting(String),
    /// The batch breaks a rule. Nothing was written.
    #[error("the batch is not valid: {0}")]
    Invalid(String),
    /// The store gave an error, or something that was not written to it.
    #[error("the store can't be read: {0}")]
    Store(String),
    /// A journal is in the state directory already.
    #[error("there is a journal in {} already", path.display())]
    NotEmpty {
        /// The state directory.
        path: PathBuf,
    },
    /// An export is not what was written.
    #[error("line {line} of the export: {what}")]
    Export {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A file could not be read or written.
    #[error("{what}")]
    Io {
        /// What could not be done to what.
        what: String,
        /// Why.
        source: Arc<io::Error>,
    },
}

impl Error {
    /// An I/O error, with what could not be done to which file.
    pub(crate) fn io(what: &str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { what: format!("could not {what} {}", path.display()), source: Arc::new(source.into()) }
    }

    /// Whether the journal can't be used any more by this process.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Closed)
    }
}
