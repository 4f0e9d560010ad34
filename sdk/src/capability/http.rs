//! HTTP requests, granted by method, host, port and path.

use std::{fmt, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{host, millis};
use crate::bindings::runwright::plugin::http as wit;

/// A request to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
}

impl Request {
    /// A request with this method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new(), timeout: None }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// The same with `value` as JSON body, and the header that says so.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `value` has no JSON form.
    pub fn json(self, value: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(self.header("content-type", "application/json").body(bytes))
    }

    /// The same, given up after so long.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Sends it and reads the whole response. As many redirects are followed as the grant says.
    ///
    /// # Errors
    ///
    /// When there is no response; a status like 500 is no error here.
    pub fn send(&self) -> Result<Response, Error> {
        let request = wit::Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            timeout_ms: self.timeout.map(millis),
        };
        match host::http::send(&request) {
            Ok(response) => Ok(Response { status: response.status, headers: response.headers, body: response.body }),
            Err(error) => Err(self.failure(error)),
        }
    }

    fn failure(&self, error: wit::HttpError) -> Error {
        let safe = matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let unsent = |why: &str| why.starts_with("could not connect: ");
        let answered = |why: &str| why.strip_prefix("answered ")?.split_once(',')?.0.parse().ok();
        match error {
            wit::HttpError::Denied(why) => Error::Denied(why),
            wit::HttpError::Invalid(why) => Error::Invalid(why),
            wit::HttpError::TooLarge => Error::TooLarge,
            wit::HttpError::TimedOut if safe => Error::TimedOut,
            wit::HttpError::Failed(why) if safe || unsent(&why) => Error::Failed(why),
            wit::HttpError::TimedOut => Error::Lost("no answer in time".into()),
            wit::HttpError::Failed(why) => match answered(&why) {
                Some(status) => Error::BrokenOff { status, why },
                None => Error::Lost(why),
            },
        }
    }
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, for example 200.
    pub status: u16,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, which may be written in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// serde's, when it does not fit `T`.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// It is not granted; the text names what is missing.
    Denied(String),
    /// The request is not valid.
    Invalid(String),
    /// The response is larger than the grant allows.
    TooLarge,
    /// No answer in time, to a request that changes nothing.
    TimedOut,
    /// No answer, to a request that changes nothing or was never sent.
    Failed(String),
    /// An answer that broke off, to a request that may have done its work: its status is known.
    BrokenOff {
        /// The status, for example 200.
        status: u16,
        /// For people: the status, and how it broke off.
        why: String,
    },
    /// No answer to a request that may have arrived and done its work.
    Lost(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "the request is not granted: {why}"),
            Self::Invalid(why) => write!(f, "the request is not valid: {why}"),
            Self::TooLarge => f.write_str("the response is too large"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Failed(why) if why.starts_with("answered ") => f.write_str(why),
            Self::Failed(why) => write!(f, "no answer: {why}"),
            Self::BrokenOff { why, .. } => write!(f, "the request arrived: it was {why}"),
            Self::Lost(why) => write!(f, "no answer, and the request may have arrived: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Denied(_) => Self::denied(text).code("http.denied"),
            Error::Invalid(_) => Self::invalid_input(text).code("http.invalid"),
            Error::TooLarge => Self::partial(text).code("http.too-large"),
            Error::TimedOut => Self::transient(text).code("http.timed-out"),
            Error::Failed(_) => Self::transient(text).code("http.failed"),
            // It arrived, so there is nothing to find out, only what its status says of it.
            Error::BrokenOff { .. } => Self::partial(text).code("http.broken-off"),
            Error::Lost(_) => Self::unknown_outcome(text).code("http.lost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn what_remains_of_a_failed_request_is_known_where_the_host_knows() {
        let kind = |method: &str, why: &str| {
            let error = Request::new(method, "http://x/").failure(wit::HttpError::Failed(why.into()));
            crate::Error::from(error).kind()
        };
        for (why, post) in [
            ("could not connect: no answer in time", ErrorKind::Transient),
            ("answered 201, and broke off: reset", ErrorKind::Partial),
            ("connection closed before message completed", ErrorKind::UnknownOutcome),
            ("answered in tongues, and broke off", ErrorKind::UnknownOutcome),
        ] {
            assert_eq!((kind("POST", why), kind("GET", why)), (post, ErrorKind::Transient), "{why}");
        }
    }
}
