//! Journals of every format that was ever written must be readable.
//!
//! `fixtures/format-1/` holds the events in all their forms (`events.jsonl`), a journal that consists of them (only
//! its log, `000001.log`, without the zeros at its end, which are put back: the store is rebuilt) and what an export of it says
//! (`export.jsonl`). None of these files may change once a version that writes the format was released. Until then,
//! `RUNWRIGHT_WRITE_FIXTURES=1` writes the last two anew from the first.
//!
//! `fixtures/format-1-bases/` holds logs of the version that took a base of more than one file for damaged, written with
//! files of 4 KiB instead of 64 MiB: one that was never trimmed again (`grown`), and what that version's `repair` made of
//! it (`repaired`). An export of both says the same (`export.jsonl`). They can't be written again.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use journal::{Batch, InboxWrite, Journal, Options, Repair, SledJournal};
use runwright_core::{Digest, Event, Head, Record, RunId, RunStatus, Timestamp, Value};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

fn events() -> Vec<Event> {
    let text = fs::read_to_string(fixtures().join("events.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The type of an event. A new one must be added here, and to the fixtures.
fn kind(event: &Event) -> &'static str {
    match event {
        Event::Created { .. } => "created",
        Event::Locked { .. } => "locked",
        Event::Skipped { .. } => "skipped",
        Event::Refused { .. } => "refused",
        Event::Started { .. } => "started",
        Event::Noted { .. } => "noted",
        Event::Ended { .. } => "ended",
        Event::Interrupted { .. } => "interrupted",
        Event::Verified { .. } => "verified",
        Event::Settled { .. } => "settled",
        Event::Approval { .. } => "approval",
        Event::TimedOut { .. } => "timed-out",
        Event::CancelRequested { .. } => "cancel-requested",
        Event::RollbackRequested { .. } => "rollback-requested",
        Event::Finished { .. } => "finished",
    }
}

#[test]
fn every_event_reads_and_writes_as_it_always_did() {
    let text = fs::read_to_string(fixtures().join("events.jsonl")).unwrap();
    let mut kinds = BTreeSet::new();
    for (line, event) in text.lines().zip(events()) {
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
        kinds.insert(kind(&event));
    }
    assert_eq!(kinds.len(), 15, "{kinds:?}");
}

#[test]
fn an_old_journal_opens_and_holds_what_it_held() {
    if std::env::var_os("RUNWRIGHT_WRITE_FIXTURES").is_some() {
        write_fixtures();
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("log")).unwrap();
    fs::copy(fixtures().join("000001.log"), dir.path().join("log/000001.log")).unwrap();
    let log = fs::OpenOptions::new().write(true).open(dir.path().join("log/000001.log")).unwrap();
    log.set_len(1 << 20).unwrap();
    let journal = SledJournal::open(dir.path()).unwrap();
    assert_eq!(journal.verify().unwrap().damage, []);
    assert_eq!(export(&journal), fs::read_to_string(fixtures().join("export.jsonl")).unwrap());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A state directory of the version that took bases of several files for damaged, and what an export of it says.
fn cried_wolf(kind: &str) -> (tempfile::TempDir, String) {
    let (dir, fixtures) = (tempfile::tempdir().unwrap(), fixtures().with_file_name("format-1-bases"));
    copy(&fixtures.join(kind), &dir.path().join("log"));
    // What its repair set aside is still there.
    copy(&fixtures.join("grown"), &dir.path().join("log.damaged-1"));
    (dir, fs::read_to_string(fixtures.join("export.jsonl")).unwrap())
}

#[test]
fn a_journal_that_an_old_version_took_for_damaged_is_whole() {
    for kind in ["grown", "repaired"] {
        let (dir, text) = cried_wolf(kind);
        let untrimmed = Options::default();
        for rebuild in [false, false, true] {
            let journal = SledJournal::open_with(dir.path(), &Options { rebuild, ..untrimmed.clone() }).unwrap();
            assert_eq!(journal.verify().unwrap().damage, [], "{kind}");
            assert_eq!(export(&journal), text, "{kind}");
        }
        for dry_run in [true, false] {
            assert_eq!(journal::repair(dir.path(), &untrimmed, dry_run).unwrap(), Repair::default(), "{kind}");
        }
        journal::compact(dir.path(), &untrimmed).unwrap();
        let journal = SledJournal::open(dir.path()).unwrap();
        assert_eq!(journal.verify().unwrap().damage, [], "{kind}");
        assert_eq!(export(&journal), text, "{kind}");
        assert!(dir.path().join("log.damaged-1/base-000002").exists(), "what was set aside is left alone");
    }
}

#[test]
fn a_log_that_an_old_version_did_not_trim_any_more_is_trimmed() {
    let (dir, text) = cried_wolf("grown");
    let log = dir.path().join("log");
    assert_eq!(names(&log).len(), 9, "a base and eight segments");
    let (segment_bytes, trim_bytes) = (4 << 10, 8 << 10);
    let small = Options { segment_bytes, table_bytes: 2 << 10, trim_bytes, ..Options::default() };
    let journal = SledJournal::open_with(dir.path(), &small).unwrap();
    let began = Instant::now();
    while log.join("base-000002").exists() || log.join("000003.log").exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "it is not trimmed: {:?}", names(&log));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(journal.verify().unwrap().damage, []);
    assert_eq!(export(&journal), text);
}

fn export(journal: &SledJournal) -> String {
    let mut text = Vec::new();
    journal.export(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// One run with all events, one run for each status, inbox entries that wait and are handled, sources, settings.
fn write_fixtures() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SledJournal::open(dir.path()).unwrap();
    let at = Timestamp::from_millis;
    let id = |n: u64| RunId::new(at(1_750_000_000_000 + n), [n as u8; 10]);
    let head = |n: u64, seq: u64, status: RunStatus| Head {
        run: id(n),
        name: "recover-vm".to_owned(),
        runbook: Digest::of(b"{}"),
        status,
        lock: None,
        step_locks: Vec::new(),
        seq,
        created: at(1_750_000_000_000),
        updated: at(1_750_000_000_000 + seq),
    };
    let record = |n: u64, seq: u64, event: Event| Record { run: id(n), seq, at: at(1_750_000_000_000 + seq), event };
    let all: Vec<Record> = (1..).zip(events()).map(|(seq, event)| record(0, seq, event)).collect();
    let (first, rest) = all.split_at(20);
    journal.append(Batch::of(first.to_vec(), head(0, 20, RunStatus::Running))).blocking_wait().unwrap();
    let last = head(0, all.len() as u64, RunStatus::Succeeded);
    journal.append(Batch::of(rest.to_vec(), last)).blocking_wait().unwrap();
    for (n, status) in (1..).zip(RunStatus::ALL) {
        let one = record(n, 1, events().swap_remove(1));
        journal.append(Batch::of(vec![one], head(n, 1, status))).blocking_wait().unwrap();
    }
    for key in ["am:1234", "am:1235"] {
        journal
            .append(Batch::accept(key, serde_json::json!({"labels": {"vm": "web-1"}}), at(7)))
            .blocking_wait()
            .unwrap();
    }
    journal.append(Batch::accept("am:1234", Value::Null, at(8))).blocking_wait().unwrap();
    let handled = InboxWrite::Handle { key: "am:1234".to_owned(), runs: vec![id(0)], note: "recover-vm".to_owned() };
    let more = Batch {
        sources: vec![(Digest::of(b"{}"), b"{}".to_vec()), (Digest::of(&[0, 255]), vec![0, 255])],
        inbox: vec![handled],
        meta: vec![("kept".to_owned(), Some(Value::from(1))), ("removed".to_owned(), None)],
        ..Batch::default()
    };
    journal.append(more).blocking_wait().unwrap();
    fs::write(fixtures().join("export.jsonl"), export(&journal)).unwrap();
    journal.close().unwrap();
    let log = fs::read(dir.path().join("log/000001.log")).unwrap();
    let end = log.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    fs::write(fixtures().join("000001.log"), &log[..end.next_multiple_of(8)]).unwrap();
}
