//! The one transition table: what an event makes of a run, live and on replay.

use std::sync::Arc;

use super::{Attempt, Phase, Run, Stage, StepRun, StepState};
use crate::recovery::unverifiable;
use crate::{
    Answer, By, Direction, EffectClass, Event, Exit, Failure, FailureKind, Map, Note, OnFailure, Outcome, Record,
    Recovery, RunStatus, Runbook, Settlement, SkipReason, Timestamp, Value, Verdict, recovery,
};

/// In flight at this many deaths of the engine, a step is suspected to be what kills it.
const DEATHS_BEFORE_QUARANTINE: u32 = 3;

/// An event that does not fit the run that it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} does not fit {state}")]
pub struct Misfit {
    event: String,
    state: String,
}

impl Misfit {
    fn new(event: impl Into<String>, state: impl Into<String>) -> Self {
        Self { event: event.into(), state: state.into() }
    }
}

impl Run {
    /// The run that `record`, which must be its first, creates from `runbook`.
    pub fn create(runbook: Arc<Runbook>, record: &Record) -> Result<Self, Misfit> {
        let Event::Created { runbook: digest, inputs, pins, cause, .. } = &record.event else {
            return Err(Misfit::new(name(&record.event), "the start of a history"));
        };
        if record.seq != 1 {
            return Err(Misfit::new(format!("record {}", record.seq), "the start of a history"));
        }
        if let Some(action) = runbook.actions().into_iter().find(|action| !pins.contains_key(*action)) {
            return Err(Misfit::new("a runbook that uses an action without pinning it", action.to_string()));
        }
        Ok(Self {
            id: record.run,
            digest: *digest,
            inputs: inputs.clone(),
            pins: pins.clone(),
            cause: cause.clone(),
            steps: vec![StepRun::pending(); runbook.steps.len()],
            stage: Stage::Forward,
            outputs: Map::new(),
            failure: None,
            seq: 1,
            created: record.at,
            updated: record.at,
            runbook,
        })
    }

    /// The run that these records, from its first on, describe.
    pub fn replay(runbook: Arc<Runbook>, records: &[Record]) -> Result<Self, Misfit> {
        let Some((first, rest)) = records.split_first() else {
            return Err(Misfit::new("nothing", "the start of a history"));
        };
        let mut run = Self::create(runbook, first)?;
        for record in rest {
            run.apply(record)?;
        }
        Ok(run)
    }

    /// Adds one record. An error leaves the run as it was.
    pub fn apply(&mut self, record: &Record) -> Result<(), Misfit> {
        if record.run != self.id || record.seq != self.seq + 1 {
            let what = format!("record {} of run {}", record.seq, record.run);
            return Err(Misfit::new(what, format!("run {} after record {}", self.id, self.seq)));
        }
        if let Stage::Finished(status) = self.stage {
            return Err(Misfit::new(name(&record.event), format!("a run that is {}", status.as_str())));
        }
        self.transition(record)?;
        self.seq = record.seq;
        self.updated = record.at;
        Ok(())
    }

    /// What `event` makes of the run; nothing changes before it is known to fit.
    fn transition(&mut self, record: &Record) -> Result<(), Misfit> {
        let at = record.at;
        match &record.event {
            Event::Created { .. } => Err(Misfit::new("a second created", "a run that exists")),
            Event::Skipped { step, reason } => {
                let step = self.pending(step, "skipped")?;
                step.state = StepState::Skipped(*reason);
                step.ended = Some(at);
                Ok(())
            }
            Event::Refused { step, failure } => {
                self.pending(step, "refused")?;
                let place = self.place(step)?;
                self.fail(place, failure.clone(), at);
                Ok(())
            }
            Event::Started { step, direction, attempt, input, .. } => {
                let place = self.place(step)?;
                self.start(place, *direction, *attempt, input, at)
            }
            Event::Noted { step, direction, attempt, note } => {
                let place = self.in_flight(step, *direction, *attempt, "noted")?;
                self.steps[place].remember(note);
                Ok(())
            }
            Event::Ended { step, direction, attempt, outcome } => {
                let place = self.in_flight(step, *direction, *attempt, "ended")?;
                self.end(place, *direction, outcome, at);
                Ok(())
            }
            Event::Interrupted { engine } => {
                self.interrupt(*engine, at);
                Ok(())
            }
            Event::Verified { step, direction, attempt, verdict } => {
                let place = self.place(step)?;
                self.verified(place, *direction, *attempt, verdict, at)
            }
            Event::Settled { step, settlement, by } => {
                let place = self.place(step)?;
                self.settle(place, settlement, by, at)
            }
            Event::CancelRequested { .. } => self.cancel(at),
            Event::RollbackRequested { .. } => self.roll_back(at),
            Event::Finished { outputs, failure } => self.finish(outputs, failure.as_ref(), at),
        }
    }

    fn place(&self, step: &str) -> Result<usize, Misfit> {
        self.runbook.position(step).ok_or_else(|| Misfit::new(format!("step {step:?}"), "this runbook"))
    }

    fn pending(&mut self, id: &str, event: &str) -> Result<&mut StepRun, Misfit> {
        let place = self.place(id)?;
        let step = &mut self.steps[place];
        match step.state {
            StepState::Pending => Ok(step),
            _ => Err(step.misfit(event, id)),
        }
    }

    /// The place of the step whose attempt of this number awaits its action's answer.
    fn in_flight(&self, id: &str, direction: Direction, number: u32, event: &str) -> Result<usize, Misfit> {
        let place = self.place(id)?;
        let step = &self.steps[place];
        match &step.state {
            StepState::Active(Attempt { direction: d, number: n, phase: Phase::Calling })
                if (*d, *n) == (direction, number) =>
            {
                Ok(place)
            }
            _ => Err(step.misfit(event, id)),
        }
    }

    fn start(
        &mut self,
        place: usize,
        direction: Direction,
        number: u32,
        input: &Value,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let first = match direction {
            Direction::Forward => self.steps[place].state == StepState::Pending,
            Direction::Undo => self.stage == Stage::Undoing && self.next_undo() == Some(place),
        };
        let step = &mut self.steps[place];
        let next = matches!(&step.state, StepState::Active(Attempt { direction: d, phase: Phase::Waiting { .. }, .. })
            if *d == direction);
        if !(first || next) || number != step.attempts(direction).started + 1 {
            return Err(step.misfit("started", &self.runbook.steps[place].id));
        }
        step.attempts_mut(direction).started = number;
        step.started.get_or_insert(at);
        step.children.clear();
        if direction == Direction::Forward {
            step.input = Some(input.clone());
        }
        step.state = StepState::Active(Attempt { direction, number, phase: Phase::Calling });
        Ok(())
    }

    fn end(&mut self, place: usize, direction: Direction, outcome: &Outcome, at: Timestamp) {
        match outcome {
            Outcome::Succeeded(answer) => self.succeed(place, direction, answer, at),
            Outcome::Failed(failure) => {
                self.steps[place].attempts_mut(direction).spent += 1;
                if failure.kind == FailureKind::Transient && self.may_repeat(place, direction) {
                    self.steps[place].failure = Some(failure.clone());
                    self.again(place, direction, failure.retry_after_ms.unwrap_or(0), at);
                } else {
                    self.give_up(place, direction, failure.clone(), at);
                }
            }
            Outcome::Lost { reason } => {
                self.steps[place].attempts_mut(direction).spent += 1;
                self.lose(place, direction, reason, at);
            }
        }
    }

    /// Applies the recovery table to an attempt whose answer is lost.
    fn lose(&mut self, place: usize, direction: Direction, reason: &str, at: Timestamp) {
        let step = &self.runbook.steps[place];
        match recovery(step, self.pin(step), direction) {
            Recovery::Verify => {
                if let StepState::Active(attempt) = &mut self.steps[place].state {
                    attempt.phase = Phase::Verifying { reason: reason.to_owned() };
                }
            }
            verdict => self.follow(verdict, place, direction, reason, at),
        }
    }

    fn follow(&mut self, verdict: Recovery, place: usize, direction: Direction, reason: &str, at: Timestamp) {
        match verdict {
            Recovery::Again if self.may_repeat(place, direction) => self.again(place, direction, 0, at),
            Recovery::Again | Recovery::Fail => {
                let reads = self.effect(&self.runbook.steps[place]) == EffectClass::Read;
                let kind = if reads { FailureKind::Permanent } else { FailureKind::Partial };
                self.give_up(place, direction, Failure::new(kind, reason), at);
            }
            Recovery::Ask | Recovery::Verify => {
                let step = &mut self.steps[place];
                step.state = StepState::Unknown { direction, reason: reason.to_owned() };
                step.ended = Some(at);
            }
        }
    }

    fn interrupt(&mut self, engine: Exit, at: Timestamp) {
        for place in 0..self.steps.len() {
            let step = &mut self.steps[place];
            let StepState::Active(Attempt { direction, phase: Phase::Calling, .. }) = step.state else { continue };
            let attempts = step.attempts_mut(direction);
            if engine == Exit::Died {
                attempts.deaths += 1;
            }
            let deaths = attempts.deaths;
            if deaths < DEATHS_BEFORE_QUARANTINE {
                let how = if engine == Exit::Died { "died" } else { "was stopped" };
                self.lose(place, direction, &format!("the engine {how} while the step was in flight"), at);
            } else {
                let reason = format!("the engine died {deaths} times while the step was in flight: quarantined");
                self.follow(Recovery::Ask, place, direction, &reason, at);
            }
        }
    }

    fn verified(
        &mut self,
        place: usize,
        direction: Direction,
        number: u32,
        verdict: &Verdict,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let reason = match &self.steps[place].state {
            StepState::Active(Attempt { direction: d, number: n, phase: Phase::Verifying { reason } })
                if (*d, *n) == (direction, number) =>
            {
                reason.clone()
            }
            _ => return Err(self.steps[place].misfit("verified", &self.runbook.steps[place].id)),
        };
        match verdict {
            Verdict::Happened(answer) => self.succeed(place, direction, answer, at),
            Verdict::NotHappened if self.may_repeat(place, direction) => self.again(place, direction, 0, at),
            Verdict::NotHappened => {
                let failure = Failure::new(FailureKind::Transient, format!("{reason}; it did not happen"));
                self.give_up(place, direction, failure, at);
            }
            Verdict::CannotTell { reason: why } => {
                let verdict = unverifiable(&self.runbook.steps[place]);
                self.follow(verdict, place, direction, &format!("{reason}; {why}"), at);
            }
        }
        Ok(())
    }

    fn settle(&mut self, place: usize, settlement: &Settlement, by: &By, at: Timestamp) -> Result<(), Misfit> {
        let direction = match self.steps[place].state {
            StepState::Unknown { direction, .. } => direction,
            StepState::UndoFailed { accepted: false } => Direction::Undo,
            _ => return Err(self.steps[place].misfit("settled", &self.runbook.steps[place].id)),
        };
        let decided = || Failure::new(FailureKind::Partial, format!("{} settled it as failed: {}", by.who, by.why));
        match settlement {
            Settlement::Done { output } => {
                let answer = Answer { output: output.clone(), changed: true, undo_data: None };
                self.succeed(place, direction, &answer, at);
            }
            Settlement::Failed if direction == Direction::Forward => self.fail(place, decided(), at),
            Settlement::Failed => self.steps[place].state = StepState::UndoFailed { accepted: true },
            Settlement::Retry => {
                let attempts = self.steps[place].attempts_mut(direction);
                (attempts.spent, attempts.deaths) = (0, 0);
                self.again(place, direction, 0, at);
            }
            Settlement::Undo => {
                let step = &self.runbook.steps[place];
                if direction == Direction::Undo || !self.pin(step).is_some_and(|pin| pin.has_undo) {
                    return Err(Misfit::new(
                        "settled as undo",
                        format!("step {:?}, which has no undo to run", step.id),
                    ));
                }
                self.steps[place].conclude(StepState::Failed, self.seq + 1, at);
                self.steps[place].failure = Some(decided());
                self.stage = Stage::Undoing;
            }
        }
        Ok(())
    }

    fn cancel(&mut self, at: Timestamp) -> Result<(), Misfit> {
        if self.stage != Stage::Forward {
            return Err(Misfit::new("cancel-requested", "a run that is ending already"));
        }
        self.stage = Stage::Closing(RunStatus::Cancelled);
        self.give_up_waiting(at);
        Ok(())
    }

    fn roll_back(&mut self, at: Timestamp) -> Result<(), Misfit> {
        if self.stage == Stage::Undoing {
            return Err(Misfit::new("rollback-requested", "a run that is rolling back already"));
        }
        self.stage = Stage::Undoing;
        self.give_up_waiting(at);
        Ok(())
    }

    fn finish(&mut self, outputs: &Map, failure: Option<&Failure>, at: Timestamp) -> Result<(), Misfit> {
        let Some(status) = self.end_reached() else {
            return Err(Misfit::new("finished", "a run with steps left"));
        };
        for step in &mut self.steps {
            if step.state == StepState::Pending {
                step.state = StepState::Skipped(SkipReason::NotReached);
                step.ended = Some(at);
            }
        }
        self.outputs = outputs.clone();
        self.failure = failure.cloned();
        self.stage = Stage::Finished(if failure.is_some() { RunStatus::Failed } else { status });
        Ok(())
    }

    fn succeed(&mut self, place: usize, direction: Direction, answer: &Answer, at: Timestamp) {
        let seq = self.seq + 1;
        let step = &mut self.steps[place];
        match direction {
            Direction::Forward => {
                step.answer = Some(answer.clone());
                step.failure = None;
                step.conclude(StepState::Succeeded, seq, at);
            }
            Direction::Undo => {
                step.state = StepState::Undone;
                step.ended = Some(at);
            }
        }
    }

    fn give_up(&mut self, place: usize, direction: Direction, failure: Failure, at: Timestamp) {
        match direction {
            Direction::Forward => self.fail(place, failure, at),
            Direction::Undo => {
                let step = &mut self.steps[place];
                step.failure = Some(failure);
                step.state = StepState::UndoFailed { accepted: false };
                step.ended = Some(at);
            }
        }
    }

    /// The step failed for good: the run goes where its `on-failure` says, unless it is ending already.
    fn fail(&mut self, place: usize, failure: Failure, at: Timestamp) {
        let seq = self.seq + 1;
        self.steps[place].failure = Some(failure);
        self.steps[place].conclude(StepState::Failed, seq, at);
        if self.stage == Stage::Forward {
            self.stage = match self.runbook.steps[place].on_failure {
                OnFailure::Continue => Stage::Forward,
                OnFailure::Stop => Stage::Closing(RunStatus::Failed),
                OnFailure::Rollback => Stage::Undoing,
            };
        }
    }

    /// Whether `retry` allows one more attempt. A run that is ending repeats only what its end needs.
    fn may_repeat(&self, place: usize, direction: Direction) -> bool {
        let step = &self.runbook.steps[place];
        let wanted = self.stage == Stage::Forward || step.always || direction == Direction::Undo;
        let allowed = match direction {
            Direction::Forward => step.retry.attempts,
            Direction::Undo => step.retry.attempts.max(Self::UNDO_ATTEMPTS),
        };
        wanted && self.steps[place].attempts(direction).spent < allowed
    }

    /// Attempts of an undo, at least: giving up on one needs a person.
    const UNDO_ATTEMPTS: u32 = 3;

    fn again(&mut self, place: usize, direction: Direction, delay_ms: u64, at: Timestamp) {
        let retry = &self.runbook.steps[place].retry;
        let step = &mut self.steps[place];
        let attempts = *step.attempts(direction);
        let delay_ms = if attempts.spent == 0 { 0 } else { delay_ms.max(retry.delay_after_ms(attempts.spent)) };
        let phase = Phase::Waiting { until: at.plus_millis(delay_ms) };
        step.state = StepState::Active(Attempt { direction, number: attempts.started, phase });
    }

    /// Steps that wait for their next attempt will not get it: the run is ending.
    fn give_up_waiting(&mut self, at: Timestamp) {
        for place in 0..self.steps.len() {
            let waits = matches!(
                self.steps[place].active(),
                Some(Attempt { direction: Direction::Forward, phase: Phase::Waiting { .. }, .. })
            );
            if waits && !self.runbook.steps[place].always {
                let failure = self.steps[place].failure.clone();
                let failure = failure
                    .unwrap_or_else(|| Failure::new(FailureKind::Cancelled, "cancelled before the next attempt"));
                self.fail(place, failure, at);
            }
        }
    }
}

impl StepRun {
    fn conclude(&mut self, state: StepState, seq: u64, at: Timestamp) {
        self.state = state;
        self.completed = Some(seq);
        self.ended = Some(at);
    }

    fn remember(&mut self, note: &Note) {
        match note {
            Note::Checkpoint { key, value: Some(value) } => {
                self.checkpoints.insert(key.clone(), value.clone());
            }
            Note::Checkpoint { key, value: None } => {
                self.checkpoints.remove(key);
            }
            Note::Child { detached: false, pid, started, .. } => self.children.push((*pid, *started)),
            Note::Child { detached: true, .. } => {}
        }
    }

    fn misfit(&self, event: &str, id: &str) -> Misfit {
        let attempt = self.active().map_or_else(String::new, |attempt| format!(" in attempt {}", attempt.number));
        Misfit::new(event, format!("step {id:?}, which is {}{attempt}", self.state.as_str()))
    }
}

/// The event's kind, for people.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Created { .. } => "created",
        Event::Skipped { .. } => "skipped",
        Event::Refused { .. } => "refused",
        Event::Started { .. } => "started",
        Event::Noted { .. } => "noted",
        Event::Ended { .. } => "ended",
        Event::Interrupted { .. } => "interrupted",
        Event::Verified { .. } => "verified",
        Event::Settled { .. } => "settled",
        Event::CancelRequested { .. } => "cancel-requested",
        Event::RollbackRequested { .. } => "rollback-requested",
        Event::Finished { .. } => "finished",
    }
}
