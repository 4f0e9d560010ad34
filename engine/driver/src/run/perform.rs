//! What meets the world: calls, scripts and questions to plugins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use host::{Notes, Said};
use runwright_core::{
    Answer, Direction, Effect, Event, Failure, FailureKind, Key, Line, Note, Outcome, RunId, StepRun, Timestamp, Work,
};
use script::Outside;
use tokio::sync::{mpsc, oneshot};

use super::in_hand::Cancel;
use super::scripts::{Closed, Heard};
use super::{Task, World, is_script, size};
use crate::threads::NoResult;
use crate::{Call, Error, Progress};

impl Task {
    /// Starts to perform what is due and not in hand; returns when to look again.
    pub(super) fn perform(&mut self) -> Option<Timestamp> {
        self.let_go();
        for effect in std::mem::take(&mut self.begun) {
            let (turn, cancel) = (Turn::default(), Cancel::default());
            if !self.in_hand.has(&effect)
                && let Some(event) = self.event_of(&effect, &turn, &cancel)
            {
                self.in_hand.take(effect, turn, cancel, event);
            }
        }
        let now = self.world.clock.now();
        match self.run.follows(now) {
            // The run is told when it is its turn.
            None | Some(Effect::Lock { .. }) if self.queued.is_empty() => self.run.wakes_at(),
            // Became due since `decide`, or was too much for one commit.
            _ => Some(now),
        }
    }

    /// Lets go of scripts that a person must decide about, or that are over: their threads are for others. When such a
    /// script may go on, it is run again, and gets the recorded answers.
    fn let_go(&mut self) {
        let run = &self.run;
        let asks = |step: &str| run.waits_for(step).is_some_and(|(_, call)| call.state.asks().is_some());
        let is_over = |state: &StepRun, direction: Direction, attempt: u32| {
            state.active().is_none_or(|active| (active.direction, active.number) != (direction, attempt))
        };
        for script in std::mem::take(&mut self.stirred) {
            self.in_hand.keep_at(&script, |effect| match effect {
                Effect::Call { step, direction, attempt } if is_script(run, effect) => {
                    !asks(step) && run.step(step).is_some_and(|(_, state)| !is_over(state, *direction, *attempt))
                }
                _ => true,
            });
            if !self.in_hand.is_at(&script) {
                self.sessions.end(&script);
            }
        }
    }

    /// The event that will come of performing `effect`; `turn` learns whether that has begun.
    fn event_of(&mut self, effect: &Effect, turn: &Turn, cancel: &Cancel) -> Option<BoxFuture<'static, Event>> {
        let (id, direction, attempt) = match effect {
            Effect::Call { step, direction, attempt } | Effect::Verify { step, direction, attempt } => {
                (step.clone(), *direction, *attempt)
            }
            _ => return None,
        };
        let (step, state) = self.run.step(&id)?;
        // It may have ended since it became due.
        state.active().filter(|active| (active.direction, active.number) == (direction, attempt))?;
        let own_undo = direction == Direction::Undo && step.undo.is_none();
        let work = step.work(direction);
        let input = if own_undo || direction == Direction::Forward { &state.input } else { &state.undo_input };
        let action = match work {
            Work::Script { source, line, .. } => {
                let (source, line) = (source.clone(), *line);
                return Some(self.script(id, direction, attempt, source, line, cancel.of_script()));
            }
            Work::Action { action, .. } => action.clone(),
            Work::Wait { .. }
            | Work::Approve { .. }
            | Work::Group { .. }
            | Work::Each { .. }
            | Work::Runbook { .. } => return None,
        };
        let call = Call {
            run: self.run.id(),
            step: id.clone(),
            attempt,
            key: Key::of(self.run.id(), &id, direction),
            plugin: self.run.pin_of(work)?.plugin,
            action,
            input: input.clone().unwrap_or_default(),
            timeout: Duration::from_millis(step.timeout_ms),
            checkpoints: state.checkpoints.clone(),
            cancel: cancel.of_call(),
        };
        let undo_data = state.answer.as_ref().and_then(|answer| answer.undo_data.clone());
        let world = Arc::clone(&self.world);
        let notes = self.notes_of(&id, direction, attempt, turn);
        let asked = matches!(effect, Effect::Verify { .. });
        let event = async move {
            let plugins = &world.plugins;
            if asked {
                let verdict = size::of_verify(plugins.verify(call, notes).await);
                return Event::Verified { step: id, direction, attempt, verdict };
            }
            let outcome =
                if own_undo { plugins.undo(call, undo_data, notes).await } else { plugins.run(call, notes).await };
            Event::Ended { step: id, direction, attempt, outcome: size::of_action(outcome) }
        };
        Some(event.boxed())
    }

    fn notes_of(&self, step: &str, direction: Direction, attempt: u32, turn: &Turn) -> Arc<StepNotes> {
        Arc::new(StepNotes {
            world: Arc::clone(&self.world),
            run: self.run.id(),
            step: step.to_owned(),
            direction,
            attempt,
            journal: self.notes.0.clone(),
            turn: turn.clone(),
        })
    }

    fn script(
        &mut self,
        id: String,
        direction: Direction,
        attempt: u32,
        source: String,
        line: Option<u32>,
        cancel: Arc<AtomicBool>,
    ) -> BoxFuture<'static, Event> {
        let log = self.world.plugins.log(self.notes_of(&id, direction, attempt, &Turn::default()));
        let outside: Box<dyn Outside> = match direction {
            Direction::Forward => {
                let recorded = (1..).take_while(|number| self.run.asked(&id, *number).is_some()).count();
                Box::new(self.sessions.begin(&id, attempt, self.questions.0.clone(), Heard::new(log.clone(), recorded)))
            }
            Direction::Undo => Box::new(Closed(log.clone())),
        };
        let scope = self.scope_read(&id, self.world.scripts.check_script(&source).ok().as_ref());
        let world = Arc::clone(&self.world);
        let timeout = self.run.step(&id).map_or(0, |(step, _)| step.timeout_ms);
        let event = async move {
            let scripts = Arc::clone(&world.scripts);
            let evaluated = world.threads.run(move || {
                let timeout = Duration::from_millis(timeout);
                let ran = scripts.run_script(&source, &scope, timeout, &cancel, outside);
                log.finish();
                ran
            });
            let outcome = match evaluated.await {
                Ok(Ok(output)) => Outcome::Succeeded(Answer { output, changed: false, undo_data: None }),
                Ok(Err(error)) => Outcome::Failed(failed(&error, line)),
                Err(NoResult::Panicked) => Outcome::Lost { reason: "the script's thread ended early".into() },
                Err(NoResult::NotStarted(error)) => {
                    let message = format!("the script was not started: no thread for it: {error}");
                    Outcome::Failed(Failure::new(FailureKind::Transient, message))
                }
            };
            Event::Ended { step: id, direction, attempt, outcome: size::of_script(outcome) }
        };
        event.boxed()
    }

    /// Adds a note of an attempt in flight; who sent it hears when it is durable.
    pub(super) fn remember(&mut self, request: NoteRequest) -> Result<(), Error> {
        let NoteRequest { step, direction, attempt, note, done } = request;
        match self.add(Event::Noted { step, direction, attempt, note }) {
            Ok(()) => {
                self.replies.push(done);
                Ok(())
            }
            // The attempt is no longer in flight: whoever asked is gone or going.
            Err(misfit) => {
                let _ = done.send(Err(misfit.into()));
                Ok(())
            }
        }
    }
}

/// The failure of a script whose text begins on this line of the runbook's file. A refusal that it did not catch stays one:
/// it says nothing about the world.
fn failed(error: &script::Error, line: Option<u32>) -> Failure {
    let message = line.map_or_else(|| error.to_string(), |line| error.in_file(line));
    let refusals = [FailureKind::Denied, FailureKind::InvalidInput];
    let refused = |kind: &str| refusals.into_iter().find(|refusal| refusal.as_str() == kind);
    let kind = error.thrown.as_ref().and_then(|thrown| refused(&thrown.kind)).unwrap_or(FailureKind::Permanent);
    let code = error.thrown.as_ref().and_then(|thrown| thrown.code.clone());
    Failure { code, ..Failure::new(kind, message) }
}

/// A note on its way into the journal.
pub(super) struct NoteRequest {
    step: String,
    direction: Direction,
    attempt: u32,
    note: Note,
    done: oneshot::Sender<Result<(), Error>>,
}

/// Whether a call still waits for its turn: then nothing can have happened.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<AtomicBool>);

impl Turn {
    pub(super) fn is_awaited(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What one call, or one script, tells: its lines go to whoever watches and are kept, its notes go into the journal.
struct StepNotes {
    world: Arc<World>,
    run: RunId,
    step: String,
    direction: Direction,
    attempt: u32,
    journal: mpsc::Sender<Box<NoteRequest>>,
    turn: Turn,
}

#[async_trait]
impl Notes for StepNotes {
    fn waits(&self, does: bool) {
        self.turn.0.store(does, Ordering::SeqCst);
    }

    fn say(&self, said: Said) {
        let Said { stream, text, left_out, passes } = said;
        let (step, direction, attempt) = (self.step.clone(), self.direction, self.attempt);
        let line = Line { at: self.world.clock.now(), step, direction, attempt, stream, text, left_out };
        if self.world.telling.heard() {
            self.world.telling.tell(Progress::Said { run: self.run, line: line.clone(), passes });
        }
        if !passes {
            self.world.logs.keep(self.run, line);
        }
    }

    fn progress(&self, percent: Option<u8>, note: &str) {
        if self.world.telling.heard() {
            let (step, note) = (self.step.clone(), note.to_owned());
            self.world.telling.tell(Progress::Percent { run: self.run, step, percent, note });
        }
    }

    async fn note(&self, note: Note) -> Result<(), String> {
        let (done, durable) = oneshot::channel();
        let (step, direction, attempt) = (self.step.clone(), self.direction, self.attempt);
        let request = NoteRequest { step, direction, attempt, note, done };
        self.journal.send(Box::new(request)).await.map_err(|_| "the run is over".to_owned())?;
        match durable.await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("the engine stops".to_owned()),
        }
    }
}
