//! Starting runs: what is admitted exists, durably, in one commit, and has its claim on its lock.

use std::sync::Arc;

use journal::Batch;
use runwright_core::{ActionName, By, Cause, Digest, Event, Map, OnBusy, Pin, Record, Run, RunId, Runbook};
use tokio::sync::oneshot;

use super::{Driver, Error};
use crate::locks::{Holder, Key};
use crate::run::{Claims, lock_key, too_large};

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
#[derive(Debug)]
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
    /// Nothing was started, because of this: its lock's key can't be used, or an action that it needs is not there.
    Refused(Error),
}

/// A run that is made, but not durable yet.
struct Created {
    run: Run,
    record: Record,
    source: Option<(Digest, Vec<u8>)>,
    claims: Claims,
    /// The run that is to be cancelled for it.
    replaces: Option<RunId>,
}

impl Driver {
    /// Starts a run. It exists, durably, when this returns.
    ///
    /// A run that would wait for a lock whose holder does not live here is refused: nothing here will release it.
    pub async fn start(&self, admission: Admission) -> Result<RunId, Error> {
        if admission.runbook.lock.as_ref().is_some_and(|lock| lock.on_busy == OnBusy::Queue)
            && let Some(key) = self.lock_key(&admission.runbook, &admission.inputs)?
        {
            self.would_get(&key)?;
        }
        let id = self.new_id()?;
        match self.admit(vec![(id, admission)], |_| Batch::default()).await?.pop() {
            Some(Admitted::Skipped { key, holder }) => Err(Error::Busy { key, holder }),
            Some(Admitted::Refused(error)) => Err(error),
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
    /// after a crash all of it happened or none. What is wrong with one admission costs the others nothing.
    ///
    /// The commit and what follows from it go on though the future is dropped.
    ///
    /// # Errors
    ///
    /// Where the engine or its journal is in trouble: then nothing was started.
    pub async fn admit(
        &self,
        admissions: Vec<(RunId, Admission)>,
        with: impl FnOnce(&[Admitted]) -> Batch,
    ) -> Result<Vec<Admitted>, Error> {
        self.may_start()?;
        let mut created = Vec::new();
        let mut admitted = Vec::with_capacity(admissions.len());
        for (id, admission) in admissions {
            match self.created(id, admission) {
                Ok(Ok(new)) => {
                    admitted.push(Admitted::Started(id));
                    created.push(new);
                }
                Ok(Err(skipped)) => admitted.push(skipped),
                Err(error @ (Error::Journal(_) | Error::Internal(_))) => {
                    created.iter_mut().for_each(|new| new.claims.release_all(&self.world.locks, new.run.id()));
                    return Err(error);
                }
                Err(error) => admitted.push(Admitted::Refused(error)),
            }
        }
        let batch = with(&admitted);
        let driver = self.clone();
        let committed = tokio::spawn(async move { driver.begin(created, batch).await });
        committed.await.map_err(|error| Error::Internal(error.to_string()))??;
        Ok(admitted)
    }

    /// Commits the runs with the rest of their batch, and cancels those that they replace.
    async fn begin(&self, created: Vec<Created>, mut batch: Batch) -> Result<(), Error> {
        batch.records = created.iter().map(|new| new.record.clone()).collect();
        batch.sources = created.iter().filter_map(|new| new.source.clone()).collect();
        let replaced = created.iter().filter_map(|new| Some((new.replaces?, new.run.id()))).collect::<Vec<_>>();
        self.commit(created, batch).await?;
        for (holder, by) in replaced {
            let by = By { who: "the engine".into(), why: format!("run {by} replaces it") };
            // It may have ended by itself meanwhile.
            if let Err(error) = self.cancel(holder, by, false).await {
                tracing::debug!(run = %holder, %error, "a run that was to be replaced");
            }
        }
        Ok(())
    }

    async fn commit(&self, mut created: Vec<Created>, mut batch: Batch) -> Result<(), Error> {
        if created.len() == 1
            && let Some(Created { run, claims, .. }) = created.pop()
        {
            // The first step of a single run starts in the commit that creates it.
            let (created, durable) = oneshot::channel();
            self.spawn(run, |_| claims, batch, vec![created])?;
            return durable.await.map_err(|_| Error::Stopped)?;
        }
        if batch == Batch::default() {
            return Ok(());
        }
        batch.heads.extend(created.iter().map(|new| new.run.head()));
        if let Err(error) = self.world.journal.append(batch).await {
            created.iter_mut().for_each(|new| new.claims.release_all(&self.world.locks, new.run.id()));
            return Err(error.into());
        }
        for Created { run, claims, .. } in created {
            self.spawn(run, |_| claims, Batch::default(), Vec::new())?;
        }
        Ok(())
    }

    /// Whether the lock is free, or will be in the course of things.
    pub(super) fn would_get(&self, key: &str) -> Result<(), Error> {
        match self.world.locks.holder(&Key::Lock(key.to_owned())) {
            Some(holder) if !self.is_living(holder) => Err(Error::Busy { key: key.to_owned(), holder }),
            _ => Ok(()),
        }
    }

    /// The run that an admission makes, with its claim on its lock; or that it is skipped.
    fn created(&self, id: RunId, admission: Admission) -> Result<Result<Created, Admitted>, Error> {
        let Admission { runbook, inputs, cause } = admission;
        if let Some(why) = too_large(&inputs) {
            return Err(Error::TooLarge(why));
        }
        let catalog = self.world.plugins.catalog();
        let pin = |action: &ActionName| -> Result<(ActionName, Pin), Error> {
            let pin = catalog.pin(action).ok_or_else(|| Error::NoSuchAction(action.clone()))?;
            Ok((action.clone(), pin))
        };
        let pins = runbook.actions().into_iter().map(pin).collect::<Result<_, _>>()?;
        let (digest, source) = runbook.source();
        let source = (!self.has_source(digest)?).then_some((digest, source));
        let (name, on_busy) = (runbook.name.clone(), runbook.lock.as_ref().map(|lock| lock.on_busy));
        let lock = self.lock_key(&runbook, &inputs)?;
        let event = Event::Created { runbook: digest, name, inputs, pins, cause, lock: lock.clone() };
        let record = Record { run: id, seq: 1, at: self.world.clock.now(), event };
        let run = Run::create(runbook, &record)?;
        let (mut claims, mut replaces) = (Claims::of_new(&self.world.locks, &run), None);
        if let (Some(key), Some(on_busy)) = (lock, on_busy) {
            let (held, wanted) = (Key::Lock(key.clone()), Key::Wanted(key.clone()));
            let others = |key: &Key| self.world.locks.holders(key).into_iter().filter(move |holder| holder.run != id);
            match on_busy {
                OnBusy::Skip => {
                    if let Some(Holder { run: holder, .. }) = others(&held).chain(others(&wanted)).next() {
                        claims.release_all(&self.world.locks, id);
                        return Ok(Err(Admitted::Skipped { key, holder }));
                    }
                }
                // A run that holds it for one of its steps does more than that.
                OnBusy::Replace => {
                    let is_run = |holder: &Holder| holder.path.is_empty();
                    let own = others(&held).find(is_run);
                    replaces = own.or_else(|| others(&wanted).next().filter(|_| others(&held).next().is_none()));
                }
                OnBusy::Queue => {}
            }
        }
        let replaces = replaces.map(|holder| holder.run);
        Ok(Ok(Created { run, record, source, claims, replaces }))
    }

    /// Whether the journal can give this source. One that is damaged there is written again with the run.
    fn has_source(&self, digest: Digest) -> Result<bool, Error> {
        match self.world.journal.source(digest) {
            Ok(source) => Ok(source.is_some()),
            Err(error @ journal::Error::Store(_)) => {
                tracing::warn!(%digest, %error, "a runbook in the journal can't be read: it is written again");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The key of the lock that a run with these inputs claims.
    fn lock_key(&self, runbook: &Runbook, inputs: &Map) -> Result<Option<String>, Error> {
        let Some(lock) = &runbook.lock else { return Ok(None) };
        let scope = serde_json::json!({ "inputs": inputs });
        lock_key(&self.world.scripts, &lock.key, &scope).map(Some).map_err(Error::Lock)
    }
}
