//! What every [`Journal`] must do, as tests that any implementation can run.
//!
//! ```
//! journal::conformance::all(journal::Memory::new);
//! ```
#![expect(clippy::unwrap_used, reason = "a suite for tests: a panic is how it fails")]

mod forgetting;
mod samples;

use runwright_core::{Digest, Direction, Event, Record, RunId, RunStatus, Timestamp, Value};

pub(crate) use samples::succeeded;
pub use samples::{batch, head, record, run_id};

use crate::{Batch, Error, Handled, InboxWrite, Journal, Line, Query};

/// Runs the whole suite; `make` gives an empty journal each time. Panics where a promise is not kept.
pub fn all<J: Journal>(mut make: impl FnMut() -> J) {
    what_was_appended_is_read_back(&make());
    big_values_are_read_back(&make());
    numbers_are_read_back_to_the_last_bit(&make());
    records_follow_each_other(&make());
    a_batch_is_all_or_nothing(&make());
    runs_are_found_newest_first(&make());
    the_inbox_takes_each_key_once(&make());
    settings_are_kept(&make());
    an_export_holds_everything(&make());
    forgetting::only_what_is_over_is_forgotten(&make());
    forgetting::keys_are_remembered_for_a_while(&make());
    threads_append_at_the_same_time(&make());
}

fn what_was_appended_is_read_back(journal: &impl Journal) {
    assert!(journal.history(run_id(1)).unwrap().is_empty());
    assert_eq!(journal.head(run_id(1)).unwrap(), None);
    let source = b"{\"name\": \"x\"}".to_vec();
    let first = Batch { sources: vec![(Digest::of(&source), source.clone())], ..batch(1, 1, 2) };
    assert!(journal.append(first).blocking_wait().unwrap().duplicates.is_empty());
    assert_eq!(journal.source(Digest::of(&source)).unwrap(), Some(source));
    assert_eq!(journal.source(Digest::of(b"other")).unwrap(), None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seq in 3..=40 {
        runtime.block_on(journal.append(batch(1, seq, seq))).unwrap();
        assert_eq!(journal.history(run_id(1)).unwrap(), (1..=seq).map(|seq| record(1, seq)).collect::<Vec<_>>());
        assert_eq!(journal.head(run_id(1)).unwrap(), Some(head(1, seq, RunStatus::Running)));
    }
    let report = journal.verify().unwrap();
    assert_eq!((report.runs, report.records, report.damage), (1, 40, Vec::new()));
}

fn big_values_are_read_back(journal: &impl Journal) {
    let mut records: Vec<Record> = (1..=5).map(|seq| record(1, seq)).collect();
    for (record, size) in records[2..].iter_mut().zip([4_000, 100_000, 3_000_000]) {
        let outcome = succeeded("x".repeat(size));
        let (step, direction) = ("big".to_owned(), Direction::Forward);
        record.event = Event::Ended { step, direction, attempt: 1, outcome };
    }
    let source: Vec<u8> = (0..70_000_u32).map(|n| (n % 251) as u8).collect();
    let mut all = Batch::of(records.clone(), head(1, 5, RunStatus::Running));
    all.sources.push((Digest::of(&source), source.clone()));
    journal.append(all).blocking_wait().unwrap();
    assert_eq!(journal.history(run_id(1)).unwrap(), records);
    assert_eq!(journal.source(Digest::of(&source)).unwrap(), Some(source));
    let huge = Batch { sources: vec![(Digest::of(b""), vec![0; 9 << 20])], ..Batch::default() };
    assert!(matches!(journal.append(huge).blocking_wait(), Err(Error::Invalid(_))));
}

fn numbers_are_read_back_to_the_last_bit(journal: &impl Journal) {
    let hard = (1..500_u64).map(|n| f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).filter(|n| n.is_finite());
    let mut numbers: Vec<Value> = hard.map(Value::from).collect();
    numbers.extend([Value::from(u64::MAX), Value::from(i64::MIN), Value::from(0.1 + 0.2)]);
    let mut created = record(1, 1);
    if let Event::Created { inputs, .. } = &mut created.event {
        inputs.insert("numbers".to_owned(), Value::from(numbers));
    }
    journal.append(Batch::of(vec![created.clone()], head(1, 1, RunStatus::Running))).blocking_wait().unwrap();
    assert_eq!(journal.history(run_id(1)).unwrap(), [created]);
}

fn records_follow_each_other(journal: &impl Journal) {
    let refused = |batch: Batch, want: (u64, u64)| match journal.append(batch).blocking_wait() {
        Err(Error::Sequence { expected, found, .. }) => assert_eq!((expected, found), want),
        other => panic!("{other:?}"),
    };
    refused(batch(1, 2, 2), (1, 2));
    journal.append(batch(1, 1, 3)).blocking_wait().unwrap();
    refused(batch(1, 3, 4), (4, 3));
    refused(batch(1, 5, 5), (4, 5));
    let gap = Batch::of(vec![record(1, 4), record(1, 6)], head(1, 6, RunStatus::Running));
    refused(gap, (5, 6));
    journal.append(batch(1, 4, 4)).blocking_wait().unwrap();
    assert_eq!(journal.history(run_id(1)).unwrap().len(), 4);
}

fn a_batch_is_all_or_nothing(journal: &impl Journal) {
    let invalid = |batch: Batch| assert!(matches!(journal.append(batch).blocking_wait(), Err(Error::Invalid(_))));
    invalid(Batch { heads: Vec::new(), ..batch(1, 1, 1) });
    invalid(Batch { heads: vec![head(1, 2, RunStatus::Running)], ..batch(1, 1, 1) });
    invalid(Batch { heads: vec![head(1, 1, RunStatus::Running)], ..Batch::default() });
    let mut two = batch(1, 1, 2);
    two.records.push(record(2, 9));
    two.heads.push(head(2, 9, RunStatus::Running));
    two.meta.push(("a".to_owned(), Some(Value::from(1))));
    assert!(matches!(journal.append(two.clone()).blocking_wait(), Err(Error::Sequence { .. })));
    assert!(journal.history(run_id(1)).unwrap().is_empty());
    assert_eq!(journal.meta("a").unwrap(), None);
    two.records[2].seq = 1;
    two.heads[1].seq = 1;
    journal.append(two).blocking_wait().unwrap();
    assert_eq!(journal.history(run_id(1)).unwrap().len(), 2);
    assert_eq!(journal.history(run_id(2)).unwrap().len(), 1);
    journal.append(Batch::default()).blocking_wait().unwrap();
}

fn runs_are_found_newest_first(journal: &impl Journal) {
    for n in 1..=9 {
        let status = if n <= 6 { RunStatus::Succeeded } else { RunStatus::Running };
        let records = vec![record(n, 1)];
        journal.append(Batch::of(records, head(n, 1, status))).blocking_wait().unwrap();
    }
    let found =
        |query: Query| -> Vec<RunId> { journal.runs(&query).unwrap().into_iter().map(|head| head.run).collect() };
    let ids = |ns: &[u64]| ns.iter().map(|n| run_id(*n)).collect::<Vec<_>>();
    assert_eq!(found(Query::default()), ids(&[9, 8, 7, 6, 5, 4, 3, 2, 1]));
    assert_eq!(found(Query::unfinished()), ids(&[9, 8, 7]));
    assert_eq!(found(Query { limit: Some(2), ..Query::default() }), ids(&[9, 8]));
    assert_eq!(found(Query { before: Some(run_id(8)), limit: Some(2), ..Query::default() }), ids(&[7, 6]));
    assert_eq!(found(Query { name: Some("book-0".to_owned()), ..Query::default() }), ids(&[9, 6, 3]));
    let done = Query { status: vec![RunStatus::Succeeded, RunStatus::Failed], limit: Some(1), ..Query::default() };
    assert_eq!(found(done), ids(&[6]));
    let last = Batch::of(vec![record(8, 2)], head(8, 2, RunStatus::Failed));
    journal.append(last).blocking_wait().unwrap();
    assert_eq!(found(Query::unfinished()), ids(&[9, 7]));
}

fn the_inbox_takes_each_key_once(journal: &impl Journal) {
    let at = Timestamp::from_millis(5);
    let accept = |key: &str| journal.append(Batch::accept(key, Value::from(key), at)).blocking_wait();
    let keys = |limit: usize| -> Vec<(u64, String)> {
        journal.waiting(limit).unwrap().into_iter().map(|entry| (entry.number, entry.key)).collect()
    };
    for key in ["c", "a", "b"] {
        assert!(accept(key).unwrap().duplicates.is_empty());
    }
    assert_eq!(accept("a").unwrap().duplicates, ["a"]);
    assert_eq!(keys(9), [(1, "c".to_owned()), (2, "a".to_owned()), (3, "b".to_owned())]);
    assert_eq!(keys(1).len(), 1);
    let handle = |key: &str, n: u64| {
        let handled = InboxWrite::Handle { key: key.to_owned(), runs: vec![run_id(n)], note: "matched".to_owned() };
        let batch = Batch { inbox: vec![handled], ..batch(n, 1, 1) };
        journal.append(batch).blocking_wait()
    };
    handle("a", 1).unwrap();
    assert!(matches!(handle("a", 2), Err(Error::NotWaiting(key)) if key == "a"));
    assert!(matches!(handle("z", 2), Err(Error::NotWaiting(_))));
    assert_eq!(journal.head(run_id(2)).unwrap(), None, "a refused batch starts no run");
    assert_eq!(keys(9), [(1, "c".to_owned()), (3, "b".to_owned())]);
    let entry = journal.inbox("a").unwrap().unwrap();
    assert_eq!((entry.payload, entry.at), (Value::from("a"), at));
    assert_eq!(entry.handled, Some(Handled { runs: vec![run_id(1)], note: "matched".to_owned() }));
    assert_eq!(accept("a").unwrap().duplicates, ["a"], "also when it was handled");
    assert_eq!(journal.inbox("z").unwrap(), None);
    let mut twice = Batch::accept("d", Value::Null, at);
    twice.inbox.extend(Batch::accept("d", Value::Null, at).inbox);
    assert_eq!(journal.append(twice).blocking_wait().unwrap().duplicates, ["d"], "twice in one batch");
    assert!(matches!(accept(""), Err(Error::Invalid(_))));
    assert!(matches!(accept(&"k".repeat(513)), Err(Error::Invalid(_))));
    assert!(accept(&"k".repeat(512)).is_ok());
}

fn settings_are_kept(journal: &impl Journal) {
    let set = |value: Option<Value>| {
        let batch = Batch { meta: vec![("throttle".to_owned(), value)], ..Batch::default() };
        journal.append(batch).blocking_wait().unwrap();
    };
    assert_eq!(journal.meta("throttle").unwrap(), None);
    for value in [serde_json::json!({"a": [1, 2]}), Value::from("y".repeat(10_000)), Value::from(3), Value::Null] {
        set(Some(value.clone()));
        assert_eq!(journal.meta("throttle").unwrap(), Some(value));
    }
    set(None);
    assert_eq!(journal.meta("throttle").unwrap(), None);
}

fn an_export_holds_everything(journal: &impl Journal) {
    let mut first = Batch { sources: vec![(Digest::of(&[0xff]), vec![0xff])], ..batch(1, 1, 3) };
    first.sources.push((Digest::of(b"text"), b"text".to_vec()));
    first.meta.push(("m".to_owned(), Some(Value::from(2))));
    first.inbox = Batch::accept("k", Value::from(1), Timestamp::from_millis(3)).inbox;
    journal.append(first).blocking_wait().unwrap();
    journal.append(batch(2, 1, 1)).blocking_wait().unwrap();
    let mut text = Vec::new();
    journal.export(&mut text).unwrap();
    let lines: Vec<Line> =
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], Line::RunwrightExport { version: 1 });
    let hex = Line::Source { digest: Digest::of(&[0xff]), text: None, hex: Some("ff".to_owned()) };
    let plain = Line::Source { digest: Digest::of(b"text"), text: Some("text".to_owned()), hex: None };
    assert!(lines.contains(&hex) && lines.contains(&plain));
    assert!(matches!(&lines[3], Line::Run { head: first, .. } if *first == head(1, 3, RunStatus::Running)));
    assert_eq!(lines[4..7], [1, 2, 3].map(|seq| Line::Record(record(1, seq))));
    assert!(matches!(&lines[7], Line::Run { head: second, .. } if *second == head(2, 1, RunStatus::Running)));
    assert_eq!(lines[8], Line::Record(record(2, 1)));
    assert!(matches!(&lines[9], Line::Inbox(entry) if entry.key == "k"));
    assert_eq!(lines[10], Line::Meta { name: "m".to_owned(), value: Value::from(2) });
    assert!(matches!(lines[11..], [Line::End { lines: 11, .. }]));
}

fn threads_append_at_the_same_time(journal: &impl Journal) {
    std::thread::scope(|scope| {
        for n in 1..=8 {
            scope.spawn(move || {
                for seq in 1..=50 {
                    journal.append(batch(n, seq, seq)).blocking_wait().unwrap();
                    assert_eq!(journal.head(run_id(n)).unwrap().unwrap().seq, seq);
                }
            });
        }
    });
    let report = journal.verify().unwrap();
    assert_eq!((report.runs, report.records, report.damage), (8, 400, Vec::new()));
}
