//! The one way out for HTTP requests: checks each hop against the grants and sends it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::{Clients, Connections, cause, was_private};
use super::rule::line;
use super::{HEADER_BYTES_MAX, HEADERS_MAX};
use crate::address::is_public;
use crate::capability::{Refusals, quoted};
use crate::grants::Granted;
use crate::limits::Limits;

/// Requests of one call that are under way, with responses that are not read to their end.
const REQUESTS_MAX: usize = 16;

/// What the failure of a request begins with that was not sent, so that it may be tried again whatever it would have done:
/// `sdk/wit` promises these words.
pub(super) const UNCONNECTED: &str = "could not connect: ";

/// Headers that go along when a redirect leads to another server. All others may be meant for the first one only.
const PLAIN_HEADERS: [&str; 8] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "content-language",
    "content-type",
    "range",
    "user-agent",
];

/// A request whose parts are well-formed.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum Unsent {
    Denied(String),
    TooLarge,
    Failed(String),
}

/// What the grants say of one hop.
#[derive(Debug, Default)]
struct Way {
    private: bool,
    redirects: u8,
    ca: Option<PathBuf>,
}

/// Sends the requests of one call.
#[derive(Clone)]
pub(crate) struct Courier {
    grants: Arc<Granted>,
    pub(super) read_only: bool,
    pub(super) refusals: Refusals,
    clients: Arc<Clients>,
    pub(super) limits: Arc<Limits>,
    /// The requests that may be under way.
    turns: Arc<Semaphore>,
}

impl Courier {
    pub(crate) fn new(
        grants: &Arc<Granted>,
        read_only: bool,
        refusals: &Refusals,
        limits: &Arc<Limits>,
        clients: &Arc<Clients>,
    ) -> Self {
        Self {
            grants: Arc::clone(grants),
            read_only,
            refusals: refusals.clone(),
            clients: Arc::clone(clients),
            limits: Arc::clone(limits),
            turns: Arc::new(Semaphore::new(REQUESTS_MAX)),
        }
    }

    /// A place among the requests of this call, until it is dropped.
    pub(super) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// Sends `letter` and follows as many redirects as its grant says; every hop is checked as if the plugin had asked
    /// for it. The head of the response is bounded, its body is not read. Whoever gives up waiting knows by `made` whether
    /// anything was sent.
    pub(super) async fn send(&self, letter: Letter, made: &Connections) -> Result<Response, Unsent> {
        self.refusals.explain(None);
        let mut way = self.way(&letter.method, &letter.url)?;
        let most = way.redirects;
        let mut left = most;
        let mut letter = letter;
        loop {
            let response = self.hop(&letter, &way, made).await?;
            let Some(next) = next(&letter, &response) else { return Ok(response) };
            if left == 0 {
                let to = shown(&next.url);
                self.refusals.explain(match most {
                    0 => format!("it redirects to {to}, and its grant follows no redirects"),
                    most => format!("still a redirect after {most}"),
                });
                return Ok(response);
            }
            left -= 1;
            way = self.way(&next.method, &next.url)?;
            letter = next;
        }
    }

    /// What is told of a call that gave up waiting for its first answer: none of it was sent if no connection was `made`.
    pub(super) fn gave_up(&self, method: &Method, made: &Connections) -> Option<String> {
        let is_unsent = made.number() == 0;
        if is_unsent && acts(method) {
            self.refusals.came_to_nothing();
        }
        is_unsent.then(|| format!("{UNCONNECTED}no answer in time"))
    }

    async fn hop(&self, letter: &Letter, way: &Way, made: &Connections) -> Result<Response, Unsent> {
        let Letter { method, url, headers, body } = letter;
        let before = made.number();
        let acts = acts(method);
        if acts {
            // Before it is sent: who waits for it may give up at any time.
            self.refusals.acts();
        }
        let failed = |why: String| {
            if acts && made.number() == before {
                self.refusals.came_to_nothing();
            }
            Unsent::Failed(if made.number() == 0 { format!("{UNCONNECTED}{why}") } else { why })
        };
        let client = self.clients.get(way.private, way.ca.as_deref()).await.map_err(failed)?;
        let request = client.request(method.clone(), url.clone()).headers(headers.clone()).body(body.clone());
        let response = made.send(request).await.map_err(|error| {
            let private = was_private(&error);
            // The URL may have a secret in its query.
            let failed = failed(cause(&error.without_url()));
            if private { Unsent::Denied(self.deny_private(method, url)) } else { failed }
        })?;
        let headers = response.headers();
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX { Err(Unsent::TooLarge) } else { Ok(response) }
    }

    /// How the request may be sent, if it may.
    fn way(&self, method: &Method, url: &Url) -> Result<Way, Unsent> {
        let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        let own = literal.is_some_and(|address| !is_public(address));
        let mut found: Option<Way> = None;
        for rule in self.grants.http.iter().filter(|rule| rule.allows(method.as_str(), url)) {
            let way = found.get_or_insert_default();
            way.private |= rule.private;
            way.redirects = way.redirects.max(rule.redirects);
            way.ca = way.ca.take().or_else(|| rule.ca.clone());
        }
        let Some(way) = found else {
            let what = format!("{method} {}", shown(url));
            return Err(Unsent::Denied(self.refusals.deny(&what, &line(method.as_str(), url, own))));
        };
        if own && !way.private {
            return Err(Unsent::Denied(self.deny_private(method, url)));
        }
        if self.read_only && acts(method) {
            return Err(Unsent::Denied(self.refusals.deny_in_plan(&format!("{method} {}", shown(url)), None)));
        }
        Ok(way)
    }

    fn deny_private(&self, method: &Method, url: &Url) -> String {
        let what = format!("{method} {} at its private address", shown(url));
        self.refusals.deny(&what, &line(method.as_str(), url, true))
    }
}

/// May a request by this method change something?
fn acts(method: &Method) -> bool {
    method != Method::GET && method != Method::HEAD
}

/// The URL without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    quoted(shown.as_str())
}

/// Where a redirect leads (RFC 9110, 15.4); none, if it is no redirect.
fn next(letter: &Letter, response: &Response) -> Option<Letter> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let url = letter.url.join(location).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let mut next = Letter { url, ..letter.clone() };
    let as_get = match response.status() {
        StatusCode::SEE_OTHER => next.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => next.method == Method::POST,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return None,
    };
    if as_get {
        next.method = Method::GET;
        next.body = Bytes::new();
        next.headers.remove("content-type");
    }
    if next.url.origin() != letter.url.origin() {
        let foreign: Vec<HeaderName> =
            next.headers.keys().filter(|name| !PLAIN_HEADERS.contains(&name.as_str())).cloned().collect();
        foreign.iter().for_each(|name| drop(next.headers.remove(name)));
    }
    Some(next)
}
