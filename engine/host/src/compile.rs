//! Compiling: one plugin at a time, on a few threads, and only what is within [`bounds`].

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::bounds;
use crate::pack::{form, loadable};

/// Compiles plugins.
#[derive(Clone)]
pub(crate) struct Compiler {
    /// Held until the compiler has stopped, also when nobody waits for it any more: what is compiled can't be interrupted,
    /// and several at once would take their memory at once.
    alone: Arc<Semaphore>,
}

/// A component and its native code.
pub(crate) type Compiled = (Component, Vec<u8>);

impl Compiler {
    pub(crate) fn new() -> Self {
        Self { alone: Arc::new(Semaphore::new(1)) }
    }

    /// Compiles the plugin with these bytes on threads of its own. An error is a fragment that says why it can't be.
    pub(crate) async fn compile(&self, engine: &Engine, bytes: Vec<u8>) -> Result<Compiled, String> {
        let alone = Arc::clone(&self.alone).acquire_owned().await.map_err(|error| error.to_string())?;
        let engine = engine.clone();
        let compiled = spawn_blocking(move || {
            let weighed = form(&bytes).and_then(|_| bounds::check(&bytes));
            let compiled = weighed.and_then(|threads| on_threads(threads, || compile(&engine, bytes)));
            drop(alone);
            compiled
        });
        compiled.await.unwrap_or_else(|_| Err("the compiler failed on it".to_owned()))
    }
}

/// Does `compile` on this many threads, or fewer where the machine has fewer: each holds the memory of one function.
fn on_threads<T: Send>(most: usize, compile: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    let threads = available_parallelism().map_or(1, NonZero::get).min(most);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|_| "compile".to_owned()).build();
    pool.map_err(|error| format!("there is no thread to compile it: {error}"))?.install(compile)
}

/// Programs are packed first, so that only components are compiled and kept.
fn compile(engine: &Engine, bytes: Vec<u8>) -> Result<Compiled, String> {
    let component = Component::from_binary(engine, &loadable(bytes)?).map_err(|error| format!("{error:#}"))?;
    let code = component.serialize().map_err(|error| format!("{error:#}"))?;
    Ok((component, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_compilation_that_nobody_waits_for_still_keeps_others_out() {
        let (compiler, engine) = (Compiler::new(), crate::engine::engine().unwrap());
        let body = "(if (local.get 0) (then (local.set 1 (i32.add (local.get 2) (local.get 0)))))".repeat(2_000);
        let text = format!("(component (core module (func (local i32 i32 i32) {body})))");
        let bytes = wat::parse_str(text).unwrap();
        let abandoned = compiler.compile(&engine, bytes.clone());
        // Once polled it has begun, on a thread that nothing can stop.
        let polled = tokio::time::timeout(std::time::Duration::ZERO, abandoned).await;
        assert!(polled.is_err() && compiler.alone.available_permits() == 0);
        assert!(compiler.compile(&engine, bytes).await.is_ok());
        assert_eq!(compiler.alone.available_permits(), 1);
    }
}
