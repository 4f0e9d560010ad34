//! What the world owes a run.

use super::{Phase, Run, Stage, StepState};
use crate::{Direction, Event, Key, RunStatus, Timestamp, Value, Work};

/// Something that the world must do for a run. What came of it goes back as an [`Event`].
///
/// Effects are derived, not stored: the same run owes the same effects until an event changes it, so whoever performs
/// them remembers which ones are in hand.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Work out the step's condition and input; gives [`Event::Skipped`], [`Event::Refused`] or [`Event::Started`].
    Resolve {
        /// The step.
        step: String,
    },
    /// Write down this event, which needs nothing from the world.
    Record(Event),
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
        if matches!(self.stage, Stage::Finished(_)) {
            return Vec::new();
        }
        let active: Vec<Effect> = (0..self.steps.len()).filter_map(|place| self.due_of(place, now)).collect();
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
            return vec![Effect::Record(self.next_attempt(place, Direction::Undo))];
        }
        let next = self.next_forward().map(|place| self.runbook.steps[place].id.clone());
        next.map(|step| Effect::Resolve { step }).into_iter().collect()
    }

    /// What is due for a step with an attempt in flight or waiting.
    fn due_of(&self, place: usize, now: Timestamp) -> Option<Effect> {
        let StepState::Active(attempt) = &self.steps[place].state else { return None };
        let (direction, number) = (attempt.direction, attempt.number);
        let step = || self.runbook.steps[place].id.clone();
        Some(match attempt.phase {
            Phase::Calling => Effect::Call { step: step(), direction, attempt: number },
            Phase::Verifying { .. } => Effect::Verify { step: step(), direction, attempt: number },
            Phase::Waiting { until } if until > now => Effect::Sleep { until },
            Phase::Waiting { .. } => Effect::Record(self.next_attempt(place, direction)),
        })
    }

    /// The event that starts the first attempt of `step` with this input.
    ///
    /// # Panics
    ///
    /// If the runbook has no such step.
    pub fn first_attempt(&self, step: &str, input: Value) -> Event {
        #[expect(clippy::expect_used, reason = "documented, and only steps of this runbook become due")]
        let place = self.runbook.position(step).expect("a step of this runbook");
        self.attempt(place, Direction::Forward, 1, input)
    }

    fn next_attempt(&self, place: usize, direction: Direction) -> Event {
        let step = &self.steps[place];
        let input = step.input.clone().unwrap_or_default();
        self.attempt(place, direction, step.attempts(direction).started + 1, input)
    }

    fn attempt(&self, place: usize, direction: Direction, attempt: u32, input: Value) -> Event {
        let step = &self.runbook.steps[place];
        let action = match &step.work {
            Work::Action { action, .. } => Some(action.clone()),
            Work::Script { .. } => None,
        };
        Event::Started {
            step: step.id.clone(),
            direction,
            attempt,
            key: Key::of(self.id, &step.id, direction),
            action,
            plugin: self.pin(step).map(|pin| pin.plugin),
            effect: self.effect(step),
            input,
        }
    }
}
