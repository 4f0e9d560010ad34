//! The one way out for HTTP requests: checks each hop against the grants and sends it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::{Clients, cause, was_private};
use super::rule::line;
use super::{HEADER_BYTES_MAX, HEADERS_MAX};
use crate::address::is_public;
use crate::capability::{Refusals, quoted};
use crate::grants::Granted;
use crate::limits::Limits;

/// Requests of one call that are under way, with responses that are not read to their end.
const REQUESTS_MAX: usize = 16;

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
    /// for it. The head of the response is bounded, its body is not read.
    pub(super) async fn send(&self, letter: Letter) -> Result<Response, Unsent> {
        self.refusals.explain(None);
        let mut way = self.way(&letter.method, &letter.url)?;
        let most = way.redirects;
        let mut left = most;
        let mut letter = letter;
        // Who sent nothing may try again whatever it wanted to send: `sdk/wit` promises these words.
        let mut unconnected = "could not connect: ";
        loop {
            let response = self.hop(&letter, &way, unconnected).await?;
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
            unconnected = "";
        }
    }

    async fn hop(&self, letter: &Letter, way: &Way, unconnected: &str) -> Result<Response, Unsent> {
        let Letter { method, url, headers, body } = letter;
        let client = self.clients.get(way.private, way.ca.as_deref()).await.map_err(Unsent::Failed)?;
        let request = client.request(method.clone(), url.clone()).headers(headers.clone()).body(body.clone());
        // Before it is sent: who waits for it may give up at any time.
        let acts = acts(method);
        if acts {
            self.refusals.acts();
        }
        let response = request.send().await.map_err(|error| {
            let private = was_private(&error);
            if acts && (private || error.is_connect()) {
                self.refusals.came_to_nothing();
            }
            match private {
                true => Unsent::Denied(self.deny_private(method, url)),
                // The URL may have a secret in its query.
                false if error.is_connect() => Unsent::Failed(format!("{unconnected}{}", cause(&error.without_url()))),
                false => Unsent::Failed(cause(&error.without_url())),
            }
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
