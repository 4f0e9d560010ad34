//! What a run's task has begun and not heard the end of.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use runwright_core::{Effect, Event};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError};

use super::perform::Turn;

/// Effects that are being performed, and the events that will come of them.
///
/// Each is a task of its own, so that the calls of one run use all cores. They end with this.
#[derive(Default)]
pub(super) struct InHand {
    held: HashMap<Id, Held>,
    /// The tasks of what goes on at a path; more than one while an earlier attempt is on its way out.
    at: HashMap<String, Vec<Id>>,
    events: FuturesUnordered<BoxFuture<'static, (Id, Result<Event, JoinError>)>>,
}

struct Held {
    effect: Effect,
    turn: Turn,
    cancel: Cancel,
    abort: AbortHandle,
}

/// Tells one call, or one script, to stop.
#[derive(Clone)]
pub(super) struct Cancel {
    call: watch::Sender<bool>,
    script: Arc<AtomicBool>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self { call: watch::channel(false).0, script: Arc::default() }
    }
}

impl Cancel {
    pub(super) fn of_call(&self) -> watch::Receiver<bool> {
        self.call.subscribe()
    }

    pub(super) fn of_script(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.script)
    }

    fn cancel(&self) {
        self.call.send_if_modified(|told| !std::mem::replace(told, true));
        self.script.store(true, Ordering::Relaxed);
    }
}

impl InHand {
    pub(super) fn has(&self, effect: &Effect) -> bool {
        path(effect).is_some_and(|path| self.at_path(path).any(|held| held.effect == *effect))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether something goes on at this path.
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.at.contains_key(path)
    }

    /// Performs `effect`, of which `event` comes; `turn` tells whether it has begun.
    pub(super) fn take(&mut self, effect: Effect, turn: Turn, cancel: Cancel, event: BoxFuture<'static, Event>) {
        let task = tokio::spawn(event);
        let abort = task.abort_handle();
        let id = task.id();
        if let Some(path) = path(&effect) {
            self.at.entry(path.to_owned()).or_default().push(id);
        }
        self.held.insert(id, Held { effect, turn, cancel, abort });
        self.events.push(task.map(move |event| (id, event)).boxed());
    }

    /// The next event. None if nothing is in hand; then, or when it is dropped, nothing is lost.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            let (id, event) = self.events.next().await?;
            // What was let go is not waited for.
            let Some(held) = self.remove(id) else { continue };
            if let Some(event) = event.map_or_else(|error| broken(&held.effect, &error), Some) {
                return Some(event);
            }
        }
    }

    /// Asks to stop what goes on at this path.
    pub(super) fn cancel(&self, path: &str) {
        self.at_path(path).for_each(|held| held.cancel.cancel());
    }

    /// Asks everything to stop.
    pub(super) fn cancel_all(&self) {
        self.held.values().for_each(|held| held.cancel.cancel());
    }

    /// Lets go of the effects for which `keeps` is false: no event comes of them any more.
    pub(super) fn keep(&mut self, keeps: impl Fn(&Effect) -> bool) {
        let all = self.held.keys().copied().collect();
        self.keep_of(all, keeps);
    }

    /// The same for what goes on at this path.
    pub(super) fn keep_at(&mut self, path: &str, keeps: impl Fn(&Effect) -> bool) {
        let there = self.at.get(path).cloned().unwrap_or_default();
        self.keep_of(there, keeps);
    }

    fn keep_of(&mut self, tasks: Vec<Id>, keeps: impl Fn(&Effect) -> bool) {
        for id in tasks {
            if self.held.get(&id).is_some_and(|held| !keeps(&held.effect)) {
                self.remove(id).inspect(|held| held.abort.abort());
            }
        }
    }

    /// Lets go of everything that still waits for its turn; returns the steps whose calls had so not begun: nothing can
    /// have happened.
    pub(super) async fn drop_waiting(&mut self) -> Vec<String> {
        let waiting = self.held.iter().filter(|(_, held)| held.turn.is_awaited());
        let waiting: Vec<(Id, AbortHandle)> = waiting.map(|(id, held)| (*id, held.abort.clone())).collect();
        waiting.iter().for_each(|(_, abort)| abort.abort());
        let mut not_begun = Vec::new();
        for (id, abort) in waiting {
            // It may have got its turn just now: what holds when it has ended is so.
            while !abort.is_finished() {
                tokio::task::yield_now().await;
            }
            if self.held.get(&id).is_some_and(|held| held.turn.is_awaited())
                && let Some(Held { effect: Effect::Call { step, .. }, .. }) = self.remove(id)
            {
                not_begun.push(step);
            }
        }
        not_begun.sort();
        not_begun
    }

    fn at_path(&self, path: &str) -> impl Iterator<Item = &Held> {
        self.at.get(path).into_iter().flatten().filter_map(|id| self.held.get(id))
    }

    fn remove(&mut self, id: Id) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if let Some(path) = path(&held.effect)
            && let Some(tasks) = self.at.get_mut(path)
        {
            tasks.retain(|task| *task != id);
            if tasks.is_empty() {
                self.at.remove(path);
            }
        }
        Some(held)
    }
}

/// Where an effect is at work.
fn path(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Call { step, .. } | Effect::Verify { step, .. } => Some(step),
        _ => None,
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.held.values().for_each(|held| held.abort.abort());
    }
}

/// The event of a call whose task panicked: nobody knows what happened.
fn broken(effect: &Effect, error: &JoinError) -> Option<Event> {
    let reason = || format!("the call ended with a defect of the engine: {error}");
    match effect.clone() {
        _ if error.is_cancelled() => None,
        Effect::Call { step, direction, attempt } => {
            let outcome = runwright_core::Outcome::Lost { reason: reason() };
            Some(Event::Ended { step, direction, attempt, outcome })
        }
        Effect::Verify { step, direction, attempt } => {
            let verdict = runwright_core::Verdict::CannotTell { reason: reason() };
            Some(Event::Verified { step, direction, attempt, verdict })
        }
        _ => None,
    }
}
