//! Write Runwright plugins in Rust.
//!
//! A plugin is a WebAssembly component that offers actions; a runbook's step uses one of them as
//! `uses: plugin/action`. With this crate an action is one plain function over serde types, and its JSON
//! Schemas come from the types:
//!
//! ```
//! use runwright_sdk::{Action, Context, Outcome, Plugin, Result, schemars::{self, JsonSchema}};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Greet {
//!     /// Who is greeted.
//!     name: String,
//! }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Greeting {
//!     text: String,
//! }
//!
//! fn greet(input: Greet, _: &Context) -> Result<Outcome<Greeting>> {
//!     let text = format!("Hello, {}!", input.name);
//!     Ok(Outcome::unchanged(Greeting { text }))
//! }
//!
//! fn plugin() -> Plugin {
//!     Plugin::new("hello", env!("CARGO_PKG_VERSION"), "Greets people")
//!         .action(Action::read("greet", "Greets somebody", greet))
//! }
//!
//! runwright_sdk::export!(plugin);
//! # fn main() {}
//! ```
//!
//! The crate is a `cdylib`, built for the target `wasm32-wasip2`.
//!
//! # Capabilities
//!
//! A plugin reaches nothing but what these modules offer, and only what the operator granted: [`exec`],
//! [`http`], [`secrets`], [`unix`], and always [`checkpoint`], [`clock`] and [`log`]. A component imports
//! only what its code uses, so the engine can show what a plugin may ask for without running it. Folders
//! that were granted as `files` have the same absolute paths as outside: use [`std::fs`].
//!
//! # Tests
//!
//! Built for the host, as in `cargo test`, [`Plugin::run`] and the like call the actions without an
//! engine, and the capabilities act directly on this machine, without grants and without a sandbox.
//! Only secrets are refused there.

mod action;
pub mod base64;
mod bindings;
mod capability;
mod context;
mod error;
mod export;
#[cfg(not(target_family = "wasm"))]
mod native;
mod outcome;
mod plugin;
mod schema;
mod span;
pub mod via;

pub use action::{Action, Effect};
pub use capability::{checkpoint, clock, exec, http, log, secrets, unix};
pub use context::Context;
pub use error::{Error, ErrorKind, Result};
pub use outcome::{Change, ChangeKind, Outcome, Preview, Verdict};
pub use plugin::{Answer, Plugin, Ruling};
pub use span::Span;
pub use {schemars, serde, serde_json};

/// What [`export!`] expands to; not for use by hand.
#[doc(hidden)]
pub mod __export {
    pub use crate::bindings::{Guest, bindings_export, exports};
    pub use crate::export::*;
}
