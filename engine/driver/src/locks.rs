//! Which run holds which lock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use runwright_core::RunId;
use tokio::sync::oneshot;

/// The locks of one engine. What is held stands in the journal: a run holds its lock from its `locked` event to its end,
/// also while no engine lives; this table is filled again from the runs that are resumed.
#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<HashMap<String, Line>>);

/// Who holds one lock, and who waits for it, in the order in which they came.
#[derive(Debug)]
struct Line {
    holder: RunId,
    waiting: VecDeque<(RunId, oneshot::Sender<()>)>,
}

/// What became of a claim.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The run holds the lock.
    Held,
    /// Another run does; this resolves when it is this one's turn.
    Waits(oneshot::Receiver<()>),
}

impl Locks {
    /// Claims the lock for `run`, which gets in line where another run holds it.
    pub(crate) fn claim(&self, key: &str, run: RunId) -> Turn {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(key) else {
            lines.insert(key.to_owned(), Line { holder: run, waiting: VecDeque::new() });
            return Turn::Held;
        };
        if line.holder == run {
            return Turn::Held;
        }
        let (turn, comes) = oneshot::channel();
        line.waiting.push_back((run, turn));
        Turn::Waits(comes)
    }

    /// The run that holds the lock.
    pub(crate) fn holder(&self, key: &str) -> Option<RunId> {
        self.lines().get(key).map(|line| line.holder)
    }

    /// The run is over: the lock goes to who waits longest, and the run leaves the line where it waits itself.
    pub(crate) fn release(&self, key: &str, run: RunId) {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(key) else { return };
        line.waiting.retain(|(waits, _)| *waits != run);
        if line.holder != run {
            return;
        }
        while let Some((next, turn)) = line.waiting.pop_front() {
            line.holder = next;
            if turn.send(()).is_ok() {
                return;
            }
        }
        lines.remove(key);
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<String, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use runwright_core::Timestamp;

    use super::*;

    fn run(n: u64) -> RunId {
        RunId::new(Timestamp::from_millis(n), [0; 10])
    }

    #[test]
    fn a_lock_goes_to_who_waits_longest_and_still_does() {
        let locks = Locks::default();
        assert!(matches!(locks.claim("vm", run(1)), Turn::Held));
        assert!(matches!(locks.claim("vm", run(1)), Turn::Held), "a holder holds it already");
        let Turn::Waits(gone) = locks.claim("vm", run(2)) else { panic!("it is held") };
        let Turn::Waits(mut third) = locks.claim("vm", run(3)) else { panic!("it is held") };
        drop(gone);
        assert!(third.try_recv().is_err());
        locks.release("vm", run(1));
        assert_eq!((third.try_recv(), locks.holder("vm")), (Ok(()), Some(run(3))));
        locks.release("vm", run(1));
        assert_eq!(locks.holder("vm"), Some(run(3)), "only the holder releases it");
        locks.release("vm", run(3));
        assert_eq!(locks.holder("vm"), None);
    }
}
