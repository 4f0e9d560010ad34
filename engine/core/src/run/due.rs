//! What the world owes a run.

use super::place::Place;
use super::{Phase, Run, Stage, StepState};
use crate::{
    ActionName, Answer, Direction, Event, Failure, FailureKind, Key, Outcome, RunStatus, Timestamp, Value, Work,
};

/// Something that the world must do for a run. What came of it goes back as an [`Event`].
///
/// Effects are derived, not stored: the same run owes the same effects until an event changes it, so whoever performs
/// them remembers which ones are in hand. Steps are named by their path: the id, and for a call of a script a slash and
/// its number.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Give the run its lock when no other holds it; gives [`Event::Locked`].
    Lock {
        /// The lock's key.
        key: String,
    },
    /// Work out the step's condition and input; gives [`Event::Skipped`], [`Event::Refused`] or [`Event::Started`].
    Resolve {
        /// The step.
        step: String,
    },
    /// Work out the input of the step's undo; gives [`Event::Refused`] or [`Event::Started`].
    ResolveUndo {
        /// The step.
        step: String,
    },
    /// Write down this event, which needs nothing from the world.
    Record(Box<Event>),
    /// Call the action, or run the script; gives [`Event::Ended`].
    Call {
        /// The step.
        step: String,
        /// Doing or undoing.
        direction: Direction,
        /// The attempt.
        attempt: u32,
    },
    /// Ask the plugin whether the attempt happened; gives [`Event::Verified`].
    Verify {
        /// The step.
        step: String,
        /// Doing or undoing.
        direction: Direction,
        /// The attempt.
        attempt: u32,
    },
    /// Come back at this time.
    Sleep {
        /// That time.
        until: Timestamp,
    },
    /// Work out the outputs, if the run succeeded; gives [`Event::Finished`].
    Finish {
        /// The end that it comes to.
        status: RunStatus,
    },
}

impl Run {
    /// What the world owes the run at `now`. Nothing when it is over or a person must decide.
    pub fn due(&self, now: Timestamp) -> Vec<Effect> {
        match (self.stage, &self.lock) {
            (Stage::Finished(_), _) => return Vec::new(),
            (Stage::Queued, Some(key)) => return vec![Effect::Lock { key: key.clone() }],
            _ => {}
        }
        let active: Vec<Effect> = self.places().filter_map(|place| self.due_at(place, now)).collect();
        if !active.is_empty() {
            return active;
        }
        if let Some(status) = self.end_reached() {
            return vec![Effect::Finish { status }];
        }
        if self.is_blocked() {
            return Vec::new();
        }
        if self.stage == Stage::Undoing
            && let Some(place) = self.next_undo()
        {
            let step = self.step_at(place);
            return vec![match step.undo {
                Some(_) => Effect::ResolveUndo { step: step.id.clone() },
                None => Effect::Record(Box::new(self.next_attempt(place, Direction::Undo))),
            }];
        }
        let next = self.next_forward().map(|place| self.runbook.steps[place].id.clone());
        next.map(|step| Effect::Resolve { step }).into_iter().collect()
    }

    /// What is due for a step with an attempt in flight or waiting.
    fn due_at(&self, place: Place, now: Timestamp) -> Option<Effect> {
        let StepState::Active(attempt) = &self.at(place).state else { return None };
        let (direction, number) = (attempt.direction, attempt.number);
        let step = || self.step_at(place).id.clone();
        if direction == Direction::Forward
            && let Some(waits) = self.due_of_script(place, number)
        {
            return waits;
        }
        Some(match attempt.phase {
            Phase::Calling => Effect::Call { step: step(), direction, attempt: number },
            Phase::Verifying { .. } => Effect::Verify { step: step(), direction, attempt: number },
            Phase::Waiting { until } | Phase::Sleeping { until } if until > now => Effect::Sleep { until },
            Phase::Waiting { .. } if self.undo_unresolved(place) => Effect::ResolveUndo { step: step() },
            Phase::Waiting { .. } => Effect::Record(Box::new(self.next_attempt(place, direction))),
            Phase::Sleeping { .. } => {
                let outcome = Outcome::Succeeded(Answer::default());
                Effect::Record(Box::new(Event::Ended { step: step(), direction, attempt: number, outcome }))
            }
        })
    }

    /// What is due for a script that does not run now, though an attempt of it is active: none if it runs, or is no script.
    fn due_of_script(&self, place: Place, attempt: u32) -> Option<Option<Effect>> {
        let open = self.open_call(place);
        let asks = open.is_some_and(|call| self.at(call).state.asks().is_some());
        if !self.is_given_up(place) {
            return open.map(|_| None);
        }
        if open.is_some() && !asks {
            // The call was told to stop, and ends first.
            return Some(None);
        }
        let step = self.step_at(place).id.clone();
        let outcome = Outcome::Failed(Failure::new(FailureKind::Cancelled, "it was stopped: its run is ending"));
        Some(Some(Effect::Record(Box::new(Event::Ended { step, direction: Direction::Forward, attempt, outcome }))))
    }

    /// The event that starts the first attempt of `step`, doing or undoing, with this input. None if the run has no such
    /// step.
    pub fn first_attempt(&self, step: &str, direction: Direction, input: Value) -> Option<Event> {
        Some(self.attempt(self.find(step)?, direction, 1, input))
    }

    /// The event that starts the next call of the script `step`: of this action with this input. None if the run has no
    /// such step.
    pub fn next_act(&self, step: &str, action: ActionName, input: Value) -> Option<Event> {
        let (_, state) = self.step(step)?;
        let path = format!("{step}/{}", state.calls.len() + 1);
        let pin = self.pins.get(&action)?;
        Some(Event::Started {
            key: Key::of(self.id, &path, Direction::Forward),
            step: path,
            direction: Direction::Forward,
            attempt: 1,
            plugin: Some(pin.plugin),
            effect: pin.effect,
            action: Some(action),
            input,
        })
    }

    fn next_attempt(&self, place: Place, direction: Direction) -> Event {
        let step = self.at(place);
        let own = self.undoes_itself(place, direction) || direction == Direction::Forward;
        let input = if own { step.input.clone() } else { step.undo_input.clone() };
        self.attempt(place, direction, step.attempts(direction).started + 1, input.unwrap_or_default())
    }

    fn attempt(&self, place: Place, direction: Direction, attempt: u32, input: Value) -> Event {
        let step = self.step_at(place);
        let work = self.work_at(place, direction);
        let action = match work {
            Work::Action { action, .. } => Some(action.clone()),
            Work::Script { .. } | Work::Wait { .. } => None,
        };
        let pin = self.pin_of(work);
        Event::Started {
            step: step.id.clone(),
            direction,
            attempt,
            key: Key::of(self.id, &step.id, direction),
            action,
            plugin: pin.map(|pin| pin.plugin),
            effect: pin.map_or(crate::EffectClass::Read, |pin| pin.effect),
            input,
        }
    }
}
