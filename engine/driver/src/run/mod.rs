//! The task of one unfinished run.

mod claims;
mod command;
mod decide;
mod in_hand;
mod perform;
mod scripts;
mod size;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use journal::{Batch, Journal};
use logs::Logs;
use runwright_core::{Effect, Event, Exit, Misfit, Record, Run, RunStatus, Timestamp, Work};
use tokio::sync::{mpsc, oneshot, watch};

use crate::locks::Locks;
use crate::progress::Telling;
use crate::threads::Threads;
use crate::{Clock, Error, Plugins, Progress};

pub(crate) use claims::{Claims, Standing};
pub(crate) use command::Command;
pub(crate) use decide::lock_key;
use in_hand::InHand;
use perform::NoteRequest;
use scripts::{AnswerTo, Answered, Question, Sessions};
#[cfg(test)]
pub(crate) use size::VALUE_BYTES_MAX;
pub(crate) use size::too_large;
use size::{BATCH_BYTES, bytes};

/// The world, as all tasks share it.
pub(crate) struct World {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) plugins: Arc<dyn Plugins>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) scripts: Arc<script::Engine>,
    pub(crate) logs: Arc<dyn Logs>,
    pub(crate) locks: Locks,
    pub(crate) telling: Telling,
    pub(crate) threads: Threads,
}

/// An answer that waits until what it answers is durable.
pub(crate) type Reply = oneshot::Sender<Result<(), Error>>;

/// The task of one run: it alone applies events to it and writes its records.
pub(crate) struct Task {
    world: Arc<World>,
    run: Run,
    /// Applied, but not durable yet: nothing may act on it.
    batch: Batch,
    batch_bytes: usize,
    replies: Vec<Reply>,
    /// Answers to scripts, due when what was added is durable.
    answers: Vec<(AnswerTo, Answered)>,
    sessions: Sessions,
    // Boxed, all three: a channel has room for 32 messages from its start, and most runs are never sent one.
    questions: (mpsc::Sender<Box<Question>>, mpsc::Receiver<Box<Question>>),
    claims: Claims,
    in_hand: InHand,
    /// Calls that are due and may not be in hand yet.
    begun: Vec<Effect>,
    /// Steps that wait for locks, and may have them by now.
    queued: BTreeSet<String>,
    /// Scripts that may be over, or whose call may have ended or ask a person.
    stirred: BTreeSet<String>,
    commands: mpsc::Receiver<Box<(Command, Reply)>>,
    notes: (mpsc::Sender<Box<NoteRequest>>, mpsc::Receiver<Box<NoteRequest>>),
    status: watch::Sender<RunStatus>,
    stop: watch::Receiver<Option<Duration>>,
}

/// The ends of a task's channels that the driver keeps.
pub(crate) struct Handle {
    pub(crate) commands: mpsc::Sender<Box<(Command, Reply)>>,
    pub(crate) status: watch::Receiver<RunStatus>,
}

/// What a task woke up for.
enum Wake {
    Event(Event),
    Command(Command, Reply),
    Note(NoteRequest),
    Question(Question),
    Turn(String),
    Time,
    Stop(Duration),
}

impl Task {
    /// The task of `run`, which has these claims and whose records in `batch` are not durable yet. `stop` carries
    /// the grace period.
    pub(crate) fn new(
        world: Arc<World>,
        run: Run,
        claims: Claims,
        batch: Batch,
        replies: Vec<Reply>,
        stop: watch::Receiver<Option<Duration>>,
    ) -> (Self, Handle) {
        let (command_in, commands) = mpsc::channel(4);
        // Who waits for a status waits until it is durable.
        let known = if batch.records.is_empty() { run.status() } else { RunStatus::Running };
        let (status, status_out) = watch::channel(known);
        let notes = mpsc::channel(4);
        let due = run.due(world.clock.now());
        let mut task = Self {
            world,
            run,
            batch_bytes: batch.records.iter().map(bytes).sum(),
            batch,
            replies,
            answers: Vec::new(),
            sessions: Sessions::default(),
            questions: mpsc::channel(4),
            claims,
            in_hand: InHand::default(),
            begun: Vec::new(),
            queued: BTreeSet::new(),
            stirred: BTreeSet::new(),
            commands,
            notes,
            status,
            stop,
        };
        task.take_up(due);
        (task, Handle { commands: command_in, status: status_out })
    }

    /// Releases what the run claims, after its task ended with an error, but for what the journal says that it has: that nobody
    /// else may have.
    pub(crate) fn give_back(&mut self) {
        let (locks, run) = (&self.world.locks, self.run.id());
        match self.world.journal.head(run) {
            Ok(Some(head)) if !head.status.is_finished() && head.status != RunStatus::Queued => {
                let has = |path: &str| path.is_empty() || head.step_locks.iter().any(|(holds, _)| holds == path);
                self.claims.keep(locks, run, has);
            }
            Ok(_) => self.claims.release_all(locks, run),
            Err(error) => tracing::error!(%run, %error, "its locks stay held: nobody knows whose they are"),
        }
    }

    /// Lives until the run is over, the engine stops or the journal fails.
    pub(crate) async fn live(&mut self) -> Result<(), Error> {
        loop {
            self.decide()?;
            self.commit().await?;
            if self.run.status().is_finished() {
                self.claims.release_all(&self.world.locks, self.run.id());
                return Ok(());
            }
            let stops = *self.stop.borrow();
            if let Some(grace) = stops {
                return self.wind_up(grace).await;
            }
            let sleep = self.perform();
            let mut woken = Some(self.wake(sleep).await);
            while let Some(wake) = woken {
                match wake {
                    Wake::Event(event) => {
                        let event = self.judged(event);
                        self.add(event)?;
                    }
                    Wake::Question(question) => self.question(question)?,
                    Wake::Turn(step) if step.is_empty() => {}
                    Wake::Turn(step) => _ = self.queued.insert(step),
                    Wake::Command(command, reply) => self.obey(command, reply),
                    Wake::Note(request) => self.remember(request)?,
                    Wake::Time => {}
                    Wake::Stop(grace) => {
                        self.commit().await?;
                        return self.wind_up(grace).await;
                    }
                }
                // What came while the last commit was on its way to the disk becomes durable together.
                woken = if self.batch_is_full() { None } else { self.wake(None).now_or_never() };
            }
        }
    }

    async fn wake(&mut self, sleep: Option<Timestamp>) -> Wake {
        let clock = Arc::clone(&self.world.clock);
        let timer = async {
            match sleep {
                Some(until) => clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(event) = self.in_hand.next() => Wake::Event(event),
            Some(question) = self.questions.1.recv() => Wake::Question(*question),
            step = self.claims.turn() => Wake::Turn(step),
            Some(request) = self.notes.1.recv() => Wake::Note(*request),
            Some(told) = self.commands.recv() => {
                let (command, reply) = *told;
                Wake::Command(command, reply)
            }
            grace = stopping(&mut self.stop) => Wake::Stop(grace),
            () = timer => Wake::Time,
        }
    }

    /// Adds an event to the run and to what is to become durable.
    fn add(&mut self, event: Event) -> Result<(), Misfit> {
        let record = Record { run: self.run.id(), seq: self.run.seq() + 1, at: self.world.clock.now(), event };
        self.run.apply(&record)?;
        self.batch_bytes += bytes(&record);
        self.batch.records.push(record);
        self.take_up(self.run.begun().collect());
        for (_, state, _) in self.run.changed() {
            self.claims.touch(&state.path);
            if state.told_to_stop {
                self.in_hand.cancel(&state.path);
            }
            let script = state.path.rsplit_once('/').map(|(above, _)| above);
            let stirred = [Some(&*state.path), script].into_iter().flatten();
            self.stirred.extend(stirred.filter(|path| self.sessions.has(path)).map(str::to_owned));
        }
        Ok(())
    }

    /// Keeps in mind what became due that needs the world.
    fn take_up(&mut self, due: Vec<Effect>) {
        for effect in due {
            match effect {
                Effect::Lock { step, .. } if !step.is_empty() => _ = self.queued.insert(step),
                Effect::Call { .. } | Effect::Verify { .. } => self.begun.push(effect),
                _ => {}
            }
        }
    }

    fn batch_is_full(&self) -> bool {
        self.batch_bytes >= BATCH_BYTES
    }

    /// Makes what was added durable, then answers those who wait for that.
    async fn commit(&mut self) -> Result<(), Error> {
        if !self.batch.records.is_empty() {
            let mut batch = std::mem::take(&mut self.batch);
            self.batch_bytes = 0;
            batch.heads.push(self.run.head());
            let told = if self.world.telling.heard() { batch.records.clone() } else { Vec::new() };
            if let Err(error) = self.append(batch).await {
                return Err(self.refuse(error));
            }
            if told.is_empty() && self.world.telling.heard() {
                self.world.telling.tell(Progress::Unheard { run: self.run.id() });
            }
            for record in told {
                self.world.telling.tell(Progress::Record(Arc::new(record)));
            }
            self.status.send_if_modified(|status| {
                let now = self.run.status();
                std::mem::replace(status, now) != now
            });
        }
        self.claims.keep_needed(&self.world.locks, &self.run);
        for reply in self.replies.drain(..) {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(()));
        }
        self.answer_scripts();
        Ok(())
    }

    /// Tells those who wait for what was not written why; the run can't go on from here.
    fn refuse(&mut self, error: Error) -> Error {
        for reply in self.replies.drain(..) {
            let same = match &error {
                Error::Journal(error) => Error::Journal(error.clone()),
                _ => Error::Stopped,
            };
            let _ = reply.send(Err(same));
        }
        error
    }

    /// Appends, and waits as long as the disk is full: nothing was started, and nothing is lost.
    async fn append(&mut self, batch: Batch) -> Result<(), Error> {
        loop {
            match self.world.journal.append(batch.clone()).await {
                Ok(_) => return Ok(()),
                Err(journal::Error::Full(_)) => {
                    tracing::warn!(run = %self.run.id(), "the disk is full: the run waits for room");
                    let again = self.world.clock.now().plus_millis(FULL_DISK_LOOK_MS);
                    let mut stop = self.stop.clone();
                    tokio::select! {
                        () = self.world.clock.sleep_until(again) => {}
                        _ = stopping(&mut stop) => return Err(Error::Stopped),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The engine stops: actions in flight may end within `grace`, nothing else is started, and what is still in flight
    /// then is written down as interrupted. Scripts and calls that wait for their turn are let go at once, before a turn
    /// becomes free: they are started again, and nothing of them is lost.
    async fn wind_up(&mut self, grace: Duration) -> Result<(), Error> {
        let clock = Arc::clone(&self.world.clock);
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let deadline = clock.sleep_until(clock.now().plus_millis(grace_ms));
        tokio::pin!(deadline);
        self.sessions = Sessions::default();
        let run = &self.run;
        self.in_hand.keep(|effect| !is_script(run, effect));
        let mut not_begun = self.never_begun();
        not_begun.extend(self.in_hand.drop_waiting().await);
        while !self.in_hand.is_empty() {
            tokio::select! {
                biased;
                Some(event) = self.in_hand.next() => {
                    let event = self.judged(event);
                    self.add(event)?;
                    self.commit().await?;
                }
                Some(request) = self.notes.1.recv() => {
                    self.remember(*request)?;
                    self.commit().await?;
                }
                () = &mut deadline => break,
            }
        }
        self.in_hand.cancel_all();
        self.in_hand = InHand::default();
        if self.run.in_flight().next().is_some() {
            self.add(Event::Interrupted { engine: Exit::Stopped, not_begun })?;
            self.commit().await?;
        }
        Ok(())
    }

    /// The calls of actions that are written down and were not performed, because the engine stops.
    fn never_begun(&self) -> Vec<String> {
        let due = self.run.due(self.world.clock.now());
        let not_begun = due.into_iter().filter(|effect| !self.in_hand.has(effect) && !is_script(&self.run, effect));
        not_begun.filter_map(|effect| if let Effect::Call { step, .. } = effect { Some(step) } else { None }).collect()
    }
}

/// Whether the effect is a call of a script.
fn is_script(run: &Run, effect: &Effect) -> bool {
    let Effect::Call { step, direction, .. } = effect else { return false };
    run.step(step).is_some_and(|(step, _)| matches!(step.work(*direction), Work::Script { .. }))
}

/// Milliseconds between two tries to write to a full disk.
const FULL_DISK_LOOK_MS: u64 = 1_000;

/// Returns, with the grace, when the engine stops. Never, if nobody can stop it any more.
async fn stopping(stop: &mut watch::Receiver<Option<Duration>>) -> Duration {
    let grace = stop.wait_for(Option::is_some).await.map(|grace| grace.unwrap_or_default());
    match grace {
        Ok(grace) => grace,
        Err(_) => std::future::pending().await,
    }
}
