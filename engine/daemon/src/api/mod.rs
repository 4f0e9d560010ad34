//! The API: HTTP/1.1 with JSON over the unix socket `STATE/api.sock`, which only the engine's user can open.
//!
//! A socket that somebody removes is made again within a second or two.
//!
//! It is answered by the engine that serves, or by that of a command such as `runwright run`, as long as it lasts: the status
//! says which. The latter takes no alarms (409).
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | `GET /v1/status` | | [`StatusView`](crate::view::StatusView) |
//! | `GET /v1/runs?status=S,S&name=N&limit=L` | | list of [`Listed`](crate::view::Listed), newest first, at most 1000 |
//! | `POST /v1/runs` | [`StartRequest`](crate::view::StartRequest) | 201 [`Started`](crate::view::Started) |
//! | `GET /v1/runs/RUN` | | [`RunView`](crate::view::RunView) |
//! | `GET /v1/runs/RUN/history` | | list of [`Record`](runwright_core::Record) |
//! | `GET /v1/runs/RUN/watch` | | lines of [`Tale`](crate::view::Tale) until the run is over or blocked |
//! | `GET /v1/runs/RUN/logs?`[`query`](crate::view::LogQuery) | | lines of [`Said`](crate::view::Said); with `follow=true` until the run is over |
//! | `POST /v1/runs/RUN/cancel` | [`CancelRequest`](crate::view::CancelRequest) | 202 `{"run": ID}` |
//! | `POST /v1/runs/RUN/rollback` | [`By`](runwright_core::By) | 202 `{"run": ID}` |
//! | `POST /v1/runs/RUN/resume` | | 202 `{"run": ID}` |
//! | `POST /v1/runs/RUN/approve` | [`ApproveRequest`](crate::view::ApproveRequest) | 200 `{"run": ID}` |
//! | `POST /v1/runs/RUN/settle` | [`SettleRequest`](crate::view::SettleRequest) | 200 [`Settled`](crate::view::Settled); 207 where some steps were refused |
//! | `POST /v1/alarms/alertmanager`, `…/grafana` | the webhook's body | 202 [`Accepted`](crate::view::Accepted); 207 where some alerts were not taken |
//! | `POST /v1/alarms/unstarted/retry` | [`UnstartedRequest`](crate::view::UnstartedRequest) | [`Accepted`](crate::view::Accepted) |
//! | `POST /v1/alarms/unstarted/dismiss` | [`UnstartedRequest`](crate::view::UnstartedRequest) | list of [`UnstartedAlarm`](crate::view::UnstartedAlarm) |
//!
//! `RUN` is an id, the beginning of one, or `latest`. Errors, all of them, are `{"error": {"message": …, "hint": …}}` with 400
//! (not understood), 404 (no such thing), 405 (no such method there), 408 (the body took too long), 409 (does not fit the
//! state), 413 (too large), 422 (a runbook or inputs with errors) or 503 (the engine is in trouble or busy).
//!
//! A request that may write comes to its end though its client hangs up. There are bounds on connections, on bodies, on
//! the memory of all bodies together, and on the time that heads and bodies take: see `connections` and `request`.

mod client;
mod connections;
mod request;
mod server;
mod socket;

pub use client::Client;
pub(crate) use server::answer;
pub(crate) use socket::{Socket, SocketFile};

use serde::{Deserialize, Serialize};

/// The error body.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorText,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorText {
    pub(crate) message: String,
    /// Diagnostics of a runbook, rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rendered: Option<String>,
    /// What helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// The answer that names a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunRef {
    pub(crate) run: runwright_core::RunId,
}
