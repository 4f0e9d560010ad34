//! When a call must end: its deadline, or a cancel.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// When a call must end. Everything that waits inside of a call waits through this.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    begun: Instant,
    deadline: Instant,
    cancel: watch::Receiver<bool>,
}

/// What made a wait end before what it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The call's deadline.
    Deadline,
    /// The call was cancelled.
    Cancelled,
    /// The time that this wait was given.
    Timeout,
    /// The call was over before: what would have been waited for was not even begun.
    Unbegun,
}

impl Ending {
    pub(crate) fn new(time: Duration, cancel: watch::Receiver<bool>) -> Self {
        // A time beyond what the clock can hold means none: a century stands for it.
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        let begun = Instant::now();
        Self { begun, deadline: begun + time.min(century), cancel }
    }

    /// An ending by deadline only.
    pub(crate) fn after(time: Duration) -> Self {
        Self::new(time, watch::channel(false).1)
    }

    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub(crate) fn cancelled(&self) -> bool {
        *self.cancel.borrow()
    }

    /// Why the call must end, in words, if it must already.
    pub(crate) fn reached(&self) -> Option<String> {
        if self.cancelled() {
            return Some(format!("the run was cancelled after {}", span(self.begun.elapsed())));
        }
        let over = self.left().is_zero();
        over.then(|| format!("the step's timeout of {} was over", span(self.deadline - self.begun)))
    }

    /// Waits for the end. Dropping the cancelling side means that nobody will cancel.
    pub(crate) async fn wait(&self) -> End {
        match timeout_at(self.deadline, cancelled(self.cancel.clone())).await {
            Ok(()) => End::Cancelled,
            Err(_) => End::Deadline,
        }
    }

    /// Does `work` until the call must end, or for `at_most`. If the call must end already, `work` is not begun:
    /// [`End::Unbegun`] says so, and no other end does.
    pub(crate) async fn within<T>(&self, at_most: Option<Duration>, work: impl Future<Output = T>) -> Result<T, End> {
        if self.reached().is_some() {
            return Err(End::Unbegun);
        }
        let limited = async {
            match at_most {
                Some(time) => tokio::time::timeout(time, work).await.map_err(|_| End::Timeout),
                None => Ok(work.await),
            }
        };
        tokio::select! {
            biased;
            // First: the call may have come to its end since it was asked.
            done = limited => done,
            end = self.wait() => Err(end),
        }
    }
}

/// A time for people, no finer than they care: `250ms`, `1.2s`, `59s`, `5m`, `1h30m`.
pub(crate) fn span(time: Duration) -> String {
    let (ms, seconds) = (time.as_millis(), time.as_secs());
    match seconds {
        0 => format!("{ms}ms"),
        1..10 if ms % 1000 >= 100 => format!("{}.{}s", seconds, ms % 1000 / 100),
        1..60 => format!("{seconds}s"),
        _ => {
            let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
            parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect()
        }
    }
}

/// Waits until `cancel` is true; for ever, if its other side is gone without that.
pub(crate) async fn cancelled(mut cancel: watch::Receiver<bool>) {
    let gone = cancel.wait_for(|cancelled| *cancelled).await.is_err();
    if gone {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whichever_comes_first_ends_the_wait() {
        let (cancel, cancelled) = watch::channel(false);
        let ending = Ending::new(Duration::from_millis(60), cancelled);
        let forever = || std::future::pending::<()>();
        assert_eq!(ending.within(None, async { 7 }).await, Ok(7));
        assert_eq!(ending.within(Some(Duration::from_millis(1)), forever()).await, Err(End::Timeout));
        assert_eq!(ending.within(None, forever()).await, Err(End::Deadline));
        assert_eq!(ending.left(), Duration::ZERO);
        let ending = Ending::new(Duration::from_secs(60), cancel.subscribe());
        assert_eq!(ending.reached(), None);
        let (ended, ()) = tokio::join!(ending.within(None, forever()), async { _ = cancel.send_replace(true) });
        assert_eq!(ended, Err(End::Cancelled));
        assert!(ending.cancelled());
        assert!(ending.reached().unwrap().starts_with("the run was cancelled "));
        assert_eq!(Ending::after(Duration::ZERO).reached().unwrap(), "the step's timeout of 0ms was over");
    }

    #[tokio::test]
    async fn nothing_is_begun_after_the_end() {
        let mut begun = false;
        let ended = Ending::after(Duration::ZERO).within(None, async { begun = true }).await;
        assert_eq!((ended, begun), (Err(End::Unbegun), false));
    }

    #[test]
    fn times_are_for_people() {
        let told = [0, 250, 999, 1_000, 1_099, 1_250, 9_990, 59_999, 60_000, 90_000, 5_400_000]
            .map(|ms| span(Duration::from_millis(ms)));
        assert_eq!(told, ["0ms", "250ms", "999ms", "1s", "1s", "1.2s", "9.9s", "59s", "1m", "1m30s", "1h30m"]);
    }
}
