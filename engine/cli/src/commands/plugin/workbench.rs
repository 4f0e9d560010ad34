//! A plugin host for one file, without an engine: what inspecting, building and testing a plugin need.

use std::path::Path;
use std::sync::Arc;

use host::{Host, Limits};
use runwright_core::PluginFacts;

use crate::{Error, exit};

/// A plugin that is loaded, and the host that it is loaded in. Nothing is granted to it.
pub(super) struct Workbench {
    pub(super) host: Arc<Host>,
    pub(super) facts: Arc<PluginFacts>,
    /// The file's size in bytes.
    pub(super) size: u64,
}

impl Workbench {
    /// Loads the plugin of this file.
    pub(super) async fn load(file: &Path, limits: Limits) -> Result<Self, Error> {
        let failed = |error: host::Error| unusable(file, &error);
        let host = Arc::new(daemon::users_host(limits).map_err(failed)?);
        let facts = host.load(file).await.map_err(failed)?;
        let size = std::fs::metadata(file).map_or(0, |facts| facts.len());
        Ok(Self { host, facts, size })
    }

    /// Loads a plugin that is to become this file.
    pub(super) async fn load_bytes(file: &Path, bytes: Vec<u8>, limits: Limits) -> Result<Self, Error> {
        let failed = |error: host::Error| unusable(file, &error);
        let (size, name) = (bytes.len() as u64, file.display().to_string());
        let host = Arc::new(daemon::users_host(limits).map_err(failed)?);
        let facts = host.load_bytes(&name, bytes).await.map_err(failed)?;
        Ok(Self { host, facts, size })
    }
}

fn unusable(file: &Path, error: &host::Error) -> Error {
    Error::because(exit::INVALID, format!("could not load the plugin {}", file.display()), error)
}
