//! Reading everything: every history from the store, and every commit of the log beside it.

use std::collections::{BTreeMap, BTreeSet};

use runwright_core::RunId;

use super::SledJournal;
use crate::frame::Position;
use crate::log::{Found, scan};
use crate::{Damage, Error, Journal, Query, Report, export};

/// What the log has of one run.
#[derive(Default)]
struct Copy {
    next: u64,
    missing: Option<u64>,
}

/// Reads everything that is acknowledged now.
pub(crate) fn verify(journal: &SledJournal) -> Result<Report, Error> {
    let end = journal.shared.lock().active.end;
    let heads = journal.runs(&Query::default())?;
    let mut report = export::check_runs(journal)?;
    let unreadable: BTreeSet<RunId> = report.damage.iter().filter_map(|damage| damage.run).collect();
    for (run, lost) in journal.shared.store.all_lost()? {
        if !unreadable.contains(&run) {
            report.damage.push(Damage { run: Some(run), seq: Some(lost.seq), what: lost.what, readable: false });
        }
    }
    let mut copies: BTreeMap<RunId, Copy> = BTreeMap::new();
    let mut holes = Vec::new();
    let scanned = scan(&journal.dir.join("log"), (Position::default(), 0), end, Some(end), &mut |found| {
        match found {
            Found::Commit { commit, .. } => {
                for slot in &commit.records {
                    let copy = copies.entry(slot.run).or_insert(Copy { next: 1, missing: None });
                    if slot.seq != copy.next {
                        copy.missing.get_or_insert(copy.next);
                    }
                    copy.next = slot.seq + 1;
                }
            }
            Found::Hole(hole) => holes.push(hole),
        }
        Ok(())
    })?;
    report.log_bytes = scanned.bytes;
    let places: Vec<String> = holes.iter().map(|hole| format!("{} to {}", hole.from, hole.to)).collect();
    let places = places.join(", ");
    for head in heads {
        let copy = copies.remove(&head.run).unwrap_or(Copy { next: 1, missing: None });
        let missing = copy.missing.or((copy.next <= head.seq).then_some(copy.next));
        if let Some(seq) = missing {
            let readable = !unreadable.contains(&head.run);
            let what = format!("its copy in the log can't be read (damaged: {places})");
            report.damage.push(Damage { run: Some(head.run), seq: Some(seq), what, readable });
        }
    }
    for hole in holes {
        let what = format!("the log is damaged from {} to {}", hole.from, hole.to);
        report.damage.push(Damage { run: None, seq: None, what, readable: true });
    }
    Ok(report)
}
