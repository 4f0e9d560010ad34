//! Plugins that no engine may suffer from: each ends its own call, says which limit ended it, and nothing else.

use std::time::{Duration, Instant};

use host::{Call, Level, Limits, Verb};
use runwright_core::{FailureKind, Outcome};
use serde_json::json;

use crate::support::{Bench, failed, lost, outcome};

fn in_a_second(bench: &Bench, action: &str, input: serde_json::Value) -> Call {
    Call { deadline: Some(Duration::from_millis(300)), ..bench.call(Verb::Run, action, input) }
}

#[tokio::test]
async fn a_loop_ends_at_its_deadline_and_others_go_on_meanwhile() {
    // One thread: the loop has to let others run.
    let bench = Bench::new().await;
    let started = Instant::now();
    let looping = bench.perform(in_a_second(&bench, "loop", json!({})));
    let others = async {
        for _ in 0..10 {
            bench.assert_works().await;
        }
        started.elapsed()
    };
    let (reply, others) = tokio::join!(looping, others);
    let reason = lost(outcome(reply));
    assert!(
        reason.contains("fixture/loop was still running after its 300ms") && reason.contains("timeout"),
        "{reason}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(others < started.elapsed(), "the others had to wait for the loop");
    bench.assert_works().await;
}

#[tokio::test]
async fn traps_say_what_the_plugin_said_last() {
    let bench = Bench::new().await;
    let reason = lost(bench.run("trap", json!({})).await);
    assert!(reason.contains("fixture/trap gave up"), "{reason}");
    let reason = lost(bench.run("panic", json!({})).await);
    assert!(reason.contains("as asked"), "{reason}");
    let reason = lost(bench.run("non-zero", json!({})).await);
    assert!(reason.contains("exit status"), "{reason}");
    bench.assert_works().await;
}

#[tokio::test]
async fn recursion_ends_at_the_stack() {
    let bench = Bench::new().await;
    let reason = lost(bench.run("recurse", json!({})).await);
    assert!(reason.contains("too deeply"), "{reason}");
    bench.assert_works().await;
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    let bench = Bench::with(Limits { memory_bytes: 32 << 20, ..Limits::default() }).await;
    let reason = lost(bench.run("allocate", json!({})).await);
    assert!(reason.contains("limit of 32 MiB") && reason.contains("memory-bytes"), "{reason}");
    bench.assert_works().await;
}

#[tokio::test]
async fn a_flood_of_lines_is_bounded() {
    for to in ["log", "stdout", "stderr", "progress"] {
        let bench = Bench::with(Limits { grace_ms: 100, log_lines: 50, ..Limits::default() }).await;
        let reason =
            lost(outcome(bench.perform(in_a_second(&bench, "flood", json!({"to": to, "bytes": 100_000}))).await));
        assert!(reason.contains("still running"), "{to}: {reason}");
        let lines = bench.told.lines.lock().unwrap();
        assert!(lines.len() <= 51, "{to}: {}", lines.len());
        assert!(lines.iter().all(|(_, line)| line.len() <= 4096), "{to}");
        assert!(*bench.told.progress.lock().unwrap() <= 50);
        if to != "progress" {
            let (level, last) = lines.last().unwrap();
            assert!(*level == Level::Warn && last.contains("dropped"), "{to}: {last}");
        }
    }
}

#[tokio::test]
async fn too_much_in_one_host_call_ends_the_call() {
    let bench = Bench::with(Limits { hostcall_bytes: 1 << 20, ..Limits::default() }).await;
    let reason = lost(bench.run("flood", json!({"to": "log", "bytes": 2_000_000})).await);
    assert!(reason.contains("more than 1 MiB at once") && reason.contains("hostcall-bytes"), "{reason}");
    bench.assert_works().await;
}

#[tokio::test]
async fn output_is_bounded_and_must_be_what_was_promised() {
    let bench = Bench::new().await;
    let reason = lost(bench.run("huge-output", json!({"size": 2_000_000})).await);
    assert!(reason.contains("limit is 1 MiB") && reason.contains("output-bytes"), "{reason}");
    let reason = lost(bench.run("huge-output", json!({"size": 20_000_000})).await);
    assert!(reason.contains("hostcall-bytes"), "{reason}");
    let reason = lost(bench.run("nested-output", json!({"size": 100_000})).await);
    assert!(reason.contains("no JSON"), "{reason}");
    let reason = lost(bench.run("lie", json!({})).await);
    assert!(reason.contains("does not fit its own schema") && reason.contains("/text"), "{reason}");
    let reason = lost(bench.run("not-json", json!({})).await);
    assert!(reason.contains("no JSON"), "{reason}");
    bench.assert_works().await;
}

#[tokio::test]
async fn a_sleep_ends_with_the_call_whoever_s_clock_it_is() {
    let bench = Bench::new().await;
    for by in ["clock", "wasi"] {
        let started = Instant::now();
        let reply = bench.perform(in_a_second(&bench, "sleep", json!({"ms": 60_000, "by": by}))).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{by}: {reply:?}");
        match (by, outcome(reply)) {
            ("clock", Outcome::Failed(failure)) => assert_eq!(failure.kind, FailureKind::Cancelled),
            ("wasi", Outcome::Lost { reason }) => assert!(reason.contains("still running"), "{reason}"),
            (by, other) => panic!("{by}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_cancel_ends_the_call_at_once_or_after_the_grace() {
    let bench = Bench::new().await;
    for by in ["clock", "wasi"] {
        bench.cancel.send_replace(false);
        let call = bench.call(Verb::Run, "sleep", json!({"ms": 60_000, "by": by}));
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            bench.cancel.send_replace(true);
        };
        let started = Instant::now();
        let (reply, ()) = tokio::join!(bench.perform(call), cancel);
        assert!(started.elapsed() < Duration::from_secs(5));
        match (by, outcome(reply)) {
            ("clock", Outcome::Failed(failure)) => assert_eq!(failure.kind, FailureKind::Cancelled),
            ("wasi", Outcome::Lost { reason }) => assert!(reason.contains("was cancelled"), "{reason}"),
            (by, other) => panic!("{by}: {other:?}"),
        }
    }
    // Cancelled before it begins: it is not begun.
    assert_eq!(failed(bench.run("empty", json!({})).await).kind, FailureKind::Cancelled);
    bench.assert_works().await;
}

#[tokio::test]
async fn calls_beyond_the_limit_wait_their_turn() {
    let bench = Bench::with(Limits { calls: 1, ..Limits::default() }).await;
    let sleep = || bench.run("sleep", json!({"ms": 100}));
    let started = Instant::now();
    let (one, two) = tokio::join!(sleep(), sleep());
    assert!(matches!((one, two), (Outcome::Succeeded(_), Outcome::Succeeded(_))));
    assert!(started.elapsed() >= Duration::from_millis(200));
}
