//! Putting a damaged journal in order, from what is whole in either of log and store. Nothing is invented: what neither
//! has stays lost, and its run blocked.

mod survey;

use std::fs;
use std::path::{Path, PathBuf};

use runwright_core::RunId;
use serde::Serialize;

use super::end::EndFile;
use super::lock::{Lock, make_dir};
use super::{Options, SledJournal, open};
use crate::log::base::{Info, Writer, remove_unfinished};
use crate::log::kept::Kept;
use crate::log::{Base, files, rewrite, segments};
use crate::{Damage, Error};
use survey::Survey;

/// The folder in which a dry run works on a copy of the store.
const DRY: &str = "repair.tmp";

/// What [`repair`] did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Repair {
    /// What was wrong, for people.
    pub found: Vec<String>,
    /// The store was set aside and rebuilt.
    pub store_rebuilt: bool,
    /// The log was set aside and rewritten.
    pub log_rewritten: bool,
    /// Runs that one of log and store had lost records of, and the other had them.
    pub healed: Vec<RunId>,
    /// Runs that stay blocked, with the first record that neither has.
    pub lost: Vec<Damage>,
    /// Where the damaged files are now.
    pub aside: Vec<PathBuf>,
}

/// Puts a damaged journal in order. A journal that is whole is not touched.
///
/// What is whole in log or store is taken from there; where both are damaged, record by record, as long as the hash
/// chain holds. A run that is whole in neither is kept up to its last whole record and stays blocked. The damaged files
/// are kept beside the new ones. With `dry_run` nothing is changed, but for a copy of the store that is made and removed.
///
/// **A crash** in the middle leaves the damaged journal or the repaired one.
///
/// # Errors
///
/// What opening gives.
pub fn repair(dir: impl AsRef<Path>, options: &Options, dry_run: bool) -> Result<Repair, Error> {
    let dir = dir.as_ref();
    let lock = Lock::take(dir, &options.holder)?;
    let done = match dry_run {
        true => dry(dir, options)?,
        false => {
            let (mut done, renew) = work(dir, dir, options, false)?;
            if renew {
                renew_store(dir, &mut done)?;
            }
            done
        }
    };
    drop(lock);
    if !dry_run && done.store_rebuilt {
        SledJournal::open_with(dir, options)?.close()?;
    }
    Ok(done)
}

fn dry(dir: &Path, options: &Options) -> Result<Repair, Error> {
    let home = dir.join(DRY);
    let remove = || if home.exists() { fs::remove_dir_all(&home) } else { Ok(()) };
    let failed = |error: std::io::Error| Error::io("copy the store to", &home, error);
    remove().map_err(failed)?;
    copy(&dir.join("sled"), &home.join("sled")).map_err(failed)?;
    if dir.join(super::lock::BROKEN).exists() {
        super::lock::mark_broken(&home);
    }
    let done = work(dir, &home, options, true);
    remove().map_err(failed)?;
    let (mut done, renew) = done?;
    done.store_rebuilt |= renew;
    done.aside.clear();
    Ok(done)
}

/// Looks at everything, and rewrites the log where it must be. The store is the one in `home`; says whether it must
/// be renewed.
fn work(dir: &Path, home: &Path, options: &Options, dry_run: bool) -> Result<(Repair, bool), Error> {
    let log = dir.join("log");
    make_dir(&log)?;
    let stores = asides(home);
    let (shared, end) = open::load(home, &log, EndFile::read(dir), options.table_bytes)?;
    let mut done = Repair::default();
    let aside: Vec<PathBuf> = asides(home).into_iter().filter(|path| !stores.contains(path)).collect();
    if !aside.is_empty() {
        done.found.push("the store could not be used; it was rebuilt from the log".to_owned());
        done.store_rebuilt = true;
        done.aside = aside;
    }
    let mut kept = Kept::read(&log, end.position)?;
    let survey = Survey::of(&shared, &mut kept, &mut done)?;
    let renew = survey.log_is_damaged || survey.store_is_damaged;
    done.log_rewritten = survey.log_is_damaged;
    if survey.log_is_damaged && !dry_run {
        remove_unfinished(&log)?;
        let number = kept.number.max(shared.lock().active.number);
        let mut writer = Writer::new(&log, Info { number, ..rewrite::info(&kept) }, options.base_file_bytes)?;
        survey.write(&shared, &mut kept, &mut writer, &mut done)?;
        let last = segments(&log)?.last().map_or(0, |(number, _)| *number);
        let old: Vec<Base> = Base::all(&log)?;
        let base = writer.finish(last.max(end.position.segment()))?;
        done.aside.push(set_aside(dir, &log, &base, &old)?);
        EndFile::write(dir, base.end())?;
    }
    Ok((done, renew))
}

/// Moves what a base stands for to `log.damaged-<n>`.
fn set_aside(dir: &Path, log: &Path, base: &Base, old: &[Base]) -> Result<PathBuf, Error> {
    let aside = (1..).map(|n| dir.join(format!("log.damaged-{n}"))).find(|path| !path.exists());
    let aside = aside.unwrap_or_else(|| dir.join("log.damaged"));
    make_dir(&aside)?;
    let place = |path: &Path| aside.join(path.file_name().unwrap_or_default());
    for base in old {
        files::rename(&base.dir, &place(&base.dir))?;
    }
    for (_, path) in segments(log)?.iter().filter(|(number, _)| *number <= base.segment) {
        files::rename(path, &place(path))?;
    }
    files::sync_dir(&aside)?;
    files::sync_dir(log)?;
    Ok(aside)
}

/// The store is rebuilt at the next opening: it is set aside, unless it was built just now.
fn renew_store(dir: &Path, done: &mut Repair) -> Result<(), Error> {
    done.store_rebuilt = true;
    let store = dir.join("sled");
    if done.aside.iter().any(|path| asides(dir).contains(path)) {
        return fs::remove_dir_all(&store).map_err(|error| Error::io("remove", &store, error));
    }
    done.aside.push(crate::store::move_away(&store)?);
    Ok(())
}

/// The stores that were set aside.
fn asides(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sled.damaged-"));
    entries.filter(named).collect()
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).into_iter().flatten() {
        let path = entry?.path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}
