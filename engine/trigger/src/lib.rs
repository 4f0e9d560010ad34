//! Alarm formats to [`Alarm`], and what tells two alarms apart.
//!
//! ```
//! let body = br#"{"version": "4", "status": "firing", "receiver": "runwright", "alerts": [{
//!     "status": "firing", "labels": {"alertname": "VmDown", "vm": "web-1"}, "annotations": {},
//!     "startsAt": "2026-08-04T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "c0ffee00c0ffee00"
//! }]}"#;
//! let alarms = trigger::alertmanager(body).unwrap();
//! assert_eq!(alarms[0].name, "VmDown");
//! assert_eq!(alarms[0].scope()["firing"], true);
//! ```
//!
//! **Invariant:** nothing here reads a clock or remembers anything; whether an alarm was seen before is the caller's to
//! know, by [`Alarm::key`].

mod alarm;
mod alertmanager;
mod error;

pub use alarm::{Alarm, Status};
pub use alertmanager::{alertmanager, limits};
pub use error::Error;
