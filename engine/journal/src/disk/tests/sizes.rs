//! Both sides of every size limit: what just fits, and what is one too large.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::lives::base_files;
use super::trimming::{finished, log_bytes, tiny, wait_for_a_base};
use super::{difference, export, folder, log_only, open, small};
use crate::commit::BATCH_MAX;
use crate::conformance::{batch, head, record, run_id, succeeded};
use crate::frame::contents_at;
use crate::log::base::{Info, Writer};
use crate::log::{Base, Found, segment, segments};
use crate::{Batch, Error, Journal, Memory, Options, SledJournal, compact, import, repair};
use runwright_core::{Digest, Direction, Event, Record, RunStatus, Timestamp, Value};

/// What a source takes in a frame beside its bytes: the frame's header, the item's and the digest.
fn source_overhead() -> usize {
    contents_at(0) + 5 + 32
}

/// A batch whose frame has exactly this many bytes.
fn frame_of(bytes: usize, fill: u8) -> Batch {
    let source = vec![fill; bytes - source_overhead()];
    Batch { sources: vec![(Digest::of(&source), source)], ..Batch::default() }
}

fn append(journal: &SledJournal, batch: Batch) {
    journal.append(batch).blocking_wait().unwrap();
}

/// The journal in this folder is whole after each opening and says what this one said.
fn opens_as_it_was(dir: &Path, options: &Options, journal: SledJournal, what: &str) {
    let lines = export(&journal);
    assert_eq!(journal.verify().unwrap().damage, [], "{what}");
    journal.close().unwrap();
    for rebuild in [false, true] {
        let journal = open(dir, &Options { rebuild, ..options.clone() });
        assert_eq!(difference(&export(&journal), &lines), None, "{what}");
        assert_eq!(journal.verify().unwrap().damage, [], "{what}");
        append(&journal, Batch::default());
        journal.close().unwrap();
    }
}

#[test]
fn a_batch_may_have_8_mib_and_not_one_byte_more() {
    let dir = folder();
    let journal = open(dir.path(), &Options::default());
    append(&journal, batch(1, 1, 1));
    append(&journal, frame_of(BATCH_MAX, b'a'));
    let (lines, end) = (export(&journal), journal.shared.lock().active.end);
    let over = journal.append(frame_of(BATCH_MAX + 1, b'b')).blocking_wait().unwrap_err();
    assert!(matches!(&over, Error::Invalid(why) if why.contains("8388609 bytes, and 8388608 are allowed")), "{over}");
    assert_eq!((export(&journal), journal.shared.lock().active.end), (lines, end), "nothing was written");
    append(&journal, batch(1, 2, 2));
    opens_as_it_was(dir.path(), &Options::default(), journal, "a batch of 8 MiB");
}

#[test]
fn a_batch_may_name_65536_runs_and_not_one_more() {
    let heads = |count: usize| Batch { heads: vec![head(1, 1, RunStatus::Running); count], ..Batch::default() };
    let refused = |count: usize| Memory::new().append(heads(count)).blocking_wait().unwrap_err().to_string();
    // Heads without records are refused too, but not for their number.
    assert!(refused(65_536).contains("needs one head"), "{}", refused(65_536));
    assert!(refused(65_537).contains("more than 65536 runs"), "{}", refused(65_537));
}

#[test]
fn a_frame_fills_a_segment_to_its_last_byte() {
    let options = Options { segment_bytes: 64 << 10, ..log_only() };
    for (missing, segments_then) in [(8, 1), (0, 1), (-8, 2)] {
        let dir = folder();
        let journal = open(dir.path(), &options);
        append(&journal, frame_of(1_000, b'a'));
        let left = (64 << 10) - segment::HEADER - 1_000;
        append(&journal, frame_of(left.checked_add_signed(-missing).unwrap(), b'b'));
        assert_eq!(journal.shared.lock().active.end.segment(), segments_then, "{missing} bytes are left");
        (1..=3).for_each(|seq| append(&journal, batch(1, seq, seq)));
        assert!(journal.shared.lock().active.end.segment() > 1);
        opens_as_it_was(dir.path(), &options, journal, &format!("{missing} bytes are left"));
    }
}

#[test]
fn a_frame_that_no_segment_has_room_for_gets_a_larger_one() {
    for bytes in [(32 << 10) - segment::HEADER, (32 << 10) - segment::HEADER + 8, 300 << 10] {
        let dir = folder();
        let journal = open(dir.path(), &tiny());
        for fill in [b'a', b'b', b'c'] {
            append(&journal, batch(u64::from(fill), 1, 2));
            append(&journal, frame_of(bytes, fill));
        }
        wait_for_a_base(dir.path());
        opens_as_it_was(dir.path(), &tiny(), journal, &format!("frames of {bytes} bytes"));
    }
}

#[test]
fn a_new_journal_begins_with_1_mib_and_goes_on_with_16() {
    let first = (1 << 20) - segment::HEADER;
    for (bytes, segments_then) in [(first, 1), (first + 8, 2)] {
        let dir = folder();
        let journal = open(dir.path(), &Options::default());
        append(&journal, frame_of(bytes, b'a'));
        assert_eq!(journal.shared.lock().active.end.segment(), segments_then);
        append(&journal, batch(1, 1, 1));
        let second = segments(&dir.path().join("log")).unwrap().into_iter().find(|(number, _)| *number == 2);
        assert_eq!(second.unwrap().1.metadata().unwrap().len(), 16 << 20);
        opens_as_it_was(dir.path(), &Options::default(), journal, &format!("a first frame of {bytes} bytes"));
    }
}

#[test]
fn a_segment_that_refused_batches_left_empty_is_trimmed_like_any_other() {
    let dir = folder();
    let journal = open(dir.path(), &tiny());
    append(&journal, batch(1, 1, 2));
    // No record 9 of this run is next, which is found out when there is room for it: in a segment of its own.
    let output = "x".repeat(60 << 10);
    let outcome = succeeded(output);
    let event = Event::Ended { step: "a".to_owned(), direction: Direction::Forward, attempt: 1, outcome };
    let wrong = Batch::of(vec![Record { event, ..record(1, 9) }], head(1, 9, RunStatus::Running));
    assert!(matches!(journal.append(wrong).blocking_wait(), Err(Error::Sequence { .. })));
    append(&journal, frame_of(100 << 10, b'a'));
    assert_eq!(journal.shared.lock().active.end.segment(), 3, "the second one has no frame");
    assert_eq!(wait_for_a_base(dir.path()).segment, 2);
    opens_as_it_was(dir.path(), &tiny(), journal, "an empty segment");
}

#[test]
fn groups_and_queues_of_any_length_are_written() {
    for count in [1_024, 1_025] {
        let dir = folder();
        let journal = open(dir.path(), &small());
        let pending: Vec<_> = (1..=count).map(|n| journal.append(batch(n, 1, 1))).collect();
        pending.into_iter().for_each(|appended| drop(appended.blocking_wait().unwrap()));
        assert_eq!(journal.verify().unwrap().runs, count);
        opens_as_it_was(dir.path(), &small(), journal, &format!("{count} batches at once"));
    }
    // Four of these are a group, and each of them is more than the tables that the store may be behind.
    let dir = folder();
    let journal = open(dir.path(), &small());
    let pending: Vec<_> = (b'a'..=b'e').map(|fill| journal.append(frame_of(1 << 20, fill))).collect();
    pending.into_iter().for_each(|appended| drop(appended.blocking_wait().unwrap()));
    opens_as_it_was(dir.path(), &small(), journal, "batches of 1 MiB at once");
}

#[test]
fn a_table_of_256_kib_goes_into_the_store_at_the_end_and_a_smaller_one_stays_in_the_log() {
    for (bytes, in_store) in [((256 << 10) - 8, false), (256 << 10, true)] {
        let dir = folder();
        let journal = open(dir.path(), &Options::default());
        append(&journal, frame_of(bytes, b'a'));
        let end = journal.shared.lock().active.end;
        journal.close().unwrap();
        let journal = open(dir.path(), &Options::default());
        assert_eq!(journal.shared.stored() == end, in_store, "{bytes}");
        opens_as_it_was(dir.path(), &Options::default(), journal, &format!("a table of {bytes} bytes"));
    }
}

/// A base of these sources in files of 16 KiB: the lengths of its files.
fn base_of(sources: &[Vec<u8>]) -> Vec<u64> {
    let log = folder();
    let mut writer = Writer::new(log.path(), Info::new(7, 0), 16 << 10).unwrap();
    sources.iter().for_each(|source| writer.source(Digest::of(source), source).unwrap());
    let base = writer.finish(1).unwrap();
    let mut found = Vec::new();
    let contents = base.scan(&mut |what| {
        let Found::Commit { commit, .. } = what else { panic!("{what:?}") };
        found.extend(commit.sources.into_iter().map(|(_, bytes)| bytes));
        Ok(())
    });
    assert_eq!(contents.unwrap().info, Some(Info::new(7, 0)));
    assert_eq!(found, sources);
    segments(&base.dir).unwrap().iter().map(|(_, path)| path.metadata().unwrap().len()).collect()
}

#[test]
fn a_frame_fills_a_file_of_a_base_to_its_last_byte() {
    let third = ((16 << 10) - segment::HEADER) / 3 - source_overhead();
    let mut fullest = Vec::new();
    for bytes in third - 70..=third + 20 {
        let files = base_of(&(b'a'..b'm').map(|fill| vec![fill; bytes]).collect::<Vec<_>>());
        assert!(files.len() > 3 && files.iter().all(|bytes| *bytes <= 16 << 10), "{bytes}: {files:?}");
        fullest.push(files[1]);
    }
    assert!(fullest.contains(&(16 << 10)) && fullest.last() < Some(&(12 << 10)), "{fullest:?}");
}

#[test]
fn a_frame_that_no_file_of_a_base_has_room_for_gets_one_of_its_own() {
    let small = vec![b's'; 200];
    for bytes in [(16 << 10) - 200, 16 << 10, 100 << 10] {
        let files = base_of(&[small.clone(), vec![b'a'; bytes], vec![b'b'; bytes], small.clone()]);
        assert!(files.iter().all(|bytes| *bytes > segment::HEADER as u64), "none is empty: {files:?}");
    }
    assert_eq!(base_of(&[]).len(), 1);
}

#[test]
fn runs_fill_the_parts_of_an_index_exactly() {
    // A part of the index is as large as a frame, 4 KiB: 170 runs.
    for runs in [169, 170, 171, 340, 341] {
        let dir = folder();
        let journal = open(dir.path(), &tiny());
        let pending: Vec<_> = (1..=runs).map(|n| journal.append(batch(n, 1, 1))).collect();
        pending.into_iter().for_each(|appended| drop(appended.blocking_wait().unwrap()));
        let lines = export(&journal);
        journal.close().unwrap();
        compact(dir.path(), &tiny()).unwrap();
        let base = Base::newest(&dir.path().join("log")).unwrap().unwrap();
        assert_eq!(base.scan(&mut |_| Ok(())).unwrap().index.len() as u64, runs);
        let journal = open(dir.path(), &tiny());
        assert_eq!(export(&journal), lines);
        opens_as_it_was(dir.path(), &tiny(), journal, &format!("{runs} runs"));
    }
}

#[test]
fn values_of_every_length_around_a_part_of_the_store_are_read_back() {
    let dir = folder();
    let (journal, memory) = (open(dir.path(), &small()), Memory::new());
    let both = |batch: Batch| {
        memory.append(batch.clone()).blocking_wait().unwrap();
        append(&journal, batch);
    };
    for (n, bytes) in (1..).zip((3_980..4_010).chain(7_985..8_005).chain([0, 1, 12_000, 100_000])) {
        let text = "x".repeat(bytes);
        // A record has about 190 bytes beside its output.
        let outcome = succeeded(text[..bytes.saturating_sub(180)].to_owned());
        let event = Event::Ended { step: "a".to_owned(), direction: Direction::Forward, attempt: 1, outcome };
        let records = [record(n, 1), Record { event, ..record(n, 2) }, record(n, 3)];
        let mut batch = Batch::of(records.to_vec(), head(n, 3, RunStatus::Running));
        let source = format!("{text}{n}").into_bytes();
        batch.sources.push((Digest::of(&source), source));
        batch.meta.push((format!("name-{n}"), Some(Value::from(text.clone()))));
        batch.inbox = Batch::accept(format!("key-{n}"), Value::from(text), Timestamp::from_millis(n)).inbox;
        both(batch);
    }
    assert_eq!(difference(&export(&journal), &export(&memory)), None);
    opens_as_it_was(dir.path(), &small(), journal, "values around 4,000 bytes");
}

#[test]
fn runs_are_forgotten_in_any_number() {
    // The store syncs after 256 of them.
    for count in [255, 256, 257] {
        let dir = folder();
        let journal = open(dir.path(), &small());
        let pending: Vec<_> = (1..=count).map(|n| journal.append(batch(n, 1, 2))).collect();
        pending.into_iter().for_each(|appended| drop(appended.blocking_wait().unwrap()));
        for n in 1..=count {
            append(&journal, Batch::of(vec![record(n, 3)], head(n, 3, RunStatus::Succeeded)));
        }
        append(&journal, batch(9_000, 1, 1));
        append(&journal, Batch { prune: (1..=count).map(run_id).collect(), ..Batch::default() });
        append(&journal, frame_of(8 << 10, b'a'));
        assert_eq!(journal.verify().unwrap().runs, 1);
        opens_as_it_was(dir.path(), &small(), journal, &format!("{count} runs are forgotten"));
    }
}

#[test]
fn a_log_of_more_segments_than_may_be_open_at_once_is_trimmed() {
    let dir = folder();
    let options = Options { segment_bytes: 4 << 10, trim_bytes: 1 << 30, ..tiny() };
    let journal = open(dir.path(), &options);
    for n in 1..=300 {
        finished(&journal, n);
    }
    // This run has its records in the first and in the last segments.
    (1..=2).for_each(|seq| append(&journal, batch(500, seq, seq)));
    assert!(journal.shared.lock().active.end.segment() > 65);
    journal.close().unwrap();
    let journal = open(dir.path(), &tiny());
    wait_for_a_base(dir.path());
    let began = Instant::now();
    while log_bytes(&dir.path().join("log")) > 800 << 10 {
        assert!(began.elapsed() < Duration::from_secs(10), "the old segments are still there");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(base_files(&dir.path().join("log")) > 3);
    opens_as_it_was(dir.path(), &tiny(), journal, "many segments");
}

#[test]
fn stores_that_were_set_aside_are_three_at_most() {
    let dir = folder();
    finished(&open(dir.path(), &small()), 1);
    let asides = || {
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("sled.damaged-")).count()
    };
    for kept in [1, 2, 3, 3] {
        fs::write(dir.path().join("sled.broken"), "").unwrap();
        assert_eq!(open(dir.path(), &small()).history(run_id(1)).unwrap().len(), 3);
        assert_eq!(asides(), kept);
    }
}

#[test]
fn a_long_holder_is_cut_off() {
    let dir = folder();
    let journal = open(dir.path(), &Options { holder: "é".repeat(300), ..small() });
    let Err(Error::Locked { holder, pid, .. }) = SledJournal::open(dir.path()) else { panic!("it is locked") };
    assert_eq!(pid, Some(std::process::id()));
    assert!((100..120).contains(&holder.chars().count()) && holder.chars().all(|c| c == 'é'), "{holder}");
    journal.close().unwrap();
}

/// The text of an export with one source, whose line has this many bytes.
fn export_with_a_line_of(bytes: usize) -> Vec<u8> {
    let text = |length: usize| {
        let (source, mut out) = (vec![b'a'; length], Vec::new());
        let mut writer = crate::export::Writer::new(&mut out).unwrap();
        writer.source(Digest::of(&source), &source).unwrap();
        writer.end().unwrap();
        out
    };
    let longest = |out: &[u8]| out.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
    let short = longest(&text(1_000)) - 1_000;
    let out = text(bytes - short);
    assert_eq!(longest(&out), bytes);
    out
}

#[test]
fn a_line_of_an_export_may_have_64_mib_and_not_one_byte_more() {
    let dir = folder();
    let over = import(dir.path(), &mut &export_with_a_line_of((64 << 20) + 1)[..], &Options::default()).unwrap_err();
    assert!(matches!(&over, Error::Export { line: 2, what } if what.contains("more than 67108864 bytes")), "{over}");
    assert!(!dir.path().join("log").exists(), "nothing is left of it");
    import(dir.path(), &mut &export_with_a_line_of(64 << 20)[..], &Options::default()).unwrap();
    let journal = open(dir.path(), &Options::default());
    append(&journal, batch(1, 1, 1));
}

/// With the limits of every real journal.
#[test]
fn more_than_64_mib_are_kept_in_bases_of_several_files() {
    let dir = folder();
    let journal = open(dir.path(), &Options::default());
    let log = dir.path().join("log");
    let mut n = 0;
    let mut fill = |journal: &SledJournal, mib: u64| {
        let pending: Vec<_> = (0..mib * 2)
            .map(|_| {
                n += 1;
                let records = (1..=9).map(|seq| {
                    let outcome = succeeded("x".repeat(60_000));
                    let event =
                        Event::Ended { step: "a".to_owned(), direction: Direction::Forward, attempt: 1, outcome };
                    if seq == 1 { record(n, 1) } else { Record { event, ..record(n, seq) } }
                });
                journal.append(Batch::of(records.collect(), head(n, 9, RunStatus::Succeeded)))
            })
            .collect();
        pending.into_iter().for_each(|appended| drop(appended.blocking_wait().unwrap()));
    };
    fill(&journal, 84);
    wait_for_a_base(dir.path());
    assert_eq!(journal.verify().unwrap().damage, []);
    fill(&journal, 60);
    journal.close().unwrap();
    compact(dir.path(), &Options::default()).unwrap();
    assert!(base_files(&log) > 2, "more than 128 MiB are kept");
    assert_eq!(repair(dir.path(), &Options::default(), false).unwrap(), crate::Repair::default());
    let journal = open(dir.path(), &Options::default());
    let report = journal.verify().unwrap();
    assert_eq!((report.runs, report.records, report.damage), (288, 2_592, Vec::new()));
    assert!(log_bytes(&log) < 200 << 20, "{}", log_bytes(&log));
}
