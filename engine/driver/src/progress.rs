//! What runs tell while they live.

use std::sync::Arc;

use host::Level;
use runwright_core::{Record, RunId};
use tokio::sync::broadcast;

/// Something that a run tells.
#[derive(Debug, Clone)]
pub enum Progress {
    /// A record that became durable.
    Record(Arc<Record>),
    /// Records became durable while nobody listened yet: who began to listen just then reads them from the journal.
    Unheard {
        /// The run.
        run: RunId,
    },
    /// A line of a step's log. It is not in the journal.
    Log {
        /// The run.
        run: RunId,
        /// The step.
        step: String,
        /// How much it matters.
        level: Level,
        /// The line.
        message: String,
    },
    /// How far a step is. It is not in the journal.
    Percent {
        /// The run.
        run: RunId,
        /// The step.
        step: String,
        /// 0 to 100, if the plugin knows.
        percent: Option<u8>,
        /// What it is doing.
        note: String,
    },
}

impl Progress {
    /// The run that tells it.
    pub fn run(&self) -> RunId {
        match self {
            Self::Record(record) => record.run,
            Self::Unheard { run } | Self::Log { run, .. } | Self::Percent { run, .. } => *run,
        }
    }
}

/// Where runs tell and listeners hear. A listener that is slower than [`Telling::KEPT`] messages misses some, and is
/// told so: records can be read again from the journal.
#[derive(Debug, Clone)]
pub(crate) struct Telling(broadcast::Sender<Progress>);

impl Telling {
    /// Messages kept for slow listeners.
    const KEPT: usize = 1_024;

    pub(crate) fn new() -> Self {
        Self(broadcast::channel(Self::KEPT).0)
    }

    pub(crate) fn hear(&self) -> broadcast::Receiver<Progress> {
        self.0.subscribe()
    }

    /// Whether anyone listens: lets callers skip cloning when nobody does.
    pub(crate) fn heard(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub(crate) fn tell(&self, progress: Progress) {
        // An error means that nobody listens.
        let _ = self.0.send(progress);
    }
}
