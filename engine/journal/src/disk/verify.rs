//! Reading everything: every history from the store, and every commit of the log beside it.

use std::collections::BTreeMap;

use runwright_core::RunId;

use super::SledJournal;
use crate::commit::Slot;
use crate::log::{Found, Hole, scan_all};
use crate::record::{Hash, NO_HASH, View};
use crate::{Damage, Error, Journal, Query, Report, export};

/// What the log has of one run.
struct Copy {
    next: u64,
    hash: Hash,
    missing: Option<u64>,
}

impl Default for Copy {
    fn default() -> Self {
        Self { next: 1, hash: NO_HASH, missing: None }
    }
}

impl Copy {
    /// Takes in one record, which must follow the one before it.
    fn take(&mut self, slot: &Slot, bytes: &[u8]) {
        let follows = View::read(bytes).is_ok_and(|view| view.prev() == self.hash);
        if slot.seq != self.next || !follows {
            self.missing.get_or_insert(self.next.min(slot.seq));
        }
        (self.next, self.hash) = (slot.seq + 1, slot.hash);
    }

    /// The first record up to `last` that is not there.
    fn missing(&self, last: u64) -> Option<u64> {
        self.missing.or((self.next <= last).then_some(self.next))
    }
}

/// Reads everything that is acknowledged now.
pub(crate) fn verify(journal: &SledJournal) -> Result<Report, Error> {
    let heads = journal.runs(&Query::default())?;
    let mut report = export::check_runs(&heads, |run| journal.shared.history(run))?;
    for (run, lost) in journal.shared.all_lost()? {
        if !report.damage.iter().any(|damage| damage.run == Some(run)) {
            report.damage.push(Damage { run: Some(run), seq: Some(lost.seq), what: lost.what, readable: false });
        }
    }
    let (copies, holes) = read_log(journal, &mut report)?;
    let places: Vec<String> = holes.iter().map(ToString::to_string).collect();
    let none = Copy::default();
    let lost = journal.shared.all_lost()?;
    for head in heads.iter().filter(|head| !lost.contains_key(&head.run)) {
        let in_store = report.damage.iter_mut().find(|damage| damage.run == Some(head.run));
        match (copies.get(&head.run).unwrap_or(&none).missing(head.seq), in_store) {
            (None, None) => {}
            (None, Some(damage)) => {
                damage.readable = true;
                damage.what.push_str(" (the log has it: the store must be rebuilt)");
            }
            (Some(seq), in_store) => {
                let readable = in_store.is_none();
                let what = format!("its copy in the log can't be read (damaged: {})", places.join(", "));
                report.damage.push(Damage { run: Some(head.run), seq: Some(seq), what, readable });
            }
        }
    }
    for (run, copy) in copies.into_iter().filter(|(run, _)| !lost.contains_key(run)) {
        let seq = journal.head(run)?.map_or(0, |head| head.seq);
        if seq + 1 < copy.next {
            let what = "the log has it and the store does not: the store must be rebuilt".to_owned();
            report.damage.push(Damage { run: Some(run), seq: Some(seq + 1), what, readable: false });
        }
    }
    for place in places {
        let what = format!("the log is damaged from {place}");
        report.damage.push(Damage { run: None, seq: None, what, readable: true });
    }
    Ok(report)
}

fn read_log(journal: &SledJournal, report: &mut Report) -> Result<(BTreeMap<RunId, Copy>, Vec<Hole>), Error> {
    let _files = journal.shared.read_files();
    let end = journal.shared.lock().active.end;
    let mut copies: BTreeMap<RunId, Copy> = BTreeMap::new();
    let mut holes = Vec::new();
    let whole = scan_all(&journal.dir.join("log"), end, Some(end), &mut |_, found| {
        match found {
            Found::Commit { commit, .. } => {
                for slot in &commit.records {
                    copies.entry(slot.run).or_default().take(slot, &commit.bytes[slot.start..slot.end]);
                }
                for run in &commit.pruned {
                    copies.remove(run);
                }
            }
            Found::Hole(hole) => holes.push(hole),
            Found::Spoiled(what) => report.damage.push(Damage { run: None, seq: None, what, readable: true }),
        }
        Ok(())
    })?;
    report.log_bytes = whole.end.bytes + whole.base.map_or(0, |(_, contents)| contents.bytes);
    Ok((copies, holes))
}
