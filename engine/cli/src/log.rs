//! What the engine says of itself, on standard error.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};
use crate::human::clean;

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
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Shown::default).with_ansi(false);
    // Telling of a line that could not be written ends the thread where standard error is closed.
    let log = log.log_internal_errors(false);
    match &args.command {
        Command::Serve(_) => log.init(),
        _ => log.without_time().with_target(false).init(),
    }
}

/// One event on its way to standard error: what could drive a terminal is shown instead of done, wherever it came from,
/// and its second and further lines are indented, so that none looks like an event of its own.
#[derive(Default)]
struct Shown(Vec<u8>);

impl Shown {
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let lines = text.trim_end_matches('\n').split('\n').map(clean);
        lines.collect::<Vec<_>>().join("\n    ") + "\n"
    }
}

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            // Nobody may be there to read it.
            let _ = io::stderr().lock().write_all(self.text().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_can_neither_drive_a_terminal_nor_look_like_two() {
        let mut shown = Shown::default();
        shown.write_all(b"INFO file=\x1b[2Jx\nERROR forged\xff\xc2\x9b\n").expect("it is kept");
        assert_eq!(shown.text(), "INFO file=\\u{1b}[2Jx\n    ERROR forged\u{fffd}\\u{9b}\n");
        shown.0.clear();
    }
}
