//! Prints what a plugin costs: its size, compiling, loading from the cache, a warm call, and the memory of an instance.
//!
//! `cargo run --workspace --example call_rate -- FILE ACTION INPUT [LOGGING-ACTION INPUT]`, inputs as JSON. The first action
//! is called many times, each time as the engine does: fresh store, instance, call, drop. The second one, which must write
//! to its log, is held there in many calls at once, and what the process grows by is divided by their number.
//!
//! Guests, wasmtime and its compiler are optimized in a debug build too; only the host's own code is not, which adds some
//! tens of microseconds to a call.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for people who compare languages")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use host::{Call, Host, Notes, Reply, Said, Settings, Silent, Verb};
use runwright_core::{Digest, Note, Outcome};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

/// So many instances are held at once.
const HELD: u64 = 16;

/// Holds every call at its first line of log, until it is opened.
#[derive(Default)]
struct Gate {
    waiting: AtomicU64,
    open: Mutex<bool>,
    opened: Condvar,
}

#[async_trait]
impl Notes for Gate {
    fn say(&self, _: Said) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let open = self.open.lock().expect("nobody panics here");
        drop(self.opened.wait_while(open, |open| !*open));
    }

    fn progress(&self, _: Option<u8>, _: &str) {}

    async fn note(&self, _: Note) -> Result<(), String> {
        Ok(())
    }
}

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
async fn once(host: &Host, call: Call, notes: Arc<dyn Notes>) -> Duration {
    let started = Instant::now();
    let reply = host.call(call, notes).await;
    let took = started.elapsed();
    assert!(matches!(reply, Reply::Outcome(Outcome::Succeeded(_))), "{reply:?}");
    took
}

/// The CPU time that this process has used.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().expect("a past"), time.tv_nsec.try_into().expect("a part of a second"))
}

/// The memory of this process that is in use, in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("such a line");
    line.trim_end_matches("kB").trim().parse().expect("a number")
}

/// The memory that one instance has while it is called, in KiB.
async fn held(host: &Arc<Host>, plugin: Digest, action: &str, input: &Value) -> u64 {
    let gate = Arc::new(Gate::default());
    let before = resident();
    let tasks: Vec<_> = (0..HELD)
        .map(|_| {
            let (host, gate, call) = (Arc::clone(host), Arc::clone(&gate), call(plugin, action, input));
            tokio::spawn(async move { once(&host, call, gate).await })
        })
        .collect();
    while gate.waiting.load(Ordering::SeqCst) < HELD {
        assert!(!tasks.iter().any(tokio::task::JoinHandle::is_finished), "{action} does not log");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let grown = resident().saturating_sub(before);
    *gate.open.lock().expect("nobody panics here") = true;
    gate.opened.notify_all();
    for task in tasks {
        task.await.expect("a task");
    }
    grown / HELD
}

async fn measure(words: &[String]) {
    let [file, action, input, rest @ ..] = words else {
        println!("usage: call_rate FILE ACTION INPUT [LOGGING-ACTION INPUT]");
        return;
    };
    let read = |text: &str| -> Value { serde_json::from_str(text).expect("an input as JSON") };
    let (file, input) = (Path::new(file), read(input));
    println!("size: {} bytes", std::fs::metadata(file).expect("the file").len());

    let cache = std::env::temp_dir().join(format!("runwright-call-rate-{}", std::process::id()));
    for what in ["compiled, described and loaded", "loaded from the cache"] {
        let host = Host::new(Settings::new(&cache)).expect("a host");
        let (started, worked) = (Instant::now(), cpu());
        host.load(file).await.expect("a plugin");
        println!("{what}: {:.2?}, {:.2?} of CPU", started.elapsed(), cpu() - worked);
    }
    let host = Arc::new(Host::new(Settings::new(&cache)).expect("a host"));
    let plugin = host.load(file).await.expect("a plugin").digest;
    println!("first call: {:.2?}", once(&host, call(plugin, action, &input), Arc::new(Silent)).await);
    let mut times = Vec::new();
    for _ in 0..500 {
        times.push(once(&host, call(plugin, action, &input), Arc::new(Silent)).await);
    }
    times.sort();
    let at = |percent: usize| times[times.len() * percent / 100];
    println!("warm call: median {:.1?}, p90 {:.1?}, p99 {:.1?}", at(50), at(90), at(99));
    if let [action, input] = rest {
        println!("memory of an instance: {} KiB", held(&host, plugin, action, &read(input)).await);
    }
    std::fs::remove_dir_all(&cache).ok();
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Calls that are held keep their thread.
    let threads = usize::try_from(HELD).expect("few") + 2;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    runtime.expect("a runtime").block_on(measure(&words));
}
