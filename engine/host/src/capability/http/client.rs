//! The HTTP clients: one for each set of addresses and certificates that grants allow.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response};
use runwright_core::Digest;
use tokio::task::spawn_blocking;
use tower::util::MapResponseLayer;

use crate::address::is_public;
use crate::regular;

/// How long a connection may take to be there.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// Bytes of a file of certificates.
const CA_BYTES_MAX: usize = 1 << 20;
/// Clients that are kept: certificates that change make new ones.
const CLIENTS_MAX: usize = 64;

/// Finds the addresses of a host by its name.
#[async_trait::async_trait]
pub(crate) trait Lookup: fmt::Debug + Send + Sync + 'static {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the system.
#[derive(Debug, Default)]
struct System;

#[async_trait::async_trait]
impl Lookup for System {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// The HTTP clients of one host. They share nothing between requests but their settings: no connection is kept, no
/// proxy, cookie or redirect is followed.
#[derive(Debug)]
pub(crate) struct Clients {
    lookup: Arc<dyn Lookup>,
    built: Mutex<HashMap<Kind, Client>>,
}

/// What makes clients different.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    private: bool,
    /// The file of certificates, and what it says.
    ca: Option<(PathBuf, Digest)>,
}

impl Default for Clients {
    fn default() -> Self {
        Self::with(Arc::new(System))
    }
}

impl Clients {
    pub(crate) fn with(lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, built: Mutex::default() }
    }

    /// The client for requests that may or may not go to `private` addresses, built when it is first needed: reading
    /// the system's certificates takes milliseconds.
    pub(super) async fn get(&self, private: bool, ca: Option<&Path>) -> Result<Client, String> {
        let pem = match ca {
            Some(path) => Some(certificates(path).await?),
            None => None,
        };
        let kind = Kind { private, ca: ca.zip(pem.as_ref()).map(|(path, pem)| (path.to_owned(), Digest::of(pem))) };
        if let Some(client) = self.built().get(&kind) {
            return Ok(client.clone());
        }
        let client = self.build(private, pem.as_deref())?;
        let mut built = self.built();
        if built.len() >= CLIENTS_MAX {
            built.clear();
        }
        built.insert(kind, client.clone());
        Ok(client)
    }

    fn built(&self) -> std::sync::MutexGuard<'_, HashMap<Kind, Client>> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self, private: bool, pem: Option<&[u8]>) -> Result<Client, String> {
        // An error says that the process has a provider already, which will do.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut client = ClientBuilder::new()
            .no_proxy()
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_MAX)
            .dns_resolver(Checked { private, lookup: Arc::clone(&self.lookup) })
            .connector_layer(MapResponseLayer::new(count))
            .user_agent(concat!("runwright/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = pem {
            let wrong = |why: String| format!("the granted file of certificates cannot be used: {why}");
            let certificates = Certificate::from_pem_bundle(pem).map_err(|error| wrong(error.to_string()))?;
            if certificates.is_empty() {
                return Err(wrong("there is none in it".to_owned()));
            }
            client = client.tls_certs_only(certificates);
        }
        client.build().map_err(|error| format!("the HTTP client could not be set up: {}", cause(&error)))
    }
}

/// The connections that were made for one request and the redirects that it followed. Before the first one is there, with
/// its TLS, nothing was sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<AtomicUsize>);

tokio::task_local! {
    /// Those of the request in hand: the client makes a connection in the task that waits for it.
    static MADE: Connections;
}

impl Connections {
    pub(super) fn number(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Sends the request and counts its connection.
    pub(super) async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        MADE.scope(self.clone(), request.send()).await
    }
}

/// Counts a connection that is there.
fn count<C>(connection: C) -> C {
    // There is no count where a client is only tried out.
    let _ = MADE.try_with(|made| made.0.fetch_add(1, Ordering::Relaxed));
    connection
}

async fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |why: String| format!("the granted file of certificates {} cannot be read: {why}", path.display());
    let file = path.to_owned();
    let read = spawn_blocking(move || regular::read(&file, CA_BYTES_MAX)).await;
    read.map_err(|error| wrong(error.to_string()))?.map_err(|error| wrong(error.to_string()))
}

/// A resolver that, unless `private`, gives public addresses only. As the connection is made to what it gives, a name
/// that resolves to something else a moment later changes nothing.
#[derive(Debug)]
struct Checked {
    private: bool,
    lookup: Arc<dyn Lookup>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (private, lookup) = (self.private, Arc::clone(&self.lookup));
        Box::pin(async move {
            let found = lookup.addresses(name.as_str()).await?;
            let allowed: Vec<SocketAddr> = found
                .iter()
                .filter(|address| private || is_public(**address))
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(PrivateAddress { host: name.as_str().to_owned() }.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// A name that has private addresses only.
#[derive(Debug)]
struct PrivateAddress {
    host: String,
}

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has a private address", self.host)
    }
}

impl std::error::Error for PrivateAddress {}

/// Did the request fail because its host has a private address?
pub(super) fn was_private(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.is::<PrivateAddress>())
}

/// The innermost cause of a failed request: reqwest's own words say no more than which phase it was.
pub(super) fn cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}
