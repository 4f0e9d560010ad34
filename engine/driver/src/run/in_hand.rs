//! What a run's task has begun and not heard the end of.

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::stream::FuturesUnordered;
use runwright_core::{Effect, Event};

use super::perform::Turn;

/// Effects that are being performed, and the events that will come of them.
#[derive(Default)]
pub(super) struct InHand {
    held: Vec<Held>,
    events: FuturesUnordered<Abortable<BoxFuture<'static, (Effect, Event)>>>,
}

struct Held {
    effect: Effect,
    turn: Turn,
    abort: AbortHandle,
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

    /// Takes `effect`, of which `event` comes; `turn` tells whether it has begun.
    pub(super) fn take(&mut self, effect: Effect, turn: Turn, event: BoxFuture<'static, (Effect, Event)>) {
        let (abort, registration) = AbortHandle::new_pair();
        self.held.push(Held { effect, turn, abort });
        self.events.push(Abortable::new(event, registration));
    }

    /// The next event. None if nothing is in hand; then, or when it is dropped, nothing is lost.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            // What was let go comes as an error.
            if let Ok((effect, event)) = self.events.next().await? {
                self.held.retain(|held| held.effect != effect);
                return Some(event);
            }
        }
    }

    /// Lets go of the effects for which `keeps` is false: no event comes of them any more.
    pub(super) fn keep(&mut self, keeps: impl Fn(&Effect) -> bool) {
        self.let_go(|held| !keeps(&held.effect));
    }

    /// Lets go of everything that still waits for its turn; returns the steps whose calls had so not begun: nothing can
    /// have happened.
    pub(super) fn drop_waiting(&mut self) -> Vec<String> {
        let waiting = self.held.iter().filter(|held| held.turn.is_awaited());
        let steps = waiting.filter_map(|held| match &held.effect {
            Effect::Call { step, .. } => Some(step.clone()),
            _ => None,
        });
        let steps = steps.collect();
        self.let_go(|held| held.turn.is_awaited());
        steps
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
