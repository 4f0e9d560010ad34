//! Sockets by [`std::os::unix::net`].

use std::{
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use crate::bindings::runwright::plugin::unix::UnixError;

#[derive(Debug)]
pub(crate) struct Connection(UnixStream);

impl Connection {
    pub(crate) fn connect(path: &str) -> Result<Self, UnixError> {
        UnixStream::connect(path).map(Self).map_err(failed)
    }

    pub(crate) fn read(&self, max: u32, timeout_ms: Option<u32>) -> Result<Vec<u8>, UnixError> {
        let timeout = timeout_ms.map(|ms| Duration::from_millis(ms.max(1).into()));
        self.0.set_read_timeout(timeout).map_err(failed)?;
        let mut bytes = vec![0; max as usize];
        let count = (&self.0).read(&mut bytes).map_err(failed)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<u32, UnixError> {
        (&self.0).write(bytes).map(|count| count as u32).map_err(failed)
    }

    pub(crate) fn shutdown(&self) {
        self.0.shutdown(Shutdown::Both).ok();
    }
}

fn failed(error: io::Error) -> UnixError {
    match error.kind() {
        ErrorKind::NotFound => UnixError::NotFound,
        ErrorKind::ConnectionRefused | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => UnixError::Closed,
        ErrorKind::WouldBlock | ErrorKind::TimedOut => UnixError::TimedOut,
        _ => UnixError::Failed(error.to_string()),
    }
}
