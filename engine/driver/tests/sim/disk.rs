//! A journal that takes its time, is full at times, and whose fsync may fail.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use journal::{Appended, Batch, Entry, Error, Journal, Query, Receipt, Report};
use runwright_core::{Digest, Direction, Event, Head, Note, Record, RunId, StepState, Value};

use crate::world::World;

/// The disk as one engine sees it.
pub(crate) struct Disk {
    world: Arc<World>,
    scripts: Arc<Mutex<Scripts>>,
}

/// The scripts that run in this engine's life, each with the call that it waits for.
type Scripts = BTreeMap<(RunId, String), Option<String>>;

impl Disk {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world, scripts: Arc::default() }
    }
}

/// Writes the batch, or has a fault.
fn commit(world: &World, batch: Batch) -> Result<Receipt, Error> {
    let (run, seq) = batch.records.first().map_or((None, 0), |record| (Some(record.run), record.seq));
    let mut dice = world.dice(format_args!("disk {run:?} {seq} {} {}", world.life(), world.now().millis()));
    let faulty = !world.is_calm();
    if faulty && dice.percent(3) {
        world.fault();
        world.journal.fail_append(1, Error::Full("simulated".into()));
    }
    let fails = (faulty && dice.below(200) == 0).then(|| Error::Failed("simulated".into()));
    let lost = dice.percent(50);
    if let Some(error) = &fails {
        world.fault();
        if lost {
            world.journal.fail_append(1, error.clone());
        }
    }
    let receipt = world.journal.append(batch.clone()).blocking_wait()?;
    world.books().committed(&batch);
    if let Some(error) = fails {
        // It is on the disk, but nobody knows: an engine must not go on.
        world.journal.fail_append(1, error.clone());
        return Err(error);
    }
    Ok(receipt)
}

/// Scripts stop computing when they ask something or end.
fn asked(world: &World, scripts: &mut Scripts, record: &Record) {
    let run = record.run;
    let mut stops = |step: &str, waits: Option<String>| {
        if let Some(call) = scripts.get_mut(&(run, step.to_owned())) {
            *call = waits;
            world.schedule.computes(format!("{run} {step}"), false);
        }
    };
    match &record.event {
        Event::Started { step, direction: Direction::Forward, .. } => {
            if let Some((script, _)) = step.rsplit_once('/') {
                stops(script, Some(step.clone()));
            }
        }
        Event::Noted { step, note: Note::Value { .. }, .. } => stops(step, None),
        Event::Ended { step, .. } => {
            stops(step, None);
            scripts.remove(&(run, step.clone()));
        }
        Event::Interrupted { .. } => scripts.retain(|(of, step), _| {
            let stays = *of != run;
            if !stays {
                world.schedule.computes(format!("{run} {step}"), false);
            }
            stays
        }),
        _ => {}
    }
}

/// Scripts compute when they are started or answered.
fn answered(world: &World, scripts: &mut Scripts, record: &Record) {
    let run = record.run;
    match &record.event {
        // It may have ended in the same commit; one that needs a lock is run when it holds that.
        Event::Started { step, action: None, .. } | Event::Locked { step } if world.books().is_script(run, step) => {
            // Run again, it gets the recorded answers, which all are there.
            world.schedule.computes(format!("{run} {step}"), true);
            scripts.insert((run, step.clone()), None);
        }
        Event::Ended { step, .. } | Event::Verified { step, .. } | Event::Settled { step, .. } => {
            // A script that was not run in this life before, because it waited for a call, is run when that has ended.
            if let Some((script, _)) = step.rsplit_once('/')
                && world.books().is_calling(run, script)
            {
                scripts.entry((run, script.to_owned())).or_insert_with(|| Some(step.clone()));
            }
        }
        Event::Noted { step, note: Note::Value { .. }, .. } => world.schedule.computes(format!("{run} {step}"), true),
        _ => {}
    }
    for ((_, step), waits) in scripts.iter_mut().filter(|((of, _), _)| *of == run) {
        let Some(call) = waits.as_deref() else { continue };
        if matches!(world.books().state(run, call), Some(StepState::Succeeded | StepState::Failed)) {
            *waits = None;
            world.schedule.computes(format!("{run} {step}"), true);
        }
    }
}

impl Journal for Disk {
    fn append(&self, batch: Batch) -> Appended {
        let (world, scripts) = (Arc::clone(&self.world), Arc::clone(&self.scripts));
        let records = batch.records.clone();
        let who = records.first().map_or_else(String::new, |record| format!("disk {} {}", record.run, record.seq));
        let mut dice = world.dice(format_args!("speed {who}"));
        {
            let mut scripts = scripts.lock().unwrap_or_else(PoisonError::into_inner);
            records.iter().for_each(|record| asked(&world, &mut scripts, record));
        }
        Appended::later(async move {
            world.schedule.after(dice.below(5), who.clone()).await;
            let committed = commit(&world, batch);
            world.schedule.after(dice.below(2), who).await;
            if committed.is_ok() {
                let mut scripts = scripts.lock().unwrap_or_else(PoisonError::into_inner);
                records.iter().for_each(|record| answered(&world, &mut scripts, record));
            }
            committed
        })
    }

    fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        self.world.journal.history(run)
    }

    fn runs(&self, query: &Query) -> Result<Vec<Head>, Error> {
        self.world.journal.runs(query)
    }

    fn head(&self, run: RunId) -> Result<Option<Head>, Error> {
        self.world.journal.head(run)
    }

    fn source(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        self.world.journal.source(digest)
    }

    fn inbox(&self, key: &str) -> Result<Option<Entry>, Error> {
        self.world.journal.inbox(key)
    }

    fn waiting(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        self.world.journal.waiting(limit)
    }

    fn each_entry(&self, visit: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        self.world.journal.each_entry(visit)
    }

    fn meta(&self, name: &str) -> Result<Option<Value>, Error> {
        self.world.journal.meta(name)
    }

    fn export(&self, out: &mut dyn Write) -> Result<(), Error> {
        self.world.journal.export(out)
    }

    fn verify(&self) -> Result<Report, Error> {
        self.world.journal.verify()
    }
}
