//! What outlives every engine: the disk, the world outside, the time, and the books that are kept of them.

use std::fmt::Arguments;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use driver::Clock;
use journal::Memory;
use runwright_core::Timestamp;

use crate::books::Books;
use crate::dice::Dice;
use crate::schedule::Schedule;

/// The world of one history.
pub(crate) struct World {
    seed: u64,
    /// Whether plugins tell the truth about what they did.
    pub(crate) honest: bool,
    /// No fault happens any more: what is left must come to its end.
    pub(crate) calm: AtomicBool,
    /// Which engine lives, from 0.
    pub(crate) life: AtomicU64,
    /// Faults that happened: of the disk, and of plugins.
    pub(crate) faults: AtomicU64,
    pub(crate) schedule: Schedule,
    pub(crate) journal: Memory,
    pub(crate) scripts: Arc<script::Engine>,
    books: Mutex<Books>,
}

impl World {
    pub(crate) fn new(seed: u64, scripts: Arc<script::Engine>) -> Self {
        let honest = !Dice::of(seed, format_args!("honest")).percent(15);
        Self {
            seed,
            honest,
            calm: AtomicBool::default(),
            life: AtomicU64::default(),
            faults: AtomicU64::default(),
            schedule: Schedule::default(),
            journal: Memory::new(),
            scripts,
            books: Mutex::new(Books::new(honest)),
        }
    }

    /// The dice for `what`.
    pub(crate) fn dice(&self, what: Arguments<'_>) -> Dice {
        Dice::of(self.seed, what)
    }

    /// Whether faults may still happen.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Relaxed)
    }

    /// The engine that lives.
    pub(crate) fn life(&self) -> u64 {
        self.life.load(Relaxed)
    }

    pub(crate) fn fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.schedule.now_ms())
    }
}

/// The world's time as an engine sees it.
pub(crate) struct Time(pub(crate) Arc<World>);

#[async_trait]
impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.0.schedule.at(until.millis(), "timer".into()).await;
    }
}
