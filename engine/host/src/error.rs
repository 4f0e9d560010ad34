//! Why a plugin could not be loaded, or the host not be set up.

use std::io;
use std::path::PathBuf;

use crate::shown::shown;

/// Why a plugin could not be loaded, or the host not be set up: a fragment that fits "could not …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine itself could not be set up.
    #[error("the plugin engine could not be set up")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The folder of compiled plugins could not be used.
    #[error("the folder of compiled plugins {} could not be used", folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could put code into the folder of compiled plugins.
    #[error(
        "the folder of compiled plugins {} must belong to user {user} and be closed to all others, but its mode is \
         {mode:o}: what lies in it is run as native code (chmod 700 makes it so)", folder.display()
    )]
    CacheNotPrivate {
        /// The folder.
        folder: PathBuf,
        /// The engine's user.
        user: u32,
        /// The folder's mode.
        mode: u32,
    },
    /// The file could not be read.
    #[error("plugin {} could not be read", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than a plugin may be.
    #[error(
        "plugin {plugin} has more than {limit}; raise component-bytes under [limits] in runwright.toml if it should"
    )]
    TooLarge {
        /// Its path or name.
        plugin: String,
        /// The limit, for people.
        limit: String,
    },
    /// The file is nothing that this engine can run.
    #[error("plugin {plugin} can't be used: {reason}")]
    NoPlugin {
        /// Its path or name.
        plugin: String,
        /// Why not.
        reason: String,
    },
    /// The plugin did not describe itself.
    #[error("plugin {plugin} did not describe itself: {reason}")]
    Describe {
        /// Its path or name.
        plugin: String,
        /// Why not.
        reason: String,
    },
    /// The plugin's description is wrong.
    #[error("plugin {plugin} describes itself wrongly: {}", problems.join("; "))]
    Facts {
        /// Its path or name.
        plugin: String,
        /// Everything that is wrong.
        problems: Vec<String>,
    },
    /// The operator's grants are wrong.
    #[error("the grants of plugin {plugin} are wrong: {}", problems.join("; "))]
    Grants {
        /// Its name.
        plugin: String,
        /// Everything that is wrong.
        problems: Vec<String>,
    },
}

impl Error {
    pub(crate) fn engine(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Engine(error.into())
    }
}
