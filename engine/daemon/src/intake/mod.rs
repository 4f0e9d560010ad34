//! Alarms in, runs out: everything that may start a run goes through the durable inbox.
//!
//! Accepting and handling are apart. Whoever sends something only appends to the inbox, and waits a while for what becomes
//! of it; one [consumer](consumer) handles what waits. So what is durable is handled, whether its sender is still there
//! or not, and whatever engine comes to it.

mod accept;
mod again;
mod consumer;
mod item;
mod matching;
mod unstarted;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use journal::Journal;
use runwright_core::Timestamp;
use tokio::sync::{Notify, oneshot};

use crate::view::{Problem, UnstartedAlarm};
use crate::{Engine, Error};

use consumer::Outcome;
pub(crate) use matching::Candidate;
use unstarted::Unstarted;

/// How long people are shown that alerts are missing, in milliseconds, and how many such warnings.
const WARN_MS: u64 = 24 * 60 * 60 * 1_000;
const WARNINGS_MAX: usize = 20;

/// The inbox's side that is in memory.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    wake: Notify,
    /// Whether there is a consumer.
    consumed: AtomicBool,
    /// One at a time changes what is handled, and what is listed as unstarted.
    turn: tokio::sync::Mutex<()>,
    unstarted: Unstarted,
    /// Who waits for what becomes of which entry.
    asked: Mutex<HashMap<String, Vec<oneshot::Sender<Outcome>>>>,
    warnings: Mutex<VecDeque<(Timestamp, String)>>,
}

/// Somebody who waits for what becomes of an entry.
struct Asked {
    intake: Arc<Intake>,
    key: String,
    outcome: oneshot::Receiver<Outcome>,
}

impl Intake {
    /// The inbox of this journal.
    pub(crate) fn of(journal: &dyn Journal) -> Result<Arc<Self>, journal::Error> {
        Ok(Arc::new(Self { unstarted: Unstarted::load(journal)?, ..Self::default() }))
    }

    /// Alarms that could not start what they call for, the newest first.
    pub(crate) fn unstarted(&self) -> Vec<UnstartedAlarm> {
        self.unstarted.all()
    }

    /// What people should know of alarms that are missing.
    pub(crate) fn problems(&self, now: Timestamp) -> Vec<Problem> {
        let warnings = lock(&self.warnings);
        let recent = warnings.iter().filter(|(at, _)| now.millis_since(*at) < WARN_MS);
        recent.map(|(_, text)| Problem { subject: "alarms".to_owned(), problem: text.clone() }).collect()
    }

    fn warn(&self, now: Timestamp, text: &str) {
        tracing::warn!(warning = text, "alarms");
        let mut warnings = lock(&self.warnings);
        warnings.retain(|(_, known)| known != text);
        warnings.push_back((now, text.to_owned()));
        if warnings.len() > WARNINGS_MAX {
            warnings.pop_front();
        }
    }

    /// From now on it is heard what becomes of this entry.
    fn ask(self: &Arc<Self>, key: &str) -> Asked {
        let (tell, outcome) = oneshot::channel();
        lock(&self.asked).entry(key.to_owned()).or_default().push(tell);
        Asked { intake: Arc::clone(self), key: key.to_owned(), outcome }
    }

    fn tell(&self, key: &str, outcome: Outcome) {
        for asked in lock(&self.asked).remove(key).unwrap_or_default() {
            // Whoever asked may have gone.
            let _ = asked.send(outcome.clone());
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.outcome.close();
        let mut asked = lock(&self.intake.asked);
        if let Some(waiting) = asked.get_mut(&self.key) {
            waiting.retain(|waiting| !waiting.is_closed());
            if waiting.is_empty() {
                asked.remove(&self.key);
            }
        }
    }
}

/// Handles what waits in the inbox, and what will come, for ever. From now on senders hear what becomes of their alarms.
pub(crate) fn consume(engine: &Engine) -> impl Future<Output = Result<(), Error>> + Send + 'static {
    engine.intake.consumed.store(true, Ordering::Relaxed);
    consumer::consume(engine.clone())
}

impl Engine {
    fn is_consumed(&self) -> bool {
        self.intake.consumed.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
