//! What no engine may suffer from.

use std::hint::black_box;
use std::{process, thread, time::Duration};

use serde_json::json;

use crate::{Answer, log, respond};

/// Misbehaves in the way that is asked for.
pub(crate) fn misbehave(how: &str) -> Answer {
    match how {
        "silent" => process::exit(0),
        "exit" => {
            log("error: no way");
            process::exit(3)
        }
        "text" => respond(b"all is well"),
        "half" => respond(br#"{"ok": {"output""#),
        "bytes" => respond(b"{\"ok\": \"\xff\"}"),
        "list" => respond(b"[]"),
        "empty" => respond(b"{}"),
        "both" => respond(br#"{"ok": {"output": {}}, "error": {"kind": "permanent", "message": "x"}}"#),
        "twice" => respond(br#"{"ok": {"output": {}}}{"ok": {"output": {}}}"#),
        "unknown-key" => respond(br#"{"ok": {"output": {}, "chnaged": true}}"#),
        "unknown-kind" => respond(br#"{"error": {"kind": "sad", "message": "x"}}"#),
        "nested" => respond("[".repeat(200_000).as_bytes()),
        "schema" => respond(br#"{"ok": {"output": []}}"#),
        "huge" => loop {
            respond(&[b' '; 4096]);
        },
        "loop" => loop {
            black_box(());
        },
        "sleep" => thread::sleep(Duration::from_secs(60)),
        "panic" => panic!("as asked"),
        "answer-and-panic" => {
            respond(br#"{"ok": {"output": {}}}"#);
            panic!("after the answer")
        }
        "allocate" => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                all.push(black_box(vec![1; 1 << 20]));
            }
        }
        other => return Err(json!({ "kind": "invalid-input", "message": format!("no such way: {other}") })),
    }
    process::exit(0)
}
