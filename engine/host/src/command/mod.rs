//! Plugins that are programs: a JSON request on standard input, a JSON response on standard output, for languages
//! whose compilers know nothing but WASI. `sdk/schema` has the schemas of both.

mod response;

use bytes::Bytes;
use runwright_core::Value;
use serde::Serialize;
use wasmtime::Store;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandPre;

pub(crate) use response::{info, outcome, preview, verdict};

use crate::bindings::types::Context;
use crate::call::{Call, Verb};
use crate::limits::{Limits, size};
use crate::said::clean;
use crate::state::State;
use crate::stdio::Captured;

/// The request of one call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Request<'a> {
    op: &'a str,
    action: &'a str,
    input: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_data: Option<Option<&'a str>>,
    context: Told<'a>,
}

/// The context of one call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told<'a> {
    run: &'a str,
    step: &'a str,
    attempt: u32,
    idempotency_key: &'a str,
    deadline_ms: Option<u32>,
    target: Option<&'a str>,
    config: Option<Value>,
    traceparent: Option<&'a str>,
}

/// What goes into a program and what comes out of it.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Bytes,
    pub(crate) response: Captured,
}

impl Exchange {
    /// The question what the plugin is.
    pub(crate) fn describe(limits: &Limits) -> Self {
        Self::new(br#"{"op":"describe"}"#.to_vec(), limits)
    }

    /// The request of this call.
    pub(crate) fn of(call: &Call, context: &Context, limits: &Limits) -> Result<Self, String> {
        let request = Request {
            op: match call.verb {
                Verb::Plan => "plan",
                Verb::Run => "run",
                Verb::Verify => "verify",
                Verb::Undo => "undo",
            },
            action: &call.action,
            input: &call.input,
            undo_data: (call.verb == Verb::Undo).then_some(call.undo_data.as_deref()),
            context: Told {
                run: &context.run,
                step: &context.step,
                attempt: context.attempt,
                idempotency_key: &context.idempotency_key,
                deadline_ms: context.deadline_ms,
                target: context.target.as_deref(),
                config: context.config.as_deref().and_then(|config| serde_json::from_str(config).ok()),
                traceparent: context.traceparent.as_deref(),
            },
        };
        let request = serde_json::to_vec(&request).map_err(|error| format!("could not be asked: {error}"))?;
        Ok(Self::new(request, limits))
    }

    fn new(request: Vec<u8>, limits: &Limits) -> Self {
        Self { request: request.into(), response: Captured::new(limits.hostcall_bytes) }
    }
}

/// A program that came to its end.
pub(crate) struct Exited {
    status: i32,
    /// What it wrote to standard error last.
    words: Option<String>,
    response: Captured,
}

/// Runs the program to its end. A trap is an error; an exit is none, whatever its status.
pub(crate) async fn run(
    program: &CommandPre<State>,
    store: &mut Store<State>,
    response: Captured,
) -> wasmtime::Result<Exited> {
    let command = program.instantiate_async(&mut *store).await?;
    let status = match command.wasi_cli_run().call_run(&mut *store).await {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        // Languages end their programs by an exit, also with status 0: then it arrives as an error.
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => exit.0,
            None if response.overflowed() => 1,
            None => return Err(error),
        },
    };
    let state = store.data();
    state.log.end_all();
    Ok(Exited { status, words: state.log.last_words(), response })
}

impl Exited {
    /// What it answered. An error says, as the rest of a sentence about the plugin, why that is nothing.
    fn text(self) -> Result<String, String> {
        let limit = self.response.limit();
        if self.response.overflowed() {
            return Err(format!(
                "wrote a response of more than {} to its standard output; raise hostcall-bytes under [limits] in \
                 runwright.toml if it should",
                size(limit)
            ));
        }
        let bytes = self.response.take();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            let words = self.words.map(|words| format!(" ({words})")).unwrap_or_default();
            return Err(format!(
                "ended with exit status {} and wrote no response to its standard output{words}",
                self.status
            ));
        }
        String::from_utf8(bytes).map_err(|error| {
            let place = error.utf8_error().valid_up_to();
            format!("wrote a response that is no UTF-8 at byte {place}, a fault of the plugin")
        })
    }
}

/// Why a response can't be used, as the rest of a sentence about the plugin.
fn wrong(error: impl std::fmt::Display) -> String {
    clean(&format!("wrote a response that does not fit sdk/schema/response.json, a fault of the plugin: {error}"))
}
