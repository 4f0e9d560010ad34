//! Taking runs over from engines that are gone, and reopening finished runs.

use journal::{Batch, Query};
use runwright_core::{By, Event, Exit, Head, Misfit, Record, Run, RunId, RunStatus};
use tokio::sync::oneshot;

use super::{Driver, Error};
use crate::children;
use crate::locks::{Holder, Key, Turn};
use crate::run::{Claims, Command, Reply};

impl Driver {
    /// Takes an unfinished run over from an engine that is gone. Does nothing for one that lives here already.
    ///
    /// Processes that its attempts in flight had started are ended first; then the recovery table decides.
    pub async fn resume(&self, id: RunId) -> Result<(), Error> {
        if let Some(Head { status: RunStatus::Queued, lock: Some(key), .. }) = self.world.journal.head(id)? {
            self.would_get(&key)?;
        }
        self.take_over(id, true, None).await.map(drop)
    }

    /// Takes the run over, with what a person wants of it: that is written down with the interruption, before anything is
    /// decided. Refused, it leaves the run as it was. False if the run lives here already.
    ///
    /// A person's command works even if a pinned plugin is missing: its calls fail then, or nobody can tell.
    pub(super) async fn take_over(
        &self,
        id: RunId,
        with_plugins: bool,
        command: Option<(Command, Reply)>,
    ) -> Result<bool, Error> {
        self.may_start()?;
        let (command, reply) = command.unzip();
        loop {
            if self.is_living(id) {
                return Ok(false);
            }
            let mut run = self.load(id)?;
            let (status, seq) = (run.status(), run.seq());
            if status.is_finished() {
                return Err(Error::Over { run: id, status });
            }
            match self.ready(&run).await {
                Err(error) if !with_plugins => tracing::warn!(%error, "going on without it"),
                ready => ready?,
            }
            self.world.clock.not_before(run.updated());
            let mut batch = Batch::default();
            let children: Vec<(u32, u64)> = run.in_flight().flat_map(|step| step.children.clone()).collect();
            // An earlier version may have written another status than the history means: the next record has the right one.
            let is_other = self.world.journal.head(id)?.is_some_and(|head| head.seq == seq && head.status != status);
            if is_other || run.in_flight().next().is_some() {
                self.add(&mut run, &mut batch, Event::Interrupted { engine: Exit::Died, not_begun: Vec::new() })?;
            }
            if let Some(command) = &command {
                self.add(&mut run, &mut batch, command.clone().event())?;
            }
            self.end(id, children).await?;
            if self.is_at(id, seq)? {
                return self.spawn(
                    run,
                    |run| Claims::of_history(&self.world.locks, run),
                    batch,
                    reply.into_iter().collect(),
                );
            }
            // Somebody else took it over meanwhile, and it got on.
        }
    }

    /// Whether the run's last record is still this one.
    fn is_at(&self, id: RunId, seq: u64) -> Result<bool, Error> {
        Ok(self.world.journal.head(id)?.is_none_or(|head| head.seq == seq))
    }

    fn add(&self, run: &mut Run, batch: &mut Batch, event: Event) -> Result<(), Misfit> {
        let record = Record { run: run.id(), seq: run.seq() + 1, at: self.world.clock.now(), event };
        run.apply(&record)?;
        batch.records.push(record);
        Ok(())
    }

    /// Makes the plugins ready that the run is pinned to.
    async fn ready(&self, run: &Run) -> Result<(), Error> {
        for plugin in run.plugins() {
            let ready = self.world.plugins.ready(plugin).await;
            ready.map_err(|reason| Error::PluginGone { run: run.id(), plugin, reason })?;
        }
        Ok(())
    }

    /// Ends those of these processes that outlived the engine that started them for this run.
    async fn end(&self, run: RunId, children: Vec<(u32, u64)>) -> Result<(), Error> {
        if children.is_empty() {
            return Ok(());
        }
        let end = || children.into_iter().filter(|(pid, started)| children::end(*pid, *started)).count();
        let ended = tokio::task::spawn_blocking(end).await;
        let ended = ended.map_err(|error| Error::Internal(error.to_string()))?;
        if ended > 0 {
            tracing::warn!(%run, ended, "processes had outlived the engine that started them");
        }
        Ok(())
    }

    /// Fills the table of locks: what an unfinished run holds in the journal it holds here, whether it can go on or not.
    pub fn remember_locks(&self) -> Result<(), Error> {
        for head in self.world.journal.runs(&Query::unfinished())? {
            if head.status == RunStatus::Queued {
                continue;
            }
            let (run, locks) = (head.run, &self.world.locks);
            let hold = |key, path| _ = locks.claim(&key, &Holder { run, path }, usize::MAX, true);
            if let Some(key) = head.lock {
                hold(Key::Wanted(key.clone()), String::new());
                hold(Key::Lock(key), String::new());
            }
            head.step_locks.into_iter().for_each(|(path, key)| hold(Key::Lock(key), path));
            hold(Key::Runs(head.name), String::new());
        }
        Ok(())
    }

    /// Resumes every unfinished run; returns how many, and those that can't be, each with the reason. One run that can't
    /// go on holds up no other.
    pub async fn resume_all(&self) -> Result<(usize, Vec<(RunId, Error)>), Error> {
        self.remember_locks()?;
        let mut unfinished = self.world.journal.runs(&Query::unfinished())?;
        // Those that hold their lock first; then those that wait for one, in the order in which they came.
        unfinished.sort_by_key(|head| (head.status == RunStatus::Queued, head.run));
        let (mut resumed, mut left) = (0, Vec::new());
        for head in unfinished {
            match self.take_over(head.run, true, None).await {
                Ok(_) => resumed += 1,
                Err(error) => left.push((head.run, error)),
            }
        }
        Ok((resumed, left))
    }

    /// Rolls back a run that is over. False: it was taken up again meanwhile.
    pub(super) async fn reopen(&self, id: RunId, by: By) -> Result<bool, Error> {
        self.may_start()?;
        let mut run = self.load(id)?;
        let (seq, mut batch) = (run.seq(), Batch::default());
        self.add(&mut run, &mut batch, Event::RollbackRequested { by })?;
        self.ready(&run).await?;
        if !self.is_at(id, seq)? {
            return Ok(false);
        }
        let (locks, who) = (&self.world.locks, Holder::of_run(id));
        let key = run.lock().map(|key| Key::Lock(key.to_owned()));
        if let Some(key) = &key
            && !matches!(locks.claim(key, &who, 1, true), Turn::Held)
        {
            let holder = locks.holder(key).unwrap_or(id);
            locks.release(key, &who);
            return Err(Error::Busy { key: run.lock().unwrap_or_default().to_owned(), holder });
        }
        let (reopened, durable) = oneshot::channel();
        match self.spawn(run, |run| Claims::of_history(locks, run), batch, vec![reopened]) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => {
                key.inspect(|key| locks.release(key, &who));
                return Err(error);
            }
        }
        durable.await.map_err(|_| Error::Stopped)?.map(|()| true)
    }
}
