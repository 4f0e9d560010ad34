//! Opening a state directory: the store, or a new one where it is damaged, and what the log has behind its checkpoint.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::Options;
use super::compare::missing;
use super::end::EndFile;
use super::keeper;
use super::lock::{BROKEN, Lock, make_dir};
use super::replay::Replay;
use super::shared::Shared;
use crate::Error;
use crate::frame::Position;
use crate::log::base::remove_unfinished;
use crate::log::kept::Kept;
use crate::log::{Base, End, Log, scan};
use crate::store::{Store, move_away};
use crate::table::Table;

/// Opens store and log, so that every acknowledged commit is in the store or in the tables.
pub(crate) fn open(dir: &Path, lock: &Lock, options: &Options) -> Result<(Arc<Shared>, Log), Error> {
    let Options { segment_bytes, table_bytes, .. } = *options;
    let log_dir = dir.join("log");
    make_dir(&log_dir)?;
    remove_unfinished(&log_dir)?;
    let (mut shared, mut end) = load(dir, &log_dir, EndFile::read(dir), table_bytes)?;
    if !lock.same_boot
        && let Some(why) = lacks(&shared, &log_dir, end)?
    {
        drop(shared);
        set_store_aside(dir, &why)?;
        (shared, end) = load(dir, &log_dir, EndFile::read(dir), table_bytes)?;
    }
    let log = Log::open(&log_dir, end.position, end.garbage, segment_bytes)?;
    shared.lock().active.end = log.position();
    Ok((shared, log))
}

/// Opens the store in the folder `home` and reads into it what the log has behind its checkpoint; the log is only read.
/// Everything before `durable` was durable.
pub(crate) fn load(
    home: &Path,
    log: &Path,
    durable: Position,
    table_bytes: usize,
) -> Result<(Arc<Shared>, End), Error> {
    let base = Base::newest(log)?;
    let store = open_store(home, base.as_ref())?;
    let checkpoint = store.checkpoint()?;
    let start = Table {
        end: checkpoint.position(),
        number: checkpoint.number,
        accepted: checkpoint.accepted,
        ..Table::default()
    };
    let shared = Shared::new(store, start, table_bytes);
    let durable = durable.max(checkpoint.position());
    let mut replay = Replay::new(&shared, home);
    let mut from = (checkpoint.position(), checkpoint.number);
    if let Some(base) = base.filter(|base| checkpoint.position() < base.end()) {
        let contents = base.scan(&mut |found| replay.base(found))?;
        replay.based(&base, &contents)?;
        from = (base.end(), contents.info.unwrap_or_default().number);
        // The store counts from the checkpoint on that has all of the base: without it, the next opening would set it
        // aside and build it again. On a full disk that is what happens; with holes, the one below has more to say.
        if !replay.has_holes() {
            match keeper::checkpoint(&shared, home) {
                Err(Error::Full(_)) => {}
                done => done?,
            }
        }
    }
    let end = scan(log, from, durable, None, &mut |found| replay.take(found))?;
    replay.mark_lost()?;
    {
        let mut tables = shared.lock();
        tables.active.end = end.position;
        tables.active.number = end.number;
    }
    if replay.has_holes() {
        keeper::checkpoint(&shared, home)?;
    }
    Ok((shared, end))
}

fn open_store(home: &Path, base: Option<&Base>) -> Result<Store, Error> {
    let (path, broken) = (home.join("sled"), home.join(BROKEN));
    make_dir(&path)?;
    let opened = match broken.exists() {
        true => Err(Error::Store("it failed while it was written to".to_owned())),
        false => Store::open(&path).and_then(|store| whole(store, &path)).and_then(|store| usable(store, base)),
    };
    let why = match opened {
        Err(Error::Store(why)) => why,
        other => return other,
    };
    set_store_aside(home, &why)?;
    if broken.exists() {
        fs::remove_file(&broken).map_err(|error| Error::io("remove", &broken, error))?;
    }
    make_dir(&path)?;
    Store::open(&path)
}

fn set_store_aside(home: &Path, why: &str) -> Result<(), Error> {
    let path = home.join("sled");
    if path.exists() {
        let aside = move_away(&path)?;

        tracing::error!(why, aside = %aside.display(), "the store is damaged; rebuilding it from the log");
    }
    Ok(())
}

/// What the store lacks of the log, after the machine was started again. Where the log is damaged too, the store may be
/// the better of both, and that is for `repair` to find out.
fn lacks(shared: &Shared, log: &Path, end: End) -> Result<Option<String>, Error> {
    let kept = Kept::read(log, end.position)?;
    match kept.trouble() {
        Some(trouble) => {
            tracing::error!(trouble, "the log is damaged; `journal verify` tells more");
            Ok(None)
        }
        None => match missing(shared, &kept) {
            Err(Error::Store(why)) => Ok(Some(why)),
            other => other,
        },
    }
}

/// The store, or an empty one where it was being built when its engine ended: nothing is damaged then, so nothing is kept.
fn whole(store: Store, path: &Path) -> Result<Store, Error> {
    if !store.checkpoint()?.is_of_a_part() {
        return Ok(store);
    }
    tracing::info!("the store was not built to its end; building it again");
    drop(store);
    fs::remove_dir_all(path).map_err(|error| Error::io("remove", path, error))?;
    make_dir(path)?;
    Store::open(path)
}

/// The store, where it can be caught up with the log and what is needed of it to go on can be read.
fn usable(store: Store, base: Option<&Base>) -> Result<Store, Error> {
    let checkpoint = store.checkpoint()?;
    if base.is_some_and(|base| checkpoint.position() < base.end()) && !store.is_empty()? {
        return Err(Error::Store("it ends before the log begins".to_owned()));
    }
    store.check(&checkpoint)?;
    Ok(store)
}
