//! Unix domain sockets on the engine's host, granted by path.

use std::{fmt, time::Duration};

use super::{host, millis};
use crate::bindings::runwright::plugin::unix as wit;

/// A connection to a stream socket; closed when it is dropped.
#[derive(Debug)]
pub struct Connection(host::unix::Connection);

impl Connection {
    /// Connects to the socket at this absolute path.
    ///
    /// # Errors
    ///
    /// When it is not granted, not there, or nobody listens.
    pub fn connect(path: &str) -> Result<Self, Error> {
        Ok(Self(host::unix::Connection::connect(path)?))
    }

    /// The next bytes, at most `max`; waits for the first of them. Empty: the other side is done.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] when none came in time.
    pub fn read(&self, max: u32, timeout: Option<Duration>) -> Result<Vec<u8>, Error> {
        Ok(self.0.read(max, timeout.map(millis))?)
    }

    /// Writes all bytes.
    ///
    /// # Errors
    ///
    /// When the other side is gone; part of the bytes may have arrived.
    pub fn write_all(&self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let written = self.0.write(bytes)? as usize;
            match bytes.get(written..) {
                Some(rest) if written > 0 => bytes = rest,
                _ => return Err(Error::Closed),
            }
        }
        Ok(())
    }

    /// Ends both directions.
    pub fn shutdown(&self) {
        self.0.shutdown();
    }
}

/// Why a socket did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// It is not granted; the text names what is missing.
    Denied(String),
    /// There is no such socket.
    NotFound,
    /// Nobody listens, or the other side went away.
    Closed,
    /// Not in time.
    TimedOut,
    /// Something else.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "the socket is not granted: {why}"),
            Self::NotFound => f.write_str("there is no such socket"),
            Self::Closed => f.write_str("the socket is closed"),
            Self::TimedOut => f.write_str("the socket did not answer in time"),
            Self::Failed(why) => write!(f, "the socket failed: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<wit::UnixError> for Error {
    fn from(error: wit::UnixError) -> Self {
        match error {
            wit::UnixError::Denied(why) => Self::Denied(why),
            wit::UnixError::NotFound => Self::NotFound,
            wit::UnixError::Closed => Self::Closed,
            wit::UnixError::TimedOut => Self::TimedOut,
            wit::UnixError::Failed(why) => Self::Failed(why),
        }
    }
}

/// As if nothing was written before: else say [`after_effect`](crate::Error::after_effect).
impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Denied(_) => Self::denied(text).code("unix.denied"),
            Error::NotFound => Self::transient(text).code("unix.not-found"),
            Error::Closed => Self::transient(text).code("unix.closed"),
            Error::TimedOut => Self::transient(text).code("unix.timed-out"),
            Error::Failed(_) => Self::transient(text).code("unix.failed"),
        }
    }
}
