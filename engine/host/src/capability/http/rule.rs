//! The allow-list of HTTP requests.

use std::path::PathBuf;

use reqwest::Url;

use crate::capability::quoted;
use crate::grants::HttpGrant;

/// An [`HttpGrant`] taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// None: any.
    method: Option<String>,
    scheme: String,
    host: String,
    /// None: any.
    port: Option<u16>,
    path: String,
    /// The path may go on after `path`.
    open: bool,
    /// Whether the host may have a private address.
    pub(super) private: bool,
    pub(super) redirects: u8,
    pub(super) ca: Option<PathBuf>,
}

/// Redirects that a grant may allow to be followed.
const REDIRECTS_MAX: u8 = 10;

impl Rule {
    /// The rule that the grant means, or what is wrong with it.
    pub(crate) fn new(grant: &HttpGrant) -> Result<Self, String> {
        let HttpGrant { method, url, private, redirects, ca } = grant;
        let wrong = |why: &str| format!("the granted URL {url:?} {why}");
        if method != "*" && (method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase())) {
            return Err(format!("the granted method {method:?} must be in capitals, or `*`"));
        }
        if *redirects > REDIRECTS_MAX {
            return Err(wrong(&format!("may follow at most {REDIRECTS_MAX} redirects")));
        }
        if ca.as_ref().is_some_and(|ca| !ca.is_absolute()) {
            return Err(wrong("must name its file of certificates by an absolute path"));
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("must be scheme://host:port/path"))?;
        if scheme != "http" && scheme != "https" {
            return Err(wrong("must begin with http:// or https://"));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => return Err(wrong("must name a path; for every path it ends in `/*`")),
        };
        let (host, any_port) = match authority.strip_suffix(":*") {
            Some(host) => (host, true),
            None => (authority, false),
        };
        let (path, open) = match path.strip_suffix('*') {
            Some(path) => (path, true),
            None => (path, false),
        };
        if host.is_empty() {
            return Err(wrong("must name a host"));
        }
        if host.contains('*') || path.contains('*') {
            return Err(wrong("may have `*` for its port and at the end of its path only"));
        }
        // The parser that will read the requests also reads this, so that both are spelled alike.
        let parsed =
            Url::parse(&format!("{scheme}://{host}{path}")).map_err(|error| wrong(&format!("is none: {error}")))?;
        if !parsed.username().is_empty()
            || parsed.password().is_some()
            || parsed.query().is_some()
            || parsed.fragment().is_some()
        {
            return Err(wrong("must not have a user, a query or a fragment"));
        }
        Ok(Self {
            method: (method != "*").then(|| method.clone()),
            scheme: scheme.to_owned(),
            host: parsed.host_str().unwrap_or_default().to_owned(),
            port: if any_port { None } else { parsed.port_or_known_default() },
            path: parsed.path().to_owned(),
            open,
            private: *private,
            redirects: *redirects,
            ca: ca.clone(),
        })
    }

    /// Does the rule allow this request?
    pub(crate) fn allows(&self, method: &str, url: &Url) -> bool {
        self.method.as_deref().is_none_or(|own| own == method)
            && self.scheme == url.scheme()
            && url.host_str() == Some(&self.host)
            && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
            && self.allows_path(url.path())
    }

    fn allows_path(&self, path: &str) -> bool {
        if !self.open {
            return path == self.path;
        }
        path.strip_prefix(&self.path).is_some_and(|rest| !climbs(rest))
    }
}

/// Could a server that decodes `path` once more read a `..` in it?
fn climbs(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    path.contains("%25") || path.split('/').any(|part| part == "..")
}

/// The line that would allow this request and nothing else.
pub(crate) fn line(method: &str, url: &Url, private: bool) -> String {
    let mut plain = url.clone();
    plain.set_query(None);
    plain.set_fragment(None);
    let private = if private { ", private = true" } else { "" };
    format!("http = [{{ method = {}, url = {}{private} }}]", quoted(method), quoted(plain.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(method: &str, url: &str) -> Result<Rule, String> {
        Rule::new(&HttpGrant { method: method.to_owned(), url: url.to_owned(), private: false, redirects: 0, ca: None })
    }

    fn allows(granted: &str, asked: &str) -> bool {
        rule("GET", granted).unwrap().allows("GET", &Url::parse(asked).unwrap())
    }

    #[test]
    fn a_request_is_compared_part_by_part() {
        assert!(allows("http://127.0.0.1:*/cgi-bin/health", "http://127.0.0.1:8080/cgi-bin/health"));
        assert!(allows("http://127.0.0.1:*/x", "http://0x7f.1/x?query=free"));
        assert!(allows("https://Example.org/api/*", "https://example.org:443/api/v1/x"));
        assert!(allows("https://example.org/*", "https://example.org"));
        assert!(allows("http://[::1]:80/", "http://[0:0::1]/"));
        for (granted, asked) in [
            ("http://127.0.0.1:*/x", "http://127.0.0.2/x"),
            ("http://h:80/x", "http://h:81/x"),
            ("http://h/x", "https://h/x"),
            ("http://h/x", "http://h/x/"),
            ("http://h/x", "http://h.evil/x"),
            ("http://h/*", "http://h@evil/"),
            ("http://h/api/*", "http://h/api/../admin"),
            ("http://h/api/*", "http://h/api/%2e%2e/admin"),
            ("http://h/api/*", "http://h/api/..%2fadmin"),
            ("http://h/api/*", "http://h/api/..%5cadmin"),
            ("http://h/api/*", "http://h/api/%252e%252e%252fadmin"),
            ("http://h/api/*", "http://h/apix"),
        ] {
            assert!(!allows(granted, asked), "{granted} {asked}");
        }
        assert!(!rule("GET", "http://h/x").unwrap().allows("POST", &Url::parse("http://h/x").unwrap()));
        assert!(rule("*", "http://h/x").unwrap().allows("POST", &Url::parse("http://h/x").unwrap()));
    }

    #[test]
    fn a_vague_grant_is_refused() {
        for wrong in [
            "h/x",
            "ftp://h/x",
            "http://h",
            "http://*/x",
            "http://*.h/x",
            "http://u@h/x",
            "http://h/a*b",
            "http:///x",
            "http://h/?q",
        ] {
            assert!(rule("GET", wrong).is_err(), "{wrong}: {:?}", rule("GET", wrong));
        }
        assert!(rule("get", "http://h/x").is_err());
        for wrong in ["redirects = 11", "ca = 'here.pem'"] {
            let grant = toml::from_str(&format!("method = 'GET'\nurl = 'https://h/x'\n{wrong}")).unwrap();
            assert!(Rule::new(&grant).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_line_that_would_allow_it_does() {
        let url = Url::parse("http://10.0.0.1:8080/a?token=x").unwrap();
        assert_eq!(
            line("PUT", &url, true),
            r#"http = [{ method = "PUT", url = "http://10.0.0.1:8080/a", private = true }]"#
        );
    }
}
