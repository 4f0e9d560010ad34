//! The plugin host: WebAssembly components in sandboxes, with limits, and with no capability but what is granted.
//!
//! A [`Host`] loads plugins ([`Host::load`]), knows what they say of themselves ([`Host::catalog`]) and calls them
//! ([`Host::call`]). Each call has a sandbox of its own: a fresh store and instance, dropped when the call ends. What
//! a plugin may reach is what the operator wrote into `runwright.toml` for it ([`Grants`]); everything else answers
//! `denied` with the line that would allow it. What leaves a call while it runs goes through [`Notes`].
//!
//! **Invariant:** a plugin can only end its own call. Loops, traps, recursion, floods, lies and sleeps become an
//! [`Outcome::Lost`](runwright_core::Outcome::Lost) whose reason names the limit and where to raise it.
//!
//! **Invariant:** nothing is inherited: a plugin sees no environment, argument, input, folder or network of the engine.
//!
//! **Invariant:** no value that a plugin was given as a secret leaves a call, in whatever usual encoding: it is replaced by
//! `[secret NAME]` before anything else sees it. One that can't be told from other text is replaced where it stands as a
//! word, in what the call says that was given it.
//!
//! **Invariant:** a program that is to outlive the engine is durable in [`Notes::note`] before its first instruction.

mod address;
mod answer;
mod asks;
mod binding;
mod bindings;
mod bounds;
mod cache;
mod call;
mod capability;
mod caution;
mod command;
mod compile;
mod embed;
mod ending;
mod engine;
mod environment;
mod error;
mod facts;
mod grants;
mod host;
mod limiter;
mod limits;
mod linked;
mod load;
mod notes;
mod pack;
mod pattern;
mod perform;
mod process;
mod reach;
mod redact;
pub mod regular;
mod said;
mod sandbox;
mod schema;
mod shown;
mod skew;
mod state;
mod stdio;

pub use asks::{Ask, asks};
pub use binding::{VersionRange, withheld};
pub use call::{Call, Change, ChangeKind, Preview, Reply, Verb};
pub use capability::secrets::findings as secret_findings;
pub use caution::cautions;
pub use embed::embed;
pub use error::Error;
pub use grants::{ExecGrant, FileGrant, GrantProblem, Grants, HttpGrant, PluginEntry, SecretSource, UnixGrant};
pub use host::{Host, Settings};
pub use limits::Limits;
pub use linked::Kind;
pub use notes::{Notes, Said, Silent};
pub use pack::{Form, form, pack};
pub use pattern::fits;
pub use reach::{Reach, missing, reach};
pub use said::Log;
pub use shown::shown;
