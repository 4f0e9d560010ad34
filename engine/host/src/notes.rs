//! What leaves a call while it runs.

use async_trait::async_trait;
use runwright_core::Note;

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the plugin's author.
    Trace,
    /// For who looks for a fault; standard output and standard error of the plugin come as this.
    Debug,
    /// For everyone.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// The word for it in files and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What a call tells while it runs. The driver implements it: lines go to whoever watches, notes into the journal.
#[async_trait]
pub trait Notes: Send + Sync + 'static {
    /// A line of the plugin's log, or of the host about the plugin: one line, bounded, without control characters.
    fn log(&self, level: Level, message: &str);

    /// How far it is, in 0 to 100 percent if it knows, and what it is doing.
    fn progress(&self, percent: Option<u8>, note: &str);

    /// The call waits for its turn, or does so no longer: while it waits, nothing of it has begun.
    fn waits(&self, _does: bool) {}

    /// Something to remember for later attempts. It is durable when this returns; when it can't be, the plugin or
    /// the program that waits for it does not go on.
    async fn note(&self, note: Note) -> Result<(), String>;
}

/// Hears nothing and remembers nothing: for calls without a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

#[async_trait]
impl Notes for Silent {
    fn log(&self, _: Level, _: &str) {}

    fn progress(&self, _: Option<u8>, _: &str) {}

    async fn note(&self, _: Note) -> Result<(), String> {
        Ok(())
    }
}

/// Remembers notes; refuses them when `full`.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) notes: std::sync::Mutex<Vec<Note>>,
    pub(crate) full: std::sync::atomic::AtomicBool,
}

#[cfg(test)]
#[async_trait]
impl Notes for Kept {
    fn log(&self, _: Level, _: &str) {}

    fn progress(&self, _: Option<u8>, _: &str) {}

    async fn note(&self, note: Note) -> Result<(), String> {
        if self.full.load(std::sync::atomic::Ordering::Relaxed) {
            return Err("the disk is full".to_owned());
        }
        self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(note);
        Ok(())
    }
}
