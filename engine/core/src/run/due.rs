//! What the world owes a run.

use std::collections::BTreeSet;

use super::inside::{Course, End};
use super::owed::Owed;
use super::tree::{NodeId, ROOT};
use super::{Phase, Run, Stage, StepState};
use crate::{
    ActionName, Answer, Direction, Event, Failure, FailureKind, Key, Outcome, RunStatus, Timestamp, Value, Work,
};

/// Something that the world must do for a run. What came of it goes back as an [`Event`].
///
/// Effects are derived, not stored: the same run owes the same effects until an event changes it, so whoever performs
/// them remembers which ones are in hand. Steps are named by their path.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Give the step, or the run where no step is named, these locks when no other holds them; gives [`Event::Locked`]. A
    /// run also waits for its turn among those of its runbook.
    Lock {
        /// The step.
        step: String,
        /// The locks' keys.
        keys: Vec<String>,
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
    /// Work out what the runbook at this step gives, whose steps have succeeded; gives [`Event::Ended`].
    Outputs {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
    },
    /// Work out the outputs, if the run succeeded; gives [`Event::Finished`].
    Finish {
        /// The end that it comes to.
        status: RunStatus,
    },
}

/// What a node comes to by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Rest {
    /// Nothing is left to do in it.
    #[default]
    Over,
    /// Nothing goes on before a person decides about an undo; what else is to be undone can be.
    Stuck,
    /// Nothing goes on before a person decides.
    Asks,
    /// Something is at work in it, or can begin.
    Busy,
}

impl Rest {
    pub(super) fn is_over(self) -> bool {
        self == Self::Over
    }
}

impl Run {
    /// What the world owes the run at `now`. When it is over, nothing; when a person must decide, at most the time.
    pub fn due(&self, now: Timestamp) -> Vec<Effect> {
        match self.stage {
            Stage::Finished(_) => return Vec::new(),
            Stage::Queued => return vec![self.turn()],
            Stage::Open => {}
        }
        let Owed { now: ready, called, queued, waiting, limits, .. } = &self.owed;
        let mut effects: Vec<Effect> = limits.iter().filter_map(|(_, id)| self.limit_due(*id, now)).collect();
        let nodes = ready.iter().chain(called).chain(queued).chain(waiting.iter().map(|(_, id)| id));
        effects.extend(nodes.filter_map(|id| self.due_from(*id, now)));
        effects
    }

    fn turn(&self) -> Effect {
        Effect::Lock { step: String::new(), keys: self.lock.iter().cloned().collect() }
    }

    /// The first that is due at `now` and gives an event at once; of a run that has not begun, that it waits for its turn.
    pub fn follows(&self, now: Timestamp) -> Option<Effect> {
        match self.stage {
            Stage::Finished(_) => return None,
            Stage::Queued => return Some(self.turn()),
            Stage::Open => {}
        }
        let first = |times: &BTreeSet<(Timestamp, NodeId)>| times.first().filter(|(time, _)| *time <= now).copied();
        if let Some((_, id)) = first(&self.owed.limits) {
            return self.limit_due(id, now);
        }
        let waited = first(&self.owed.waiting).map(|(_, id)| id);
        self.due_from(waited.or_else(|| self.owed.now.first().copied())?, now)
    }

    /// The calls and locks that the last record asked for. A call may be in hand already: that of a script which waited for
    /// something that it asked for.
    pub fn begun(&self) -> impl Iterator<Item = Effect> {
        let is_open = self.stage == Stage::Open;
        self.owed.begun.iter().filter(move |_| is_open).filter_map(|id| self.due_from(*id, self.updated))
    }

    /// The locks that the step at this path waits for, if it does.
    pub fn queued(&self, path: &str) -> Option<Effect> {
        let id = self.find(path).filter(|id| self.owed.queued.contains(id) && self.stage == Stage::Open)?;
        self.due_from(id, self.updated)
    }

    /// When to look again, where nothing else happens.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let times = [self.owed.limits.first(), self.owed.waiting.first()];
        times.into_iter().flatten().map(|(time, _)| *time).min().filter(|_| self.stage == Stage::Open)
    }

    /// What is due where the way of a node goes on.
    fn due_from(&self, id: NodeId, now: Timestamp) -> Option<Effect> {
        match self.node(id).derived.due?.at {
            ROOT => Some(Effect::Finish { status: self.end_reached() }),
            at => self.due_at(at, now),
        }
    }

    /// The end to which the run has come.
    pub(super) fn end_reached(&self) -> RunStatus {
        let passed_no_return = self.inside(ROOT).is_some_and(|inside| inside.no_return > 0);
        match self.course() {
            Course::Forward => RunStatus::Succeeded,
            Course::Closing(End::Failed) => RunStatus::Failed,
            Course::Closing(End::Cancelled) => RunStatus::Cancelled,
            // What lies before a point of no return was not taken back.
            Course::Undoing if passed_no_return => RunStatus::Failed,
            Course::Undoing => RunStatus::RolledBack,
        }
    }

    /// What the time of a node owes.
    fn limit_due(&self, id: NodeId, now: Timestamp) -> Option<Effect> {
        let until = self.limit(id)?;
        let over = || Effect::Record(Box::new(Event::TimedOut { step: self.path(id).to_string() }));
        Some(if until > now { Effect::Sleep { until } } else { over() })
    }

    /// What is due at a node.
    fn due_at(&self, id: NodeId, now: Timestamp) -> Option<Effect> {
        let step = || self.path(id).to_string();
        let StepState::Active(attempt) = &self.at(id).state else {
            return Some(match self.at(id).state {
                StepState::Pending => Effect::Resolve { step: step() },
                _ if self.step_at(id).undo.is_some() => Effect::ResolveUndo { step: step() },
                _ => Effect::Record(Box::new(self.next_attempt(id, Direction::Undo))),
            });
        };
        let (direction, number) = (attempt.direction, attempt.number);
        let ended =
            |outcome| Effect::Record(Box::new(Event::Ended { step: step(), direction, attempt: number, outcome }));
        if direction == Direction::Forward && self.is_given_up(id) {
            return Some(ended(Outcome::Failed(Failure::new(
                FailureKind::Cancelled,
                "it was stopped: its run is ending",
            ))));
        }
        Some(match attempt.phase {
            Phase::Asking { .. } => return None,
            Phase::Queued => Effect::Lock { step: step(), keys: self.missing_locks(id) },
            Phase::Calling => Effect::Call { step: step(), direction, attempt: number },
            Phase::Verifying { .. } => Effect::Verify { step: step(), direction, attempt: number },
            Phase::Waiting { until } | Phase::Sleeping { until } if until > now => Effect::Sleep { until },
            Phase::Waiting { .. } if self.undo_unresolved(id) => Effect::ResolveUndo { step: step() },
            Phase::Waiting { .. } => Effect::Record(Box::new(self.next_attempt(id, direction))),
            Phase::Sleeping { .. } => ended(Outcome::Succeeded(Answer::default())),
            Phase::Inside { .. } if direction == Direction::Forward && self.gives_outputs(id) => {
                Effect::Outputs { step: step(), attempt: number }
            }
            Phase::Inside { .. } => ended(match self.outcome(id) {
                Ok(()) => Outcome::Succeeded(Answer::default()),
                Err(failure) => Outcome::Failed(failure),
            }),
        })
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
            locks: Vec::new(),
        })
    }

    fn next_attempt(&self, id: NodeId, direction: Direction) -> Event {
        let step = self.at(id);
        let own = self.undoes_itself(id, direction) || direction == Direction::Forward;
        let input = if own { step.input.clone() } else { step.undo_input.clone() };
        self.attempt(id, direction, step.attempts(direction).started + 1, input.unwrap_or_default())
    }

    fn attempt(&self, id: NodeId, direction: Direction, attempt: u32, input: Value) -> Event {
        let path = self.path(id);
        let work = self.work_at(id, direction);
        let action = match work {
            Work::Action { action, .. } => Some(action.clone()),
            _ => None,
        };
        let pin = self.pin_of(work);
        Event::Started {
            step: path.to_string(),
            direction,
            attempt,
            key: Key::of(self.id, path, direction),
            action,
            plugin: pin.map(|pin| pin.plugin),
            effect: pin.map_or(crate::EffectClass::Read, |pin| pin.effect),
            input,
            locks: Vec::new(),
        }
    }
}
