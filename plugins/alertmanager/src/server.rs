//! The Alertmanager that the operator configured, and how it is asked.
//!
//! ```yaml
//! url: http://127.0.0.1:9093     # without /api/v2; a route prefix belongs to it
//! authorization: alertmanager    # optional: the secret that is the whole header, for example `Bearer …`
//! ```

use std::time::Duration;

use runwright_sdk::{Context, Error, Result, http, secrets};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// One request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Characters of an answer that an error repeats.
const SHOWN_MAX: usize = 300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    authorization: Option<String>,
}

/// An Alertmanager.
pub(crate) struct Server {
    url: String,
    authorization: Option<secrets::Secret>,
}

impl Server {
    /// The one of the configuration.
    pub(crate) fn of(context: &Context) -> Result<Self> {
        let config: Config = context.config()?;
        let authorization = config.authorization.as_deref().map(secrets::get).transpose()?;
        Ok(Self { url: format!("{}/api/v2", config.url.trim_end_matches('/')), authorization })
    }

    /// Reads what lies at `path` with these query parameters.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T> {
        let mut url = format!("{}{path}", self.url);
        for (index, (name, value)) in query.iter().enumerate() {
            url += if index == 0 { "?" } else { "&" };
            url += &format!("{name}={}", encode(value));
        }
        read(&self.send(http::Request::get(url), &format!("GET {path}"))?)
    }

    /// Sends `body`; what the server says to it.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let request = http::Request::post(format!("{}{path}", self.url)).json(body)?;
        read(&self.send(request, &format!("POST {path}"))?)
    }

    /// Deletes what lies at `path`.
    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        let request = http::Request::new("DELETE", format!("{}{path}", self.url));
        self.send(request, &format!("DELETE {path}")).map(drop)
    }

    fn send(&self, request: http::Request, what: &str) -> Result<http::Response> {
        let request = match &self.authorization {
            Some(secret) => request.header("authorization", secret.expose()),
            None => request,
        };
        let sent = request.timeout(TIMEOUT).send();
        let response = sent.map_err(|error| Error::from(error).context(format!("the Alertmanager, {what}")))?;
        judge(response).map_err(|error| error.context(format!("the Alertmanager, {what}")))
    }
}

/// An answer that is none of success says that nothing was done: the API changes one silence per request, or none.
fn judge(response: http::Response) -> Result<http::Response> {
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(response);
    }
    let said: String = response.text().trim().chars().take(SHOWN_MAX).collect();
    let message = if said.is_empty() { format!("status {status}") } else { format!("status {status}: {said}") };
    let error = match status {
        400 | 422 => Error::invalid_input(message),
        408 | 429 | 500..=599 => Error::transient(message),
        401 | 403 => Error::permanent(format!("{message}; is the secret in `authorization` right?")),
        _ => Error::permanent(message),
    };
    Err(error.code(format!("alertmanager.{status}")))
}

fn read<T: DeserializeOwned>(response: &http::Response) -> Result<T> {
    let unexpected = |error| format!("the Alertmanager answered what is not expected: {error}");
    response.json().map_err(|error| Error::permanent(unexpected(error)).code("alertmanager.answer"))
}

/// Percent-encodes what is not unreserved (RFC 3986, 2.3).
fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use runwright_sdk::ErrorKind;

    use super::*;

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(encode("a=\"ü &\"~"), "a%3D%22%C3%BC%20%26%22~");
    }

    #[test]
    fn a_status_says_what_may_help() {
        let kind = |status, body: &str| {
            judge(http::Response { status, headers: Vec::new(), body: body.into() }).map_err(|error| error.kind())
        };
        assert!(kind(200, "").is_ok());
        assert_eq!(kind(400, "bad matcher").unwrap_err(), ErrorKind::InvalidInput);
        assert_eq!(kind(503, "").unwrap_err(), ErrorKind::Transient);
        assert_eq!(kind(401, "").unwrap_err(), ErrorKind::Permanent);
        assert_eq!(kind(404, "").unwrap_err(), ErrorKind::Permanent);
        let long = http::Response { status: 500, headers: Vec::new(), body: vec![b'x'; 9000] };
        let error = judge(long).unwrap_err();
        assert!(error.to_string().len() < 400 && error.code_text() == Some("alertmanager.500"), "{error}");
    }

    #[test]
    fn a_configuration_is_needed() {
        let error = Server::of(&Context::new("run", "step", "key")).err().unwrap();
        assert_eq!(error.code_text(), Some("config.missing"));
        let config = Context::new("run", "step", "key").with_config(r#"{"url": "http://a/", "user": "x"}"#);
        assert_eq!(Server::of(&config).err().unwrap().code_text(), Some("config.invalid"));
    }
}
