//! What leaves a call while it runs.

use async_trait::async_trait;
use runwright_core::{Note, Stream};

/// A line that a call said: bounded, without secrets and control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How it was said.
    pub stream: Stream,
    /// The line.
    pub text: String,
    /// Lines right before it that are not told. Where the text is empty, nothing more is known of what came after them.
    pub left_out: u64,
    /// It is shown as it goes by, and left out: only the last lines of many are told again, at the end.
    pub passes: bool,
}

/// What a call tells while it runs. The driver implements it: lines go to whoever watches, notes into the journal.
#[async_trait]
pub trait Notes: Send + Sync + 'static {
    /// A line of the plugin, of a program that it runs, or of the host about them. It must not wait.
    fn say(&self, said: Said);

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
    fn say(&self, _: Said) {}

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
    fn say(&self, _: Said) {}

    fn progress(&self, _: Option<u8>, _: &str) {}

    async fn note(&self, note: Note) -> Result<(), String> {
        if self.full.load(std::sync::atomic::Ordering::Relaxed) {
            return Err("the disk is full".to_owned());
        }
        self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(note);
        Ok(())
    }
}
