//! The one door for commands: the engine that serves, or one of their own.

use std::time::Instant;

use journal::{Journal, Query};
use runwright_core::{By, Head, Record, RunId};
use tokio::sync::mpsc;

use crate::api::Client;
use crate::engine::{LOCK_LOOK, PATIENCE};
use crate::view::{
    Accepted, CancelRequest, RunView, SettleRequest, StartRequest, StatusView, Tale, UnstartedAlarm, UnstartedRequest,
    find_run,
};
use crate::{Engine, Error, Settings};

/// An engine to ask: one that serves the state directory, or, where none does, one in this process.
pub enum Access {
    /// In this process: it holds the state directory until it is [closed](Access::close).
    Here(Box<Engine>),
    /// In another one.
    There(Client),
}

impl Access {
    /// The engine that serves the settings' state directory; without one, the directory is opened for `purpose`.
    pub async fn open(settings: &Settings, purpose: &str) -> Result<Self, Error> {
        let began = Instant::now();
        loop {
            if let Some(client) = Client::connect(&settings.socket()).await? {
                return Ok(Self::There(client));
            }
            match Engine::open(settings, purpose).await {
                Ok(engine) => return Ok(Self::Here(Box::new(engine))),
                // Another command holds it for a moment, or an engine is about to serve.
                Err(Error::Journal(journal::Error::Locked { .. })) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOCK_LOOK).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts a run. It exists, durably, when this returns.
    pub async fn start(&self, request: StartRequest) -> Result<RunId, Error> {
        match self {
            Self::Here(engine) => engine.start(request).await,
            Self::There(client) => client.start(&request).await,
        }
    }

    /// Starts a run and follows it, as [`watch`](Self::watch) does, from its first moment.
    pub async fn start_watched(&self, request: StartRequest) -> Result<(RunId, mpsc::Receiver<Tale>), Error> {
        match self {
            Self::Here(engine) => engine.start_watched(request).await,
            Self::There(client) => {
                let run = client.start(&request).await?;
                Ok((run, client.watch(run).await?))
            }
        }
    }

    /// The runs that fit, newest first.
    pub async fn runs(&self, query: &Query) -> Result<Vec<Head>, Error> {
        match self {
            Self::Here(engine) => Ok(engine.journal().runs(query)?),
            Self::There(client) => client.runs(query).await,
        }
    }

    /// The run that `text` means: an id, the beginning or end of one, or `latest`.
    pub async fn find(&self, text: &str) -> Result<RunId, Error> {
        match self {
            Self::Here(engine) => find_run(engine.journal().as_ref(), text),
            Self::There(client) => client.find(text).await,
        }
    }

    /// One run.
    pub async fn show(&self, run: RunId) -> Result<RunView, Error> {
        match self {
            Self::Here(engine) => Ok(RunView::of(&engine.driver().load(run)?)),
            Self::There(client) => client.show(run).await,
        }
    }

    /// One run's records.
    pub async fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        match self {
            Self::Here(engine) => Ok(engine.journal().history(run)?),
            Self::There(client) => client.history(run).await,
        }
    }

    /// Follows a run from its first record on, until it is over or a person must decide.
    pub async fn watch(&self, run: RunId) -> Result<mpsc::Receiver<Tale>, Error> {
        match self {
            Self::Here(engine) => engine.watch(run),
            Self::There(client) => client.watch(run).await,
        }
    }

    /// Takes an unfinished run up again.
    pub async fn resume(&self, run: RunId) -> Result<(), Error> {
        match self {
            Self::Here(engine) => Ok(engine.driver().resume(run).await?),
            Self::There(client) => client.resume(run).await,
        }
    }

    /// Asks a run to stop, and perhaps to take back what it did.
    pub async fn cancel(&self, run: RunId, request: CancelRequest) -> Result<(), Error> {
        match self {
            Self::Here(engine) => Ok(engine.driver().cancel(run, request.by, request.rollback).await?),
            Self::There(client) => client.cancel(run, &request).await,
        }
    }

    /// Asks a run to take back what it did.
    pub async fn roll_back(&self, run: RunId, by: By) -> Result<(), Error> {
        match self {
            Self::Here(engine) => Ok(engine.driver().roll_back(run, by).await?),
            Self::There(client) => client.roll_back(run, &by).await,
        }
    }

    /// Decides what became of a step.
    pub async fn settle(&self, run: RunId, request: SettleRequest) -> Result<(), Error> {
        match self {
            Self::Here(engine) => {
                let SettleRequest { step, settlement, by } = request;
                Ok(engine.driver().settle(run, step, settlement, by).await?)
            }
            Self::There(client) => client.settle(run, &request).await,
        }
    }

    /// Takes alarms in, in Alertmanager's form.
    pub async fn alarm(&self, body: &[u8]) -> Result<Accepted, Error> {
        match self {
            Self::Here(engine) => engine.alarm(body).await,
            Self::There(client) => client.alarm(body).await,
        }
    }

    /// Tries again to start what could not be started for these alarms; for all where none is named.
    pub async fn retry_unstarted(&self, request: &UnstartedRequest) -> Result<Accepted, Error> {
        match self {
            Self::Here(engine) => engine.retry_unstarted(&request.keys, &request.by).await,
            Self::There(client) => client.retry_unstarted(request).await,
        }
    }

    /// Takes these alarms out of the list of those that could not start; all of them where none is named.
    pub async fn dismiss_unstarted(&self, request: &UnstartedRequest) -> Result<Vec<UnstartedAlarm>, Error> {
        match self {
            Self::Here(engine) => engine.dismiss_unstarted(&request.keys, &request.by).await,
            Self::There(client) => client.dismiss_unstarted(request).await,
        }
    }

    /// Where the engine stands.
    pub async fn status(&self) -> Result<StatusView, Error> {
        match self {
            Self::Here(engine) => engine.status(),
            Self::There(client) => client.status().await,
        }
    }

    /// Lets go: an engine in this process stops cleanly.
    pub async fn close(self) {
        if let Self::Here(engine) = self {
            engine.stop().await;
        }
    }
}
