//! What one call owns, from before its plugin is instantiated until after its memory is gone.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::capability::http::{Clients, Courier, HEADER_BYTES_MAX, Outgoing};
use crate::capability::{Checkpoints, Refusals, files};
use crate::command::Exchange;
use crate::ending::Ending;
use crate::environment;
use crate::grants::Granted;
use crate::limiter::Limiter;
use crate::limits::Limits;
use crate::notes::Notes;
use crate::redact::Tainted;
use crate::said::{Log, Source};
use crate::stdio::Lines;

/// Random bytes that a plugin may ask for at once.
const RANDOM_BYTES_MAX: u64 = 64 * 1024;

/// What the calls of one host share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Bytes of linear memory that all calls hold now.
    pub(crate) memory: Arc<AtomicUsize>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) tainted: Tainted,
}

/// The state of one call: the data of its wasmtime store.
pub(crate) struct State {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) limits: Arc<Limits>,
    pub(crate) grants: Arc<Granted>,
    pub(crate) ending: Ending,
    pub(crate) notes: Arc<dyn Notes>,
    pub(crate) log: Log,
    /// What no text that leaves the call may hold.
    pub(crate) tainted: Tainted,
    pub(crate) courier: Courier,
    pub(crate) checkpoints: Checkpoints,
    /// The call is part of a dry run.
    pub(crate) read_only: bool,
    /// Open socket connections.
    pub(crate) connections: usize,
    pub(crate) refusals: Refusals,
    pub(crate) outgoing: Outgoing,
    pub(crate) wasi_http: WasiHttpCtx,
}

/// What differs from call to call.
pub(crate) struct Setup {
    pub(crate) plugin: Arc<str>,
    pub(crate) grants: Arc<Granted>,
    pub(crate) ending: Ending,
    pub(crate) notes: Arc<dyn Notes>,
    /// What no text that leaves the call may hold.
    pub(crate) tainted: Tainted,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) read_only: bool,
    /// For a plugin that is a program.
    pub(crate) exchange: Option<Exchange>,
}

impl State {
    pub(crate) fn new(setup: Setup, limits: &Arc<Limits>, shared: &Shared) -> Self {
        let Setup { plugin, grants, ending, notes, tainted, checkpoints, read_only, exchange } = setup;
        let log = Log::new(Arc::clone(&notes), Arc::clone(limits), tainted.clone());
        let err = if exchange.is_some() { Source::Leveled } else { Source::Err };
        // No environment, arguments, input, network or folder but what is set here: those are the builder's defaults.
        let mut wasi = WasiCtxBuilder::new();
        let lines = |source| Lines::new(log.clone(), source);
        wasi.stdout(lines(Source::Out)).stderr(lines(err)).max_random_size(RANDOM_BYTES_MAX);
        if let Some(Exchange { request, response }) = exchange {
            wasi.stdin(MemoryInputPipe::new(request)).stdout(response);
        }
        environment::show(&mut wasi, &grants.env, &log);
        files::open(&mut wasi, &grants.files, read_only, &log);
        let refusals = Refusals::new(plugin, &grants, log.clone());
        let courier = Courier::new(&grants, read_only, &refusals, limits, &shared.clients);
        let outgoing = Outgoing::new(courier.clone(), ending.clone());
        let mut wasi_http = WasiHttpCtx::new();
        wasi_http.set_field_size_limit(HEADER_BYTES_MAX);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            wasi: wasi.build(),
            table,
            limiter: Limiter::new(Arc::clone(limits), Arc::clone(&shared.memory)),
            limits: Arc::clone(limits),
            grants,
            ending,
            notes,
            log,
            tainted,
            courier,
            checkpoints,
            read_only,
            connections: 0,
            refusals,
            outgoing,
            wasi_http,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.wasi_http, table: &mut self.table, hooks: &mut self.outgoing }
    }
}

impl crate::bindings::types::Host for State {}

/// What a plugin with these grants, written as in `runwright.toml`, would call its capabilities on.
#[cfg(test)]
pub(crate) fn bare(grants: &str, notes: Arc<dyn Notes>) -> State {
    bare_with(grants, notes, &Shared::default())
}

/// The same with something of its own in what calls share.
#[cfg(test)]
pub(crate) fn bare_with(grants: &str, notes: Arc<dyn Notes>, shared: &Shared) -> State {
    let grants: crate::Grants = toml::from_str(grants).unwrap();
    let limits = Arc::new(Limits { body_bytes: 10_000, ..Limits::default() });
    let setup = Setup {
        plugin: "test".into(),
        grants: Arc::new(Granted::new(Default::default(), grants).unwrap()),
        ending: Ending::after(std::time::Duration::from_secs(20)),
        notes,
        tainted: shared.tainted.for_call(),
        checkpoints: Checkpoints::new(),
        read_only: false,
        exchange: None,
    };
    State::new(setup, &limits, shared)
}
