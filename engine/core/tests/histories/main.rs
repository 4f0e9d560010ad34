//! Histories that earlier versions wrote give the same runs for ever: what a journal says must not change its meaning
//! when the engine is updated.
//!
//! `first.jsonl` has one run a line, written by the simulation (`make sim KEEP=FILE`) with the code that knew only steps in a
//! line; `first.folds` has what that code made of them: a digest after each record, and the end in words.

#![expect(clippy::expect_used, reason = "a test that meets what it does not expect has failed")]

use std::fmt::Write;
use std::sync::Arc;

use runwright_core::{Digest, Direction, Effect, Record, Run, Runbook, Timestamp};
use serde::Deserialize;

const HISTORIES: &str = include_str!("first.jsonl");
const FOLDS: &str = include_str!("first.folds");

/// One run.
#[derive(Deserialize)]
struct History {
    runbook: Runbook,
    records: Vec<Record>,
}

/// What is known of a run, in words that no change of the code changes.
fn told(run: &Run, now: Timestamp) -> String {
    let mut told = run.status().as_str().to_owned();
    for (_, state) in run.attempts() {
        let _ = write!(told, "\n  {} {}", state.path, state.state.as_str());
        for direction in [Direction::Forward, Direction::Undo] {
            let attempts = state.attempts(direction);
            if attempts.started > 0 {
                let _ = write!(told, " {}/{}/{}", attempts.started, attempts.spent, attempts.deaths);
            }
        }
        let failures = [&state.failure, &state.undo_failure].into_iter().flatten();
        failures.for_each(|failure| _ = write!(told, " {}: {failure}", failure.kind.as_str()));
        let _ =
            write!(told, "{}", state.answer.as_ref().map(|answer| format!(" {}", answer.output)).unwrap_or_default());
    }
    for effect in run.due(now) {
        let effect = match effect {
            Effect::Lock { step, keys } => {
                format!("{}lock {}", if step.is_empty() { "" } else { "step " }, keys.join(" "))
            }
            Effect::Resolve { step } => format!("resolve {step}"),
            Effect::ResolveUndo { step } => format!("resolve the undo of {step}"),
            Effect::Record(event) => format!("record {}", serde_json::to_string(&event).expect("an event has JSON")),
            Effect::Call { step, direction, attempt } => format!("call {step} {direction:?} {attempt}"),
            Effect::Verify { step, direction, attempt } => format!("verify {step} {direction:?} {attempt}"),
            Effect::Sleep { until } => format!("sleep until {}", until.millis()),
            Effect::Outputs { step, attempt } => format!("outputs of {step} {attempt}"),
            Effect::Finish { status } => format!("finish {}", status.as_str()),
        };
        let _ = write!(told, "\n  due: {effect}");
    }
    told
}

/// All of it for one run.
fn folds(History { runbook, records }: History) -> String {
    let mut run = Run::create(Arc::new(runbook), &records[0]).expect("it was created so");
    let mut folds = format!("{}\n ", run.id());
    for record in &records {
        if record.seq > 1 {
            run.apply(record).unwrap_or_else(|misfit| panic!("record {} of {}: {misfit}", record.seq, run.id()));
        }
        let digest = Digest::of(told(&run, record.at).as_bytes()).to_string();
        let digest = digest.trim_start_matches("sha256:");
        let _ = write!(folds, " {}", &digest[..8]);
    }
    let last = records.last().expect("a record").at;
    format!("{folds}\n{}\n", told(&run, last))
}

#[test]
fn what_was_written_keeps_its_meaning() {
    let lines = HISTORIES.lines().map(|line| serde_json::from_str(line).expect("a history"));
    let all: String = lines.map(folds).collect();
    if let Some(file) = std::env::var_os("WRITE_FOLDS") {
        return std::fs::write(file, all).expect("written");
    }
    for (now, before) in all.lines().zip(FOLDS.lines()) {
        assert_eq!(now, before);
    }
    assert_eq!(all.len(), FOLDS.len());
}
