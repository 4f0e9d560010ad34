//! What a request asks: the run that its path names, its query, and its body, read within bounds.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use runwright_core::RunId;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::view::find_run;
use crate::{Engine, Error};

/// A body, in bytes: the largest runbook or notification, and some more.
const BODY_BYTES_MAX: usize = 4 << 20;

/// A body up to this needs no leave, in bytes.
const SMALL_BYTES: usize = 64 * 1024;

/// Larger bodies that are in memory at once: 32 MiB at most, whatever clients promise.
static LARGE: Semaphore = Semaphore::const_new(8);

/// Requests that may write and are under way at once, whether their clients are still there or not.
static UNDER_WAY: Semaphore = Semaphore::const_new(256);

/// How long a body may take to come, and how long it waits for leave to be large.
const BODY_TIME: Duration = Duration::from_secs(10);

/// What is read of a body that is too large, in bytes, so that its sender comes to read the answer.
const DRAINED_BYTES_MAX: usize = 64 << 20;

/// Lets a request that may write come to its end, whether its client waits for the answer or not: it is a task of its own.
pub(super) async fn to_its_end(request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    let Ok(leave) = UNDER_WAY.try_acquire() else {
        return Error::Overloaded("too many requests are under way").into_response();
    };
    let to_its_end = async move {
        let answer = next.run(request).await;
        drop(leave);
        answer
    };
    let answered = tokio::spawn(to_its_end).await;
    answered.unwrap_or_else(|error| Error::Internal(error.to_string()).into_response())
}

/// The run that the path names.
pub(super) struct Named(pub(super) RunId);

impl FromRequestParts<Engine> for Named {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, engine: &Engine) -> Result<Self, Error> {
        let Path(run) =
            Path::<String>::from_request_parts(parts, engine).await.map_err(|error| bad(error.body_text()))?;
        find_run(engine.journal().as_ref(), &run).map(Self)
    }
}

/// A body, and the leave to hold it.
pub(super) struct Whole {
    bytes: Vec<u8>,
    _leave: Option<SemaphorePermit<'static>>,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl FromRequest<Engine> for Whole {
    type Rejection = Error;

    async fn from_request(request: Request, _: &Engine) -> Result<Self, Error> {
        let until = Instant::now() + BODY_TIME;
        let mut body = request.into_body();
        match read(&mut body, until).await {
            Ok(whole) => Ok(whole),
            Err(error) => {
                drain(&mut body, until).await;
                Err(error)
            }
        }
    }
}

/// A body as JSON.
pub(super) struct Posted<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Engine> for Posted<T> {
    type Rejection = Error;

    async fn from_request(request: Request, engine: &Engine) -> Result<Self, Error> {
        let whole = Whole::from_request(request, engine).await?;
        let wrong = |error| Error::Inputs {
            problems: vec![format!("the body is not what it should be: {error}")],
            missing: Vec::new(),
        };
        serde_json::from_slice(&whole.bytes).map(Self).map_err(wrong)
    }
}

async fn read(body: &mut Body, until: Instant) -> Result<Whole, Error> {
    let too_large = || Error::TooLarge { bytes_max: BODY_BYTES_MAX };
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let (mut bytes, mut leave) = (Vec::new(), None);
    loop {
        let frame = tokio::time::timeout_at(until, body.frame()).await.map_err(|_| late())?;
        let Some(frame) = frame else { return Ok(Whole { bytes, _leave: leave }) };
        let frame = frame.map_err(|error| bad(format!("the body could not be read: {error}")))?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        if bytes.len() + data.len() > SMALL_BYTES && leave.is_none() {
            let busy = |_| Error::Overloaded("too many large requests come at once");
            leave = Some(tokio::time::timeout_at(until, LARGE.acquire()).await.map_err(busy)?.map_err(|_| late())?);
        }
        bytes.extend_from_slice(&data);
    }
}

async fn drain(body: &mut Body, until: Instant) {
    let mut drained = 0;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(until, body.frame()).await {
        drained += frame.data_ref().map_or(0, |data| data.len());
        if drained > DRAINED_BYTES_MAX {
            return;
        }
    }
}

fn late() -> Error {
    let message = format!("the body did not come within {} s", BODY_TIME.as_secs());
    Error::Request { status: StatusCode::REQUEST_TIMEOUT.as_u16(), message }
}

fn bad(message: String) -> Error {
    Error::Request { status: StatusCode::BAD_REQUEST.as_u16(), message }
}

/// Makes an error of any layer below the form that all errors have.
pub(super) async fn in_one_form(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !(status.is_client_error() || status.is_server_error()) || kind.is_some_and(|kind| kind == "application/json") {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let message = match (parts.status, String::from_utf8_lossy(&text).trim()) {
        (StatusCode::NOT_FOUND, "") => "the API has nothing there".to_owned(),
        (StatusCode::METHOD_NOT_ALLOWED, _) => "the API does not take this method there".to_owned(),
        (status, "") => status.canonical_reason().unwrap_or("it failed").to_lowercase(),
        (_, text) => text.to_owned(),
    };
    let mut answer = Error::Request { status: parts.status.as_u16(), message }.into_response();
    answer.headers_mut().extend(parts.headers.into_iter().filter(|(name, _)| {
        // What belongs to the old body does not belong to the new one.
        name.as_ref().is_some_and(|name| ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name))
    }));
    answer
}
