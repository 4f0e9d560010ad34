//! The health check: does the VM do its work?

use std::time::Duration;

use runwright_sdk::{ErrorKind, Result};

use crate::head;
use crate::inventory::Vm;

/// How long one check may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a health check gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// The inventory has no URL.
    Unchecked,
    /// No answer, and why.
    NoAnswer(String),
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
            Err(error) => Ok(Self::NoAnswer(error.to_string())),
        }
    }

    /// Whether it answered 2xx.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Status(200..=299))
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unchecked => f.write_str("the inventory has no health check"),
            Self::NoAnswer(why) => write!(f, "the health check got {why}"),
            Self::Status(status) => write!(f, "the health check answered {status}"),
        }
    }
}
