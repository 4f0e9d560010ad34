//! Prints what a plugin costs: compiling, loading from the cache, a warm call (fresh store, instance, call, drop), memory.
//!
//! `cargo run --workspace --example call_rate -- FILE ACTION INPUT [CALLS]`. Guests and wasmtime are optimized also in a debug
//! build, the host's own code is not: it adds some tens of microseconds to a call.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for people who compare languages")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::{Call, Host, Reply, Settings, Silent, Verb};
use runwright_core::{Digest, Outcome};
use serde_json::{Value, json};

fn call(plugin: Digest, action: &str, input: &Value) -> Call {
    Call {
        plugin,
        action: action.to_owned(),
        verb: Verb::Run,
        input: input.clone(),
        undo_data: None,
        run: "01".to_owned(),
        step: "one".to_owned(),
        attempt: 1,
        key: "k".to_owned(),
        deadline: Some(Duration::from_secs(30)),
        cancel: tokio::sync::watch::channel(false).1,
        checkpoints: Default::default(),
        read_only: false,
    }
}

/// Calls once; the time that it took.
async fn once(host: &Host, call: Call) -> Duration {
    let started = Instant::now();
    let reply = host.call(call, Arc::new(Silent)).await;
    let took = started.elapsed();
    assert!(matches!(reply, Reply::Outcome(Outcome::Succeeded(_))), "{reply:?}");
    took
}

/// A line of /proc/self/status, in KiB.
fn status(line: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let found = text.lines().find_map(|candidate| candidate.strip_prefix(line)).expect("such a line");
    found.trim_matches([':', '\t', ' ', 'k', 'B']).parse().expect("a number")
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, action, input, rest @ ..] = words.as_slice() else {
        println!("usage: call_rate FILE ACTION INPUT [CALLS]");
        return;
    };
    let calls: usize = rest.first().map_or(300, |calls| calls.parse().expect("a number of calls"));
    let input: Value = serde_json::from_str(input).expect("the input as JSON");
    let file = Path::new(file);
    println!("size {} bytes", std::fs::metadata(file).expect("the file").len());

    let cache = std::env::temp_dir().join(format!("runwright-call-rate-{}", std::process::id()));
    for temperature in ["compiled and described", "loaded from the cache"] {
        let host = Host::new(Settings::new(&cache)).expect("a host");
        let started = Instant::now();
        host.load(file).await.expect("a plugin");
        println!("{temperature} in {:.2?}", started.elapsed());
    }
    // A host of its own: the memory of compiling is not counted.
    let host = Host::new(Settings::new(&cache)).expect("a host");
    let plugin = host.load(file).await.expect("a plugin").digest;
    println!("first call {:.2?}", once(&host, call(plugin, action, &input)).await);
    let mut times = Vec::new();
    for _ in 0..calls {
        times.push(once(&host, call(plugin, action, &input)).await);
    }
    times.sort();
    let at = |percent: usize| times[times.len() * percent / 100];
    println!("warm call median {:.1?}, p90 {:.1?}, p99 {:.1?}", at(50), at(90), at(99));
    println!("memory of the process: {} KiB now, {} KiB at most", status("VmRSS"), status("VmHWM"));
    println!("{}", json!({ "median-us": at(50).as_micros(), "calls": calls }));
    std::fs::remove_dir_all(&cache).ok();
}
