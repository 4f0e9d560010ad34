//! A plugin that is a program (WASI 0.2): JSON on standard input and output, the same limits, the same endings.

use std::fs;
use std::time::{Duration, Instant};

use host::{Call, Kind, Limits, PluginEntry, Reply, Verb};
use runwright_core::{FailureKind, Outcome, Stream, Verdict};
use serde_json::{Value, json};

use crate::support::{Bench, failed, lost, outcome, output};

async fn bench() -> Bench {
    Bench::of("command-fixture", Limits { grace_ms: 200, ..Limits::default() }).await
}

async fn misbehave(bench: &Bench, how: &str) -> String {
    lost(bench.run("misbehave", json!({ "how": how })).await)
}

#[tokio::test]
async fn it_describes_itself_and_is_asked_for_what_the_contract_says() {
    let bench = bench().await;
    assert_eq!(bench.host.kind(bench.plugin), Some(Kind::Command));
    let facts = bench.host.plugins().remove(0);
    assert_eq!((facts.name.as_str(), facts.actions.len()), ("command-fixture", 5));
    assert!(facts.imports.iter().all(|import| import.starts_with("wasi:")), "{:?}", facts.imports);
    bench.host.set_grants("command-fixture", &PluginEntry::default(), Some(&json!({"a": [1]}))).unwrap();
    let echoed = output(bench.run("echo", json!({"value": "ü"})).await);
    let context = json!({
        "run": "the-run", "step": "the-step", "attempt": 1, "idempotency-key": "the-key", "deadline-ms": 20_000,
        "target": null, "config": {"a": [1]}, "traceparent": null,
    });
    assert_eq!(echoed, json!({"value": "ü", "context": context}));
    let lines = bench.told.lines.lock().unwrap();
    assert_eq!(*lines, [(Stream::Debug, "looking".to_owned()), (Stream::Warn, "echoing".to_owned())]);
}

#[tokio::test]
async fn all_four_verbs_answer_within_granted_folders() {
    let bench = bench().await;
    let input = json!({"file": bench.path("f"), "line": "x"});
    assert_eq!(failed(bench.run("write", input.clone()).await).kind, FailureKind::Permanent, "nothing is granted");
    bench.grant("files = [{ path = 'FOLDER', write = true }]");
    let perform = async |verb| bench.perform(bench.call(verb, "write", input.clone())).await;
    let Reply::Preview(Ok(preview)) = perform(Verb::Plan).await else { panic!("no preview") };
    assert_eq!((preview.changes.len(), preview.output), (1, None));
    assert_eq!(perform(Verb::Verify).await, Reply::Verdict(Ok(Verdict::NotHappened)));
    let Outcome::Succeeded(answer) = outcome(perform(Verb::Run).await) else { panic!("it does not run") };
    assert!(answer.changed && fs::read_to_string(bench.path("f")).unwrap() == "x");
    assert!(matches!(perform(Verb::Verify).await, Reply::Verdict(Ok(Verdict::Happened(_)))));
    fs::write(bench.path("f"), "y").unwrap();
    assert!(matches!(perform(Verb::Verify).await, Reply::Verdict(Ok(Verdict::CannotTell { .. }))));
    let undo = Call { undo_data: answer.undo_data, ..bench.call(Verb::Undo, "write", input.clone()) };
    assert!(matches!(bench.perform(undo).await, Reply::Outcome(Outcome::Succeeded(answer)) if answer.changed));
    assert!(!fs::exists(bench.path("f")).unwrap());
}

#[tokio::test]
async fn it_sees_granted_variables_and_nothing_else() {
    let bench = bench().await;
    let seen = async || output(bench.run("environment", json!({})).await);
    assert_eq!(seen().await, json!({"variables": [], "arguments": 0}));
    // cargo sets it for every test.
    bench.grant("env = ['CARGO_PKG_NAME', 'NO_SUCH_VARIABLE']");
    assert_eq!(seen().await["variables"], json!([["CARGO_PKG_NAME", "runwright-host"]]));
}

#[tokio::test]
async fn every_kind_of_failure_arrives_as_itself() {
    let bench = bench().await;
    let fail = async |error: Value| bench.run("fail", json!({ "error": error })).await;
    for kind in [FailureKind::Permanent, FailureKind::InvalidInput, FailureKind::Denied, FailureKind::Partial] {
        let failure = failed(fail(json!({"kind": kind.as_str(), "message": "no", "code": "a.b"})).await);
        assert_eq!((failure.kind, failure.message.as_str(), failure.code.as_deref()), (kind, "no", Some("a.b")));
    }
    let later = failed(fail(json!({"kind": "transient", "message": "later", "retry-after-ms": 500})).await);
    assert_eq!((later.kind, later.retry_after_ms), (FailureKind::Transient, Some(500)));
    assert_eq!(failed(fail(json!({"kind": "cancelled", "message": ""})).await).kind, FailureKind::Cancelled);
    assert_eq!(
        lost(fail(json!({"kind": "unknown-outcome", "message": "who knows"})).await),
        "command-fixture/fail who knows"
    );
}

#[tokio::test]
async fn the_exit_status_does_not_count_where_there_is_a_response() {
    let bench = bench().await;
    for exit in [0, 1, 7] {
        let outcome = bench.run("echo", json!({"value": 1, "exit": exit})).await;
        assert_eq!(output(outcome)["value"], 1, "exit status {exit}");
    }
}

#[tokio::test]
async fn a_response_that_is_none_is_a_lost_outcome_that_says_why() {
    let bench = bench().await;
    let cases = [
        ("silent", "exit status 0 and wrote no response"),
        ("exit", "wrote no response to its standard output (no way)"),
        ("text", "no JSON"),
        ("half", "no JSON"),
        ("bytes", "no UTF-8 at byte 8"),
        ("list", "response.json"),
        ("empty", "neither `ok` nor `error`"),
        ("both", "both `ok` and `error`"),
        ("twice", "no JSON"),
        ("unknown-key", "chnaged"),
        ("unknown-kind", "sad"),
        ("nested", "no JSON"),
        ("schema", "does not fit its own schema"),
        ("panic", "as asked"),
        ("answer-and-panic", "gave up"),
    ];
    for (how, why) in cases {
        let reason = misbehave(&bench, how).await;
        assert!(reason.starts_with("command-fixture/misbehave ") && reason.contains(why), "{how}: {reason}");
    }
    assert_eq!(output(bench.run("echo", json!({"value": 1})).await)["value"], 1);
}

#[tokio::test]
async fn its_limits_are_those_of_every_plugin() {
    let limits = Limits { grace_ms: 100, hostcall_bytes: 1 << 20, memory_bytes: 16 << 20, ..Limits::default() };
    let bench = Bench::of("command-fixture", limits).await;
    let reason = misbehave(&bench, "huge").await;
    assert!(reason.contains("more than 1 MiB to its standard output") && reason.contains("hostcall-bytes"), "{reason}");
    let reason = misbehave(&bench, "allocate").await;
    assert!(reason.contains("memory-bytes"), "{reason}");
    for how in ["loop", "sleep"] {
        let call = bench.call(Verb::Run, "misbehave", json!({ "how": how }));
        let started = Instant::now();
        let reply = bench.perform(Call { deadline: Some(Duration::from_millis(300)), ..call }).await;
        let reason = lost(outcome(reply));
        assert!(reason.contains("still running after its 300ms"), "{how}: {reason}");
        assert!(started.elapsed() < Duration::from_secs(10), "{how}");
    }
    assert_eq!(output(bench.run("echo", json!({"value": 1})).await)["value"], 1);
}

#[tokio::test]
async fn requests_and_responses_fit_their_schemas() {
    let schema = |text: &str| jsonschema::validator_for(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
    let request = schema(include_str!("../../../../sdk/schema/request.json"));
    let response = schema(include_str!("../../../../sdk/schema/response.json"));
    let bench = bench().await;
    bench.grant("files = [{ path = 'FOLDER', write = true }]");
    let input = json!({"file": bench.path("f"), "line": "x"});
    for verb in [Verb::Plan, Verb::Verify, Verb::Run, Verb::Verify, Verb::Undo] {
        let call = Call { undo_data: Some(bench.path("f")), ..bench.call(verb, "write", input.clone()) };
        bench.perform(call).await;
    }
    outcome(bench.perform(bench.call(Verb::Run, "write", json!({"file": "/none/f", "line": "x"}))).await);
    // What really went over the wire, as the plugin saw it.
    let mut seen = Vec::new();
    for (_, line) in bench.told.lines.lock().unwrap().iter() {
        let Some((side, text)) = line.split_once(' ') else { continue };
        let told: Value = serde_json::from_str(text).unwrap();
        let schema = if side == "request" { &request } else { &response };
        assert!(schema.is_valid(&told), "{line}: {:?}", schema.iter_errors(&told).next());
        seen.push(told["op"].as_str().or(told["ok"].as_object().map(|_| "ok")).unwrap_or("other").to_owned());
    }
    let whole = ["plan", "ok", "verify", "other", "run", "ok", "verify", "ok", "undo", "ok", "run", "other"];
    assert_eq!(seen, whole);
    assert!(request.is_valid(&json!({"op": "describe"})));
    assert!(!request.is_valid(&json!({"op": "run"})) && !request.is_valid(&json!({"op": "dance"})));
    let good = [
        json!({"ok": {"name": "x", "version": "1", "actions": [
            {"name": "a", "effect": "read", "input-schema": {}, "output-schema": true}]}}),
        json!({"ok": {"output": null}}),
        json!({"ok": {"summary": "s", "changes": [{"kind": "create", "subject": "f", "summary": "s"}]}}),
        json!({"ok": "not-happened"}),
        json!({"ok": {"happened": {"output": 1, "changed": true, "undo-data": "x"}}}),
        json!({"ok": {"cannot-tell": "why"}}),
        json!({"error": {"kind": "transient", "message": "later", "retry-after-ms": 1}}),
    ];
    for good in good {
        assert!(response.is_valid(&good), "{good}: {:?}", response.iter_errors(&good).next());
    }
    for bad in [json!({}), json!({"ok": {}}), json!({"error": {"kind": "sad", "message": "x"}}), json!([])] {
        assert!(!response.is_valid(&bad), "{bad}");
    }
}
