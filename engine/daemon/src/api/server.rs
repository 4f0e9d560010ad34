//! The serving side of the API.

use axum::body::{Body, Bytes};
use axum::extract::{Path as Segment, Query, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::stream;
use runwright_core::{By, Record, RunStatus};
use serde::{Deserialize, Serialize};
use tokio::net::unix::UCred;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use trigger::Format;

use super::request::{self, Named, Posted, Whole};
use super::socket::Socket;
use super::{ErrorBody, ErrorText, RunRef, connections};
use crate::view::{
    Accepted, ApproveRequest, CancelRequest, Listed, LogQuery, RunView, SettleRequest, Settled, StartRequest, Started,
    StatusView, UnstartedAlarm, UnstartedRequest,
};
use crate::{Engine, Error, person};

/// Those who watch runs at once: they stay long, and leave room for others among all connections.
static WATCHERS: Semaphore = Semaphore::const_new(192);

/// When whoever was told that the engine is in trouble may try again, in seconds.
const RETRY_AFTER_SECONDS: u16 = 5;

/// Answers requests until `closing` is done, then those that have begun.
pub(crate) async fn answer(
    engine: Engine,
    socket: Socket,
    closing: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/runs", get(runs).post(start))
        .route("/v1/runs/{run}", get(show))
        .route("/v1/runs/{run}/history", get(history))
        .route("/v1/runs/{run}/watch", get(watch))
        .route("/v1/runs/{run}/logs", get(logs))
        .route("/v1/runs/{run}/cancel", post(cancel))
        .route("/v1/runs/{run}/rollback", post(roll_back))
        .route("/v1/runs/{run}/resume", post(resume))
        .route("/v1/runs/{run}/settle", post(settle))
        .route("/v1/runs/{run}/approve", post(approve))
        .route("/v1/alarms/unstarted/retry", post(retry))
        .route("/v1/alarms/unstarted/dismiss", post(dismiss))
        .route("/v1/alarms/{format}", post(alarm))
        .layer(middleware::from_fn(request::to_its_end))
        .layer(middleware::map_response(request::in_one_form))
        .with_state(engine);
    connections::serve(socket, router, closing).await;
    Ok(())
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

async fn start(
    State(engine): State<Engine>,
    Extension(peer): Extension<Option<UCred>>,
    Posted(mut request): Posted<StartRequest>,
) -> Result<(StatusCode, Json<Started>), Error> {
    request.by.who = behind(peer.as_ref(), request.by.who);
    Ok((StatusCode::CREATED, Json(engine.start(request).await?)))
}

async fn show(State(engine): State<Engine>, Named(run): Named) -> Answer<RunView> {
    engine.show(run).map(Json)
}

async fn history(State(engine): State<Engine>, Named(run): Named) -> Answer<Vec<Record>> {
    Ok(Json(engine.journal().history(run)?))
}

async fn watch(State(engine): State<Engine>, Named(run): Named) -> Result<Response, Error> {
    let leave = leave_to_watch()?;
    Ok(lines(engine.watch(run)?, leave))
}

async fn logs(
    State(engine): State<Engine>,
    Named(run): Named,
    Query(query): Query<LogQuery>,
) -> Result<Response, Error> {
    let leave = leave_to_watch()?;
    Ok(lines(engine.logs(run, query)?, leave))
}

fn leave_to_watch() -> Result<SemaphorePermit<'static>, Error> {
    WATCHERS.try_acquire().map_err(|_| Error::Overloaded("too many watch runs already"))
}

/// An answer of lines of JSON, while they come.
fn lines<T: Serialize + Send + 'static>(told: mpsc::Receiver<T>, leave: SemaphorePermit<'static>) -> Response {
    let lines = stream::unfold((told, leave), async |(mut told, leave)| {
        let mut line = serde_json::to_vec(&told.recv().await?).ok()?;
        line.push(b'\n');
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(line)), (told, leave)))
    });
    ([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

type Done = Result<(StatusCode, Json<RunRef>), Error>;

async fn cancel(State(engine): State<Engine>, Named(run): Named, Posted(request): Posted<CancelRequest>) -> Done {
    engine.driver().cancel(run, request.by, request.rollback).await?;
    Ok((StatusCode::ACCEPTED, Json(RunRef { run })))
}

async fn roll_back(State(engine): State<Engine>, Named(run): Named, Posted(by): Posted<By>) -> Done {
    engine.driver().roll_back(run, by).await?;
    Ok((StatusCode::ACCEPTED, Json(RunRef { run })))
}

async fn resume(State(engine): State<Engine>, Named(run): Named) -> Done {
    engine.driver().resume(run).await?;
    Ok((StatusCode::ACCEPTED, Json(RunRef { run })))
}

async fn settle(
    State(engine): State<Engine>,
    Named(run): Named,
    Posted(request): Posted<SettleRequest>,
) -> Result<(StatusCode, Json<Settled>), Error> {
    let settled = engine.settle(run, request).await?;
    let status = if settled.refused.is_empty() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    Ok((status, Json(settled)))
}

async fn approve(
    State(engine): State<Engine>,
    Extension(peer): Extension<Option<UCred>>,
    Named(run): Named,
    Posted(request): Posted<ApproveRequest>,
) -> Done {
    let ApproveRequest { step, yes, by } = request;
    let who = behind(peer.as_ref(), by.who);
    engine.approve(run, step, yes, By { who, why: by.why }).await?;
    Ok((StatusCode::OK, Json(RunRef { run })))
}

async fn alarm(
    State(engine): State<Engine>,
    Segment(format): Segment<String>,
    body: Whole,
) -> Result<(StatusCode, Json<Accepted>), Error> {
    let format: Format = format.parse().map_err(|error: trigger::Error| Error::Request {
        status: StatusCode::NOT_FOUND.as_u16(),
        message: error.to_string(),
    })?;
    let accepted = engine.take_in(format, body).await?;
    let status = if accepted.is_partial() { StatusCode::MULTI_STATUS } else { StatusCode::ACCEPTED };
    Ok((status, Json(accepted)))
}

async fn retry(State(engine): State<Engine>, Posted(request): Posted<UnstartedRequest>) -> Answer<Accepted> {
    engine.retry_unstarted(&request.keys, &request.by).await.map(Json)
}

async fn dismiss(
    State(engine): State<Engine>,
    Posted(request): Posted<UnstartedRequest>,
) -> Answer<Vec<UnstartedAlarm>> {
    engine.dismiss_unstarted(&request.keys, &request.by).await.map(Json)
}

/// Who asks, as far as the system knows it.
fn behind(peer: Option<&UCred>, claimed: String) -> String {
    match peer {
        Some(peer) => person::behind(peer, claimed),
        None => claimed,
    }
}

fn invalid(problem: String) -> Error {
    Error::Inputs { problems: vec![problem], missing: Vec::new() }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Alarm(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } | Self::Driver(driver::Error::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Overloaded(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Request { status, .. } => StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Self::NoAlarm(_)
            | Self::NoRun(_)
            | Self::NoStep(_)
            | Self::NoRunbook { .. }
            | Self::Driver(driver::Error::NoSuchRun(_)) => StatusCode::NOT_FOUND,
            Self::MayNotApprove { .. } => StatusCode::FORBIDDEN,
            Self::AmbiguousRun(_)
            | Self::NotServing { .. }
            | Self::Contested { .. }
            | Self::NothingToSettle { .. }
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
        let mut response = (status, Json(ErrorBody { error })).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        response
    }
}
