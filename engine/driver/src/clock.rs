//! The time, as the driver sees it.

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
}

/// The clock of the machine: the wall clock's time when the engine started, and from then on the monotonic clock.
///
/// So a wall clock that jumps while the engine lives neither fires a timer early nor delays one. After a restart the
/// durable times are compared with the wall clock again: what is overdue then is due at once.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    wall_ms: u64,
    began: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_ms: millis(since), began: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall_ms + millis(self.began.elapsed()))
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(Duration::from_millis(until.millis_since(self.now()))).await;
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
