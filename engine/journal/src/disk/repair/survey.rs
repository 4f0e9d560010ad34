//! What log and store have of each run, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use runwright_core::{Digest, Event, Head, RunId, RunStatus, Timestamp};

use super::Repair;
use crate::admit::Known as _;
use crate::commit::item::Lost;
use crate::disk::shared::Shared;
use crate::log::base::Writer;
use crate::log::kept::Kept;
use crate::record::{Hash, NO_HASH, View};
use crate::{Damage, Entry, Error};

/// Records of one run, encoded, by sequence number. They may not fit together.
type Copies = BTreeMap<u64, Vec<u8>>;

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) log_is_damaged: bool,
    pub(crate) store_is_damaged: bool,
    runs: BTreeSet<RunId>,
}

/// The best that can be had of one run.
struct Best {
    head: Head,
    records: Vec<Vec<u8>>,
    lost: Option<Lost>,
    in_log: bool,
    in_store: bool,
}

impl Survey {
    /// Looks at everything.
    pub(crate) fn of(shared: &Shared, kept: &mut Kept, done: &mut Repair) -> Result<Self, Error> {
        let mut survey = Self::default();
        for hole in &kept.holes {
            survey.log_is_damaged = true;
            done.found.push(format!("the log is damaged, {hole}"));
        }
        done.found.extend(kept.spoiled.iter().cloned());
        survey.log_is_damaged |= !kept.spoiled.is_empty();
        survey.runs = shared.known_runs();
        survey.runs.extend(kept.runs.keys());
        for run in survey.runs.clone() {
            let best = best(shared, kept, run)?;
            // What is marked as lost in both is as much in order as it can be.
            let known = kept.runs.get(&run).is_some_and(|run| run.lost.is_some()) && best.lost.is_some();
            if !best.in_log && !known {
                survey.log_is_damaged = true;
            }
            if !best.in_store && best.lost.is_none() {
                survey.store_is_damaged = true;
                done.found.push(format!("run {run} is not whole in the store"));
            }
            match best.lost {
                Some(Lost { seq, what }) => {
                    done.lost.push(Damage { run: Some(run), seq: Some(seq), what, readable: false });
                }
                None if !(best.in_log && best.in_store) => done.healed.push(run),
                None => {}
            }
        }
        survey.sources(shared, kept, done)?;
        Ok(survey)
    }

    fn sources(&mut self, shared: &Shared, kept: &mut Kept, done: &mut Repair) -> Result<(), Error> {
        for digest in kept.sources.keys().copied().collect::<Vec<_>>() {
            if !matches!(shared.source(digest), Ok(Some(_))) {
                self.store_is_damaged = true;
                done.found.push(format!("the store does not have source {digest}"));
            }
            if kept.source(digest)?.is_none() {
                self.log_is_damaged = true;
            }
        }
        for digest in shared.sources().unwrap_or_default() {
            self.log_is_damaged |= !kept.sources.contains_key(&digest);
        }
        let in_store = entries(shared);
        let in_log: BTreeSet<u64> = kept.entries().into_iter().map(|(number, _)| number).collect();
        if in_log.iter().any(|number| !in_store.contains_key(number)) {
            self.store_is_damaged = true;
            done.found.push("the store does not have every inbox entry".to_owned());
        }
        self.log_is_damaged |= in_store.keys().any(|number| !in_log.contains(number));
        Ok(())
    }

    /// Writes the best of everything.
    pub(crate) fn write(
        self,
        shared: &Shared,
        kept: &mut Kept,
        writer: &mut Writer,
        done: &mut Repair,
    ) -> Result<(), Error> {
        let mut digests: BTreeSet<Digest> = kept.sources.keys().copied().collect();
        digests.extend(shared.sources().unwrap_or_default());
        for digest in digests {
            match (kept.source(digest)?, shared.source(digest)) {
                (Some(bytes), _) | (None, Ok(Some(bytes))) => writer.source(digest, &bytes)?,
                _ => done.found.push(format!("source {digest} is lost: neither log nor store has it")),
            }
        }
        for run in self.runs {
            let Best { head, records, lost, .. } = best(shared, kept, run)?;
            for record in &records {
                let view = View::read(record).map_err(|bad| Error::Store(bad.to_string()))?;
                writer.record(&head, view)?;
            }
            writer.run(head, lost)?;
        }
        let mut all = entries(shared);
        for (number, accepted) in kept.entries() {
            // The store may know that it was dealt with where the log lost it.
            if let Ok(entry) = kept.entry(number, accepted)
                && all.get(&number).is_none_or(|known| known.handled.is_none())
            {
                all.insert(number, entry);
            }
        }
        all.values().try_for_each(|entry| writer.entry(entry))?;
        let mut settings = std::mem::take(&mut kept.settings);
        settings.extend(shared.settings().unwrap_or_default());
        for (name, value) in settings {
            if let Some(value) = value {
                writer.setting(name, value)?;
            }
        }
        Ok(())
    }
}

/// The inbox entries that can be read from the store.
fn entries(shared: &Shared) -> BTreeMap<u64, Entry> {
    let mut entries = BTreeMap::new();
    let _ = shared.each_entry(&mut |entry| {
        entries.insert(entry.number, entry);
        Ok(())
    });
    entries
}

/// Takes a run record by record from where it is whole, as far as the hash chain goes.
fn best(shared: &Shared, kept: &mut Kept, run: RunId) -> Result<Best, Error> {
    let in_store = shared.copies(run);
    let (mut in_log, mut head, mut last, mut lost) = (Copies::new(), None, 0, None);
    if let Some(kept_run) = kept.runs.get(&run) {
        let spots: Vec<_> = kept_run.records.iter().map(|(seq, spot)| (*seq, *spot)).collect();
        (head, last, lost) = (kept_run.head.clone(), kept_run.last, kept_run.lost.clone());
        for (seq, spot) in spots {
            in_log.extend(kept.read_spot(spot).ok().map(|bytes| (seq, bytes)));
        }
    }
    let store_head = shared.head(run).ok().flatten();
    last = last.max(store_head.as_ref().map_or(0, |head| head.seq));
    let marked = shared.lost(run).ok().flatten();
    let mut prev = NO_HASH;
    let mut best: Vec<Vec<u8>> = Vec::new();
    let mut whole = (true, true);
    for seq in 1.. {
        let log = in_log.get(&seq).and_then(|bytes| follows(bytes, run, seq, &prev));
        let store = in_store.get(&seq).and_then(|bytes| follows(bytes, run, seq, &prev));
        if seq <= last {
            whole = (whole.0 && log.is_some(), whole.1 && store.is_some());
        }
        let Some((bytes, hash)) = log.or(store) else { break };
        prev = hash;
        best.push(bytes.to_vec());
    }
    let end = best.len() as u64;
    last = last.max(end);
    let lost = match marked.or(lost) {
        Some(lost) if lost.seq > end => Some(lost),
        _ if end < last => Some(Lost { seq: end + 1, what: "neither log nor store has it".to_owned() }),
        _ => None,
    };
    let known = [head, store_head.clone()].into_iter().flatten().max_by_key(|head| head.seq);
    let mut known = known.unwrap_or_else(|| nameless(run, last, best.first()));
    if lost.is_some() {
        known.status = RunStatus::Blocked;
    }
    let store_has_head = store_head.is_some_and(|head| head.seq == last);
    Ok(Best { head: known, records: best, in_log: whole.0, in_store: whole.1 && store_has_head, lost })
}

fn follows<'a>(bytes: &'a [u8], run: RunId, seq: u64, prev: &Hash) -> Option<(&'a [u8], Hash)> {
    let view = View::read(bytes).ok()?;
    let fits = (view.run(), view.seq(), view.prev()) == (run, seq, *prev) && view.decode().is_ok();
    fits.then(|| (view.bytes(), view.hash()))
}

/// The head of a run of which no head is left: what its first record says, or that nothing does.
fn nameless(run: RunId, seq: u64, first: Option<&Vec<u8>>) -> Head {
    let created = first.and_then(|bytes| View::read(bytes).ok()?.decode().ok());
    let at = created.as_ref().map_or(Timestamp::from_millis(0), |record| record.at);
    let (name, runbook) = match created.map(|record| record.event) {
        Some(Event::Created { name, runbook, .. }) => (name, runbook),
        _ => ("lost".to_owned(), Digest::from_bytes([0; 32])),
    };
    let (status, lock, step_locks) = (RunStatus::Blocked, None, Vec::new());
    Head { run, name, runbook, status, lock, step_locks, seq, created: at, updated: at }
}

impl Shared {
    /// Every run that store or tables tell of, as far as that can be read.
    fn known_runs(&self) -> BTreeSet<RunId> {
        let mut runs = self.store.run_ids();
        let tables = self.lock();
        for table in tables.draining.as_deref().into_iter().chain([&tables.active]) {
            runs.retain(|run| !table.pruned.contains(run));
            runs.extend(table.runs.keys());
        }
        drop(tables);
        runs.extend(self.all_lost().unwrap_or_default().into_keys());
        runs
    }

    /// Every record of a run that store or tables have, whether they fit together or not.
    fn copies(&self, run: RunId) -> Copies {
        let mut copies = Copies::new();
        self.store.each_record(run, &mut |view: View<'_>| drop(copies.insert(view.seq(), view.bytes().to_vec())));
        let tables = self.lock();
        for table in tables.draining.as_deref().into_iter().chain([&tables.active]) {
            if table.pruned.contains(&run) {
                copies.clear();
            }
            let records = table.runs.get(&run).into_iter().flat_map(|part| part.records());
            copies.extend(records.map(|(seq, bytes)| (seq, bytes.to_vec())));
        }
        copies
    }
}
