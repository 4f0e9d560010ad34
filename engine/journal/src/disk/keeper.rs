//! The keeper: the thread that puts full tables into the store, beside the writer.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::lock::{free_bytes, mark_broken};
use super::shared::Shared;
use super::trim::Trimmer;
use crate::Error;

/// A checkpoint is not begun with less room on the disk than this, and `FREE_FACTOR` times the table: sled that meets a full
/// disk has to be rebuilt.
const FREE_MIN: u64 = 8 << 20;
const FREE_FACTOR: u64 = 4;
/// A smaller table stays in the log at the end: reading it back is faster than a checkpoint.
const LEAVE_BYTES: usize = 256 << 10;

/// Puts tables into the store until the journal closes.
pub(crate) fn run(shared: &Arc<Shared>, dir: &Path, mut trimmer: Trimmer) {
    trimmer.consider(shared);
    loop {
        let closing = {
            let mut tables = shared.lock();
            while !tables.closing && tables.active.bytes < shared.table_bytes {
                tables = shared.changed.wait(tables).unwrap_or_else(PoisonError::into_inner);
            }
            if tables.closing && (tables.active.bytes < LEAVE_BYTES || tables.full) {
                return;
            }
            tables.closing
        };
        let done = checkpoint(shared, dir);
        if shared.failed().is_some() || (closing && done.is_err()) {
            return;
        }
        if done.is_ok() {
            trimmer.consider(shared);
        } else {
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// Puts the active table into the store. Only one thread may do this.
///
/// # Errors
///
/// [`Error::Full`]: the table stays; try again later. Any other is final.
pub(crate) fn checkpoint(shared: &Shared, dir: &Path) -> Result<(), Error> {
    let table = {
        let mut tables = shared.lock();
        let needed = FREE_MIN + FREE_FACTOR * tables.active.bytes as u64;
        let free = free_bytes(dir)?;
        tables.full = free < needed;
        if tables.full {
            shared.changed.notify_all();
            tracing::warn!(free, needed, "the disk is almost full; the journal waits with its checkpoint");
            return Err(Error::Full(format!("a checkpoint needs {needed} bytes, and {free} are free")));
        }
        let next = tables.active.next();
        let table = Arc::new(std::mem::replace(&mut tables.active, next));
        tables.draining = Some(Arc::clone(&table));
        table
    };
    tracing::debug!(bytes = table.bytes, runs = table.runs.len(), "checkpoint");
    if let Err(error) = shared.store.apply(&table) {
        mark_broken(dir);
        return Err(shared.fail(&error));
    }
    shared.set_stored(table.end);
    shared.lock().draining = None;
    shared.changed.notify_all();
    Ok(())
}
