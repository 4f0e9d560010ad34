//! Alarm formats to [`Alarm`], and what tells two alarms apart.
//!
//! ```
//! let body = br#"{"version": "4", "status": "firing", "receiver": "runwright", "alerts": [{
//!     "status": "firing", "labels": {"alertname": "VmDown", "vm": "web-1"}, "annotations": {},
//!     "startsAt": "2026-08-04T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "c0ffee00c0ffee00"
//! }]}"#;
//! let parts = trigger::read(trigger::Format::Alertmanager, body).unwrap();
//! assert_eq!(parts.alarms[0].name, "VmDown");
//! assert_eq!(parts.alarms[0].scope(runwright_core::Timestamp::from_millis(0))["firing"], true);
//! ```
//!
//! **Invariant:** one bad alert in a body costs the others nothing.
//! **Invariant:** nothing here reads a clock (who has one passes the time to [`read_at`]) or remembers anything; whether an alarm was seen before is the caller's to
//! know, by [`Alarm::key`].

mod alarm;
mod error;
mod fields;
mod grafana;
mod mend;
mod read;
mod twice;
mod webhook;

pub use alarm::{Alarm, Status};
pub use error::Error;
pub use read::{Format, Parts, Refused, limits, read, read_at};
