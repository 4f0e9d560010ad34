//! What the world owes a run.

use super::inside::{Course, End};
use super::tree::{NodeId, ROOT};
use super::{Attempt, Phase, Run, Stage, StepState};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rest {
    /// Nothing is left to do in it.
    Over,
    /// Nothing goes on before a person decides about an undo; what else is to be undone can be.
    Stuck,
    /// Nothing goes on before a person decides.
    Asks,
    /// Something is at work in it, or can begin.
    Busy,
}

/// What is due at a node that is visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    /// Its next step on its way.
    Step(NodeId),
    /// An end, when its time is up.
    Limit(NodeId),
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
            Stage::Queued => {
                return vec![Effect::Lock { step: String::new(), keys: self.lock.iter().cloned().collect() }];
            }
            Stage::Open => {}
        }
        let mut effects = Vec::new();
        effects.extend(self.limit_due(ROOT, now));
        let mut due = |owed| {
            effects.extend(match owed {
                Owed::Step(id) => self.due_at(id, now),
                Owed::Limit(id) => self.limit_due(id, now),
            });
        };
        if self.visit(ROOT, &mut due).is_over() {
            effects.push(Effect::Finish { status: self.end_reached() });
        }
        effects
    }

    /// What is left to do in a node.
    pub(super) fn rest(&self, id: NodeId) -> Rest {
        self.visit(id, &mut |_| {})
    }

    /// Visits each node in `id` at which something is due: those at work, those that can begin, and those that have come to
    /// their end. Says what is left to do in `id` itself.
    pub(super) fn visit(&self, id: NodeId, due: &mut impl FnMut(Owed)) -> Rest {
        let Some(inside) = self.inside(id) else { return Rest::Over };
        let (mut at_work, mut stuck) = (Vec::new(), Vec::new());
        let mut rest = Rest::Over;
        for child in inside.open.iter().copied() {
            let of_child = self.visit_open(child, due);
            rest = rest.max(of_child);
            match of_child {
                Rest::Over => {}
                Rest::Stuck => stuck.push(child),
                Rest::Asks | Rest::Busy => at_work.push(child),
            }
        }
        if inside.course == Course::Undoing {
            let next = if at_work.iter().any(|child| self.is_at_work_forward(*child)) {
                Vec::new()
            } else {
                self.next_undos(id, &at_work, &stuck)
            };
            if !next.is_empty() {
                next.into_iter().map(Owed::Step).for_each(due);
                return Rest::Busy;
            }
            if rest != Rest::Over {
                return rest;
            }
        }
        match self.next_child(id, at_work.len() + stuck.len()) {
            Some(child) => {
                due(Owed::Step(child));
                Rest::Busy
            }
            None => rest,
        }
    }

    /// The same for a child that is at work, or waits for a person.
    fn visit_open(&self, id: NodeId, due: &mut impl FnMut(Owed)) -> Rest {
        if self.limit(id).is_some() {
            due(Owed::Limit(id));
        }
        match &self.at(id).state {
            StepState::Active(Attempt { phase: Phase::Asking { .. }, .. }) => Rest::Asks,
            StepState::Active(Attempt { phase: Phase::Inside { .. }, .. }) => match self.visit(id, due) {
                // It ends as a whole.
                Rest::Over => {
                    due(Owed::Step(id));
                    Rest::Busy
                }
                rest => rest,
            },
            StepState::Active(Attempt { direction: Direction::Undo, .. }) => {
                due(Owed::Step(id));
                Rest::Busy
            }
            StepState::Active(_) => {
                let open = self.open_call(id);
                let asks = open.is_some_and(|call| self.at(call).state.asks().is_some());
                if let Some(call) = open.filter(|_| !asks) {
                    due(Owed::Step(call));
                } else if !asks || self.is_given_up(id) {
                    due(Owed::Step(id));
                } else {
                    return Rest::Asks;
                }
                Rest::Busy
            }
            StepState::Unknown { direction: Direction::Forward, .. } if self.has_effect(id) => Rest::Over,
            StepState::Unknown { .. } => Rest::Asks,
            StepState::UndoFailed { accepted: false } => Rest::Stuck,
            // A script is taken back call by call.
            _ => {
                let calls = self.inside(id).map(|inside| &inside.open).into_iter().flatten();
                calls.map(|call| self.visit_open(*call, due)).max().unwrap_or(Rest::Over)
            }
        }
    }

    fn is_at_work_forward(&self, id: NodeId) -> bool {
        self.at(id).active().is_some_and(|attempt| attempt.direction == Direction::Forward)
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

    /// What is due at a node that was visited.
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
