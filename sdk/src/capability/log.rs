//! Log lines and progress of the running step. Always granted.
//!
//! The macros take what [`format!`] takes: `log::info!("{name} is up")`.

use super::host;
use crate::bindings::runwright::plugin::log as wit;

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every little thing.
    Trace,
    /// For who looks for a fault.
    Debug,
    /// What happens.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// Writes one log line.
pub fn write(level: Level, message: &str) {
    let level = match level {
        Level::Trace => wit::Level::Trace,
        Level::Debug => wit::Level::Debug,
        Level::Info => wit::Level::Info,
        Level::Warn => wit::Level::Warn,
        Level::Error => wit::Level::Error,
    };
    host::log::log(level, message);
}

/// Says how far the step is (0 to 100, when that is known), and what it does now.
pub fn progress(percent: impl Into<Option<u8>>, note: &str) {
    host::log::progress(percent.into(), note);
}

/// Logs at [`Level::Trace`].
#[doc(hidden)]
#[macro_export]
macro_rules! __trace { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Trace, &::std::format!($($arg)+)) } }
/// Logs at [`Level::Debug`].
#[doc(hidden)]
#[macro_export]
macro_rules! __debug { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($arg)+)) } }
/// Logs at [`Level::Info`].
#[doc(hidden)]
#[macro_export]
macro_rules! __info { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($arg)+)) } }
/// Logs at [`Level::Warn`].
#[doc(hidden)]
#[macro_export]
macro_rules! __warn { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($arg)+)) } }
/// Logs at [`Level::Error`].
#[doc(hidden)]
#[macro_export]
macro_rules! __error { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($arg)+)) } }

#[doc(inline)]
pub use crate::{__debug as debug, __error as error, __info as info, __trace as trace, __warn as warn};
