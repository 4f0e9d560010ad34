//! The wasmtime engine, its settings, and the thread that makes its time pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, EngineWeak, OptLevel};

use crate::bindings::Plugin;
use crate::state::State;

/// How often a plugin that computes lets others run, and how late a deadline can end it.
const TICK: Duration = Duration::from_millis(10);

/// The settings of every plugin's code. They are part of the compile cache's key.
///
/// Compiled out of the crate already: threads, asynchronous components, garbage collection, Winch. Exceptions, memory64
/// and other proposals that no toolchain needs are off.
fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_max_frames(None)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(true);
    config
}

/// The engine that all plugins share.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// Everything that plugins may import: WASI 0.2 with HTTP, and `sdk/wit`.
///
/// All of it is linked for every plugin. What is not granted answers `denied`, so that plugins in languages that import
/// whole worlds load and describe themselves.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Plugin::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// Advances the engine's epoch while calls run, and sleeps while none do.
#[derive(Debug)]
pub(crate) struct Ticker {
    thread: Thread,
    calls: Arc<AtomicUsize>,
}

impl Ticker {
    /// Starts the thread. It ends soon after the engine is gone.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let calls = Arc::new(AtomicUsize::new(0));
        let (engine, counted) = (engine.weak(), Arc::clone(&calls));
        let handle = thread::Builder::new().name("epoch".to_owned()).spawn(move || tick(&engine, &counted))?;
        Ok(Self { thread: handle.thread().clone(), calls })
    }

    /// Time passes while the answer lives.
    pub(crate) fn run(&self) -> Ticking {
        if self.calls.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        Ticking(Arc::clone(&self.calls))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

/// A call for which time passes.
#[derive(Debug)]
pub(crate) struct Ticking(Arc<AtomicUsize>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn tick(engine: &EngineWeak, calls: &AtomicUsize) {
    loop {
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
        if calls.load(Ordering::Acquire) == 0 {
            // A call that comes between the look and the sleep has left its token. The bound is for the last engine.
            thread::park_timeout(Duration::from_secs(1));
        } else {
            thread::sleep(TICK);
        }
    }
}
