//! Environment variables of the engine that a plugin was granted by name; it sees no others.

use runwright_core::Stream;
use wasmtime_wasi::WasiCtxBuilder;

use crate::said::Log;

/// What is wrong with the name of a granted variable, if anything is.
pub(crate) fn problem(name: &str) -> Option<String> {
    let wrong = name.is_empty() || name.contains(['=', '\0', '*']);
    wrong.then(|| format!("the granted environment variable {name:?} must be one variable's name"))
}

/// Shows the granted variables to the plugin. One that the engine has not is left out, and the log says so.
pub(crate) fn show(wasi: &mut WasiCtxBuilder, names: &[String], log: &Log) {
    for name in names {
        match std::env::var(name) {
            Ok(value) => _ = wasi.env(name, value),
            Err(_) => {
                log.write(Stream::Debug, &format!("the granted environment variable {name} is not set, or no UTF-8"))
            }
        }
    }
}
