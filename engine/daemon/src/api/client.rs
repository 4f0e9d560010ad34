//! The asking side of the API.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use runwright_core::{By, Record, RunId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::{ErrorBody, ErrorText, RunRef};
use crate::Error;
use crate::view::{
    Accepted, ApproveRequest, CancelRequest, Listed, LogQuery, RunView, Said, SettleRequest, Settled, StartRequest,
    Started, StatusView, Tale, UnstartedAlarm, UnstartedRequest,
};

/// Talks to the engine that serves a state directory.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the engine that answers on this socket; none if none does.
    pub async fn connect(socket: &Path) -> Result<Option<Self>, Error> {
        match UnixStream::connect(socket).await {
            Ok(_) => Ok(Some(Self { socket: socket.to_owned() })),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
            // The path is longer than one of a socket can be, so nobody answers there.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(Error::io("connect to", socket, error)),
        }
    }

    /// Where the engine stands.
    pub async fn status(&self) -> Result<StatusView, Error> {
        self.get("/v1/status").await
    }

    /// The runs that fit, newest first. The query's `before` is not sent.
    pub async fn runs(&self, query: &journal::Query) -> Result<Vec<Listed>, Error> {
        let words: Vec<&str> = query.status.iter().map(|status| status.as_str()).collect();
        let mut parts = vec![format!("status={}", words.join(","))];
        parts.extend(query.name.iter().map(|name| format!("name={}", in_url(name))));
        parts.extend(query.limit.iter().map(|limit| format!("limit={limit}")));
        self.get(&format!("/v1/runs?{}", parts.join("&"))).await
    }

    /// The run that `text` means.
    pub async fn find(&self, text: &str) -> Result<RunId, Error> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::NoRun(text.to_owned()));
        }
        Ok(self.get::<RunView>(&format!("/v1/runs/{text}")).await?.run)
    }

    /// One run.
    pub async fn show(&self, run: RunId) -> Result<RunView, Error> {
        self.get(&format!("/v1/runs/{run}")).await
    }

    /// One run's records.
    pub async fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        self.get(&format!("/v1/runs/{run}/history")).await
    }

    /// Starts a run.
    pub async fn start(&self, request: &StartRequest) -> Result<Started, Error> {
        self.post("/v1/runs", &json(request)?).await
    }

    /// Asks a run to stop, and perhaps to take back what it did.
    pub async fn cancel(&self, run: RunId, request: &CancelRequest) -> Result<(), Error> {
        self.post::<RunRef>(&format!("/v1/runs/{run}/cancel"), &json(request)?).await.map(drop)
    }

    /// Asks a run to take back what it did.
    pub async fn roll_back(&self, run: RunId, by: &By) -> Result<(), Error> {
        self.post::<RunRef>(&format!("/v1/runs/{run}/rollback"), &json(by)?).await.map(drop)
    }

    /// Takes a run up again that the engine could not resume when it started.
    pub async fn resume(&self, run: RunId) -> Result<(), Error> {
        self.post::<RunRef>(&format!("/v1/runs/{run}/resume"), b"").await.map(drop)
    }

    /// Decides what became of a step, or of all that fit a pattern.
    pub async fn settle(&self, run: RunId, request: &SettleRequest) -> Result<Settled, Error> {
        self.post(&format!("/v1/runs/{run}/settle"), &json(request)?).await
    }

    /// Answers a step that asks for approval.
    pub async fn approve(&self, run: RunId, request: &ApproveRequest) -> Result<(), Error> {
        self.post::<RunRef>(&format!("/v1/runs/{run}/approve"), &json(request)?).await.map(drop)
    }

    /// Sends alarms in Alertmanager's form.
    pub async fn alarm(&self, body: &[u8]) -> Result<Accepted, Error> {
        self.post("/v1/alarms/alertmanager", body).await
    }

    /// Tries again to start what could not be started for these alarms; for all where none is named.
    pub async fn retry_unstarted(&self, request: &UnstartedRequest) -> Result<Accepted, Error> {
        self.post("/v1/alarms/unstarted/retry", &json(request)?).await
    }

    /// Takes these alarms out of the list of those that could not start; all of them where none is named.
    pub async fn dismiss_unstarted(&self, request: &UnstartedRequest) -> Result<Vec<UnstartedAlarm>, Error> {
        self.post("/v1/alarms/unstarted/dismiss", &json(request)?).await
    }

    /// Follows a run from its first record on, until it is over or a person must decide, or the engine is gone.
    pub async fn watch(&self, run: RunId) -> Result<mpsc::Receiver<Tale>, Error> {
        Ok(lines(self.send(Method::GET, &format!("/v1/runs/{run}/watch"), b"").await?))
    }

    /// What was said in a run, and what will be, if that is asked for.
    pub async fn logs(&self, run: RunId, query: &LogQuery) -> Result<mpsc::Receiver<Said>, Error> {
        let LogQuery { step, attempt, last, follow } = query;
        let mut parts = vec![format!("follow={follow}")];
        parts.extend(step.iter().map(|step| format!("step={}", in_url(step))));
        parts.extend(attempt.iter().map(|attempt| format!("attempt={attempt}")));
        parts.extend(last.iter().map(|last| format!("last={last}")));
        Ok(lines(self.send(Method::GET, &format!("/v1/runs/{run}/logs?{}", parts.join("&")), b"").await?))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        decode(self.send(Method::GET, path, b"").await?).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, Error> {
        decode(self.send(Method::POST, path, body).await?).await
    }

    /// The answer to a request, if it is not an error.
    async fn send(&self, method: Method, path: &str, body: &[u8]) -> Result<Response<Incoming>, Error> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| Error::Connection(e.to_string()))?;
        let lost = |error: hyper::Error| Error::Connection(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "runwright")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::copy_from_slice(body)))
            .map_err(|error| Error::Internal(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(lost)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(lost)?.to_bytes();
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(ErrorBody { error: ErrorText { message, rendered, hint } }) => {
                Error::Remote { status, message, rendered, hint }
            }
            Err(_) => {
                let message = String::from_utf8_lossy(&body).into_owned();
                Error::Remote { status, message, rendered: None, hint: None }
            }
        })
    }
}

/// The lines of JSON of an answer, while they come.
fn lines<T: DeserializeOwned + Send + 'static>(response: Response<Incoming>) -> mpsc::Receiver<T> {
    let (tell, told) = mpsc::channel(64);
    tokio::spawn(async move {
        let mut body = response.into_body();
        let mut line = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            for byte in frame.into_data().unwrap_or_default() {
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                let one = serde_json::from_slice(&line);
                line.clear();
                let Ok(one) = one else { continue };
                if tell.send(one).await.is_err() {
                    return;
                }
            }
        }
    });
    told
}

/// Text as it may stand in a URL.
fn in_url(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let written = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(written).collect()
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Internal(error.to_string()))
}

async fn decode<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Error> {
    let body = response.into_body().collect().await.map_err(|error| Error::Connection(error.to_string()))?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| Error::Connection(format!("its answer makes no sense: {error}")))
}
