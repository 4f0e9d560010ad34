//! Reads and checks URLs.

mod check;
mod get;

use std::collections::BTreeMap;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Action, Plugin, Result, Span, http};
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
    fn send(&self) -> Result<http::Response> {
        let start = http::Request::get(&self.url).timeout(self.timeout.into());
        let request = self.headers.iter().fold(start, |request, (name, value)| request.header(name, value));
        request.send().map_err(|error| runwright_sdk::Error::from(error).context(format!("GET {}", self.url)))
    }
}

fn plugin() -> Plugin {
    Plugin::new("http", env!("CARGO_PKG_VERSION"), "Reads and checks URLs")
        .action(Action::read("get", "Reads a URL; an answer of any status is a success", get::run))
        .action(Action::read("check", "Fails, to be tried again, unless a URL answers as expected", check::run))
}

runwright_sdk::export!(plugin);

#[cfg(test)]
mod tests {
    use runwright_sdk::{Context, ErrorKind};

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
