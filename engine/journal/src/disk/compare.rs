//! Whether the store has what the log has. After a power failure sled may open and have lost older parts of what was
//! synced long ago, without a word; the log has not, since every frame of it has a checksum.

use std::collections::BTreeMap;

use super::shared::Shared;
use crate::Error;
use crate::admit::Known as _;
use crate::log::kept::Kept;

/// The first thing that the log has and the store does not; none where it has everything.
pub(crate) fn missing(shared: &Shared, kept: &Kept) -> Result<Option<String>, Error> {
    for (run, kept_run) in &kept.runs {
        let head = shared.head(*run)?;
        let (there, last) = (head.as_ref().map_or(0, |head| head.seq), kept_run.last);
        if there < last {
            return Ok(Some(format!("run {run} ends with record {there} in it, and with {last} in the log")));
        }
        if kept_run.lost.is_none()
            && kept_run.head.as_ref().is_some_and(|known| known.seq == there)
            && head != kept_run.head
        {
            return Ok(Some(format!("run {run} stands elsewhere in it than in the log")));
        }
    }
    for digest in kept.sources.keys() {
        if shared.source(*digest)?.is_none() {
            return Ok(Some(format!("it does not have source {digest}")));
        }
    }
    let mut entries = BTreeMap::new();
    shared.each_entry(&mut |entry| {
        entries.insert(entry.number, entry.handled);
        Ok(())
    })?;
    for (number, accepted) in kept.entries() {
        if entries.get(&number) != Some(&accepted.handled) {
            return Ok(Some(format!("inbox entry {number} is another in it than in the log")));
        }
    }
    let settings = shared.settings()?;
    let same = |(name, value): (&String, &Option<_>)| settings.get(name).cloned().flatten() == *value;
    let differs = kept.settings.iter().find(|(name, value)| !same((name, value)));
    Ok(differs.map(|(name, _)| format!("the setting {name:?} is another in it than in the log")))
}
