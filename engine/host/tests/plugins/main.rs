//! The host with real plugins in it.
#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but does not know their helpers as such")]

mod bombs;
mod capabilities;
mod checks;
mod command;
mod crash;
mod files;
mod hostile;
mod http;
mod loading;
mod preview1;
mod raw;
mod refused;
mod secrets;
mod support;
