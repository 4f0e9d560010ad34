//! One fresh sandbox per call: made, used once, dropped.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use runwright_core::Stream;
use wasmtime::component::Component;
use wasmtime::{Engine, Store, Trap};
use wasmtime_wasi::I32Exit;

use crate::capability::Report;
use crate::ending::End;
use crate::engine::{Ticker, engine, linker};
use crate::error::Error;
use crate::limits::{Limits, size};
use crate::linked::{Linked, kind};
use crate::said::{Finished, Log, clean};
use crate::skew::{skew, unmatched};
use crate::state::{Setup, Shared, State};

/// How long a line without an end waits for more before it is shown.
const PAUSE: Duration = Duration::from_millis(300);

/// Makes sandboxes.
pub(crate) struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) limits: Arc<Limits>,
    linker: wasmtime::component::Linker<State>,
    ticker: Ticker,
    pub(crate) shared: Shared,
}

/// What a call that came back left behind.
pub(crate) struct Ended<T> {
    pub(crate) answer: T,
    /// What the plugin could not know of it.
    pub(crate) report: Report,
    /// Why the call had to end, in words, if it had to before it came back.
    pub(crate) cut: Option<String>,
    pub(crate) log: Log,
}

impl Sandbox {
    pub(crate) fn new(limits: Limits) -> Result<Self, Error> {
        let engine = engine().map_err(Error::engine)?;
        let linker = linker(&engine).map_err(Error::engine)?;
        let ticker = Ticker::start(&engine).map_err(Error::engine)?;
        Ok(Self { engine, limits: Arc::new(limits), linker, ticker, shared: Shared::default() })
    }

    /// Links `component` with everything that there is, once for all its calls.
    pub(crate) fn link(&self, component: &Component) -> Result<Linked, String> {
        if let Some(why) = skew(component, &self.engine) {
            return Err(why);
        }
        let kind = kind(component, &self.engine)?;
        let linked = self.linker.instantiate_pre(component).and_then(|linked| Linked::new(linked, kind));
        linked.map_err(|error| clean(&unmatched(&format!("{error:#}"))))
    }

    /// Makes a sandbox, does `work`, which makes an instance of the plugin in it, and drops it. `time` is what the call has, for its error text.
    ///
    /// An error says, as the rest of a sentence about the plugin, why there is no answer: a limit, a trap, a fault.
    pub(crate) async fn enter<T>(
        &self,
        setup: Setup,
        time: Duration,
        work: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<Ended<T>, String> {
        let _ticking = self.ticker.run();
        let ending = setup.ending.clone();
        let state = State::new(setup, &self.limits, &self.shared);
        let (log, refusals) = (state.log.clone(), state.refusals.clone());
        let _finished = Finished(log.clone());
        let store = self.store(state);
        let called = unwinding(async move {
            let mut store = store;
            let answer = work(&mut store).await;
            let state = store.data_mut();
            state.log.end_all();
            let (report, log) = (state.refusals.take(), state.log.clone());
            match answer {
                Ok(answer) => Ok(Ended { answer, report, cut: state.ending.reached(), log }),
                Err(error) => {
                    let reason = reason(&error, state);
                    // The plugin did not live to tell it.
                    report.untold(&reason).for_each(|why| log.write(Stream::Warn, why));
                    Err(reason)
                }
            }
        });
        let grace = self.limits.grace();
        let overdue = async {
            let end = ending.wait().await;
            tokio::time::sleep(grace).await;
            end
        };
        tokio::select! {
            biased;
            never = pauses(&log) => match never {},
            end = overdue => {
                refusals.take().untold("").for_each(|why| log.write(Stream::Warn, why));
                Err(log.hide(&stopped(end, time, grace)))
            }
            called = called => match called {
                Ok(ended) => ended.map_err(|reason| log.hide(&reason)),
                Err(panic) => Err(fault(&*panic, &log)),
            },
        }
    }

    fn store(&self, state: State) -> Store<State> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.limits.hostcall_bytes);
        store.set_max_component_handles(self.limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }
}

/// Shows lines without an end where nothing more comes, for ever.
async fn pauses(log: &Log) -> Infallible {
    loop {
        tokio::time::sleep(PAUSE).await;
        log.pause();
    }
}

/// Does `work`; a panic in it is caught, and whatever it was doing is dropped.
async fn unwinding<T>(work: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut work = pin!(work);
    std::future::poll_fn(move |context| {
        let mut work: Pin<&mut _> = work.as_mut();
        // The state that a panic might leave half-changed is the call's own and is dropped with it.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

fn stopped(end: End, time: Duration, grace: Duration) -> String {
    match end {
        End::Cancelled => format!("was cancelled, did not answer within {grace:?} and was stopped"),
        End::Deadline | End::Timeout | End::Unbegun => {
            format!("was still running after its {time:?} and was stopped; give it a longer timeout if it needs more")
        }
    }
}

fn fault(panic: &(dyn Any + Send), log: &Log) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = log.hide(text.unwrap_or("it did not say why"));
    tracing::error!(panic = text, "a fault in the plugin host");
    format!("was stopped by a fault in the engine, which is worth a report: {text}")
}

/// Why there is no answer, as the rest of a sentence.
fn reason(error: &wasmtime::Error, state: &State) -> String {
    if let Some(refused) = state.limiter.refused() {
        return refused.to_owned();
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return with_last_words(format!("ended itself with exit status {} instead of answering", exit.0), state);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "called itself too deeply: its stack is full, a fault of the plugin".to_owned(),
        // Languages keep a stack of their own in memory, which ends where memory does.
        Some(trap @ Trap::MemoryOutOfBounds) => {
            with_last_words(format!("trapped: {trap}; it called itself too deeply or followed a wild pointer"), state)
        }
        Some(Trap::UnreachableCodeReached) => with_last_words("gave up, as languages do on a panic".to_owned(), state),
        Some(trap) => with_last_words(format!("trapped: {trap}"), state),
        None => {
            let text = clean(&format!("{error:#}"));
            limit_of(&text, &state.limits).unwrap_or_else(|| with_last_words(format!("failed: {text}"), state))
        }
    }
}

/// The limits that wasmtime tells in words only.
fn limit_of(text: &str, limits: &Limits) -> Option<String> {
    let raise =
        |what: String, key: &str| Some(format!("{what}; raise {key} under [limits] in runwright.toml if it should"));
    if text.contains("hostcall") && text.contains("fuel") {
        return raise(format!("handed over more than {} at once", size(limits.hostcall_bytes)), "hostcall-bytes");
    }
    if text.contains("resource limit exceeded") && text.contains("count too high") {
        let limit = limits.instances;
        return raise(format!("needs more than {limit} instances, memories or tables"), "instances");
    }
    if text.contains("resource table has no free keys") || text.contains("store handle limit exceeded") {
        return raise(format!("holds more than {} handles at a time", limits.handles), "handles");
    }
    None
}

fn with_last_words(what: String, state: &State) -> String {
    match state.log.last_words() {
        Some(words) => format!("{what} ({words})"),
        None => what,
    }
}
