//! `http`: requests to granted places. No redirect is followed, and the address that was checked is the one that is
//! connected to.

mod client;
mod rule;

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

pub(crate) use client::Clients;
use client::{cause, was_private};
pub(crate) use rule::Rule;
use rule::line;

use super::quoted;
use crate::address::is_public;
use crate::bindings::http::{self, HttpError, Request, Response};
use crate::ending::End;
use crate::limits::Limits;
use crate::state::State;

/// Header lines of a request or response.
const HEADERS_MAX: usize = 128;
/// Bytes of all header lines of a request.
const HEADER_BYTES_MAX: usize = 64 * 1024;

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
        let (method, url, headers) = parse(&request)?;
        if request.body.len() > self.limits.body_bytes {
            return Err(HttpError::TooLarge);
        }
        let private = self.allow(&method, &url)?;
        let client = self.clients.get(private).map_err(HttpError::Failed)?;
        let sent = client.request(method.clone(), url.clone()).headers(headers).body(request.body).send();
        let limits = &self.limits;
        let exchange = async { Ok(receive(sent.await?, limits).await) };
        let timeout = request.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        match self.ending.within(timeout, exchange).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if was_private(&error) => Err(HttpError::Denied(self.deny_private(method.as_str(), &url))),
            // Who sent nothing may try again whatever it wanted to send: `sdk/wit` promises these words.
            Ok(Err(error)) if error.is_connect() => {
                Err(HttpError::Failed(format!("could not connect: {}", cause(&error))))
            }
            Ok(Err(error)) => Err(HttpError::Failed(cause(&error))),
            Err(End::Deadline | End::Timeout | End::Cancelled) => Err(HttpError::TimedOut),
        }
    }

    /// Whether the request may go to a private address, if it may go at all.
    fn allow(&mut self, method: &Method, url: &Url) -> Result<bool, HttpError> {
        let method = method.as_str();
        let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        let own = literal.is_some_and(|address| !is_public(address));
        let rules = self.grants.http.iter().filter(|rule| rule.allows(method, url));
        let (allowed, private) = rules.fold((false, false), |(_, private), rule| (true, private || rule.private));
        if !allowed {
            let what = format!("{method} {}", shown(url));
            return Err(HttpError::Denied(self.deny(&what, &line(method, url, own))));
        }
        if own && !private {
            return Err(HttpError::Denied(self.deny_private(method, url)));
        }
        if self.read_only && method != "GET" && method != "HEAD" {
            return Err(HttpError::Denied(self.deny_in_plan(&format!("{method} {}", shown(url)), None)));
        }
        Ok(private)
    }

    fn deny_private(&mut self, method: &str, url: &Url) -> String {
        let what = format!("{method} {} at its private address", shown(url));
        self.deny(&what, &line(method, url, true))
    }
}

/// The URL without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    quoted(shown.as_str())
}

fn parse(request: &Request) -> Result<(Method, Url, HeaderMap), HttpError> {
    let invalid = |what: String| HttpError::Invalid(what);
    let plain = !request.method.is_empty() && request.method.bytes().all(|byte| byte.is_ascii_uppercase());
    let method =
        Method::from_bytes(request.method.as_bytes()).ok().filter(|method| plain && *method != Method::CONNECT);
    let method =
        method.ok_or_else(|| invalid(format!("{:?} is not a method", super::log::cut(&request.method, 80))))?;
    let url = Url::parse(&request.url).map_err(|error| invalid(format!("this is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid("a URL begins with http:// or https:// and a host".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("a user and password go into the header `authorization`, not into the URL".to_owned()));
    }
    let bytes: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if request.headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(HttpError::TooLarge);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let wrong = || invalid(format!("the header {:?} is malformed", super::log::cut(name, 80)));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(invalid(format!("the header {:?} is the engine's to set", name.as_str())));
        }
        headers.append(name.clone(), HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    Ok((method, url, headers))
}

async fn receive(mut response: reqwest::Response, limits: &Limits) -> Result<Response, HttpError> {
    let status = response.status().as_u16();
    if response.headers().len() > HEADERS_MAX {
        return Err(HttpError::TooLarge);
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| HttpError::Failed(cause(&error)))? {
        if body.len() + chunk.len() > limits.body_bytes {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status, headers, body })
}

#[cfg(test)]
mod tests;
