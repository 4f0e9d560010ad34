//! What runs tell while they live.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use runwright_core::{Line, Record, RunId};
use tokio::sync::Notify;

/// Something that a run tells.
#[derive(Debug, Clone)]
pub enum Progress {
    /// A record that became durable.
    Record(Arc<Record>),
    /// Records became durable that are not told: whoever listens reads them from the journal.
    Unheard {
        /// The run.
        run: RunId,
    },
    /// A line that a step said. It is not in the journal.
    Said {
        /// The run.
        run: RunId,
        /// The line.
        line: Line,
        /// It is shown as it goes by, and left out of what is kept.
        passes: bool,
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
            Self::Unheard { run } | Self::Said { run, .. } | Self::Percent { run, .. } => *run,
        }
    }

    /// Whether it can be missed: it is about a moment, and no part of the run's history.
    fn can_be_missed(&self) -> bool {
        matches!(self, Self::Said { .. } | Self::Percent { .. })
    }
}

/// Messages that wait for one listener, at most.
const WAITING_MAX: usize = 1_024;

/// Those of them that leave room for records.
const MISSABLE_MAX: usize = WAITING_MAX / 4 * 3;

/// Hears what runs tell, from when it was made on.
///
/// Each listener has a queue of its own, so that one which is slow, or a run that says much, costs no other a message. A slow
/// listener misses lines first, and of the next one it is told how many; when it misses records it is told so by
/// [`Progress::Unheard`].
#[derive(Debug)]
pub struct Hearing(Arc<Ear>);

#[derive(Debug, Default)]
struct Ear {
    queue: Mutex<Waiting>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The only run that is listened to; none means all.
    only: Option<RunId>,
    messages: VecDeque<Progress>,
    /// Lines that were missed since the last one.
    missed: u64,
    /// Whether records were missed, of whichever run.
    overrun: bool,
}

impl Hearing {
    /// From now on only this run is heard; what others told is forgotten.
    pub fn only(&self, run: RunId) {
        let mut waiting = self.0.waiting();
        waiting.only = Some(run);
        waiting.messages.retain(|message| message.run() == run);
        if std::mem::take(&mut waiting.overrun) {
            waiting.messages.push_front(Progress::Unheard { run });
        }
    }

    /// The next message. When this is dropped nothing is lost.
    pub async fn next(&mut self) -> Progress {
        loop {
            if let Some(message) = self.0.waiting().messages.pop_front() {
                return message;
            }
            self.0.more.notified().await;
        }
    }

    /// The next message, if there is one already.
    #[cfg(test)]
    pub(crate) fn try_next(&mut self) -> Option<Progress> {
        self.0.waiting().messages.pop_front()
    }
}

impl Ear {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, mut message: Progress) {
        let mut waiting = self.waiting();
        let run = message.run();
        if waiting.only.is_some_and(|only| only != run) {
            return;
        }
        if message.can_be_missed() && waiting.messages.len() >= MISSABLE_MAX {
            if let Progress::Said { line, passes: false, .. } = &message {
                waiting.missed += 1 + line.left_out;
            }
            return;
        }
        if let Progress::Said { line, .. } = &mut message {
            line.left_out += std::mem::take(&mut waiting.missed);
        }
        if waiting.messages.len() >= WAITING_MAX {
            // Records are in the journal; who listens to one run reads them there.
            waiting.messages.clear();
            waiting.overrun = waiting.only.is_none();
            message = Progress::Unheard { run };
        }
        waiting.messages.push_back(message);
        self.more.notify_one();
    }
}

/// Where runs tell and listeners hear.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    ears: Mutex<Vec<Weak<Ear>>>,
    count: AtomicUsize,
}

impl Telling {
    pub(crate) fn hear(&self) -> Hearing {
        let ear = Arc::new(Ear::default());
        let mut ears = self.ears();
        ears.retain(|ear| ear.strong_count() > 0);
        ears.push(Arc::downgrade(&ear));
        self.count.store(ears.len(), Ordering::SeqCst);
        Hearing(ear)
    }

    /// Whether anyone may listen: lets callers skip cloning when nobody does.
    pub(crate) fn heard(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn tell(&self, progress: Progress) {
        let mut ears = self.ears();
        let before = ears.len();
        ears.retain(|ear| match ear.upgrade() {
            Some(ear) => {
                ear.hear(progress.clone());
                true
            }
            None => false,
        });
        if ears.len() < before {
            self.count.store(ears.len(), Ordering::SeqCst);
        }
    }

    fn ears(&self) -> MutexGuard<'_, Vec<Weak<Ear>>> {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use runwright_core::{Direction, Event, Stream, Timestamp};

    use super::*;

    fn run(n: u8) -> RunId {
        RunId::from_bytes([n; 16])
    }

    fn said(run: RunId, text: usize) -> Progress {
        let line = Line {
            at: Timestamp::default(),
            step: "a".into(),
            direction: Direction::Forward,
            attempt: 1,
            stream: Stream::Print,
            text: text.to_string(),
            left_out: 0,
        };
        Progress::Said { run, line, passes: false }
    }

    fn record(run: RunId) -> Progress {
        let record = Record { run, seq: 1, at: Timestamp::default(), event: Event::Locked { step: String::new() } };
        Progress::Record(Arc::new(record))
    }

    #[test]
    fn a_run_that_says_much_costs_the_listeners_of_others_nothing() {
        let telling = Telling::default();
        let (mut chatty, mut other) = (telling.hear(), telling.hear());
        chatty.only(run(1));
        other.only(run(2));
        telling.tell(said(run(2), 0));
        (0..5_000).for_each(|n| telling.tell(said(run(1), n)));
        telling.tell(record(run(2)));
        telling.tell(record(run(1)));
        assert!(matches!(other.try_next(), Some(Progress::Said { .. })));
        assert!(matches!(other.try_next(), Some(Progress::Record(_))));
        assert!(other.try_next().is_none());
        let heard = std::iter::from_fn(|| chatty.try_next()).collect::<Vec<_>>();
        assert_eq!(heard.len(), MISSABLE_MAX + 1);
        assert!(matches!(heard.last(), Some(Progress::Record(_))), "a record finds room");
        telling.tell(said(run(1), 1));
        let Some(Progress::Said { line, .. }) = chatty.try_next() else { panic!("a line") };
        assert_eq!(line.left_out as usize, 5_000 - MISSABLE_MAX);
    }

    #[test]
    fn who_misses_records_is_told_to_look() {
        let telling = Telling::default();
        let mut slow = telling.hear();
        (0..WAITING_MAX).for_each(|_| telling.tell(record(run(1))));
        assert_eq!(slow.0.waiting().messages.len(), WAITING_MAX);
        telling.tell(record(run(1)));
        slow.only(run(2));
        assert!(matches!(slow.try_next(), Some(Progress::Unheard { run: of }) if of == run(2)));
        assert!(slow.try_next().is_none());
        (0..=WAITING_MAX).for_each(|_| telling.tell(record(run(2))));
        assert!(matches!(slow.try_next(), Some(Progress::Unheard { .. })));
        assert!(slow.try_next().is_none());
    }

    #[test]
    fn nobody_is_told_who_went_away() {
        let telling = Telling::default();
        let hearing = telling.hear();
        assert!(telling.heard());
        drop(hearing);
        telling.tell(said(run(1), 0));
        assert!(!telling.heard());
    }
}
