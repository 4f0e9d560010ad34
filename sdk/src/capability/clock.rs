//! The time, sleep that ends when the step is cancelled, and whether it is. Always granted.

use std::time::{Duration, SystemTime};

use super::{host, millis};
use crate::{Error, Result};

/// The engine's time.
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(host::clock::now_ms())
}

/// `time` as RFC 3339 has it, in UTC and whole seconds: `2026-05-01T12:00:00Z`. Times before 1970 are 1970.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// let leap_day = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400);
/// assert_eq!(runwright_sdk::clock::rfc3339(leap_day), "2000-02-29T00:00:00Z");
/// ```
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// The date so many days after 1970-01-01. Years begin in March here, so that a leap day is the last of its year, and
/// 400 of them are always 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
