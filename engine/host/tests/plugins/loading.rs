//! From a file to facts, and the four verbs.

use std::fs;
use std::time::Instant;

use host::{Call, Error, Host, Limits, PluginEntry, Reply, Settings, Verb};
use runwright_core::{Digest, FailureKind, Outcome, Verdict};
use serde_json::json;

use crate::support::{Bench, dist, failed, output};

#[tokio::test]
async fn a_plugin_is_loaded_once_and_then_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let load = async || {
        let host = Host::new(Settings::new(folder.path().join("cache"))).unwrap();
        let started = Instant::now();
        let facts = host.load(&dist("fixture")).await.unwrap();
        (host, facts, started.elapsed())
    };
    let (host, facts, cold) = load().await;
    assert_eq!(facts.name, "fixture");
    assert_eq!(facts.digest, Digest::of(&fs::read(dist("fixture")).unwrap()));
    assert!(facts.imports.iter().any(|import| import.starts_with("runwright:plugin/log@")), "{:?}", facts.imports);
    assert!(host.catalog().get(&"fixture/append".parse().unwrap()).unwrap().has_undo);
    assert!(host.is_loaded(facts.digest));
    let (_, again, cached) = load().await;
    assert_eq!(facts, again);
    assert!(cached < cold, "{cached:?} from the cache, {cold:?} without");
    host.forget(facts.digest);
    assert!(host.plugins().is_empty() && !host.is_loaded(facts.digest));
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(Settings {
        limits: Limits { component_bytes: 1 << 20, ..Limits::default() },
        ..Settings::new(folder.path().join("cache"))
    })
    .unwrap();
    let load = async |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        host.load(&path).await.unwrap_err()
    };
    assert!(matches!(load("text.wasm", b"hello").await, Error::NoPlugin { .. }));
    assert!(matches!(load("module.wasm", b"\0asm\x01\0\0\0").await, Error::NoPlugin { .. }));
    assert!(matches!(load("component.wasm", b"\0asm\x0d\0\x01\0").await, Error::NoPlugin { .. }));
    assert!(matches!(load("large.wasm", &vec![0; (1 << 20) + 1]).await, Error::TooLarge { .. }));
    assert!(matches!(host.load(&folder.path().join("none.wasm")).await.unwrap_err(), Error::Read { .. }));
    let mut damaged = fs::read(dist("hello")).unwrap();
    let middle = damaged.len() / 2;
    damaged.truncate(middle);
    assert!(matches!(load("half.wasm", &damaged).await, Error::NoPlugin { .. }));
    assert!(host.plugins().is_empty());
}

#[tokio::test]
async fn a_plugin_of_another_version_is_told_in_those_words() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(Settings::new(folder.path().join("cache"))).unwrap();
    let built = fs::read(dist("fixture")).unwrap();
    // The same binary with other versions in its imports: names of the same length.
    let skewed = |from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let mut bytes = built.clone();
        let found: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
        assert!(!found.is_empty(), "{}", String::from_utf8_lossy(from));
        found.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
        bytes
    };
    let path = folder.path().join("skewed.wasm");
    for (from, to, told) in [
        (
            "runwright:plugin/log@0.1.0",
            "runwright:plugin/log@0.8.0",
            "it speaks contract 0.8, this engine 0.1: update the engine",
        ),
        (
            "runwright:plugin/log@0.1.0",
            "runwright:plugin/log@0.0.9",
            "it speaks contract 0.0, this engine 0.1: build it again",
        ),
        ("runwright:plugin/actions@0.1.0", "runwright:plugin/actions@0.9.0", "it speaks contract 0.9, this engine 0.1"),
        ("wasi:cli/environment@0.2", "wasi:cli/environment@0.9", "it is built for WASI 0.9 (wasi:cli/environment@0.9"),
        ("wasi:cli/environment@", "wasi:cli/xnvironment@", "it imports wasi:cli/xnvironment@"),
        ("runwright:plugin/log@", "runwright:plugin/lag@", "which this engine does not know yet: update the engine"),
    ] {
        fs::write(&path, skewed(from.as_bytes(), to.as_bytes())).unwrap();
        let error = host.load(&path).await.unwrap_err();
        assert!(matches!(error, Error::NoPlugin { .. }) && error.to_string().contains(told), "{told}: {error:?}");
    }
    // A newer patch is the same contract.
    fs::write(&path, skewed(b"runwright:plugin/log@0.1.0", b"runwright:plugin/log@0.1.7")).unwrap();
    assert_eq!(host.load(&path).await.unwrap().name, "fixture");
}

#[tokio::test]
async fn input_is_checked_before_the_plugin_sees_it() {
    let bench = Bench::new().await;
    let wrong = bench.host.validate(bench.plugin, "echo", &json!({"valeu": 1})).unwrap_err();
    assert_eq!(wrong.kind, FailureKind::InvalidInput);
    assert!(wrong.message.contains("valeu"), "{wrong}");
    assert_eq!(failed(bench.run("echo", json!({"valeu": 1})).await), wrong);
    bench.host.validate(bench.plugin, "echo", &json!({"value": 1})).unwrap();
    assert_eq!(failed(bench.run("no-such", json!({})).await).kind, FailureKind::Permanent);
    let unknown = Call { plugin: Digest::of(b"other"), ..bench.call(Verb::Run, "echo", json!({"value": 1})) };
    assert!(matches!(bench.perform(unknown).await, Reply::Outcome(Outcome::Failed(_))));
}

#[tokio::test]
async fn the_context_and_the_configuration_reach_the_plugin() {
    let bench = Bench::new().await;
    let value = json!({"ü": [1, 2.5, null]});
    bench.host.set_grants("fixture", &PluginEntry::default(), Some(&json!({"vms": ["web"]}))).unwrap();
    let echoed = output(bench.run("echo", json!({"value": value})).await);
    let expected = json!({
        "value": value, "run": "the-run", "step": "the-step", "attempt": 1, "key": "the-key", "config": {"vms": ["web"]}
    });
    assert_eq!(echoed, expected);
}

#[tokio::test]
async fn all_four_verbs_answer() {
    let bench = Bench::new().await;
    bench.grant("files = [{ path = 'FOLDER', write = true }]");
    let file = bench.path("lines");
    let input = json!({"file": file, "line": "hello"});
    let read = || fs::read_to_string(&file).unwrap_or_default();

    let Reply::Preview(Ok(preview)) = bench.perform(bench.call(Verb::Plan, "append", input.clone())).await else {
        panic!("no preview")
    };
    assert_eq!(preview.changes.len(), 1);
    assert_eq!(read(), "");
    let verify = async || match bench.perform(bench.call(Verb::Verify, "append", input.clone())).await {
        Reply::Verdict(verdict) => verdict.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(verify().await, Verdict::NotHappened);
    let Outcome::Succeeded(answer) = bench.run("append", input.clone()).await else { panic!() };
    assert!(answer.changed && read() == "the-key run 1 hello\n");
    assert!(matches!(verify().await, Verdict::Happened(_)));
    let undo = Call { undo_data: answer.undo_data, ..bench.call(Verb::Undo, "append", input.clone()) };
    assert!(matches!(bench.perform(undo).await, Reply::Outcome(Outcome::Succeeded(_))));
    assert!(read().ends_with("the-key undo 1 undo hello\n"));
}

#[tokio::test]
async fn every_kind_of_failure_arrives_as_itself() {
    let bench = Bench::new().await;
    bench.grant("files = [{ path = 'FOLDER', write = true }]");
    let fail = async |how: &str| bench.run("append", json!({"file": bench.path("f"), "line": "x", "fail": how})).await;
    assert_eq!(failed(fail("transient").await).kind, FailureKind::Transient);
    let permanent = failed(fail("permanent").await);
    assert_eq!((permanent.kind, permanent.code.as_deref()), (FailureKind::Permanent, Some("fixture.permanent")));
    assert_eq!(failed(fail("partial").await).kind, FailureKind::Partial);
    for how in ["unknown", "unknown-before", "trap", "trap-before"] {
        assert!(matches!(fail(how).await, Outcome::Lost { .. }), "{how}");
    }
}

#[tokio::test]
async fn grants_bound_to_another_binary_are_withheld() {
    let bench = Bench::new().await;
    let mut entry: PluginEntry = toml::from_str("[grants]\nexec = [{ program = '/bin/true' }]").unwrap();
    let input = json!({"capability": "exec", "subject": "/bin/true"});
    entry.digest = Some(bench.plugin);
    bench.host.set_grants("fixture", &entry, None).unwrap();
    output(bench.run("deny", input.clone()).await);
    entry.digest = Some(Digest::of(b"older"));
    bench.host.set_grants("fixture", &entry, None).unwrap();
    let why = crate::support::denied(bench.run("deny", input.clone()).await);
    assert!(why.contains(&bench.plugin.to_string()) && why.contains("plugin grants fixture"), "{why}");
}

#[tokio::test]
async fn grants_bound_to_other_versions_are_withheld() {
    let bench = Bench::new().await;
    let input = json!({"capability": "exec", "subject": "/bin/true"});
    let bound = |range: &str| {
        let text = format!("version = '{range}'\n[grants]\nexec = [{{ program = '/bin/true' }}]");
        bench.host.set_grants("fixture", &toml::from_str(&text).unwrap(), None).unwrap();
    };
    bound(">=0.1, <0.3");
    output(bench.run("deny", input.clone()).await);
    bound("<0.1");
    let why = crate::support::denied(bench.run("deny", input).await);
    assert!(why.contains("for version <0.1 but this is 0.1.0") && why.contains("widen"), "{why}");
}
