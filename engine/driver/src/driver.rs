//! The door to all runs of one engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use journal::{Batch, Journal, Query};
use runwright_core::{
    ActionName, By, Cause, Digest, Event, Exit, Head, Map, Misfit, OnBusy, Phase, Pin, Record, Run, RunId, RunStatus,
    Runbook, Settlement, StepRun, Value,
};
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinSet;

use crate::locks::{Locks, Turn};
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

/// What became of an admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// The run exists; it may wait for its lock.
    Started(RunId),
    /// Nothing was started: its lock is held, and its runbook says `on-busy: skip`.
    Skipped {
        /// The lock.
        key: String,
        /// The run that holds it.
        holder: RunId,
    },
}

/// All runs of one engine. Clones share them.
#[derive(Clone)]
pub struct Driver {
    world: Arc<World>,
    lives: Arc<Mutex<Lives>>,
    safe_mode: Arc<OnceLock<String>>,
    stop: watch::Sender<Option<Duration>>,
}

/// A run that is made, but not durable yet.
struct Created {
    run: Run,
    record: Record,
    source: Option<(Digest, Vec<u8>)>,
    turn: Option<Turn>,
    /// The run that is to be cancelled for it.
    replaces: Option<RunId>,
}

/// A lock's key, in bytes.
const LOCK_BYTES_MAX: usize = 256;

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
        let world = World { journal, plugins, clock, scripts, locks: Locks::default(), telling: Telling::new() };
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

    /// The time.
    pub fn now(&self) -> runwright_core::Timestamp {
        self.world.clock.now()
    }

    /// Hears everything that runs tell from now on.
    pub fn hear(&self) -> broadcast::Receiver<Progress> {
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

    /// Starts a run. It exists, durably, when this returns.
    ///
    /// A run that would wait for a lock whose holder does not live here is refused: nothing says when that goes on.
    pub async fn start(&self, admission: Admission) -> Result<RunId, Error> {
        if admission.runbook.lock.as_ref().is_some_and(|lock| lock.on_busy == OnBusy::Queue)
            && let Some(key) = self.lock_key(&admission.runbook, &admission.inputs)?
        {
            self.would_get(&key)?;
        }
        let id = self.new_id()?;
        match self.admit(vec![(id, admission)], |_| Batch::default()).await?.pop() {
            Some(Admitted::Skipped { key, holder }) => Err(Error::Busy { key, holder }),
            _ => Ok(id),
        }
    }

    /// A fresh id, for [`Driver::admit`].
    pub fn new_id(&self) -> Result<RunId, Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| Error::Internal(format!("no random bytes: {error}")))?;
        Ok(RunId::new(self.world.clock.now(), random))
    }

    /// Starts these runs and writes what `with` makes of that, for example that an alarm was handled, in one commit:
    /// after a crash all of it happened or none.
    pub async fn admit(
        &self,
        admissions: Vec<(RunId, Admission)>,
        with: impl FnOnce(&[Admitted]) -> Batch,
    ) -> Result<Vec<Admitted>, Error> {
        self.may_start()?;
        let (mut created, mut records, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        let mut admitted = Vec::with_capacity(admissions.len());
        for (id, admission) in admissions {
            match self.created(id, admission) {
                Ok(Ok(new)) => {
                    records.push(new.record.clone());
                    sources.extend(new.source.clone());
                    admitted.push(Admitted::Started(id));
                    created.push(new);
                }
                Ok(Err(skipped)) => admitted.push(skipped),
                Err(error) => {
                    created.iter().for_each(|new| self.let_go(&new.run));
                    return Err(error);
                }
            }
        }
        let batch = with(&admitted);
        let batch = Batch { records, sources, ..batch };
        let replaced = created.iter().filter_map(|new| Some((new.replaces?, new.run.id()))).collect::<Vec<_>>();
        self.commit(created, batch).await?;
        for (holder, by) in replaced {
            let by = By { who: "the engine".into(), why: format!("run {by} replaces it") };
            // It may have ended by itself meanwhile.
            if let Err(error) = self.cancel(holder, by, false).await {
                tracing::debug!(run = %holder, %error, "a run that was to be replaced");
            }
        }
        Ok(admitted)
    }

    async fn commit(&self, mut created: Vec<Created>, mut batch: Batch) -> Result<(), Error> {
        if created.len() == 1
            && let Some(Created { run, turn, .. }) = created.pop()
        {
            // The first step of a single run starts in the commit that creates it.
            let (created, durable) = oneshot::channel();
            self.spawn(run, turn, batch, vec![created])?;
            return durable.await.map_err(|_| Error::Stopped)?;
        }
        batch.heads.extend(created.iter().map(|new| new.run.head()));
        if let Err(error) = self.world.journal.append(batch).await {
            created.iter().for_each(|new| self.let_go(&new.run));
            return Err(error.into());
        }
        for Created { run, turn, .. } in created {
            self.spawn(run, turn, Batch::default(), Vec::new())?;
        }
        Ok(())
    }

    /// Whether the lock is free, or will be in the course of things.
    fn would_get(&self, key: &str) -> Result<(), Error> {
        match self.world.locks.holder(key) {
            Some(holder) if !self.lives().handles.contains_key(&holder) => {
                Err(Error::Busy { key: key.to_owned(), holder })
            }
            _ => Ok(()),
        }
    }

    fn let_go(&self, run: &Run) {
        run.lock().inspect(|key| self.world.locks.release(key, run.id()));
    }

    /// The run that an admission makes, with its claim on its lock; or that it is skipped.
    fn created(&self, id: RunId, admission: Admission) -> Result<Result<Created, Admitted>, Error> {
        let Admission { runbook, inputs, cause } = admission;
        let catalog = self.world.plugins.catalog();
        let pin = |action: &ActionName| -> Result<(ActionName, Pin), Error> {
            let pin = catalog.pin(action).ok_or_else(|| Error::NoSuchAction(action.clone()))?;
            Ok((action.clone(), pin))
        };
        let pins = runbook.actions().into_iter().map(pin).collect::<Result<_, _>>()?;
        let (digest, source) = runbook.source();
        let source = self.world.journal.source(digest)?.is_none().then_some((digest, source));
        let (name, on_busy) = (runbook.name.clone(), runbook.lock.as_ref().map(|lock| lock.on_busy));
        let lock = self.lock_key(&runbook, &inputs)?;
        let event = Event::Created { runbook: digest, name, inputs, pins, cause, lock: lock.clone() };
        let record = Record { run: id, seq: 1, at: self.world.clock.now(), event };
        let run = Run::create(runbook, &record)?;
        let (mut turn, mut replaces) = (None, None);
        if let (Some(key), Some(on_busy)) = (lock, on_busy) {
            let holder = self.world.locks.holder(&key);
            match (self.world.locks.claim(&key, id), on_busy) {
                (Turn::Waits(_), OnBusy::Skip) => {
                    self.world.locks.release(&key, id);
                    let Some(holder) = holder else { return Err(Error::Stopped) };
                    return Ok(Err(Admitted::Skipped { key, holder }));
                }
                (waits @ Turn::Waits(_), OnBusy::Replace) => (turn, replaces) = (Some(waits), holder),
                (claim, _) => turn = Some(claim),
            }
        }
        Ok(Ok(Created { run, record, source, turn, replaces }))
    }

    /// The key of the lock that a run with these inputs claims.
    fn lock_key(&self, runbook: &Runbook, inputs: &Map) -> Result<Option<String>, Error> {
        let Some(lock) = &runbook.lock else { return Ok(None) };
        let scope = serde_json::json!({ "inputs": inputs });
        let key = self.world.scripts.resolve(&Value::String(lock.key.clone()), &scope);
        match key.map_err(|error| Error::Lock(error.to_string()))? {
            Value::String(key) if !key.is_empty() && key.len() <= LOCK_BYTES_MAX => Ok(Some(key)),
            other => Err(Error::Lock(format!("{other} is no text of 1 to {LOCK_BYTES_MAX} bytes"))),
        }
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
        if let Some(Head { status: RunStatus::Queued, lock: Some(key), .. }) = self.world.journal.head(id)? {
            self.would_get(&key)?;
        }
        self.take_over(id, true).await
    }

    /// What a person wants of a run is done also where its plugins are gone: their calls fail then, or nobody can tell.
    async fn take_over(&self, id: RunId, with_plugins: bool) -> Result<(), Error> {
        self.may_start()?;
        if self.lives().handles.contains_key(&id) {
            return Ok(());
        }
        let run = self.load(id)?;
        let status = run.status();
        if status.is_finished() {
            return Err(Error::Over { run: id, status });
        }
        match self.ready(&run).await {
            Err(error) if !with_plugins => tracing::warn!(%error, "going on without it"),
            ready => ready?,
        }
        self.world.clock.not_before(run.updated());
        let turn = run.lock().map(|key| self.world.locks.claim(key, id));
        let (run, batch) = self.interrupted(run).await?;
        self.spawn(run, turn, batch, Vec::new())
    }

    /// Makes the plugins ready that the run is pinned to.
    async fn ready(&self, run: &Run) -> Result<(), Error> {
        for plugin in run.plugins() {
            let ready = self.world.plugins.ready(plugin).await;
            ready.map_err(|reason| Error::PluginGone { run: run.id(), plugin, reason })?;
        }
        Ok(())
    }

    /// Adds that the attempts in flight lost their answer, if there are any.
    async fn interrupted(&self, mut run: Run) -> Result<(Run, Batch), Error> {
        let mut batch = Batch::default();
        let calling = |step: &StepRun| step.active().is_some_and(|attempt| attempt.phase == Phase::Calling);
        let in_flight = run.attempts().filter(|step| calling(step));
        let children: Vec<Vec<(u32, u64)>> = in_flight.map(|step| step.children.clone()).collect();
        if children.is_empty() {
            return Ok((run, batch));
        }
        let children = children.concat();
        if !children.is_empty() {
            let end = || children.into_iter().filter(|(pid, started)| children::end(*pid, *started)).count();
            let ended = tokio::task::spawn_blocking(end).await;
            let ended = ended.map_err(|error| Error::Internal(error.to_string()))?;
            if ended > 0 {
                tracing::warn!(run = %run.id(), ended, "processes had outlived the engine that started them");
            }
        }
        let event = Event::Interrupted { engine: Exit::Died };
        let record = Record { run: run.id(), seq: run.seq() + 1, at: self.world.clock.now(), event };
        run.apply(&record)?;
        batch.records.push(record);
        Ok((run, batch))
    }

    /// Fills the table of locks: what an unfinished run holds in the journal it holds here, whether it can go on or not.
    pub fn remember_locks(&self) -> Result<(), Error> {
        for head in self.world.journal.runs(&Query::unfinished())? {
            if let Some(key) = head.lock.filter(|_| head.status != RunStatus::Queued) {
                let _held = self.world.locks.claim(&key, head.run);
            }
        }
        Ok(())
    }

    /// Resumes every unfinished run; returns how many, and those that can't be, each with the reason. One run that can't
    /// go on holds up no other.
    pub async fn resume_all(&self) -> Result<(usize, Vec<(RunId, Error)>), Error> {
        let mut unfinished = self.world.journal.runs(&Query::unfinished())?;
        // Those that hold their lock first; then those that wait for one, in the order in which they came.
        unfinished.sort_by_key(|head| (head.status == RunStatus::Queued, head.run));
        let (mut resumed, mut left) = (0, Vec::new());
        for head in unfinished {
            match self.take_over(head.run, true).await {
                Ok(()) => resumed += 1,
                Err(error) => left.push((head.run, error)),
            }
        }
        Ok((resumed, left))
    }

    /// Asks a run to stop: the step in flight is told, no other is started; with `rollback` what was done is undone.
    /// Accepted, durably, when this returns.
    pub async fn cancel(&self, run: RunId, by: By, rollback: bool) -> Result<(), Error> {
        self.command(run, Command::Cancel { by, rollback }).await
    }

    /// Asks a run to take back what it did, while it lasts or after its end. Accepted, durably, when this returns.
    pub async fn roll_back(&self, run: RunId, by: By) -> Result<(), Error> {
        match self.command(run, Command::RollBack(by.clone())).await {
            Err(Error::Over { .. }) => self.reopen(run, by).await,
            other => other,
        }
    }

    /// Rolls back a run that is over.
    async fn reopen(&self, id: RunId, by: By) -> Result<(), Error> {
        self.may_start()?;
        let mut run = self.load(id)?;
        let record =
            Record { run: id, seq: run.seq() + 1, at: self.world.clock.now(), event: Event::RollbackRequested { by } };
        run.apply(&record)?;
        self.ready(&run).await?;
        if let Some(key) = run.lock()
            && let Some(holder) = self.world.locks.holder(key).filter(|holder| *holder != id)
        {
            return Err(Error::Busy { key: key.to_owned(), holder });
        }
        let turn = run.lock().map(|key| self.world.locks.claim(key, id));
        let (reopened, durable) = oneshot::channel();
        self.spawn(run, turn, Batch { records: vec![record], ..Batch::default() }, vec![reopened])?;
        durable.await.map_err(|_| Error::Stopped)?
    }

    /// Decides what became of a step whose outcome is unknown or whose undo failed. Durable when this returns.
    pub async fn settle(&self, run: RunId, step: String, settlement: Settlement, by: By) -> Result<(), Error> {
        self.command(run, Command::Settle { step, settlement, by }).await
    }

    async fn command(&self, run: RunId, command: Command) -> Result<(), Error> {
        self.take_over(run, false).await?;
        let commands = self.lives().handles.get(&run).map(|handle| handle.commands.clone());
        let (reply, answer) = oneshot::channel();
        let sent = match commands {
            Some(commands) => commands.send(Box::new((command, reply))).await.is_ok(),
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

    fn spawn(&self, run: Run, turn: Option<Turn>, batch: Batch, replies: Vec<Reply>) -> Result<(), Error> {
        let id = run.id();
        let mut lives = self.lives();
        if self.stop.borrow().is_some() {
            return Err(Error::Stopped);
        }
        if lives.handles.contains_key(&id) {
            return Ok(());
        }
        let (task, handle) = Task::new(Arc::clone(&self.world), run, turn, batch, replies, self.stop.subscribe());
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
