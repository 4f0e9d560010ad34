//! What a run's task has begun and not heard the end of.

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
    held: Vec<Held>,
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
        self.held.iter().any(|held| held.effect == *effect)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.held.iter().map(|held| &held.effect)
    }

    /// Performs `effect`, of which `event` comes; `turn` tells whether it has begun.
    pub(super) fn take(&mut self, effect: Effect, turn: Turn, cancel: Cancel, event: BoxFuture<'static, Event>) {
        let task = tokio::spawn(event);
        let abort = task.abort_handle();
        let id = task.id();
        self.held.push(Held { effect, turn, cancel, abort });
        self.events.push(task.map(move |event| (id, event)).boxed());
    }

    /// The next event. None if nothing is in hand; then, or when it is dropped, nothing is lost.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            let (id, event) = self.events.next().await?;
            // What was let go is not waited for.
            let Some(held) = self.held.iter().position(|held| held.abort.id() == id) else { continue };
            let effect = self.held.swap_remove(held).effect;
            if let Some(event) = event.map_or_else(|error| broken(&effect, &error), Some) {
                return Some(event);
            }
        }
    }

    /// Asks to stop what goes on at those paths.
    pub(super) fn cancel(&self, stops: impl Fn(&str) -> bool) {
        for held in &self.held {
            if let Effect::Call { step, .. } | Effect::Verify { step, .. } = &held.effect
                && stops(step)
            {
                held.cancel.cancel();
            }
        }
    }

    /// Lets go of the effects for which `keeps` is false: no event comes of them any more.
    pub(super) fn keep(&mut self, keeps: impl Fn(&Effect) -> bool) {
        self.let_go(|held| !keeps(&held.effect));
    }

    /// Lets go of everything that still waits for its turn; returns the steps whose calls had so not begun: nothing can
    /// have happened.
    pub(super) async fn drop_waiting(&mut self) -> Vec<String> {
        let waiting: Vec<usize> = (0..self.held.len()).filter(|held| self.held[*held].turn.is_awaited()).collect();
        waiting.iter().for_each(|held| self.held[*held].abort.abort());
        let mut not_begun = Vec::new();
        for held in waiting.into_iter().rev() {
            // It may have got its turn just now: what holds when it has ended is so.
            while !self.held[held].abort.is_finished() {
                tokio::task::yield_now().await;
            }
            if self.held[held].turn.is_awaited() {
                let held = self.held.swap_remove(held);
                if let Effect::Call { step, .. } = held.effect {
                    not_begun.push(step);
                }
            }
        }
        not_begun
    }

    fn let_go(&mut self, goes: impl Fn(&Held) -> bool) {
        self.held.retain(|held| {
            let goes = goes(held);
            if goes {
                held.abort.abort();
            }
            !goes
        });
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.let_go(|_| true);
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
