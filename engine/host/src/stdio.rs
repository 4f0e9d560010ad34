//! A plugin's standard output and standard error: lines of its log, or a program's response.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::capability::log::Log;
use crate::notes::Level;

/// Bytes of a line that does not end; what follows is a new line.
const LINE_BYTES_MAX: usize = 4096;
/// Bytes that are held back at most, because they may be a part of a secret.
const HELD_BYTES_MAX: usize = 128 * 1024;

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    Out,
    Err,
    /// The standard error of a program, which has no other log: a line may begin with its level, as in `warn: `.
    Log,
}

/// One of the two streams. All its clones write to the same line.
#[derive(Clone)]
pub(crate) struct Lines {
    log: Log,
    which: Which,
    begun: Arc<Mutex<Vec<u8>>>,
}

impl Lines {
    pub(crate) fn new(log: Log, which: Which) -> Self {
        Self { log, which, begun: Arc::default() }
    }

    fn take(&self, bytes: &[u8]) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LINE_BYTES_MAX)) {
            begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end(&mut begun);
            } else if begun.len() >= LINE_BYTES_MAX {
                self.part(&mut begun);
            }
        }
    }

    /// Logs what stands there of a line that goes on, but for what may be the beginning of a secret.
    fn part(&self, begun: &mut Vec<u8>) {
        let settled = self.log.settled(begun);
        let whole = if begun.len() < HELD_BYTES_MAX { settled } else { begun.len() };
        let held = begun.split_off(whole);
        if !begun.is_empty() {
            self.end(begun);
        }
        *begun = held;
    }

    fn end(&self, begun: &mut Vec<u8>) {
        let line = String::from_utf8_lossy(begun);
        match self.which {
            Which::Out => self.log.write(Level::Debug, &line),
            Which::Err => self.log.stderr(line.trim_end()),
            Which::Log => {
                let (level, message) = leveled(line.trim_end());
                self.log.write(level, message);
                self.log.keep(message);
            }
        }
        begun.clear();
    }

    /// Logs a last line that has no end.
    pub(crate) fn finish(&self) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if !begun.is_empty() {
            self.end(&mut begun);
        }
    }
}

/// A line's level, which it may begin with, and the rest.
fn leveled(line: &str) -> (Level, &str) {
    let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
    let named = levels.into_iter().find_map(|level| {
        let message = line.strip_prefix(level.as_str())?.strip_prefix(':')?;
        Some((level, message.trim_start()))
    });
    named.unwrap_or((Level::Info, line))
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    /// For WASI 0.3, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

/// The standard output of a program: its response, no larger than a limit. All clones are the same.
#[derive(Clone)]
pub(crate) struct Captured {
    limit: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Captured {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, taken: Arc::default() }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether more came than the limit; that ended the call.
    pub(crate) fn overflowed(&self) -> bool {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).overflowed
    }

    /// What came.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner).bytes)
    }
}

impl IsTerminal for Captured {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Captured {
    /// For WASI 0.3, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Captured {
    async fn ready(&mut self) {}
}

impl OutputStream for Captured {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.bytes.len().saturating_add(bytes.len()) > self.limit {
            taken.overflowed = true;
            return Err(StreamError::trap("the response is too large"));
        }
        taken.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_level_or_is_for_everyone() {
        assert_eq!(leveled("warn: low"), (Level::Warn, "low"));
        assert_eq!(leveled("error:gone"), (Level::Error, "gone"));
        assert_eq!(leveled("warning: x"), (Level::Info, "warning: x"));
        assert_eq!(leveled("done"), (Level::Info, "done"));
    }
}
