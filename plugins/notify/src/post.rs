//! Where a message is posted to, and what an answer means.

use std::time::Duration;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Error, Result, http, secrets};
use serde::Deserialize;

/// One request.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Characters of an answer that an error repeats.
const SHOWN_MAX: usize = 200;
/// The longest pause that a server may ask for before the next attempt.
const PAUSE_MAX: u64 = 3600;

/// Where to: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct To {
    /// The URL, where it is no secret.
    #[schemars(example = &"https://hooks.example.org/runwright")]
    url: Option<String>,
    /// The secret that is the URL, where who knows the URL may post: so it is with most chats.
    #[schemars(example = &"ops-chat")]
    url_secret: Option<String>,
}

/// A URL, and how it may be shown.
pub(crate) struct Target {
    url: String,
    /// The name of the secret that the URL is.
    secret: Option<String>,
}

impl To {
    /// The URL itself.
    pub(crate) fn target(self) -> Result<Target> {
        match (self.url, self.url_secret) {
            (Some(url), None) => Ok(Target { url, secret: None }),
            (None, Some(name)) => {
                let url = secrets::get(&name)?.expose().to_owned();
                Ok(Target { url, secret: Some(name) })
            }
            _ => Err(Error::invalid_input("say where to: either `url` or `url-secret`").code("notify.to")),
        }
    }

    /// Where to, for a preview: a secret is named and not asked for.
    pub(crate) fn shown(&self) -> Result<String> {
        match (&self.url, &self.url_secret) {
            (Some(url), None) => Ok(url.clone()),
            (None, Some(name)) => Ok(format!("the URL in the secret {name}")),
            _ => Err(Error::invalid_input("say where to: either `url` or `url-secret`").code("notify.to")),
        }
    }
}

impl Target {
    /// A request to it.
    pub(crate) fn request(&self) -> http::Request {
        http::Request::post(&self.url).timeout(TIMEOUT)
    }

    /// Sends `request`; the status of an answer of success.
    pub(crate) fn send(&self, request: &http::Request) -> Result<u16> {
        self.told(request.send())
    }

    /// What came of it: of an answer that broke off the status says so too.
    fn told(&self, sent: std::result::Result<http::Response, http::Error>) -> Result<u16> {
        let response = match sent {
            Err(http::Error::BrokenOff { status, .. }) => {
                http::Response { status, headers: Vec::new(), body: Vec::new() }
            }
            sent => sent.map_err(|error| self.failure(error))?,
        };
        judge(&response)
    }

    fn failure(&self, error: http::Error) -> Error {
        let Some(name) = &self.secret else { return error.into() };
        // What the host says names the URL, which is the secret here.
        match error {
            http::Error::Denied(_) => {
                let message = format!("posting to the URL in the secret {name} is not granted");
                Error::denied(message).code("http.denied")
            }
            http::Error::Invalid(_) => {
                Error::permanent(format!("the secret {name} is no URL that can be posted to")).code("http.invalid")
            }
            other => Error::from(other),
        }
    }
}

/// What an answer says of the message.
fn judge(response: &http::Response) -> Result<u16> {
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(status);
    }
    let said: String = response.text().trim().chars().take(SHOWN_MAX).collect();
    let message = format!("it was answered by the status {status}: {said}");
    let message = message.trim_end_matches([':', ' ']);
    let error = match status {
        // "Not now": both say that the request was not taken (RFC 6585, RFC 9110).
        429 | 503 => {
            let error = Error::transient(message);
            match pause(response) {
                Some(pause) => error.retry_after(pause),
                None => error,
            }
        }
        // Who failed on the way may have passed it on before.
        500..=599 => Error::partial(format!("{message}; it may have been taken nevertheless")),
        300..=399 => Error::permanent(format!("{message}; redirects are not followed")),
        _ => Error::permanent(message),
    };
    Err(error.code(format!("http.{status}")))
}

fn pause(response: &http::Response) -> Option<Duration> {
    let seconds: u64 = response.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(PAUSE_MAX)))
}

#[cfg(test)]
mod tests {
    use runwright_sdk::ErrorKind;

    use super::*;

    fn to(json: &str) -> To {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn there_is_one_place_to_send_it_to() {
        assert!(to("{}").target().is_err());
        assert!(to(r#"{"url": "http://x/", "url-secret": "x"}"#).target().is_err());
        assert_eq!(to(r#"{"url": "http://x/"}"#).target().unwrap().url, "http://x/");
        assert_eq!(to(r#"{"url-secret": "chat"}"#).shown().unwrap(), "the URL in the secret chat");
        assert_eq!(to(r#"{"url-secret": "chat"}"#).target().err().unwrap().kind(), ErrorKind::Denied);
    }

    #[test]
    fn a_status_says_what_remains() {
        let kind = |status| {
            judge(&http::Response { status, headers: Vec::new(), body: Vec::new() }).map_err(|error| error.kind())
        };
        assert_eq!(kind(204), Ok(204));
        for (status, expected) in [
            (302, ErrorKind::Permanent),
            (404, ErrorKind::Permanent),
            (429, ErrorKind::Transient),
            (500, ErrorKind::Partial),
            (503, ErrorKind::Transient),
        ] {
            assert_eq!(kind(status), Err(expected), "{status}");
        }
    }

    #[test]
    fn an_answer_that_broke_off_says_what_its_status_says() {
        let target = Target { url: "http://x/".into(), secret: None };
        let told = |status| {
            let broken = Err(http::Error::BrokenOff { status, why: format!("answered {status}, and broke off") });
            target.told(broken).map_err(|error| error.kind())
        };
        assert_eq!((told(200), told(503)), (Ok(200), Err(ErrorKind::Transient)));
        assert_eq!(told(404), Err(ErrorKind::Permanent));
        let lost = target.told(Err(http::Error::Lost("reset".into())));
        assert_eq!(lost.map_err(|error| error.kind()), Err(ErrorKind::UnknownOutcome));
    }

    #[test]
    fn an_error_does_not_show_a_url_that_is_secret() {
        let target = Target { url: "https://x/T0/B0/s3cret".into(), secret: Some("chat".into()) };
        for error in [http::Error::Denied("https://x/T0/B0/s3cret".into()), http::Error::Invalid("s3cret".into())] {
            let error = target.failure(error);
            assert!(!error.to_string().contains("s3cret") && error.to_string().contains("chat"), "{error}");
        }
    }
}
