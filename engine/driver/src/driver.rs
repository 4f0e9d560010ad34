//! The door to all runs of one engine.

mod admission;
mod takeover;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use journal::{Batch, Journal};
use logs::Logs;
use runwright_core::{ActionName, By, Digest, Event, Misfit, Record, Run, RunId, RunStatus, Settlement};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::locks::Locks;
use crate::progress::Telling;
use crate::run::{Claims, Command, Handle, Reply, Task, World};
use crate::threads::Threads;
use crate::{Clock, Hearing, Plugins};

pub use admission::{Admission, Admitted};

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
        plugin: Digest,
        /// Why not.
        reason: String,
    },
    /// The runbook uses an action that no plugin has.
    #[error("no plugin has the action {0}")]
    NoSuchAction(ActionName),
    /// The run's lock is held, and its runbook says not to wait for it.
    #[error("the lock {key:?} is held by run {holder}")]
    Busy {
        /// The lock.
        key: String,
        /// The run that holds it.
        holder: RunId,
    },
    /// The run's inputs can't be kept.
    #[error("the inputs are too large: {0}; give what is large as the path of a file")]
    TooLarge(String),
    /// The runbook's lock could not be worked out.
    #[error("could not work out `lock`: {0}")]
    Lock(String),
    /// The engine starts nothing, because it died too often.
    #[error("the engine is in safe mode: {0}; stop it and start it again to go on")]
    SafeMode(String),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopped,
    /// Something that can't be so.
    #[error("internal error: {0}")]
    Internal(String),
}

/// How often a command is given to a run whose task ends before it hears.
const COMMAND_TRIES: u32 = 4;

/// All runs of one engine. Clones share them.
#[derive(Clone)]
pub struct Driver {
    world: Arc<World>,
    lives: Arc<Mutex<Lives>>,
    safe_mode: Arc<OnceLock<String>>,
    stop: watch::Sender<Option<Duration>>,
}

#[derive(Default)]
struct Lives {
    handles: HashMap<RunId, Handle>,
    tasks: JoinSet<()>,
}

impl Driver {
    /// The driver of the runs in `journal`. It starts and resumes nothing by itself, and keeps nothing of what steps say.
    pub fn new(
        journal: Arc<dyn Journal>,
        plugins: Arc<dyn Plugins>,
        clock: Arc<dyn Clock>,
        scripts: Arc<script::Engine>,
    ) -> Self {
        Self::with_logs(journal, plugins, clock, scripts, Arc::new(logs::Nowhere))
    }

    /// The same, with a place for what steps say.
    pub fn with_logs(
        journal: Arc<dyn Journal>,
        plugins: Arc<dyn Plugins>,
        clock: Arc<dyn Clock>,
        scripts: Arc<script::Engine>,
        logs: Arc<dyn Logs>,
    ) -> Self {
        let (locks, telling, threads) = (Locks::default(), Telling::default(), Threads::default());
        let world = World { journal, plugins, clock, scripts, logs, locks, telling, threads };
        Self { world: Arc::new(world), lives: Arc::default(), safe_mode: Arc::default(), stop: watch::channel(None).0 }
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

    /// Where what steps say is kept.
    pub fn logs(&self) -> &Arc<dyn Logs> {
        &self.world.logs
    }

    /// The time.
    pub fn now(&self) -> runwright_core::Timestamp {
        self.world.clock.now()
    }

    /// Hears everything that runs tell from now on.
    pub fn hear(&self) -> Hearing {
        self.world.telling.hear()
    }

    /// From now on no run is started or goes on; everything can still be looked at. `why` is told to whoever asks.
    pub fn enter_safe_mode(&self, why: String) {
        let _ = self.safe_mode.set(why);
    }

    /// Why nothing is started; none in an engine that works as usual.
    pub fn safe_mode(&self) -> Option<&str> {
        self.safe_mode.get().map(String::as_str)
    }

    fn may_start(&self) -> Result<(), Error> {
        self.safe_mode().map_or(Ok(()), |why| Err(Error::SafeMode(why.to_owned())))
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

    /// Asks a run to stop: the step in flight is asked to stop, no other is started; with `rollback` what was done is undone.
    /// Accepted, durably, when this returns.
    pub async fn cancel(&self, run: RunId, by: By, rollback: bool) -> Result<(), Error> {
        self.command(run, Command::Cancel { by, rollback }).await
    }

    /// Asks a run to take back what it did, while it lasts or after its end. Accepted, durably, when this returns.
    pub async fn roll_back(&self, run: RunId, by: By) -> Result<(), Error> {
        loop {
            match self.command(run, Command::RollBack(by.clone())).await {
                Err(Error::Over { .. }) => {}
                other => return other,
            }
            if self.reopen(run, by.clone()).await? {
                return Ok(());
            }
            // Somebody else was quicker to take it up again.
        }
    }

    /// Answers a step that asks for approval. Durable when this returns. Whether `by` has the role that the step asks for, the
    /// caller has found out.
    pub async fn approve(&self, run: RunId, step: String, yes: bool, by: By) -> Result<(), Error> {
        self.command(run, Command::Approve { step, yes, by }).await
    }

    /// Decides what became of a step whose outcome is unknown or whose undo failed. Durable when this returns.
    pub async fn settle(&self, run: RunId, step: String, settlement: Settlement, by: By) -> Result<(), Error> {
        self.command(run, Command::Settle { step, settlement, by }).await
    }

    /// Hands the command to the run's task or, where the run has none, to the engine's taking it over, so that nothing
    /// starts before the command is obeyed.
    async fn command(&self, run: RunId, command: Command) -> Result<(), Error> {
        for _ in 0..COMMAND_TRIES {
            let (reply, answer) = oneshot::channel();
            let handle = self.lives().handles.get(&run).map(|handle| handle.commands.clone());
            let given = match handle {
                Some(commands) => commands.send(Box::new((command.clone(), reply))).await.is_ok(),
                None => self.take_over(run, false, Some((command.clone(), reply))).await?,
            };
            if given && let Ok(answer) = answer.await {
                return answer;
            }
            // The task went away before it heard, so nothing is written down of the command: what the journal says by now
            // decides.
            if self.stop.borrow().is_some() {
                let status = self.load(run)?.status();
                return Err(if status.is_finished() { Error::Over { run, status } } else { Error::Stopped });
            }
        }
        Err(Error::Internal(format!(
            "run {run} does not take commands: its task ends each time; the engine's log says why"
        )))
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

    /// Whether a task of this engine goes on with the run, or waits for a person to decide about it.
    pub fn is_living(&self, run: RunId) -> bool {
        self.lives().handles.contains_key(&run)
    }

    /// Stops: nothing new is started, attempts in flight may end within `grace` and are then written down as
    /// interrupted. Everything is durable when this returns.
    pub async fn stop(&self, grace: Duration) {
        self.stop.send_replace(Some(grace));
        let mut tasks = std::mem::take(&mut self.lives().tasks);
        while tasks.join_next().await.is_some() {}
    }

    /// Gives the run a task, with what `claims` claims for it. False: it has one already, and nothing was claimed or
    /// taken.
    fn spawn(
        &self,
        run: Run,
        claims: impl FnOnce(&Run) -> Claims,
        batch: Batch,
        replies: Vec<Reply>,
    ) -> Result<bool, Error> {
        let id = run.id();
        let mut lives = self.lives();
        if self.stop.borrow().is_some() {
            return Err(Error::Stopped);
        }
        if lives.handles.contains_key(&id) {
            return Ok(false);
        }
        let claims = claims(&run);
        let (mut task, handle) = Task::new(Arc::clone(&self.world), run, claims, batch, replies, self.stop.subscribe());
        lives.handles.insert(id, handle);
        let of_all = Arc::clone(&self.lives);
        while lives.tasks.try_join_next().is_some() {}
        lives.tasks.spawn(async move {
            if let Err(error) = task.live().await {
                tracing::error!(run = %id, %error, "the run can't go on");
                task.give_back();
            }
            // Before the task's ends of the channels go: whoever finds them gone finds no handle either.
            lock(&of_all).handles.remove(&id);
            drop(task);
        });
        Ok(true)
    }

    fn lives(&self) -> MutexGuard<'_, Lives> {
        lock(&self.lives)
    }
}

fn lock(lives: &Mutex<Lives>) -> MutexGuard<'_, Lives> {
    lives.lock().unwrap_or_else(PoisonError::into_inner)
}
