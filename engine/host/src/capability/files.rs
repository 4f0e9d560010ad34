//! `files`: granted folders, which WASI shows to the plugin at the paths that they have here.

use runwright_core::Stream;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::grants::FileGrant;
use crate::said::Log;

/// What is wrong with the grant, if anything is.
pub(crate) fn problem(grant: &FileGrant) -> Option<String> {
    let path = grant.path.display();
    if !grant.path.is_absolute() {
        return Some(format!("the granted folder {path} must be an absolute path"));
    }
    grant.path.to_str().is_none().then(|| format!("the granted folder {path} must be UTF-8"))
}

/// Opens the granted folders; one that can't be opened is left out, and the log says so.
pub(crate) fn open(wasi: &mut WasiCtxBuilder, grants: &[FileGrant], read_only: bool, log: &Log) {
    for FileGrant { path, write } in grants {
        let permissions = if *write && !read_only { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        let name = path.to_string_lossy();
        if let Err(error) = wasi.preopened_dir(path, &name, permissions) {
            log.write(Stream::Warn, &format!("the granted folder {name} cannot be opened: {error}"));
        }
    }
}
