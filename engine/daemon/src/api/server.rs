//! The serving side of the API.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path as Segment, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use journal::Journal;
use runwright_core::{By, Record, RunStatus};
use serde::Deserialize;
use tokio::net::UnixListener;

use super::{ErrorBody, ErrorText, RunRef};
use crate::view::{
    Accepted, CancelRequest, Listed, RunView, SettleRequest, StartRequest, Started, StatusView, find_run,
};
use crate::{Engine, Error};

/// A request's body, in bytes: the largest runbook, and some more.
const BODY_BYTES_MAX: usize = 4 << 20;

/// Binds the API's socket. The caller holds the state directory, so a socket that is there is left over.
pub(crate) fn listen(socket: &Path) -> Result<UnixListener, Error> {
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).map_err(|error| Error::io("listen on", socket, error))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| Error::io("protect", socket, error))?;
    Ok(listener)
}

/// Answers requests until `closing` is done, then those that have begun.
pub(crate) async fn answer(
    engine: Engine,
    listener: UnixListener,
    closing: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/runs", get(runs).post(start))
        .route("/v1/runs/{run}", get(show))
        .route("/v1/runs/{run}/history", get(history))
        .route("/v1/runs/{run}/watch", get(watch))
        .route("/v1/runs/{run}/cancel", post(cancel))
        .route("/v1/runs/{run}/rollback", post(roll_back))
        .route("/v1/runs/{run}/resume", post(resume))
        .route("/v1/runs/{run}/settle", post(settle))
        .route("/v1/alarms/alertmanager", post(alarm))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(engine);
    let serving = axum::serve(listener, router).with_graceful_shutdown(closing);
    serving.await.map_err(|error| Error::io("serve", "api.sock", error))
}

type Answer<T> = Result<Json<T>, Error>;

async fn status(State(engine): State<Engine>) -> Answer<StatusView> {
    engine.status().map(Json)
}

#[derive(Deserialize)]
struct RunsQuery {
    /// Any of these, with commas between them.
    #[serde(default)]
    status: String,
    name: Option<String>,
    limit: Option<usize>,
}

async fn runs(State(engine): State<Engine>, Query(query): Query<RunsQuery>) -> Answer<Vec<Listed>> {
    let words = query.status.split(',').filter(|word| !word.is_empty());
    let status = words.map(|word| {
        let known = RunStatus::ALL.into_iter().find(|status| status.as_str() == word);
        known.ok_or_else(|| invalid(format!("{word:?} is no status of a run")))
    });
    let status = status.collect::<Result<_, _>>()?;
    engine.list(&journal::Query { status, name: query.name, limit: query.limit, before: None }).map(Json)
}

async fn start(State(engine): State<Engine>, body: Bytes) -> Result<(StatusCode, Json<Started>), Error> {
    Ok((StatusCode::CREATED, Json(engine.start(parse::<StartRequest>(&body)?).await?)))
}

async fn show(State(engine): State<Engine>, Segment(run): Segment<String>) -> Answer<RunView> {
    let run = find_run(engine.journal().as_ref(), &run)?;
    engine.show(run).map(Json)
}

async fn history(State(engine): State<Engine>, Segment(run): Segment<String>) -> Answer<Vec<Record>> {
    let run = find_run(engine.journal().as_ref(), &run)?;
    Ok(Json(engine.journal().history(run)?))
}

async fn watch(State(engine): State<Engine>, Segment(run): Segment<String>) -> Result<Response, Error> {
    let tale = engine.watch(find_run(engine.journal().as_ref(), &run)?)?;
    let lines = stream::unfold(tale, async |mut tale| {
        let mut line = serde_json::to_vec(&tale.recv().await?).ok()?;
        line.push(b'\n');
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(line)), tale))
    });
    Ok(([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

type Done = Result<(StatusCode, Json<RunRef>), Error>;

async fn cancel(State(engine): State<Engine>, Segment(run): Segment<String>, body: Bytes) -> Done {
    let run = find_run(engine.journal().as_ref(), &run)?;
    let CancelRequest { by, rollback } = parse(&body)?;
    engine.driver().cancel(run, by, rollback).await?;
    Ok((StatusCode::ACCEPTED, Json(RunRef { run })))
}

async fn roll_back(State(engine): State<Engine>, Segment(run): Segment<String>, body: Bytes) -> Done {
    let run = find_run(engine.journal().as_ref(), &run)?;
    engine.driver().roll_back(run, parse::<By>(&body)?).await?;
    Ok((StatusCode::ACCEPTED, Json(RunRef { run })))
}

async fn resume(State(engine): State<Engine>, Segment(run): Segment<String>) -> Done {
    let run = find_run(engine.journal().as_ref(), &run)?;
    engine.driver().resume(run).await?;
    Ok((StatusCode::ACCEPTED, Json(RunRef { run })))
}

async fn settle(State(engine): State<Engine>, Segment(run): Segment<String>, body: Bytes) -> Done {
    let run = find_run(engine.journal().as_ref(), &run)?;
    let SettleRequest { step, settlement, by } = parse(&body)?;
    engine.driver().settle(run, step, settlement, by).await?;
    Ok((StatusCode::OK, Json(RunRef { run })))
}

async fn alarm(State(engine): State<Engine>, body: Bytes) -> Result<(StatusCode, Json<Accepted>), Error> {
    Ok((StatusCode::ACCEPTED, Json(engine.alarm(&body).await?)))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("the body is not what it should be: {error}")))
}

fn invalid(problem: String) -> Error {
    Error::Inputs { problems: vec![problem], missing: Vec::new() }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Alarm(_) => StatusCode::BAD_REQUEST,
            Self::NoRun(_) | Self::NoRunbook { .. } | Self::Driver(driver::Error::NoSuchRun(_)) => {
                StatusCode::NOT_FOUND
            }
            Self::AmbiguousRun(_)
            | Self::Refused { .. }
            | Self::NotServing { .. }
            | Self::Driver(driver::Error::Misfit(_) | driver::Error::Over { .. } | driver::Error::Busy { .. }) => {
                StatusCode::CONFLICT
            }
            Self::Runbook { .. } | Self::Inputs { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Driver(_) | Self::Journal(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let rendered = match &self {
            Self::Runbook { text, diagnostics, .. } => Some(lang::render(diagnostics, text)),
            _ => None,
        };
        let error = ErrorText { message: self.to_string(), rendered, hint: self.hint() };
        (status, Json(ErrorBody { error })).into_response()
    }
}
