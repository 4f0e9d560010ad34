//! Plugins that no engine may suffer from: each ends its own call, says which limit ended it, and nothing else.

use std::time::{Duration, Instant};

use host::{Call, Limits, Reply, Verb};
use runwright_core::{FailureKind, Outcome, Verdict};
use serde_json::json;

use crate::support::{Bench, failed, lost, outcome, output};

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
        assert!(lines.len() <= 50, "{to}: {}", lines.len());
        assert!(lines.iter().all(|(_, line)| line.len() <= 4096), "{to}");
        assert!(*bench.told.progress.lock().unwrap() <= 50);
        if to != "progress" {
            assert!(*bench.told.left_out.lock().unwrap() > 0, "{to}");
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

#[tokio::test]
async fn a_plugin_that_falls_over_does_so_in_whatever_it_is_asked() {
    let bench = Bench::new().await;
    for verb in [Verb::Plan, Verb::Run, Verb::Verify, Verb::Undo] {
        let (reply, ()) = tokio::join!(bench.perform(bench.call(verb, "fall", json!({}))), bench.assert_works());
        let why = match reply {
            Reply::Outcome(outcome) => lost(outcome),
            Reply::Verdict(Ok(Verdict::CannotTell { reason })) => reason,
            // Nothing happened outside, so a preview fails.
            Reply::Preview(Err(failure)) => failure.message,
            other => panic!("{verb:?}: {other:?}"),
        };
        assert!(why.contains("fixture/fall gave up"), "{verb:?}: {why}");
        bench.assert_works().await;
    }
}

#[tokio::test]
async fn nothing_is_remembered_from_call_to_call() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        assert_eq!(output(bench.run("count", json!({})).await), json!({"count": 1}));
    }
}

#[tokio::test]
async fn handles_end_at_their_limit() {
    let bench = Bench::with(Limits { handles: 100, ..Limits::default() }).await;
    bench.grant("files = [{ path = 'FOLDER' }]");
    std::fs::write(bench.path("file"), "x").unwrap();
    let hoard = bench.run("hoard", json!({"path": bench.path("file")}));
    let (hoarded, ()) = tokio::join!(hoard, bench.assert_works());
    let why = lost(hoarded);
    assert!(why.contains("more than 100 handles") && why.contains("raise handles under [limits]"), "{why}");
    let socket = bench.path("x.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    bench.grant("unix = ['FOLDER/*.sock']");
    assert_eq!(output(bench.run("connect", json!({"path": socket})).await), json!({"count": 16}));
    bench.assert_works().await;
}

#[tokio::test]
async fn much_randomness_at_once_is_refused() {
    let bench = Bench::new().await;
    let why = lost(bench.run("random", json!({})).await);
    assert!(why.contains("fixture/random failed"), "{why}");
    bench.assert_works().await;
}

#[tokio::test]
async fn a_socket_that_drips_ends_with_the_call() {
    use std::io::Write;
    let bench = Bench::new().await;
    let socket = bench.path("x.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    bench.grant("unix = ['FOLDER/*.sock']");
    let started = Instant::now();
    let drip = bench.perform(in_a_second(&bench, "listen", json!({"path": socket})));
    let (reply, ()) = tokio::join!(drip, bench.assert_works());
    assert!(matches!(outcome(reply), Outcome::Failed(_) | Outcome::Lost { .. }));
    assert!(started.elapsed() < Duration::from_secs(5));
    bench.assert_works().await;
}

#[tokio::test]
async fn many_bad_calls_at_once_leave_the_host_as_it_was() {
    let bench = Bench::with(Limits { grace_ms: 100, memory_bytes: 16 << 20, ..Limits::default() }).await;
    let bad = ["loop", "trap", "recurse", "allocate", "lie", "fall", "not-json", "non-zero"];
    let calls = (0..40).map(|at| bench.perform(in_a_second(&bench, bad[at % bad.len()], json!({}))));
    let good = async {
        for _ in 0..20 {
            bench.assert_works().await;
        }
    };
    let (replies, ()) = tokio::join!(futures_util::future::join_all(calls), good);
    assert!(replies.into_iter().all(|reply| matches!(outcome(reply), Outcome::Lost { .. })));
    bench.assert_works().await;
}
