//! `host_of`: the host in the text that monitoring has for a machine or a service.

use std::net::Ipv6Addr;

use rhai::{Dynamic, EvalAltResult};

use crate::functions::Fallible;

/// Adds `host_of(text)`.
pub(crate) fn register(engine: &mut rhai::Engine) {
    engine.register_fn("host_of", |text: &str| -> Fallible<Dynamic> {
        match host_of(text) {
            // A label that an alarm lacks is empty, and so is its host.
            None if text.is_empty() => Ok(text.to_owned().into()),
            Some(host) => Ok(host.to_owned().into()),
            None => {
                let shown: String = text.chars().take(100).collect();
                Err(EvalAltResult::ErrorRuntime(
                    format!("there is no host in {shown:?}: expected a name or an address, with a port or as a URL")
                        .into(),
                    rhai::Position::NONE,
                )
                .into())
            }
        }
    });
}

/// The name or address in `host`, `host:port`, `[v6]:port` or a URL; none for anything else, and for names that a program
/// could take for an option.
fn host_of(text: &str) -> Option<&str> {
    let authority = match text.split_once("://") {
        Some((scheme, rest))
            if !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) =>
        {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            authority.rsplit('@').next().unwrap_or_default()
        }
        Some(_) => return None,
        None => text,
    };
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let port_is_right = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return (port_is_right && address.parse::<Ipv6Addr>().is_ok()).then_some(address);
    }
    if authority.parse::<Ipv6Addr>().is_ok() {
        return Some(authority);
    }
    let host = match authority.split_once(':') {
        Some((host, port)) => is_port(port).then_some(host)?,
        None => authority,
    };
    is_name(host).then_some(host)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found_in_every_usual_form() {
        for (text, host) in [
            ("web-1.example.org:9100", "web-1.example.org"),
            ("web-3", "web-3"),
            ("10.0.0.1:22", "10.0.0.1"),
            ("[2001:db8::1]:9100", "2001:db8::1"),
            ("[::1]", "::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("https://shop.example.org:8443/health?x=1", "shop.example.org"),
            ("http://user:pass@db_1/", "db_1"),
            ("http://[2001:db8::2]:80/x", "2001:db8::2"),
            ("ssh://a.b#c", "a.b"),
        ] {
            assert_eq!(host_of(text), Some(host), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ":9100",
            "-oProxyCommand=x:9100",
            "-oProxyCommand",
            "http://-x/",
            "[-x]:1",
            "[2001:db8::1",
            "[2001:db8::1]9100",
            "2001:db8::1:port",
            "a:b",
            "a:70000",
            "a:",
            "a:+1",
            "a b",
            "a/b",
            "a;b",
            "a\n",
            "$(id)",
            ".a",
            "://a",
            "x y://a",
            "http://",
            "http://a@",
            "rést",
            &"a".repeat(254),
        ] {
            assert_eq!(host_of(text), None, "{text}");
        }
        assert!(host_of(&"a".repeat(253)).is_some());
    }
}
