//! Threads for scripts. A script blocks its thread for as long as its calls take, so it has one of its own and none of
//! those that the rest of the engine shares: plugins that touch files need these.

use std::io;
use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

/// Scripts that have a thread at the same time. Further ones wait for one, in the order in which they came, and that time
/// does not count towards their timeouts. A thread costs 2 MiB of address space; what its script may hold in memory is
/// bounded by [`script::Limits::data_bytes`].
pub(crate) const SCRIPTS_MAX: usize = 256;

/// Bytes of a thread's stack: what the deepest script needs that the limits allow, and as much again.
const STACK_BYTES: usize = 2 << 20;

/// The threads of one engine.
#[derive(Debug)]
pub(crate) struct Threads(Arc<Semaphore>);

/// Why a thread gave nothing.
#[derive(Debug)]
pub(crate) enum NoResult {
    /// It was not started, so nothing happened.
    NotStarted(io::Error),
    /// It ended early, by a panic.
    Panicked,
}

impl Default for Threads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SCRIPTS_MAX)))
    }
}

impl Threads {
    /// Does `work` on a thread of its own, once there is one. Dropping this lets `work` go on, if it has begun, and keeps
    /// its place taken until it ends.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoResult> {
        let closed = |_| NoResult::NotStarted(io::Error::other("no thread is given any more"));
        let place = Arc::clone(&self.0).acquire_owned().await.map_err(closed)?;
        let (done, result) = oneshot::channel();
        let thread = std::thread::Builder::new().name("script".to_owned()).stack_size(STACK_BYTES);
        let spawned = thread.spawn(move || {
            // Nobody may wait for the result any more.
            let _ = done.send(work());
            drop(place);
        });
        spawned.map_err(NoResult::NotStarted)?;
        result.await.map_err(|_| NoResult::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn as_many_as_the_bound_run_at_a_time_and_the_next_one_waits() {
        let threads = Arc::new(Threads::default());
        let begun = Arc::new(AtomicUsize::new(0));
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let ends = Arc::new(Mutex::new(ends));
        let work = || {
            let (threads, begun, ends) = (Arc::clone(&threads), Arc::clone(&begun), Arc::clone(&ends));
            tokio::spawn(async move {
                let work = move || {
                    begun.fetch_add(1, Ordering::SeqCst);
                    // All of them wait for this one end.
                    let _ = ends.lock().map(|ends| ends.recv());
                };
                threads.run(work).await
            })
        };
        let all: Vec<_> = (0..=SCRIPTS_MAX).map(|_| work()).collect();
        while begun.load(Ordering::SeqCst) < SCRIPTS_MAX {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let (running, places) = (begun.load(Ordering::SeqCst), threads.0.available_permits());
        assert_eq!((running, places), (SCRIPTS_MAX, 0), "one waits");
        drop(end);
        for one in all {
            one.await.unwrap().unwrap();
        }
        assert_eq!(begun.load(Ordering::SeqCst), SCRIPTS_MAX + 1);
    }

    #[tokio::test]
    async fn a_panic_costs_nobody_their_place() {
        let threads = Threads::default();
        let panicked = threads.run(|| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(NoResult::Panicked)));
        let _all = threads.0.acquire_many(SCRIPTS_MAX as u32).await.unwrap();
    }
}
