//! The health check: does the VM do its work?

use std::{net::IpAddr, time::Duration};

use runwright_sdk::{Error, ErrorKind, Result};

use crate::head;
use crate::inventory::Vm;

/// How long one check may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How the engine says that nobody at the address took the connection (connect(2)).
const NOT_CONNECTED: [&str; 4] = ["Connection refused", "No route to host", "timed out", "deadline has elapsed"];
/// How it says that a connection ended without an answer, as a port does that QEMU forwards to a port where no program of
/// the guest listens.
const HUNG_UP: [&str; 3] = ["Connection reset", "Connection aborted", "connection closed before message completed"];

/// What a health check gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// The inventory has no URL.
    Unchecked,
    /// Nobody at the address answers, and how that shows.
    NoAnswer(String),
    /// The check itself failed, and why: its name, its certificate, its protocol. That says nothing of the guest.
    Unknown(String),
    /// An answer of this status.
    Status(u16),
}

impl Health {
    /// Asks once.
    pub(crate) fn probe(vm: &Vm) -> Result<Self> {
        let Some(url) = &vm.health else {
            return Ok(Self::Unchecked);
        };
        // Only the status counts, so a page of any size is an answer.
        match head::get(url, std::iter::empty(), TIMEOUT) {
            Ok(response) => Ok(Self::Status(response.status)),
            Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::InvalidInput) => {
                Err(error.context(format!("health check of {}", vm.name)))
            }
            Err(error) => Ok(Self::of_error(&error, url)),
        }
    }

    /// What a failed request means. A power cycle may follow from "nobody answers", so only what is known to be that counts.
    fn of_error(error: &Error, url: &str) -> Self {
        let text = error.to_string();
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        if error.code_text() == Some("http.timed-out") {
            // The time may have gone by while a name server was asked.
            return match is_address(url) {
                true => Self::NoAnswer(text),
                false => Self::Unknown(format!(
                    "{text}; its host is a name, and a name server may be at fault: use an address"
                )),
            };
        }
        let connecting = text.contains("could not connect: ") && says(&NOT_CONNECTED) && is_address(url);
        // Only an address that was found can refuse.
        let refused = text.contains("could not connect: Connection refused");
        if connecting || refused || says(&HUNG_UP) { Self::NoAnswer(text) } else { Self::Unknown(text) }
    }

    /// Whether it answered 2xx.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Status(200..=299))
    }

    /// Whether something answers that is neither good (2xx) nor a failure of its own (5xx): the address is not that of a
    /// health check.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Status(status) if !(200..=299).contains(status) && !(500..=599).contains(status))
    }
}

/// Whether the URL's host is an IP address.
fn is_address(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.parse::<IpAddr>().is_ok()
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unchecked => f.write_str("the inventory has no health check"),
            Self::NoAnswer(why) => write!(f, "the health check got {why}"),
            Self::Unknown(why) => write!(f, "the health check itself failed: {why}"),
            Self::Status(status) => write!(f, "the health check answered {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use runwright_sdk::http;

    use super::*;

    fn of(error: http::Error, url: &str) -> Health {
        Health::of_error(&Error::from(error), url)
    }

    fn failed(why: &str) -> Health {
        of(http::Error::Failed(why.into()), "https://192.0.2.1:8443/health")
    }

    #[test]
    fn only_an_address_where_nobody_answers_is_no_answer() {
        for why in [
            "could not connect: Connection refused (os error 111)",
            "could not connect: No route to host (os error 113)",
            "could not connect: operation timed out",
            "could not connect: deadline has elapsed",
            "Connection reset by peer (os error 104)",
            "connection closed before message completed",
        ] {
            assert!(matches!(failed(why), Health::NoAnswer(_)), "{why}");
        }
        assert!(matches!(of(http::Error::TimedOut, "http://[::1]:80/"), Health::NoAnswer(_)));
    }

    #[test]
    fn a_fault_of_the_check_itself_says_nothing_of_the_guest() {
        for why in [
            "could not connect: invalid peer certificate: UnknownIssuer",
            "could not connect: invalid peer certificate: Expired",
            "could not connect: received corrupt message of type InvalidContentType",
            "could not connect: failed to lookup address information: Name or service not known",
            "could not connect: Network is unreachable (os error 101)",
            "invalid HTTP header parsed",
            // Of a redirect's target: the guest has answered.
            "Connection refused (os error 111)",
            "the granted file of certificates /ca.pem cannot be read: No such file or directory",
        ] {
            let health = failed(why);
            assert!(matches!(&health, Health::Unknown(_)), "{why}");
            assert!(health.to_string().contains(why), "{health}");
        }
        assert!(matches!(of(http::Error::TooLarge, "http://192.0.2.1/"), Health::Unknown(_)));
        // A name server that is silent looks the same as a guest that is.
        assert!(matches!(of(http::Error::TimedOut, "http://web1.example:80/"), Health::Unknown(_)));
    }

    #[test]
    fn only_2xx_is_good_and_only_5xx_is_a_failure_of_the_guest() {
        for (status, good, elsewhere) in
            [(200, true, false), (204, true, false), (301, false, true), (404, false, true), (503, false, false)]
        {
            let health = Health::Status(status);
            assert_eq!((health.is_good(), health.is_elsewhere()), (good, elsewhere), "{status}");
        }
    }
}
