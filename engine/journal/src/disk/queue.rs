//! The bounded queue between those who append and the writer.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::commit::{BATCH_MAX, Commit};
use crate::{Appended, Error, Receipt};

/// The queue holds at most this many KiB, and every batch counts for at least [`COST_MIN`]: 64 MiB or 16,384 batches.
/// Whoever appends more waits.
const ROOM: usize = 65_536;
const COST_MIN: usize = 4;

// A batch that the queue never has room for would wait for ever.
const _: () = assert!(BATCH_MAX >> 10 < ROOM);

/// One batch on its way to the log.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) commit: Commit,
    pub(crate) answer: oneshot::Sender<Result<Receipt, Error>>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: Vec<Job>,
    cost: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::default(), filled: Condvar::new(), room: Arc::new(Semaphore::new(ROOM)) })
    }

    /// Queues the commit at once where there is room, else as soon as there is.
    pub(crate) fn push(self: &Arc<Self>, commit: Commit) -> Appended {
        let cost = (commit.bytes.len() >> 10).max(COST_MIN);
        let permits = u32::try_from(cost).unwrap_or(u32::MAX);
        match self.room.try_acquire_many(permits) {
            Ok(permit) => {
                permit.forget();
                Appended::queued(self.enqueue(commit, cost))
            }
            Err(_) => {
                let queue = Arc::clone(self);
                Appended::later(async move {
                    queue.room.acquire_many(permits).await.map_err(|_| Error::Closed)?.forget();
                    queue.enqueue(commit, cost).await.unwrap_or(Err(Error::Closed))
                })
            }
        }
    }

    fn enqueue(&self, commit: Commit, cost: usize) -> oneshot::Receiver<Result<Receipt, Error>> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.closed {
            let _ = answer.send(Err(Error::Closed));
            return answered;
        }
        waiting.jobs.push(Job { commit, answer });
        waiting.cost += cost;
        let first = waiting.jobs.len() == 1;
        drop(waiting);
        if first {
            self.filled.notify_one();
        }
        answered
    }

    /// Everything that waits, once something does; none when the queue is closed and empty. `room` is any vector: its
    /// memory is used for what is queued next.
    pub(crate) fn take(&self, mut room: Vec<Job>) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut waiting.jobs, &mut room);
        let cost = std::mem::take(&mut waiting.cost);
        drop(waiting);
        self.room.add_permits(cost);
        Some(room)
    }

    /// Lets the writer finish what is queued; nothing can be queued any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.filled.notify_all();
    }

    /// Closes the queue and gives up what is in it: for when nobody writes any more.
    pub(crate) fn abandon(&self) {
        self.close();
        let jobs = std::mem::take(&mut self.lock().jobs);
        jobs.into_iter().for_each(|job| drop(job.answer.send(Err(Error::Closed))));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll(appended: &mut Appended) -> Poll<Result<Receipt, Error>> {
        Pin::new(appended).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Fills the queue with this many commits of `bytes`; one more waits until they are taken.
    fn holds(count: usize, bytes: usize) {
        let queue = Queue::new();
        let commit = || Commit { bytes: vec![0; bytes], ..Commit::default() };
        let _queued: Vec<Appended> = (0..count).map(|_| queue.push(commit())).collect();
        let mut over = queue.push(commit());
        assert!(poll(&mut over).is_pending());
        assert_eq!(queue.take(Vec::new()).map(|jobs| jobs.len()), Some(count));
        assert!(poll(&mut over).is_pending(), "there is room: it is queued now");
        assert_eq!(queue.take(Vec::new()).map(|jobs| jobs.len()), Some(1));
    }

    #[test]
    fn it_holds_16384_batches_or_64_mib_and_one_more_waits() {
        holds(16_384, 0);
        holds(16_384, (COST_MIN << 10) + 1_023);
        holds(8, BATCH_MAX);
    }
}
