//! `http`: requests to granted places, through the small interface of `sdk/wit` and through `wasi:http`. Every hop is
//! checked, and the address that was checked is the one that is connected to.

mod client;
mod courier;
mod outgoing;
mod rule;

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};

pub(crate) use client::Clients;
#[cfg(test)]
use client::Lookup;
use client::{Connections, cause};
pub(crate) use courier::Courier;
use courier::{Letter, UNCONNECTED, Unsent};
pub(crate) use outgoing::Outgoing;
pub(crate) use rule::Rule;

use crate::bindings::http::{self, HttpError, Request, Response};
use crate::ending::End;
use crate::limits::{Limits, size};
use crate::state::State;

/// Header lines of a request or response.
const HEADERS_MAX: usize = 128;
/// Bytes of all header lines of a request or response.
pub(crate) const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Headers that say where a request goes and how it is framed: the host's own.
const OWN_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

impl http::Host for State {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, HttpError>> {
        Ok(self.send(request).await)
    }
}

impl State {
    async fn send(&mut self, request: Request) -> Result<Response, HttpError> {
        let timeout = request.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        if request.body.len() > self.limits.body_bytes {
            let (bytes, limit) = (size(request.body.len()), size(self.limits.body_bytes));
            let raise = "raise body-bytes under [limits] in runwright.toml if it should";
            let why = format!("its body has {bytes}, and at most {limit} are sent; {raise}");
            return Err(HttpError::Invalid(self.refusals.invalid(&why)));
        }
        let letter = parse(request).map_err(|why| HttpError::Invalid(self.refusals.invalid(&why)))?;
        let (made, method, answered) = (Connections::default(), letter.method.clone(), OnceLock::new());
        let exchange = async {
            let response = self.courier.send(letter, &made).await?;
            let _ = answered.set(response.status());
            receive(response, &self.limits).await
        };
        match self.ending.within(timeout, exchange).await {
            Ok(response) => response,
            Err(End::Unbegun) => Err(HttpError::Failed(format!("{UNCONNECTED}{}", self.refusals.late("it was sent")))),
            Err(End::Deadline | End::Timeout | End::Cancelled) => Err(match answered.get() {
                Some(status) => broken_off(*status, "the rest did not come in time"),
                None => self.courier.gave_up(&method, &made).map_or(HttpError::TimedOut, HttpError::Failed),
            }),
        }
    }
}

impl From<Unsent> for HttpError {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Denied(why) => Self::Denied(why),
            Unsent::TooLarge => Self::TooLarge,
            Unsent::Failed(why) => Self::Failed(why),
        }
    }
}

/// A method and a URL that can be compared with grants; an error says what is wrong.
fn checked(method: &str, url: &str) -> Result<(Method, Url), String> {
    let plain = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let known = Method::from_bytes(method.as_bytes()).ok().filter(|method| plain && *method != Method::CONNECT);
    let method = known.ok_or_else(|| format!("{:?} is not a method", crate::said::cut(method, 80)))?;
    let url = Url::parse(url).map_err(|error| format!("this is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("a URL begins with http:// or https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user and password go into the header `authorization`, not into the URL".to_owned());
    }
    Ok((method, url))
}

/// The request with its parts well-formed; an error says what is wrong.
fn parse(request: Request) -> Result<Letter, String> {
    let (method, url) = checked(&request.method, &request.url)?;
    let bytes: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if request.headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        let most = size(HEADER_BYTES_MAX);
        return Err(format!("at most {HEADERS_MAX} header lines of {most} together are sent"));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let wrong = || format!("the header {:?} is malformed", crate::said::cut(name, 80));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(format!("the header {:?} is the engine's to set", name.as_str()));
        }
        headers.append(name.clone(), HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    Ok(Letter { method, url, headers, body: request.body.into() })
}

/// An answer that began and did not come to its end: what its status says is known. `sdk/wit` promises these words.
fn broken_off(status: StatusCode, why: &str) -> HttpError {
    HttpError::Failed(format!("answered {}, and broke off: {why}", status.as_u16()))
}

async fn receive(mut response: reqwest::Response, limits: &Limits) -> Result<Response, HttpError> {
    let status = response.status();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken_off(status, &cause(&error)))? {
        if body.len() + chunk.len() > limits.body_bytes {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status: status.as_u16(), headers, body })
}

#[cfg(test)]
mod tests;
