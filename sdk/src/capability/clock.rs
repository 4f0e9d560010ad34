//! The time, sleep that ends when the step is cancelled, and whether it is. Always granted.

use std::time::{Duration, SystemTime};

use super::{host, millis};
use crate::{Error, Result};

/// The engine's time.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(host::clock::now_ms())
}

/// Waits for so long.
///
/// # Errors
///
/// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) as soon as the step is cancelled.
pub fn sleep(time: Duration) -> Result<()> {
    if host::clock::sleep_ms(millis(time)) { Ok(()) } else { Err(Error::cancelled()) }
}

/// Whether somebody cancelled the step.
pub fn cancelled() -> bool {
    host::clock::cancelled()
}
