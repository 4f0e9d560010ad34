//! The engine that serves: settings, watched directories, the API and shutdown.
//!
//! [`Engine`] puts the floors together: journal, plugin host, driver, runbooks. [`serve`] lets it live: it watches
//! directories, answers the [API](api) and resumes what was unfinished. [`Access`] is the one door for commands: it talks
//! to the engine that has the state directory where there is one, and opens it itself where there is none; then it answers
//! other commands as long as its own lasts.

mod access;
mod alarm_files;
pub mod api;
mod claims;
mod copies;
mod engine;
mod error;
mod folder;
mod hints;
mod intake;
mod library;
mod listing;
mod look;
mod names;
pub mod person;
mod plugin_lock;
mod plugins;
mod registry;
mod said;
mod serve;
mod settings;
mod settling;
mod starts;
pub mod view;
mod watch;
mod workshop;

pub use access::{Access, Own};
pub use engine::Engine;
pub use error::Error;
pub use library::{Library, Loaded, RunbookFiles, runbook_files};
pub use plugin_lock::{Pinned, PluginLock};
pub use registry::{Pulled, Registry};
pub use said::forget_logs;
pub use serve::serve;
pub use settings::Settings;
/// What is read of alarms that are sent at once, in bytes at most.
pub use trigger::limits::BODY_BYTES as ALARMS_BYTES_MAX;
pub use workshop::{Checked, Workshop, users_host};
