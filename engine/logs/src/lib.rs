//! What steps say, kept beside the journal: bounded, and no part of what the engine decides by.
//!
//! [`Logs`] is the trait, so that several engines can share one place; [`LogFiles`] keeps lines in files below a folder,
//! [`Nowhere`] keeps none. Lines come here bounded per line and per attempt, and without secrets: the host sees to that.
//!
//! **Invariant:** keeping a line never waits for the disk, and never fails: what can't be kept is counted, and told as
//! lines that were left out.
//!
//! **A crash** may lose the lines of the last moments; what is kept is read line by line, and a torn line is skipped.

mod files;
mod queue;
mod segments;

use std::io;
use std::time::Duration;

use runwright_core::{Line, RunId};

pub use files::LogFiles;

/// Where the lines of all runs are kept.
pub trait Logs: Send + Sync + 'static {
    /// Keeps a line of a run. Returns at once; a line that can't be kept is counted.
    fn keep(&self, run: RunId, line: Line);

    /// Waits until everything that was to be kept before is kept, or can't be; `patience` at most. It blocks its thread.
    fn settle(&self, patience: Duration);

    /// Gives the kept lines of a run to `each`, in the order in which they were said, beginning at `from`, until there are
    /// no more or `each` gives false. Returns where the next ones will begin.
    ///
    /// # Errors
    ///
    /// What reading gives. A run of which nothing is kept has no lines.
    fn read(&self, run: RunId, from: Place, each: &mut dyn FnMut(Line) -> bool) -> io::Result<Place>;

    /// Forgets what is kept of all runs but those for which `known` is true; returns of how many.
    ///
    /// # Errors
    ///
    /// What the first run gives that can't be forgotten; the others are.
    fn retain(&self, known: &mut dyn FnMut(RunId) -> bool) -> io::Result<usize>;

    /// Why lines can't be kept at the moment, if so.
    fn trouble(&self) -> Option<String>;
}

/// A place among the kept lines of one run. The default is their beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    segment: u64,
    offset: u64,
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Logs for Nowhere {
    fn keep(&self, _: RunId, _: Line) {}

    fn settle(&self, _: Duration) {}

    fn read(&self, _: RunId, from: Place, _: &mut dyn FnMut(Line) -> bool) -> io::Result<Place> {
        Ok(from)
    }

    fn retain(&self, _: &mut dyn FnMut(RunId) -> bool) -> io::Result<usize> {
        Ok(0)
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}
