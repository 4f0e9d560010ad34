//! Every file of a state directory, damaged in every way at many places: nothing panics, nothing is lost in silence, and
//! no run suffers for another.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::soak::{Chance, rounds};
use super::trimming::{finished, tiny, wait_for_a_base};
use super::{copy, export, folder, open};
use crate::conformance::{batch, run_id};
use crate::{Batch, Error, Journal, Options, Query, Report, SledJournal, repair};
use runwright_core::{Digest, Record, RunId, Timestamp, Value};

/// Panics that a user would have seen.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(info);
        }));
    });
}

/// What a journal held before it was damaged.
struct Truth {
    dir: tempfile::TempDir,
    lines: Vec<String>,
    histories: BTreeMap<RunId, Vec<Record>>,
}

/// A journal with all there can be: a base, segments, a store with a checkpoint behind them, runs over and not, pruned
/// ones, sources, inbox entries, settings, and a part that is in the log alone.
fn truth() -> Truth {
    count_panics();
    let dir = folder();
    let journal = open(dir.path(), &tiny());
    for n in 1..=100 {
        finished(&journal, n);
        if n % 9 == 0 {
            let source = format!("source {n}").repeat(40).into_bytes();
            let mut more = Batch::accept(format!("key-{n}"), Value::from(n), Timestamp::from_millis(n));
            more.sources.push((Digest::of(&source), source));
            more.meta.push((format!("name-{}", n % 5), Some(Value::from(n))));
            journal.append(more).blocking_wait().unwrap();
            journal.append(batch(1_000 + n, 1, 3)).blocking_wait().unwrap();
        }
    }
    let prune = Batch { prune: (1..=20).map(run_id).collect(), ..Batch::default() };
    journal.append(prune).blocking_wait().unwrap();
    wait_for_a_base(dir.path());
    journal.close().unwrap();
    let journal = open(dir.path(), &Options { table_bytes: 1 << 30, ..tiny() });
    for n in 2_000..2_006 {
        journal.append(batch(n, 1, 2)).blocking_wait().unwrap();
        journal.append(batch(n, 3, 3)).blocking_wait().unwrap();
    }
    let lines = export(&journal);
    let heads = journal.runs(&Query::default()).unwrap();
    let histories = heads.iter().map(|head| (head.run, journal.history(head.run).unwrap())).collect();
    journal.close().unwrap();
    Truth { dir, lines, histories }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

const HARMS: [&str; 6] = ["flipped", "truncated", "zeroed", "garbled", "empty", "gone"];

/// Does one kind of damage to a file. Mostly where something is written, seldom in the zeros behind it.
fn harm(path: &Path, how: &str, chance: &mut Chance) {
    let mut bytes = fs::read(path).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let end = if chance.one_in(8) { bytes.len() } else { written };
    let at = chance.below(end);
    match how {
        "flipped" if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
        "truncated" => bytes.truncate(at),
        "zeroed" => {
            let page = at / 4096 * 4096;
            let end = (page + 4096).min(bytes.len());
            bytes[page..end].fill(0);
        }
        "garbled" => {
            let end = (at + 1 + chance.below(600)).min(bytes.len());
            bytes[at..end].iter_mut().for_each(|byte| *byte = chance.next() as u8);
        }
        "empty" => bytes.clear(),
        "gone" => return fs::remove_file(path).unwrap(),
        _ => {}
    }
    fs::write(path, bytes).unwrap();
}

/// Opens the damaged journal and compares it with the truth. `in_log`: whether the log was damaged.
fn look(truth: &Truth, dir: &Path, in_log: bool, what: &str) {
    let journal = match SledJournal::open_with(dir, &tiny()) {
        Ok(journal) => journal,
        // A changed byte may look like a newer version's: it is refused by name, not lost.
        Err(Error::NewerFormat { .. }) if in_log => return,
        Err(error) => panic!("{what}: {error}"),
    };
    let report = journal.verify().unwrap_or_else(|error| panic!("{what}: {error}"));
    let same = export(&journal) == truth.lines;
    if !in_log {
        assert!(same, "{what}: {report:?}");
        let in_store = report.damage.iter().all(|damage| damage.readable && damage.run.is_some());
        assert!(in_store, "{what}: the log is whole: {report:?}");
    }
    assert!(same || !report.damage.is_empty(), "{what}: lost in silence");
    for (run, records) in &truth.histories {
        match journal.history(*run) {
            Ok(found) if found == *records => {}
            Ok(found) => {
                assert!(found.is_empty() && is_told(&report, None), "{what}: run {run} lost in silence: {report:?}");
            }
            Err(Error::Damaged { .. }) => assert!(in_log && is_told(&report, Some(*run)), "{what}: {report:?}"),
            Err(error) => panic!("{what}: {error}"),
        }
    }
    journal.append(batch(5_000, 1, 2)).blocking_wait().unwrap_or_else(|error| panic!("{what}: {error}"));
    journal.close().unwrap();
    let journal = SledJournal::open_with(dir, &tiny()).unwrap_or_else(|error| panic!("{what}: again: {error}"));
    assert_eq!(journal.history(run_id(5_000)).unwrap().len(), 2, "{what}");
    let again = journal.verify().unwrap();
    assert_eq!(again.damage.is_empty(), report.damage.is_empty() || !in_log && again.damage.is_empty(), "{what}");
}

/// Whether the report names the run; or damage of the log that may hide any.
fn is_told(report: &Report, run: Option<RunId>) -> bool {
    report.damage.iter().any(|damage| damage.run == run)
}

/// Repair gives back everything that the other copy has, or names what it does not give back.
fn mend(truth: &Truth, dir: &Path, what: &str) {
    let done = match repair(dir, &tiny(), false) {
        Ok(done) => done,
        Err(Error::NewerFormat { .. }) => return,
        Err(error) => panic!("{what}: repair: {error}"),
    };
    let journal = open(dir, &tiny());
    let report = journal.verify().unwrap();
    let named = |run: Option<RunId>| done.lost.iter().any(|damage| damage.run == run);
    assert!(
        report.damage.iter().all(|damage| damage.run.is_some() && named(damage.run)),
        "{what}: {done:?} {report:?}"
    );
    for (run, records) in &truth.histories {
        match journal.history(*run) {
            Ok(found) if found == *records => {}
            Ok(found) => assert!(found.is_empty() && !done.found.is_empty(), "{what}: run {run}"),
            Err(_) => assert!(named(Some(*run)), "{what}: run {run}"),
        }
    }
}

#[test]
fn nothing_is_lost_in_silence_whatever_is_damaged() {
    let truth = truth();
    rounds("damaged files", |seed| {
        let mut chance = Chance::new(seed);
        let files = files(truth.dir.path());
        for path in &files {
            let name = path.strip_prefix(truth.dir.path()).unwrap();
            let in_log = name.starts_with("log");
            for how in HARMS {
                let copied = folder();
                copy(truth.dir.path(), copied.path());
                harm(&copied.path().join(name), how, &mut chance);
                let mut what = format!("seed {seed}: {} {how}", name.display());
                if chance.one_in(3) {
                    // As after the machine was started anew.
                    what.push_str(", no lock");
                    let _ = fs::remove_file(copied.path().join("lock"));
                }
                look(&truth, copied.path(), in_log, &what);
                if in_log || chance.one_in(3) {
                    mend(&truth, copied.path(), &what);
                }
                assert_eq!(PANICS.load(Ordering::Relaxed), 0, "{what}: a panic was shown");
            }
        }
        files.len() * HARMS.len()
    });
}

#[test]
fn a_store_with_foreign_files_is_rebuilt_or_used() {
    let truth = truth();
    for (name, bytes) in
        [("blobs/7", &b"spilled"[..]), ("snap.00000000000000FF.generating", b""), ("snap.00000000000000FF", b"torn")]
    {
        let copied = folder();
        copy(truth.dir.path(), copied.path());
        let path = copied.path().join("sled").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        look(&truth, copied.path(), false, name);
    }
}
