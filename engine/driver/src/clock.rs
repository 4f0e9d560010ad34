//! The time, as the driver sees it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use runwright_core::Timestamp;

/// The time and waiting for it: real in the engine, simulated in tests.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time now, by the wall clock.
    fn now(&self) -> Timestamp;

    /// Returns when `until` has come.
    async fn sleep_until(&self, until: Timestamp);

    /// A time that has been already: from now on [`now`](Self::now) never goes below it. Clocks that can't be set back need
    /// not care.
    fn not_before(&self, _time: Timestamp) {}
}

/// The clock of the machine: the wall clock's time when the engine started, and from then on the monotonic clock.
///
/// So a wall clock that jumps while the engine lives neither fires a timer early nor delays one. After a restart the
/// durable times are compared with the wall clock again: what is overdue then is due at once, and where the wall clock
/// was set back meanwhile, time goes on from the newest record, so that nothing sleeps longer than it was to.
#[derive(Debug)]
pub struct SystemClock {
    /// What the clock read when it began, in milliseconds.
    began_ms: AtomicU64,
    began: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began_ms: AtomicU64::new(millis(since)), began: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.began_ms.load(Relaxed).saturating_add(millis(self.began.elapsed())))
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(Duration::from_millis(until.millis_since(self.now()))).await;
    }

    fn not_before(&self, time: Timestamp) {
        let behind = time.millis_since(self.now());
        if behind > 0 {
            tracing::warn!(
                "the clock was set back by {} s at least: time goes on from the newest record",
                behind / 1_000
            );
            self.began_ms.fetch_max(time.millis().saturating_sub(millis(self.began.elapsed())), Relaxed);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_from_what_was_already() {
        let clock = SystemClock::default();
        let now = clock.now();
        clock.not_before(Timestamp::from_millis(now.millis() - 5_000));
        assert!(clock.now() >= now, "an earlier time changes nothing");
        assert!(clock.now().millis_since(now) < 60_000);
        let later = Timestamp::from_millis(now.millis() + 3_600_000);
        clock.not_before(later);
        assert!(clock.now() >= later);
        assert!(clock.now().millis_since(later) < 60_000);
    }
}
