//! `unix`: connections to granted Unix domain sockets.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use wasmtime::component::Resource;

use super::quoted;
use crate::bindings::unix::{self, UnixError};
use crate::ending::{End, Ending};
use crate::grants::UnixGrant;
use crate::pattern::fits;
use crate::state::State;

/// Open connections of one call.
const CONNECTIONS_MAX: usize = 16;
/// Bytes of one read.
const READ_BYTES_MAX: usize = 64 * 1024;

/// An open connection of a plugin.
#[expect(unreachable_pub, reason = "the generated bindings name it as theirs, and they are `pub`")]
pub struct Connection {
    stream: UnixStream,
    /// What is written to it may change something.
    acts: bool,
}

/// What is wrong with the grant, if anything is.
pub(crate) fn problem(grant: &UnixGrant) -> Option<String> {
    path_problem("the granted socket", &grant.path)
}

/// What is wrong with a path pattern, if anything is.
pub(crate) fn path_problem(what: &str, path: &str) -> Option<String> {
    let parts_fit = path.split('/').all(|part| part != ".." && part != "." && !part.contains("**"));
    (!path.starts_with('/') || !parts_fit)
        .then(|| format!("{what} {path:?} must be an absolute path without `.`, `..` and `**`"))
}

/// Does `path`, in which no link is left, fit `pattern`? Links in the fixed beginning of the pattern are resolved
/// first, so that a grant for `/var/run/x/*.sock` holds where `/var/run` is a link.
pub(crate) fn resolved_fits(pattern: &str, path: &Path) -> bool {
    let Some(path) = path.to_str() else { return false };
    if fits(pattern, path) {
        return true;
    }
    let fixed = pattern.find('*').unwrap_or(pattern.len());
    let Some(folder) = pattern[..fixed].rfind('/').filter(|slash| *slash > 0) else { return false };
    let Ok(resolved) = std::fs::canonicalize(&pattern[..folder]) else { return false };
    resolved.to_str().is_some_and(|resolved| fits(&format!("{resolved}{}", &pattern[folder..]), path))
}

/// The socket at `path`, held so that nobody can swap it for another, and where it really is.
fn hold(path: &str) -> io::Result<(OwnedFd, PathBuf)> {
    let held = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let real = std::fs::read_link(format!("/proc/self/fd/{}", held.as_raw_fd()))?;
    // Removed since it was opened, as when its program just ended: the link then names no place.
    if rustix::fs::fstat(&held)?.st_nlink == 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok((held, real))
}

impl State {
    /// The socket, held, and whether what is written to it may change something.
    fn check(&mut self, path: &str) -> Result<(OwnedFd, bool), UnixError> {
        let held = hold(path);
        let real = match &held {
            Ok((_, real)) => real.as_path(),
            // What is not there is denied or not found by its name alone, so that names outside can't be probed.
            Err(_) if path.split('/').any(|part| part == "..") => Path::new(""),
            Err(_) => Path::new(path),
        };
        let found: Vec<_> = self.grants.unix.iter().filter(|grant| resolved_fits(&grant.path, real)).collect();
        if found.is_empty() {
            let line = format!("unix = [{}]", quoted(path));
            return Err(UnixError::Denied(self.deny(&format!("the socket {path:?}"), &line)));
        }
        let acts = !found.iter().any(|grant| grant.in_plan);
        if self.read_only && acts {
            return Err(UnixError::Denied(self.deny_in_plan(&format!("the socket {path:?}"), Some("in-plan = true"))));
        }
        held.map(|(held, _)| (held, acts)).map_err(UnixError::from)
    }

    async fn open(&mut self, path: &str) -> Result<Connection, UnixError> {
        if !path.starts_with('/') || path.len() > 4096 {
            let why = "the path of a socket must be absolute and at most 4096 bytes long";
            return Err(UnixError::Denied(self.refusals.invalid(why)));
        }
        if self.connections >= CONNECTIONS_MAX {
            let why = format!("a call has at most {CONNECTIONS_MAX} connections at a time");
            return Err(UnixError::Denied(self.refusals.invalid(&why)));
        }
        let (held, acts) = self.check(path)?;
        // Through the held descriptor: what was checked is what is connected, and its path may be of any length.
        let way = format!("/proc/self/fd/{}", held.as_raw_fd());
        let stream = limited(&self.ending, None, UnixStream::connect(way)).await?;
        Ok(Connection { stream, acts })
    }
}

/// Does `work` in the time of the call and of `timeout_ms`.
async fn limited<T>(
    ending: &Ending,
    timeout_ms: Option<u32>,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, UnixError> {
    let timeout = timeout_ms.map(|ms| Duration::from_millis(ms.into()));
    match ending.within(timeout, work).await {
        Ok(done) => done.map_err(UnixError::from),
        // A write that waits has written nothing, so no end leaves anything behind.
        Err(End::Deadline | End::Timeout | End::Cancelled | End::Unbegun) => Err(UnixError::TimedOut),
    }
}

impl From<io::Error> for UnixError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, NotFound};
        match error.kind() {
            NotFound => Self::NotFound,
            BrokenPipe | ConnectionReset | NotConnected => Self::Closed,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl unix::Host for State {}

impl unix::HostConnection for State {
    async fn connect(&mut self, path: String) -> wasmtime::Result<Result<Resource<Connection>, UnixError>> {
        match self.open(&path).await {
            Ok(connection) => {
                let connection = self.table.push(connection)?;
                self.connections += 1;
                Ok(Ok(connection))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    async fn read(
        &mut self,
        connection: Resource<Connection>,
        max: u32,
        timeout_ms: Option<u32>,
    ) -> wasmtime::Result<Result<Vec<u8>, UnixError>> {
        let Connection { stream, .. } = self.table.get_mut(&connection)?;
        let mut bytes = vec![0; (max as usize).min(READ_BYTES_MAX)];
        let read = limited(&self.ending, timeout_ms, stream.read(&mut bytes)).await;
        bytes.truncate(*read.as_ref().unwrap_or(&0));
        Ok(read.map(|_| bytes))
    }

    async fn write(
        &mut self,
        connection: Resource<Connection>,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<u32, UnixError>> {
        let Connection { stream, acts } = self.table.get_mut(&connection)?;
        let written = limited(&self.ending, None, stream.write(&bytes)).await;
        if *acts && written.is_ok() {
            self.refusals.acts();
        }
        Ok(written.map(|written| u32::try_from(written).unwrap_or(u32::MAX)))
    }

    async fn shutdown(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        let Connection { stream, .. } = self.table.get_mut(&connection)?;
        // A peer that is gone needs no goodbye.
        stream.shutdown().await.ok();
        Ok(())
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.connections = self.connections.saturating_sub(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
