//! The time, as the driver sees it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// The clock of the machine.
///
/// It waits on the monotonic clock, at most [`LOOK_MS_MAX`](Self::LOOK_MS_MAX) at a time, and looks at the wall clock in
/// between: a wall clock that jumps back makes a wait longer, never a timer fire twice.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// Milliseconds between two looks at the wall clock: after a jump ahead, an overdue timer fires within this time.
    pub const LOOK_MS_MAX: u64 = 30_000;
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, until: Timestamp) {
        loop {
            let left = until.millis_since(self.now());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left.min(Self::LOOK_MS_MAX))).await;
        }
    }
}
