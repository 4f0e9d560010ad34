//! Core modules of WASI preview 1: they are packed when they are loaded.

use host::{Error, Host, Kind, Limits, Settings};
use serde_json::json;

use crate::support::{Bench, lost, output};

/// A program that answers `describe` with one action, and everything else with these bytes and exit status.
fn program(response: &str, status: u32) -> Vec<u8> {
    let describe = json!({ "ok": {
        "name": "small", "version": "1", "actions": [
            { "name": "do", "effect": "read", "input-schema": {}, "output-schema": { "type": "object" } }],
    }});
    let escaped = |text: &str| text.bytes().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let describe = describe.to_string();
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 2)
          (data (i32.const 0) "\10\00\00\00\00\01\00\00")
          (data (i32.const 4096) "{}")
          (data (i32.const 32768) "{}")
          (func $say (param $at i32) (param $length i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $length))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
          (func (export "_start")
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            ;; the operation's first letter
            (if (i32.eq (i32.load8_u (i32.const 23)) (i32.const 100))
              (then (call $say (i32.const 4096) (i32.const {}))))
            (if (i32.ne (i32.load8_u (i32.const 23)) (i32.const 100))
              (then (call $say (i32.const 32768) (i32.const {}))))
            (call $exit (i32.const {status}))))"#,
        escaped(&describe),
        escaped(response),
        describe.len(),
        response.len(),
    );
    wat::parse_str(text).unwrap()
}

async fn bench(response: &str, status: u32) -> Bench {
    let mut bench = Bench::of("hello", Limits::default()).await;
    bench.plugin = bench.host.load_bytes("small", program(response, status)).await.unwrap().digest;
    bench
}

#[tokio::test]
async fn a_program_of_preview_1_is_a_plugin_whatever_its_exit_status() {
    let bytes = program("{}", 0);
    for status in [0, 3] {
        let bench = bench(r#"{"ok": {"output": {"done": true}}}"#, status).await;
        assert_eq!(bench.host.kind(bench.plugin), Some(Kind::Command));
        assert_eq!(output(bench.run("do", json!({})).await), json!({"done": true}), "exit status {status}");
    }
    let host = Host::new(Settings::new(tempfile::tempdir().unwrap().path().join("cache"))).unwrap();
    let facts = host.load_bytes("small", bytes.clone()).await.unwrap();
    assert_eq!(facts.digest, runwright_core::Digest::of(&bytes), "the digest is that of the file");
}

#[tokio::test]
async fn without_a_response_the_outcome_is_lost() {
    let reason = lost(bench("", 0).await.run("do", json!({})).await);
    assert!(reason.contains("exit status 0 and wrote no response"), "{reason}");
    let reason = lost(bench("oh no", 1).await.run("do", json!({})).await);
    assert!(reason.contains("no JSON"), "{reason}");
}

#[tokio::test]
async fn a_module_that_can_not_be_a_plugin_says_what_it_lacks() {
    let bench = Bench::of("hello", Limits::default()).await;
    let refused = async |text: &str| {
        let error = bench.host.load_bytes("x", wat::parse_str(text).unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::NoPlugin { .. }), "{error}");
        error.to_string()
    };
    assert!(refused("(module)").await.contains("_start"));
    let foreign = r#"(module (import "env" "abort" (func)) (func (export "_start")) (memory (export "memory") 1))"#;
    assert!(refused(foreign).await.contains("env.abort"));
    let wrong = r#"(module (import "wasi_snapshot_preview1" "fd_read" (func)) (func (export "_start")) (memory (export "memory") 1))"#;
    assert!(refused(wrong).await.contains("does not become a component"));
    let unknown = r#"(module (import "wasi_snapshot_preview1" "no_such" (func)) (func (export "_start")) (memory (export "memory") 1))"#;
    assert!(refused(unknown).await.contains("no_such"));
    let silent = r#"(module (func (export "_start")) (memory (export "memory") 1))"#;
    let silent = bench.host.load_bytes("x", wat::parse_str(silent).unwrap()).await;
    let silent = silent.unwrap_err();
    assert!(matches!(silent, Error::Describe { .. }), "{silent}");
}
