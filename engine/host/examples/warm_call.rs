//! Prints how long a warm call of an empty action takes: fresh store, instance, call, drop.
//!
//! `cargo run --release -p runwright-host --example warm_call`, after `plugins/build`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for people who tune")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::{Call, Host, Reply, Settings, Silent, Verb};
use runwright_core::{Digest, Outcome};

fn call(plugin: Digest) -> Call {
    Call {
        plugin,
        action: "empty".to_owned(),
        verb: Verb::Run,
        input: serde_json::json!({}),
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

async fn once(host: &Host, plugin: Digest) {
    let reply = host.call(call(plugin), Arc::new(Silent)).await;
    assert!(matches!(reply, Reply::Outcome(Outcome::Succeeded(_))), "{reply:?}");
}

#[tokio::main]
async fn main() {
    let cache = std::env::temp_dir().join(format!("runwright-warm-call-{}", std::process::id()));
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist/test/fixture.wasm");
    for temperature in ["cold", "cached"] {
        let started = Instant::now();
        let host = Host::new(Settings::new(&cache)).expect("a host");
        let ready = started.elapsed();
        host.load(&dist).await.expect("fixture.wasm: run plugins/build");
        println!("{temperature}: host ready in {ready:.1?}, plugin loaded in {:.1?}", started.elapsed() - ready);
    }
    let host = Arc::new(Host::new(Settings::new(&cache)).expect("a host"));
    let plugin = host.load(&dist).await.expect("fixture.wasm: run plugins/build").digest;

    let mut times = Vec::new();
    for _ in 0..5000 {
        let started = Instant::now();
        once(&host, plugin).await;
        times.push(started.elapsed());
    }
    times.sort();
    let at = |percent: usize| times[times.len() * percent / 100];
    println!("one at a time: median {:.1?}, p90 {:.1?}, p99 {:.1?}", at(50), at(90), at(99));

    let started = Instant::now();
    let tasks: Vec<_> = (0..256)
        .map(|_| {
            let host = Arc::clone(&host);
            tokio::spawn(async move {
                for _ in 0..100 {
                    once(&host, plugin).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    println!("256 at a time: {:.0} calls/s", 25_600.0 / started.elapsed().as_secs_f64());
    std::fs::remove_dir_all(&cache).ok();
}
