//! Simulated time: one thing happens at a time, and what comes next is decided by who asked for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// The time, and everything that waits for its turn in it.
///
/// The runtime calls [`Schedule::idle`] when no task can go on; then the next thing happens. So nothing sleeps really,
/// and between two happenings every task has come to rest. Scripts run on threads of their own: while one computes,
/// nothing happens.
#[derive(Default)]
pub(crate) struct Schedule {
    inner: Mutex<Inner>,
    happened: Notify,
}

#[derive(Default)]
struct Inner {
    now_ms: u64,
    waiting: BTreeMap<(u64, String, u64), oneshot::Sender<()>>,
    asked: u64,
    happened: u64,
    /// The engine dies instead of this happening.
    dies_at: Option<u64>,
    end: Option<oneshot::Sender<End>>,
    computing: BTreeSet<String>,
}

/// Why time stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The engine was killed.
    Killed,
    /// Nothing is left that could happen, though somebody waits.
    Stuck,
}

impl Schedule {
    /// A new engine begins at this time, and is killed instead of the happening with this number. The receiver hears of
    /// its end.
    pub(crate) fn begin(&self, now_ms: u64, dies_at: Option<u64>) -> oneshot::Receiver<End> {
        let (end, ends) = oneshot::channel();
        *self.lock() = Inner { now_ms, dies_at, end: Some(end), ..Inner::default() };
        ends
    }

    /// The time.
    pub(crate) fn now_ms(&self) -> u64 {
        self.lock().now_ms
    }

    /// Returns at this time. Of those that wait for the same time, who has the smaller name comes first.
    pub(crate) async fn at(&self, ms: u64, who: String) {
        let turn = {
            let mut inner = self.lock();
            inner.asked += 1;
            let (turn, comes) = oneshot::channel();
            let place = (ms.max(inner.now_ms), who, inner.asked);
            inner.waiting.insert(place, turn);
            comes
        };
        if turn.await.is_err() {
            std::future::pending().await
        }
    }

    /// Returns so much later.
    pub(crate) async fn after(&self, ms: u64, who: String) {
        let until = self.now_ms() + ms;
        self.at(until, who).await;
    }

    /// This script computes, or does not.
    pub(crate) fn computes(&self, script: String, does: bool) {
        let computing = &mut self.lock().computing;
        if does {
            computing.insert(script);
        } else {
            computing.remove(&script);
        }
    }

    /// Time goes on without the scripts that compute, if nothing has happened since `seen`; returns what has happened by
    /// now. True: there were some.
    pub(crate) fn gives_up_on_scripts(&self, seen: u64) -> (u64, bool) {
        let mut inner = self.lock();
        let stuck = inner.happened == seen && !inner.computing.is_empty();
        if stuck {
            inner.computing.clear();
            self.happened.notify_one();
        }
        (inner.happened, stuck)
    }

    /// Keeps the runtime awake: a task whose turn it is need not be woken by that, if it waits for something else first.
    pub(crate) async fn keeps_going(&self) {
        loop {
            self.happened.notified().await;
        }
    }

    /// Lets the next thing happen.
    pub(crate) fn idle(&self) {
        let mut inner = self.lock();
        if !inner.computing.is_empty() || inner.end.is_none() {
            return;
        }
        while let Some(((ms, ..), turn)) = inner.waiting.pop_first() {
            if turn.is_closed() {
                continue;
            }
            inner.now_ms = ms;
            inner.happened += 1;
            if Some(inner.happened) == inner.dies_at {
                break;
            }
            // It was looked whether somebody waits.
            let _ = turn.send(());
            self.happened.notify_one();
            return;
        }
        let why = if Some(inner.happened) == inner.dies_at { End::Killed } else { End::Stuck };
        inner.end.take().map(|end| end.send(why));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
