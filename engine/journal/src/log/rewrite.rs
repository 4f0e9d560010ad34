//! Writing a log again as a base, without what was forgotten.

use super::base::{Info, Writer};
use super::kept::{Kept, KeptRun};
use crate::Error;
use crate::record::{NO_HASH, View};
use runwright_core::RunId;

/// Writes everything that is kept. The log must be whole: this mends nothing and decides nothing.
///
/// # Errors
///
/// [`Error::Damaged`] where a run turns out not to be what was written; nothing is changed then.
pub(crate) fn rewrite(kept: &mut Kept, writer: &mut Writer, go_on: &dyn Fn() -> bool) -> Result<(), Error> {
    for digest in kept.sources.keys().copied().collect::<Vec<_>>() {
        let bytes = kept.source(digest)?;
        let bytes = bytes.ok_or_else(|| Error::Store(format!("source {digest} has another content in the log")))?;
        writer.source(digest, &bytes)?;
    }
    for (run, kept_run) in std::mem::take(&mut kept.runs) {
        if !go_on() {
            return Err(Error::Closed);
        }
        write_run(kept, run, kept_run, writer)?;
    }
    for (number, accepted) in kept.entries() {
        let entry = kept.entry(number, accepted)?;
        writer.entry(&entry)?;
    }
    for (name, value) in std::mem::take(&mut kept.settings) {
        if let Some(value) = value {
            writer.setting(name, value)?;
        }
    }
    Ok(())
}

/// What a base of all that is kept is of.
pub(crate) fn info(kept: &Kept) -> Info {
    Info::new(kept.number, kept.accepted)
}

fn write_run(kept: &mut Kept, run: RunId, kept_run: KeptRun, writer: &mut Writer) -> Result<(), Error> {
    let damaged = |seq: u64, what: &str| Error::Damaged { run, seq, what: what.to_owned() };
    let Some(head) = kept_run.head else { return Err(damaged(1, "the run has records but no head")) };
    let mut prev = NO_HASH;
    for (seq, spot) in kept_run.records {
        let bytes = kept.read_spot(spot)?;
        let view = View::read(&bytes).map_err(|bad| damaged(seq, &bad.to_string()))?;
        if (view.run(), view.seq(), view.prev()) != (run, seq, prev) {
            return Err(damaged(seq, "it does not follow the record before it"));
        }
        prev = view.hash();
        writer.record(&head, view)?;
    }
    writer.run(head, kept_run.lost)
}
