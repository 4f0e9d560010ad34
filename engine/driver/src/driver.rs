//! The door to all runs of one engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use journal::{Batch, Journal, Query};
use runwright_core::{
    ActionName, By, Cause, Event, Exit, Map, Misfit, Phase, Pin, Record, Run, RunId, RunStatus, Runbook, Settlement,
};
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinSet;

use crate::progress::Telling;
use crate::run::{Command, Handle, Reply, Task, World};
use crate::{Clock, Plugins, Progress, children};

/// Why something that was asked of the driver did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal can't be read or written, or a run in it is damaged.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The journal has no such run.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// What was asked does not fit the run's state.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The run is over.
    #[error("run {run} is over: it is {}", status.as_str())]
    Over {
        /// The run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// A plugin that the run is pinned to can't be used.
    #[error("run {run} is pinned to plugin {plugin}, which can't be used: {reason}")]
    PluginGone {
        /// The run.
        run: RunId,
        /// The plugin's digest.
        plugin: runwright_core::Digest,
        /// Why not.
        reason: String,
    },
    /// The runbook uses an action that no plugin has.
    #[error("no plugin has the action {0}")]
    NoSuchAction(ActionName),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopped,
    /// Something that can't be so.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What a new run is made of.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The checked runbook.
    pub runbook: Arc<Runbook>,
    /// The checked inputs, with defaults filled in.
    pub inputs: Map,
    /// Who or what starts it.
    pub cause: Cause,
}

/// All runs of one engine. Clones share them.
#[derive(Clone)]
pub struct Driver {
    world: Arc<World>,
    lives: Arc<Mutex<Lives>>,
    stop: watch::Sender<Option<Duration>>,
}

#[derive(Default)]
struct Lives {
    handles: HashMap<RunId, Handle>,
    tasks: JoinSet<()>,
}

impl Driver {
    /// The driver of the runs in `journal`. It starts and resumes nothing by itself.
    pub fn new(
        journal: Arc<dyn Journal>,
        plugins: Arc<dyn Plugins>,
        clock: Arc<dyn Clock>,
        scripts: Arc<script::Engine>,
    ) -> Self {
        let world = World { journal, plugins, clock, scripts, telling: Telling::new() };
        Self { world: Arc::new(world), lives: Arc::default(), stop: watch::channel(None).0 }
    }

    /// The journal.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.world.journal
    }

    /// The plugins.
    pub fn plugins(&self) -> &Arc<dyn Plugins> {
        &self.world.plugins
    }

    /// The expressions' engine.
    pub fn scripts(&self) -> &Arc<script::Engine> {
        &self.world.scripts
    }

    /// The time.
    pub fn now(&self) -> runwright_core::Timestamp {
        self.world.clock.now()
    }

    /// Hears everything that runs tell from now on.
    pub fn hear(&self) -> broadcast::Receiver<Progress> {
        self.world.telling.hear()
    }

    /// Starts a run. It exists, durably, when this returns.
    pub async fn start(&self, admission: Admission) -> Result<RunId, Error> {
        let id = self.new_id()?;
        self.admit(vec![(id, admission)], Batch::default()).await?;
        Ok(id)
    }

    /// A fresh id, for [`Driver::admit`].
    pub fn new_id(&self) -> Result<RunId, Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| Error::Internal(format!("no random bytes: {error}")))?;
        Ok(RunId::new(self.world.clock.now(), random))
    }

    /// Starts these runs and writes `with`, for example that an alarm was handled, in one commit: after a crash all of
    /// it happened or none.
    pub async fn admit(&self, admissions: Vec<(RunId, Admission)>, with: Batch) -> Result<(), Error> {
        let mut batch = with;
        let mut runs = Vec::with_capacity(admissions.len());
        for (id, admission) in admissions {
            runs.push(self.created(id, admission, &mut batch)?);
        }
        if runs.len() == 1
            && let Some(run) = runs.pop()
        {
            // The first step of a single run starts in the commit that creates it.
            let (created, durable) = oneshot::channel();
            self.spawn(run, batch, vec![created])?;
            return durable.await.map_err(|_| Error::Stopped)?;
        }
        batch.heads.extend(runs.iter().map(Run::head));
        self.world.journal.append(batch).await?;
        for run in runs {
            self.spawn(run, Batch::default(), Vec::new())?;
        }
        Ok(())
    }

    fn created(&self, id: RunId, admission: Admission, batch: &mut Batch) -> Result<Run, Error> {
        let Admission { runbook, inputs, cause } = admission;
        let catalog = self.world.plugins.catalog();
        let pin = |action: &ActionName| -> Result<(ActionName, Pin), Error> {
            let pin = catalog.pin(action).ok_or_else(|| Error::NoSuchAction(action.clone()))?;
            Ok((action.clone(), pin))
        };
        let pins = runbook.actions().into_iter().map(pin).collect::<Result<_, _>>()?;
        let (digest, source) = runbook.source();
        let event = Event::Created { runbook: digest, name: runbook.name.clone(), inputs, pins, cause };
        let record = Record { run: id, seq: 1, at: self.world.clock.now(), event };
        let run = Run::create(runbook, &record)?;
        batch.records.push(record);
        if self.world.journal.source(digest)?.is_none() {
            batch.sources.push((digest, source));
        }
        Ok(run)
    }

    /// The run as the journal has it.
    pub fn load(&self, id: RunId) -> Result<Run, Error> {
        let history = self.world.journal.history(id)?;
        let Some(Record { event: Event::Created { runbook: digest, .. }, .. }) = history.first() else {
            return Err(Error::NoSuchRun(id));
        };
        let source = self.world.journal.source(*digest)?;
        let source = source.ok_or_else(|| Error::Internal(format!("the journal has no runbook {digest}")))?;
        let runbook = serde_json::from_slice(&source)
            .map_err(|error| Error::Internal(format!("runbook {digest} in the journal can't be read: {error}")))?;
        Ok(Run::replay(Arc::new(runbook), &history)?)
    }

    /// Takes an unfinished run over from an engine that is gone. Does nothing for one that lives here already.
    ///
    /// Processes that its attempts in flight had started are ended first; then the recovery table decides.
    pub async fn resume(&self, id: RunId) -> Result<(), Error> {
        if self.lives().handles.contains_key(&id) {
            return Ok(());
        }
        let run = self.load(id)?;
        let status = run.status();
        if status.is_finished() {
            return Err(Error::Over { run: id, status });
        }
        for plugin in run.plugins() {
            let ready = self.world.plugins.ready(plugin).await;
            ready.map_err(|reason| Error::PluginGone { run: id, plugin, reason })?;
        }
        let (run, batch) = self.interrupted(run).await?;
        self.spawn(run, batch, Vec::new())
    }

    /// Adds that the attempts in flight lost their answer, if there are any.
    async fn interrupted(&self, mut run: Run) -> Result<(Run, Batch), Error> {
        let mut batch = Batch::default();
        let calling = |phase: &Phase| *phase == Phase::Calling;
        let in_flight = run.steps().filter(|(_, step)| step.active().is_some_and(|attempt| calling(&attempt.phase)));
        let children: Vec<Vec<(u32, u64)>> = in_flight.map(|(_, step)| step.children.clone()).collect();
        if children.is_empty() {
            return Ok((run, batch));
        }
        let ended = tokio::task::spawn_blocking(move || {
            children.concat().into_iter().filter(|(pid, started)| children::end(*pid, *started)).count()
        });
        let ended = ended.await.map_err(|error| Error::Internal(error.to_string()))?;
        if ended > 0 {
            tracing::warn!(run = %run.id(), ended, "processes had outlived the engine that started them");
        }
        let event = Event::Interrupted { engine: Exit::Died };
        let record = Record { run: run.id(), seq: run.seq() + 1, at: self.world.clock.now(), event };
        run.apply(&record)?;
        batch.records.push(record);
        Ok((run, batch))
    }

    /// Resumes every unfinished run; returns how many, and those that can't be, each with the reason. One run that can't
    /// go on holds up no other.
    pub async fn resume_all(&self) -> Result<(usize, Vec<(RunId, Error)>), Error> {
        let unfinished = self.world.journal.runs(&Query::unfinished())?;
        let (mut resumed, mut left) = (0, Vec::new());
        for head in unfinished {
            match self.resume(head.run).await {
                Ok(()) => resumed += 1,
                Err(error) => left.push((head.run, error)),
            }
        }
        Ok((resumed, left))
    }

    /// Asks a run to stop: the step in flight is told, no other is started. Accepted, durably, when this returns.
    pub async fn cancel(&self, run: RunId, by: By) -> Result<(), Error> {
        self.command(run, Command::Cancel(by)).await
    }

    /// Asks a run to take back what it did. Accepted, durably, when this returns.
    pub async fn roll_back(&self, run: RunId, by: By) -> Result<(), Error> {
        self.command(run, Command::RollBack(by)).await
    }

    /// Decides what became of a step whose outcome is unknown or whose undo failed. Durable when this returns.
    pub async fn settle(&self, run: RunId, step: String, settlement: Settlement, by: By) -> Result<(), Error> {
        self.command(run, Command::Settle { step, settlement, by }).await
    }

    async fn command(&self, run: RunId, command: Command) -> Result<(), Error> {
        self.resume(run).await?;
        let commands = self.lives().handles.get(&run).map(|handle| handle.commands.clone());
        let (reply, answer) = oneshot::channel();
        let sent = match commands {
            Some(commands) => commands.send((command, reply)).await.is_ok(),
            None => false,
        };
        let answered = if sent { answer.await.ok() } else { None };
        match answered {
            Some(answer) => answer,
            // The run came to its end before it heard.
            None => {
                let status = self.load(run)?.status();
                Err(if status.is_finished() { Error::Over { run, status } } else { Error::Stopped })
            }
        }
    }

    /// Waits until the run is over or a person must decide; returns it as the journal has it then.
    pub async fn wait(&self, run: RunId) -> Result<Run, Error> {
        self.until_still(run).await;
        self.load(run)
    }

    /// Waits until the run is over, a person must decide, or it does not live here any more.
    pub async fn until_still(&self, run: RunId) {
        let status = self.lives().handles.get(&run).map(|handle| handle.status.clone());
        if let Some(mut status) = status {
            // An error means that the task is gone: the journal tells what became of the run.
            let _ = status.wait_for(|status| status.is_finished() || *status == RunStatus::Blocked).await;
        }
    }

    /// How many runs live here, blocked ones among them.
    pub fn living(&self) -> usize {
        self.lives().handles.len()
    }

    /// Stops: nothing new is started, attempts in flight may end within `grace` and are then written down as
    /// interrupted. Everything is durable when this returns.
    pub async fn stop(&self, grace: Duration) {
        self.stop.send_replace(Some(grace));
        let mut tasks = std::mem::take(&mut self.lives().tasks);
        while tasks.join_next().await.is_some() {}
    }

    fn spawn(&self, run: Run, batch: Batch, replies: Vec<Reply>) -> Result<(), Error> {
        let id = run.id();
        let mut lives = self.lives();
        if self.stop.borrow().is_some() {
            return Err(Error::Stopped);
        }
        if lives.handles.contains_key(&id) {
            return Ok(());
        }
        let (task, handle) = Task::new(Arc::clone(&self.world), run, batch, replies, self.stop.subscribe());
        lives.handles.insert(id, handle);
        let of_all = Arc::clone(&self.lives);
        while lives.tasks.try_join_next().is_some() {}
        lives.tasks.spawn(async move {
            if let Err(error) = task.live().await {
                tracing::error!(run = %id, %error, "the run can't go on");
            }
            lock(&of_all).handles.remove(&id);
        });
        Ok(())
    }

    fn lives(&self) -> MutexGuard<'_, Lives> {
        lock(&self.lives)
    }
}

fn lock(lives: &Mutex<Lives>) -> MutexGuard<'_, Lives> {
    lives.lock().unwrap_or_else(PoisonError::into_inner)
}
