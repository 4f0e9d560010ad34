//! Reads and checks URLs.

mod check;
mod get;
mod head;

use std::collections::BTreeMap;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Action, Error, Plugin, Result, Span, http};
use serde::Deserialize;
use serde_json::json;

/// A GET request.
#[derive(Deserialize, JsonSchema)]
struct Ask {
    /// The URL: http or https.
    #[schemars(example = &"http://10.0.0.7:8080/health")]
    url: String,
    /// Headers to send. No secrets: they would stand in the journal.
    #[serde(default)]
    #[schemars(example = json!({"accept": "application/json"}))]
    headers: BTreeMap<String, String>,
    /// How long to wait for the answer.
    #[serde(default = "ten_seconds")]
    #[schemars(example = json!("10s"))]
    timeout: Span,
}

fn ten_seconds() -> Span {
    Span::seconds(10)
}

impl Ask {
    /// Reads the whole answer.
    fn send(&self) -> Result<http::Response> {
        let start = http::Request::get(&self.url).timeout(self.timeout.into());
        let request = self.headers().fold(start, |request, (name, value)| request.header(name, value));
        let response = request.send().map_err(|error| self.failed(error.into()))?;
        match encoding(&response) {
            None => Ok(response),
            Some(encoding) => Err(self.failed(
                Error::permanent(format!("the body has content-encoding: {encoding}, which is not decoded"))
                    .code("http.encoding"),
            )),
        }
    }

    /// Reads no body, so that it may be of any size and encoding.
    fn send_for_head(&self) -> Result<http::Response> {
        head::get(&self.url, self.headers(), self.timeout.into()).map_err(|error| self.failed(error))
    }

    /// What is sent: unless the step says otherwise, a body as it is.
    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let said = self.headers.keys().any(|name| name.eq_ignore_ascii_case("accept-encoding"));
        let plain = (!said).then_some(("accept-encoding", "identity"));
        plain.into_iter().chain(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    fn failed(&self, error: Error) -> Error {
        error.context(format!("GET {}", self.url))
    }
}

/// How the body is encoded, if it is: it can't be read then.
fn encoding(response: &http::Response) -> Option<&str> {
    let encoding = response.header("content-encoding")?.trim();
    (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") && !response.body.is_empty())
        .then_some(encoding)
}

fn plugin() -> Plugin {
    Plugin::new("http", env!("CARGO_PKG_VERSION"), "Reads and checks URLs")
        .action(Action::read("get", "Reads a URL; an answer of any status is a success", get::run))
        .action(Action::read("check", "Fails, to be tried again, unless a URL answers as expected", check::run))
}

runwright_sdk::export!(plugin);

#[cfg(test)]
mod tests {
    use runwright_sdk::{Context, ErrorKind, http::Response};

    #[test]
    fn a_body_that_is_encoded_is_known_by_its_header() {
        let encoding = |header: &str, body: &[u8]| {
            let headers = vec![("Content-Encoding".to_owned(), header.to_owned())];
            super::encoding(&Response { status: 200, headers, body: body.into() }).map(str::to_owned)
        };
        assert_eq!(encoding("gzip", b"\x1f\x8b").as_deref(), Some("gzip"));
        assert_eq!((encoding("identity", b"x"), encoding("", b"x"), encoding("gzip", b"")), (None, None, None));
    }

    #[test]
    fn a_plain_body_is_asked_for_unless_the_step_says_otherwise() {
        let ask = |headers: &str| -> super::Ask {
            serde_json::from_str(&format!(r#"{{"url": "http://x/", "headers": {headers}}}"#)).unwrap()
        };
        assert_eq!(ask("{}").headers().collect::<Vec<_>>(), [("accept-encoding", "identity")]);
        assert_eq!(ask(r#"{"Accept-Encoding": "br"}"#).headers().count(), 1);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let context = Context::new("run", "step", "key");
        let error = super::plugin().run("check", r#"{"url":"http://x","colour":"red"}"#, &context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("colour"), "{error}");
        let error = super::plugin().run("get", r#"{"url":"http://x","status":[200]}"#, &context).unwrap_err();
        assert!(error.to_string().contains("status"), "{error}");
    }
}
