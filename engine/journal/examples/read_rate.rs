//! How long it takes to open a journal of 100,000 records, to verify it, and to read 1,000 unfinished runs of it, beside
//! reading its files once.
//!
//! `cargo run --release -p runwright-journal --example read_rate [FOLDER] [RECORDS]`
//!
//! Runs have 10 records of about 300 bytes; the last 1,000 of them are unfinished. It is measured as it was closed, after
//! a start of the machine (log and store are compared), and with the store lost (it is rebuilt from the log).
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example: prints, and stops at the first error")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use journal::conformance::{batch, head, record};
use journal::{Batch, Journal, Options, Query, SledJournal, compact, prune};
use runwright_core::{RunStatus, Timestamp};

const PER_RUN: u64 = 10;
const UNFINISHED: u64 = 1_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "target/read-rate".to_owned()));
    let records: u64 = arguments.next().map_or(100_000, |text| text.parse().unwrap());
    let _ = std::fs::remove_dir_all(&folder);
    let journal = SledJournal::open(&folder).unwrap();
    let (_, took) = timed(|| fill(&journal, records / PER_RUN));
    println!("wrote {records} records in {took:.2?}");
    let (_, took) = timed(|| journal.close().unwrap());
    println!("closed in {took:.2?}; {} MB of log, {} MB of store", size(&folder, "log"), size(&folder, "sled"));
    for _ in 0..3 {
        let (bytes, took) = timed(|| read(&folder));
        println!("the floor: all {} MB of its files read once in {took:.2?}", bytes >> 20);
        measure("as it was closed", &folder);
    }
    std::fs::write(folder.join("lock"), "").unwrap();
    measure("machine started again", &folder);
    std::fs::remove_dir_all(folder.join("sled")).unwrap();
    measure("store lost", &folder);
    let (done, took) = timed(|| compact(&folder, &Options::default()).unwrap());
    println!("compacted in {took:.2?}: {done:?}");
    measure("compacted", &folder);
    let journal = SledJournal::open(&folder).unwrap();
    let later = Timestamp::from_millis(1_800_000_000_000);
    let (done, took) = timed(|| prune(&journal, later, Duration::from_secs(86_400), false).unwrap());
    println!("pruned {} runs in {took:.2?}", done.runs);
}

fn fill(journal: &SledJournal, runs: u64) {
    let last = PER_RUN / 2;
    for some in (1..=runs).collect::<Vec<_>>().chunks(256) {
        for pair in 1..=last {
            let (from, to) = (pair * 2 - 1, pair * 2);
            let pending = some.iter().map(|n| {
                if pair == last && n + UNFINISHED <= runs {
                    let records = (from..=to).map(|seq| record(*n, seq)).collect();
                    return journal.append(Batch::of(records, head(*n, to, RunStatus::Succeeded)));
                }
                journal.append(batch(*n, from, to))
            });
            let pending: Vec<_> = pending.collect();
            pending.into_iter().for_each(|appended| drop(appended.blocking_wait().unwrap()));
        }
    }
}

fn measure(what: &str, folder: &Path) {
    let (journal, opened) = timed(|| SledJournal::open(folder).unwrap());
    let (unfinished, resumed) = timed(|| {
        let heads = journal.runs(&Query::unfinished()).unwrap();
        let histories = heads.iter().map(|head| journal.history(head.run).unwrap());
        histories.filter(|history| history.len() as u64 == PER_RUN).count()
    });
    let (report, verified) = timed(|| journal.verify().unwrap());
    assert!(report.damage.is_empty());
    println!(
        "{what:>22}: opened in {opened:.2?}, {unfinished} unfinished runs read in {resumed:.2?}, {} records verified in \
         {verified:.2?}",
        report.records
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed())
}

/// Bytes of all files under the folder, read.
fn read(folder: &Path) -> u64 {
    let read =
        |path: &Path| if path.is_dir() { read(path) } else { std::fs::read(path).map_or(0, |all| all.len() as u64) };
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| read(&entry.path())).sum()
}

fn size(folder: &Path, part: &str) -> u64 {
    read(&folder.join(part)) >> 20
}
