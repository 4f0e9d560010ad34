//! The one way in: a body in some format, taken apart.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use runwright_core::{Timestamp as Received, Value};

use crate::mend::{self, Broken};
use crate::twice::Twice;
use crate::{Alarm, Error, webhook};

/// The bounds of a body.
pub mod limits {
    /// Bytes of a body.
    pub const BODY_BYTES: usize = 4 * 1024 * 1024;
    /// Alerts that are taken from one body; the others are left out, and a warning says so.
    pub const ALERTS: usize = 1_000;
    /// Labels of one alert; an alert with more is refused.
    pub const LABELS: usize = 64;
    /// Annotations of one alert that are kept; the others are left out, and a note says so.
    pub const ANNOTATIONS: usize = 64;
    /// Bytes of the name of a label or annotation.
    pub const NAME_BYTES: usize = 256;
    /// Bytes of the value of a label; an alert with a longer one is refused, as it is part of its identity.
    pub const LABEL_BYTES: usize = 4 * 1024;
    /// Bytes of the value of an annotation; a longer one is cut, and a note says so.
    pub const ANNOTATION_BYTES: usize = 16 * 1024;
    /// Bytes of a fingerprint.
    pub const FINGERPRINT_BYTES: usize = 64;
}

/// A form in which alarms are sent. One that is new is a file beside `webhook` and a line here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' Alertmanager. What Grafana sends to the same address is known by its own fields.
    Alertmanager,
    /// Grafana's unified alerting.
    Grafana,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Alertmanager, Self::Grafana];

    /// Its name, as it stands in addresses and in [`Alarm::source`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::new("", format!("there is no alarm format {name:?}")).hint(format!("there are: {known}"))
        })
    }
}

/// The parts of a body: what is good, what is not, and what people should know of the whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parts {
    /// The alarms, in their order.
    pub alarms: Vec<Alarm>,
    /// The alerts that can't be read, in their order.
    pub refused: Vec<Refused>,
    /// Alerts beyond [`limits::ALERTS`]: nobody looked at them.
    pub left_out: usize,
    /// What people should know: alerts are missing, or silenced, or of a version that is not known.
    pub warnings: Vec<String>,
}

/// An alert that can't be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Why not, and where in the body.
    pub error: Error,
    /// The alert as it was sent; its text where it is no JSON.
    pub alert: Value,
}

/// What is wrong with the text of a body and does not show in its value.
#[derive(Debug)]
pub(crate) struct Flaws {
    /// Its alerts that are no JSON; null stands in their places.
    pub(crate) broken: Broken,
    /// Its keys that stand twice.
    pub(crate) twice: Twice,
}

/// Takes a body apart, without knowing the time: an alert whose sender states no status counts as firing, whenever its
/// `endsAt` is. Otherwise as [`read_at`].
///
/// # Errors
///
/// As those of [`read_at`].
pub fn read(format: Format, body: &[u8]) -> Result<Parts, Error> {
    take_apart(format, body, None)
}

/// Takes a body apart that was `received` at that time: an alert whose sender states no status is over if its `endsAt` has
/// passed by then. One bad alert costs the others nothing.
///
/// # Errors
///
/// Where the body as a whole can't be read: it is too large, no JSON, or holds no alerts.
pub fn read_at(format: Format, body: &[u8], received: Received) -> Result<Parts, Error> {
    let received = i64::try_from(received.millis()).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    take_apart(format, body, received)
}

fn take_apart(format: Format, body: &[u8], received: Option<Timestamp>) -> Result<Parts, Error> {
    if body.len() > limits::BODY_BYTES {
        let message = format!("it is {} KiB, more than {}", body.len().div_ceil(1024), limits::BODY_BYTES / 1024);
        return Err(Error::new("", message).hint("set `max_alerts` in the webhook's configuration"));
    }
    // Editors on Windows put a byte order mark in front.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let (body, flaws) = match serde_json::from_slice(body) {
        Ok(read) => (read, Flaws { broken: Broken::new(), twice: Twice::of(body) }),
        Err(error) => match mend::mend(body) {
            Some(mended) => (mended.body, Flaws { broken: mended.broken, twice: Twice::of(&mended.text) }),
            None => return Err(mend::no_json("", &error)),
        },
    };
    match format {
        Format::Alertmanager | Format::Grafana => webhook::parts(format, body, received, flaws),
    }
}
