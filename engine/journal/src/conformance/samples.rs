//! Runs, records and batches to test with.

use std::collections::BTreeMap;

use runwright_core::{
    Answer, By, Cause, Digest, Direction, EffectClass, Event, Head, Key, Map, Outcome, Record, RunId, RunStatus,
    Timestamp, Value,
};

use crate::Batch;

/// The id of the `n`-th run of a test.
pub fn run_id(n: u64) -> RunId {
    RunId::new(Timestamp::from_millis(1_700_000_000_000 + n), [7; 10])
}

/// A record of run `n` with about 300 bytes, whatever its place in the history.
pub fn record(n: u64, seq: u64) -> Record {
    let run = run_id(n);
    let step = format!("step-{seq}");
    let event = match seq {
        1 => Event::Created {
            runbook: Digest::of(b"runbook"),
            name: format!("book-{}", n % 3),
            inputs: Map::from_iter([("vm".to_owned(), Value::from("web-1"))]),
            pins: BTreeMap::new(),
            cause: Cause::Person { by: By { who: "tester".to_owned(), why: String::new() } },
            lock: None,
        },
        seq if seq % 2 == 0 => Event::Started {
            key: Key::of(run, &step, Direction::Forward),
            step,
            direction: Direction::Forward,
            attempt: 1,
            action: Some("vm/restart".parse().unwrap()),
            plugin: Some(Digest::of(b"plugin")),
            effect: EffectClass::Unsafe,
            input: serde_json::json!({"vm": "web-1", "timeout": 60}),
            locks: Vec::new(),
        },
        _ => Event::Ended { step, direction: Direction::Forward, attempt: 1, outcome: succeeded("output") },
    };
    Record { run, seq, at: Timestamp::from_millis(1_700_000_000_000 + seq), event }
}

pub(crate) fn succeeded(output: impl Into<Value>) -> Outcome {
    Outcome::Succeeded(Answer { output: output.into(), changed: true, undo_data: None })
}

/// The head of run `n` after record `seq`.
pub fn head(n: u64, seq: u64, status: RunStatus) -> Head {
    Head {
        run: run_id(n),
        name: format!("book-{}", n % 3),
        runbook: Digest::of(b"runbook"),
        status,
        lock: None,
        step_locks: Vec::new(),
        seq,
        created: Timestamp::from_millis(1_700_000_000_001),
        updated: Timestamp::from_millis(1_700_000_000_000 + seq),
    }
}

/// The batch that appends the records `from..=to` of run `n`, which goes on.
pub fn batch(n: u64, from: u64, to: u64) -> Batch {
    Batch::of((from..=to).map(|seq| record(n, seq)).collect(), head(n, to, RunStatus::Running))
}
