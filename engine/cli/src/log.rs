//! What the engine says of itself, on standard error.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};

/// The variable that says how much: `warn`, `info`, `driver=debug,journal=trace`.
const VARIABLE: &str = "RUNWRIGHT_LOG";

/// What is never told, whatever is asked for: what plugins hand to WASI, for example a URL with a token in it.
const SILENT: &str = "wasmtime_wasi=info,wasmtime_wasi_http=info,wasmtime_wasi_io=info";

/// Starts the log. Without RUNWRIGHT_LOG it tells warnings; while serving, and with -vv, what is going on.
pub(crate) fn start(args: &Args) {
    let level = match (&args.command, args.global.verbose) {
        (_, 3..) => "debug",
        (Command::Serve(_), _) | (_, 2) => "info",
        _ => "warn",
    };
    let asked = |text: String| EnvFilter::try_new(format!("{text},{SILENT}")).ok();
    let filter = std::env::var(VARIABLE).ok().and_then(asked);
    let filter = filter.unwrap_or_else(|| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    // Telling of a line that could not be written ends the thread where standard error is closed.
    let log = log.log_internal_errors(false);
    match &args.command {
        Command::Serve(_) => log.init(),
        _ => log.without_time().with_target(false).init(),
    }
}
