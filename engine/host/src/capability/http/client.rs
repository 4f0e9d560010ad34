//! The HTTP clients: one that reaches public addresses only, one that reaches all.

use std::error::Error as _;
use std::fmt;
use std::net::SocketAddr;
use std::sync::OnceLock;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use crate::address::is_public;

/// The HTTP clients of one host. They share nothing between requests but their settings: no connection is kept, no
/// proxy, cookie or redirect is followed.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    public: OnceLock<Result<Client, String>>,
    any: OnceLock<Result<Client, String>>,
}

impl Clients {
    /// The client for requests that may or may not go to `private` addresses, built when it is first needed: reading
    /// the system's certificates takes milliseconds.
    pub(crate) fn get(&self, private: bool) -> Result<&Client, String> {
        let slot = if private { &self.any } else { &self.public };
        slot.get_or_init(|| build(private)).as_ref().map_err(Clone::clone)
    }
}

fn build(private: bool) -> Result<Client, String> {
    // An error says that the process has a provider already, which will do.
    rustls::crypto::ring::default_provider().install_default().ok();
    ClientBuilder::new()
        .no_proxy()
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .dns_resolver(Checked { private })
        .user_agent(concat!("runwright/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("the HTTP client could not be set up: {error}"))
}

/// The system's resolver; unless `private`, it gives public addresses only. As the connection is made to what it gives,
/// a name that resolves to something else a moment later changes nothing.
struct Checked {
    private: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.iter().copied().filter(|address| private || is_public(address.ip())).collect();
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
pub(crate) fn was_private(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.is::<PrivateAddress>())
}

/// The innermost cause of a failed request: reqwest's own words say no more than which phase it was.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}
