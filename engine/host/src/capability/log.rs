//! `log` and `progress`: always granted, and bounded like everything that a call says.

use runwright_core::Stream;

use crate::bindings::log;
use crate::state::State;

impl log::Host for State {
    async fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => Stream::Trace,
            log::Level::Debug => Stream::Debug,
            log::Level::Info => Stream::Info,
            log::Level::Warn => Stream::Warn,
            log::Level::Error => Stream::Error,
        };
        self.log.write(level, &message);
        Ok(())
    }

    async fn progress(&mut self, percent: Option<u8>, note: String) -> wasmtime::Result<()> {
        self.log.progress(percent, &note);
        Ok(())
    }
}
