//! Lines on their way to the thread that writes them.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use runwright_core::{Line, RunId};

/// Bytes of lines that wait to be written, at most: what comes while the disk is slower than that is left out.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// What a line takes beside its text, about.
const LINE_BYTES: usize = 200;

/// Lines that wait, and what became of others.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    waiting: Vec<(RunId, Line)>,
    bytes: usize,
    /// Lines that were taken in, and those of them that were dealt with.
    taken: u64,
    dealt: u64,
    /// Lines that were not kept, by run, until that is told.
    pub(crate) lost: HashMap<RunId, u64>,
    /// Why lines can't be kept at the moment.
    pub(crate) trouble: Option<String>,
    /// Whether a thread writes.
    pub(crate) is_written: bool,
    closed: bool,
}

impl State {
    /// Lines that were not kept.
    pub(crate) fn lose(&mut self, run: RunId, lines: u64) {
        *self.lost.entry(run).or_default() += lines;
    }
}

impl Queue {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line in, or counts it where too many wait. False: nobody writes them yet.
    pub(crate) fn push(&self, run: RunId, line: Line) -> bool {
        let mut state = self.state();
        let bytes = line.text.len() + line.step.len() + LINE_BYTES;
        if state.bytes + bytes > WAITING_BYTES_MAX {
            state.lose(run, 1 + line.left_out);
            return true;
        }
        state.bytes += bytes;
        state.taken += 1;
        state.waiting.push((run, line));
        self.changed.notify_all();
        state.is_written
    }

    /// Waits for lines, and takes all of them; none when it is closed and empty.
    pub(crate) fn take(&self) -> Option<Vec<(RunId, Line)>> {
        let mut state = self.state();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes = 0;
        Some(std::mem::take(&mut state.waiting))
    }

    /// So many of the lines that were taken are dealt with.
    pub(crate) fn dealt(&self, lines: usize) {
        self.state().dealt += lines as u64;
        self.changed.notify_all();
    }

    /// Waits until all lines are dealt with that were taken in before, `patience` at most.
    pub(crate) fn settle(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut state = self.state();
        let taken = state.taken;
        while state.is_written && state.dealt < taken {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whoever writes may end when nothing waits any more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use runwright_core::{Direction, Stream, Timestamp};

    use super::*;

    #[test]
    fn lines_that_are_too_many_to_wait_are_counted() {
        let queue = Queue::default();
        let run = RunId::from_bytes([7; 16]);
        let text = "x".repeat(1 << 20);
        let line = Line {
            at: Timestamp::from_millis(1),
            step: "a".into(),
            direction: Direction::Forward,
            attempt: 1,
            stream: Stream::Print,
            text,
            left_out: 2,
        };
        for _ in 0..17 {
            queue.push(run, line.clone());
        }
        assert_eq!(queue.state().lost[&run], 2 * 3, "the 16th does not fit with what it takes beside its text");
        assert_eq!(queue.take().unwrap().len(), 15);
        queue.push(run, line);
        assert_eq!(queue.state().lost[&run], 6, "there is room again");
    }
}
