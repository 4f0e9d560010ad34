//! The journal on disk against everything that goes wrong.

mod corruption;
mod crash;
mod damage;
mod disk_full;
mod frames;
mod limits;
mod lives;
mod moving;
mod opening;
mod power;
mod repairing;
mod sizes;
mod soak;
mod store_damage;
mod trimming;

use std::fs;
use std::path::Path;

use crate::conformance::{self, batch, head, record, run_id};
use crate::{Journal, Options, Query, SledJournal};
use runwright_core::{Digest, RunStatus, Timestamp, Value};

/// A folder in memory, where there is such a thing: these tests are about what is written, not how fast it is durable.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Everything happens soon: small tables, small segments.
fn small() -> Options {
    Options { table_bytes: 4 << 10, segment_bytes: 64 << 10, base_file_bytes: 32 << 10, ..Options::default() }
}

/// Nothing goes into the store before it must.
fn log_only() -> Options {
    Options { table_bytes: 1 << 30, ..Options::default() }
}

fn open(dir: &Path, options: &Options) -> SledJournal {
    SledJournal::open_with(dir, options).unwrap()
}

/// A journal with this number of runs of 1, 2, 3 … records by turns, a source, inbox entries and a setting.
fn fill(dir: &Path, options: &Options, runs: u64) -> Vec<String> {
    let journal = open(dir, options);
    for n in 1..=runs {
        for seq in 1..=(n % 7 + 1) {
            journal.append(batch(n, seq, seq)).blocking_wait().unwrap();
        }
        let source = format!("source {n}").into_bytes();
        let mut more = crate::Batch::accept(format!("key-{n}"), Value::from(n), Timestamp::from_millis(n));
        more.sources.push((Digest::of(&source), source));
        more.meta.push((format!("name-{}", n % 5), Some(Value::from(n))));
        journal.append(more).blocking_wait().unwrap();
    }
    let lines = export(&journal);
    journal.close().unwrap();
    lines
}

fn export(journal: &impl Journal) -> Vec<String> {
    let mut text = Vec::new();
    journal.export(&mut text).unwrap();
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn it_conforms() {
    for options in [Options::default(), small()] {
        let mut dirs = Vec::new();
        conformance::all(|| {
            let dir = tempfile::tempdir().unwrap();
            let journal = open(dir.path(), &options);
            dirs.push(dir);
            journal
        });
    }
}

#[test]
fn it_holds_the_same_after_each_opening() {
    for options in [Options::default(), small(), log_only()] {
        let dir = tempfile::tempdir().unwrap();
        let lines = fill(dir.path(), &options, 60);
        for options in [&options, &small(), &options] {
            let journal = open(dir.path(), options);
            assert_eq!(export(&journal), lines);
            let report = journal.verify().unwrap();
            assert_eq!((report.runs, report.inbox, report.damage), (60, 60, Vec::new()));
        }
        let journal = open(dir.path(), &options);
        journal.append(batch(61, 1, 3)).blocking_wait().unwrap();
        journal.append(batch(7, 2, 2)).blocking_wait().unwrap();
        assert_eq!(journal.history(run_id(7)).unwrap(), [record(7, 1), record(7, 2)]);
        assert_eq!(journal.inbox("key-9").unwrap().unwrap().number, 9);
        assert_eq!(
            journal.runs(&Query { limit: Some(1), ..Query::default() }).unwrap(),
            [head(61, 3, RunStatus::Running)]
        );
    }
}

#[test]
fn a_finished_run_leaves_the_index_of_unfinished_ones() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), &small(), 20);
    let journal = open(dir.path(), &small());
    let last = crate::Batch::of(vec![record(8, 3)], head(8, 3, RunStatus::Succeeded));
    journal.append(last).blocking_wait().unwrap();
    for _ in 0..20 {
        journal.append(batch_of_source(3_000)).blocking_wait().unwrap();
    }
    assert_eq!(journal.runs(&Query::unfinished()).unwrap().len(), 19);
    journal.close().unwrap();
    assert_eq!(open(dir.path(), &small()).runs(&Query::unfinished()).unwrap().len(), 19);
}

fn batch_of_source(bytes: usize) -> crate::Batch {
    let source = vec![b'x'; bytes];
    crate::Batch { sources: vec![(Digest::of(&source), source)], ..crate::Batch::default() }
}

/// The first line that differs, cut off.
fn difference(left: &[String], right: &[String]) -> Option<String> {
    let cut = |line: Option<&String>| line.map_or("nothing".to_owned(), |line| line.chars().take(300).collect());
    let at = (0..left.len().max(right.len())).find(|at| left.get(*at) != right.get(*at))?;
    Some(format!("line {at}: {} and {}", cut(left.get(at)), cut(right.get(at))))
}
