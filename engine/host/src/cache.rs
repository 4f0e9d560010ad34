//! Compiled plugins on disk.
//!
//! **Invariant:** what is read from here is run as native code with the engine's rights. So the folder belongs to the
//! engine's user and nobody else may write into it, its files come from [`Cache::put`] only, and a compiled file from
//! elsewhere is never taken.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use runwright_core::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::Error;

/// The folder with compiled plugins, named by the plugin's digest and by everything in the engine that compiled code
/// depends on.
#[derive(Debug)]
pub(crate) struct Cache {
    /// None: nothing is kept.
    folder: Option<PathBuf>,
    engine: u64,
}

impl Cache {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self { folder: None, engine: 0 }
    }

    /// Opens the folder, and makes it if it is not there.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Result<Self, Error> {
        let failed = |source| Error::Cache { folder: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let facts = fs::symlink_metadata(folder).map_err(failed)?;
        let user = rustix::process::geteuid().as_raw();
        let mode = facts.permissions().mode() & 0o7777;
        if !facts.is_dir() || facts.uid() != user || mode & 0o077 != 0 {
            return Err(Error::CacheNotPrivate { folder: folder.to_owned(), user, mode });
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { folder: Some(folder.to_owned()), engine: hasher.finish() })
    }

    fn path(&self, plugin: Digest) -> Option<PathBuf> {
        let digest = plugin.to_string().replace("sha256:", "");
        Some(self.folder.as_ref()?.join(format!("{digest}-{:016x}.cwasm", self.engine)))
    }

    /// The compiled plugin, if it is there. A file that does not read is removed.
    pub(crate) fn get(&self, engine: &Engine, plugin: Digest) -> Option<Component> {
        let path = self.path(plugin)?;
        if !path.exists() {
            return None;
        }
        #[expect(unsafe_code, reason = "a compiled plugin is native code; compiling on every start takes seconds")]
        // SAFETY: the file was written by `put` from this engine's own compiler, into a folder that only this user can
        // write to, whole (it was renamed into place) and for this version and these settings (they are in its name).
        let read = unsafe { Component::deserialize_file(engine, &path) };
        if let Err(error) = &read {
            tracing::warn!(path = %path.display(), %error, "a compiled plugin cannot be read and is compiled again");
            fs::remove_file(&path).ok();
        }
        read.ok()
    }

    /// The digest of what the plugin said of itself when it was last asked.
    pub(crate) fn said(&self, plugin: Digest) -> Option<Digest> {
        fs::read_to_string(self.path(plugin)?.with_extension("said")).ok()?.parse().ok()
    }

    /// Keeps what [`said`](Self::said) gives.
    pub(crate) fn keep_said(&self, plugin: Digest, said: Digest) -> io::Result<()> {
        match self.path(plugin) {
            Some(path) => Self::keep(&path.with_extension("said"), said.to_string().as_bytes()),
            None => Ok(()),
        }
    }

    /// Keeps the compiled plugin. A crash leaves the whole file or none.
    pub(crate) fn put(&self, plugin: Digest, compiled: &[u8]) -> io::Result<()> {
        match self.path(plugin) {
            Some(path) => Self::keep(&path, compiled),
            None => Ok(()),
        }
    }

    fn keep(path: &Path, compiled: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = write(&temporary, compiled).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            fs::remove_file(&temporary).ok();
        }
        written
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_private_folder_is_taken() {
        let engine = crate::engine::engine().unwrap();
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/cache");
        Cache::open(&folder, &engine).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        let refused = Cache::open(&folder, &engine).unwrap_err();
        assert!(refused.to_string().contains("770"), "{refused}");
        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path().join("a"), &link).unwrap();
        assert!(matches!(Cache::open(&link, &engine), Err(Error::CacheNotPrivate { .. })));
    }

    #[test]
    fn what_cannot_be_read_is_removed() {
        let engine = crate::engine::engine().unwrap();
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(&root.path().join("cache"), &engine).unwrap();
        let plugin = Digest::of(b"x");
        assert!(cache.get(&engine, plugin).is_none());
        cache.put(plugin, b"no code").unwrap();
        assert!(cache.path(plugin).unwrap().exists());
        assert!(cache.get(&engine, plugin).is_none());
        assert_eq!(fs::read_dir(cache.folder.unwrap()).unwrap().count(), 0);
    }
}
