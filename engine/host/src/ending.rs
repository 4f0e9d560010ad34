//! When a call must end: its deadline, or a cancel.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// When a call must end. Everything that waits inside of a call waits through this.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
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
}

impl Ending {
    pub(crate) fn new(time: Duration, cancel: watch::Receiver<bool>) -> Self {
        // A time beyond what the clock can hold means none: a century stands for it.
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        Self { deadline: Instant::now() + time.min(century), cancel }
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

    /// Waits for the end. Dropping the cancelling side means that nobody will cancel.
    pub(crate) async fn wait(&self) -> End {
        match timeout_at(self.deadline, cancelled(self.cancel.clone())).await {
            Ok(()) => End::Cancelled,
            Err(_) => End::Deadline,
        }
    }

    /// Does `work` until the call must end, or for `at_most`.
    pub(crate) async fn within<T>(&self, at_most: Option<Duration>, work: impl Future<Output = T>) -> Result<T, End> {
        let limited = async {
            match at_most {
                Some(time) => tokio::time::timeout(time, work).await.map_err(|_| End::Timeout),
                None => Ok(work.await),
            }
        };
        tokio::select! {
            biased;
            end = self.wait() => Err(end),
            done = limited => done,
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
        cancel.send_replace(true);
        assert_eq!(ending.within(None, forever()).await, Err(End::Cancelled));
        assert!(ending.cancelled());
    }
}
