//! The capabilities, one module each, under names and types of this crate.

pub mod checkpoint;
pub mod clock;
pub mod exec;
pub mod http;
pub mod log;
pub mod secrets;
pub mod unix;

/// Who does the work: the engine; on the host, where there is none, this machine.
#[cfg(target_family = "wasm")]
use crate::bindings::runwright::plugin as host;
#[cfg(not(target_family = "wasm"))]
use crate::native as host;

fn millis(time: std::time::Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
