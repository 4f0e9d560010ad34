//! The API's socket in the state directory, which is there as long as the engine answers.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host::shown;
use tokio::net::{UnixListener, UnixStream};

use crate::Error;

/// How often it is looked whether the socket is still there.
const LOOK: Duration = Duration::from_secs(1);

/// The socket on which an engine answers. If its file goes away while the state directory stays, it is made again.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    file: SocketFile,
    /// The state directory, as it was at first: one that was put in its place is another engine's.
    folder: Option<Identity>,
    /// What was last told to be wrong.
    told: Option<String>,
}

/// The file of a socket. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// None: it was removed on purpose.
    own: Arc<Mutex<Option<Identity>>>,
}

/// Device and inode.
type Identity = (u64, u64);

impl Socket {
    /// Binds the socket. The caller holds the state directory, so a socket that is there is left over.
    pub(crate) fn listen(path: &Path) -> Result<Self, Error> {
        let _ = std::fs::remove_file(path);
        let (listener, own) = bind(path).map_err(|error| Error::io("listen on", path, error))?;
        let file = SocketFile { path: path.to_owned(), own: Arc::new(Mutex::new(Some(own))) };
        let folder = path.parent().and_then(identity);
        Ok(Self { listener, file, folder, told: None })
    }

    pub(crate) fn file(&self) -> SocketFile {
        self.file.clone()
    }

    /// Waits for a connection, and looks after the file meanwhile.
    pub(super) async fn accept(&mut self) -> std::io::Result<UnixStream> {
        loop {
            match tokio::time::timeout(LOOK, self.listener.accept()).await {
                Ok(accepted) => return accepted.map(|(stream, _)| stream),
                Err(_) => self.look(),
            }
        }
    }

    /// Makes the socket again where it is gone. One that stands in its place is another engine's, and is left alone.
    fn look(&mut self) {
        let mut own = self.file.own();
        let Some(before) = *own else { return };
        let path = &self.file.path;
        let wrong = match identity(path) {
            Some(now) if now == before => None,
            Some(_) => Some("another socket stands in its place, which is left alone".to_owned()),
            None if self.folder.is_none() || path.parent().and_then(identity) != self.folder => {
                Some("the state directory is not the one that this engine has".to_owned())
            }
            None => match bind(path) {
                Ok((listener, now)) => {
                    (self.listener, *own) = (listener, Some(now));
                    tracing::warn!(socket = shown(path), "the socket was gone: it was made again");
                    None
                }
                Err(error) => Some(format!("it is gone, and can't be made again: {error}")),
            },
        };
        if let Some(wrong) = wrong.as_ref().filter(|wrong| self.told.as_ref() != Some(*wrong)) {
            tracing::error!(
                socket = shown(path),
                "commands can't reach this engine: {wrong}; start it again to mend that"
            );
        }
        drop(own);
        self.told = wrong;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.file.remove();
    }
}

impl SocketFile {
    /// Removes the file if it is still the engine's own. From now on it is not made again.
    pub(crate) fn remove(&self) {
        let own = self.own().take();
        if own.is_some() && own == identity(&self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn own(&self) -> MutexGuard<'_, Option<Identity>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new socket where there is no file, for its user only.
fn bind(path: &Path) -> std::io::Result<(UnixListener, Identity)> {
    let listener = UnixListener::bind(path)?;
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        // Left there, it would be taken for another engine's when it is looked at again.
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    let own = identity(path).ok_or(ErrorKind::NotFound)?;
    Ok((listener, own))
}

fn identity(path: &Path) -> Option<Identity> {
    std::fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream as Client;

    use super::*;

    fn socket() -> (tempfile::TempDir, PathBuf, Socket) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/api.sock");
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let socket = Socket::listen(&path).unwrap();
        (folder, path, socket)
    }

    #[tokio::test]
    async fn a_socket_that_is_gone_is_made_again() {
        let (_folder, path, mut socket) = socket();
        std::fs::remove_file(&path).unwrap();
        assert!(Client::connect(&path).is_err());
        socket.look();
        Client::connect(&path).unwrap();
        socket.accept().await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // Its end takes it away, and nothing makes it again.
        socket.file().remove();
        socket.look();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_another_engines_is_left_alone() {
        let (_folder, path, mut first) = socket();
        std::fs::remove_file(&path).unwrap();
        let mut second = Socket::listen(&path).unwrap();
        first.look();
        assert!(first.told.as_ref().is_some_and(|told| told.contains("left alone")), "{:?}", first.told);
        drop(first);
        Client::connect(&path).unwrap();
        second.accept().await.unwrap();
        // A state directory in the place of its own is not its own.
        let folder = path.parent().unwrap();
        std::fs::rename(folder, folder.with_extension("old")).unwrap();
        std::fs::create_dir(folder).unwrap();
        second.look();
        assert!(!path.exists() && second.told.is_some());
    }
}
