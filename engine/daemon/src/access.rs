//! The one door for commands: the engine that has the state directory, or one of their own.

use std::pin::Pin;
use std::time::{Duration, Instant};

use journal::Query;
use runwright_core::{By, Record, RunId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::api::{self, Client, Socket, SocketFile};
use crate::engine::{LOCK_LOOK, PATIENCE};
use crate::view::{
    Accepted, ApproveRequest, CancelRequest, Listed, LogQuery, RunView, Said, SettleRequest, Settled, StartRequest,
    Started, StatusView, Tale, UnstartedAlarm, UnstartedRequest, find_run,
};
use crate::{Engine, Error, Settings, person};

/// How long an engine that ends waits for answers that are under way.
const LINGER: Duration = Duration::from_millis(500);

/// How long requests that have begun may take to end before the last runs are waited for.
const DRAIN: Duration = Duration::from_secs(2);

/// How often it looks whether no run goes on any more.
const QUIET_LOOK: Duration = Duration::from_secs(1);

/// An engine to ask: one that has the state directory already, or, where there is none, one in this process.
pub enum Access {
    /// In this process: it holds the state directory until it is [closed](Access::close).
    Here(Box<Own>),
    /// In another one.
    There(Client),
}

/// An engine in this process.
pub struct Own {
    engine: Engine,
    answering: Option<Answering>,
}

/// An engine of this process that is being opened.
type Opening<'a> = Pin<Box<dyn Future<Output = Result<Own, Error>> + 'a>>;

/// The API of an engine that lasts as long as one command.
struct Answering {
    /// Says that it ends, once.
    close: Option<oneshot::Sender<()>>,
    file: SocketFile,
    task: JoinHandle<Result<(), Error>>,
}

impl Access {
    /// To look at something, for `command`. Makes no journal where there is none.
    pub async fn look(settings: &Settings, command: &str) -> Result<Self, Error> {
        Self::open(settings, &|| Box::pin(async { Ok(Own::quiet(Engine::look(settings, command).await?)) })).await
    }

    /// To go on with a run that there is. An engine in this process answers other commands until it is closed. Makes no
    /// journal where there is none.
    pub async fn go_on(settings: &Settings, command: &str) -> Result<Self, Error> {
        match settings.has_journal() {
            true => Self::start(settings, command).await,
            false => Self::look(settings, command).await,
        }
    }

    /// To start a run. An engine in this process answers other commands until it is closed.
    pub async fn start(settings: &Settings, command: &str) -> Result<Self, Error> {
        Self::open(settings, &|| Box::pin(async { Ok(Own::answering(Engine::open(settings, command).await?)) })).await
    }

    async fn open<'a>(settings: &Settings, own: &(dyn Fn() -> Opening<'a> + 'a)) -> Result<Self, Error> {
        let began = Instant::now();
        loop {
            if let Some(client) = Client::connect(&settings.socket()).await? {
                return Ok(Self::There(client));
            }
            match own().await {
                Ok(own) => return Ok(Self::Here(Box::new(own))),
                // Another command holds it for a moment, or an engine is about to answer.
                Err(Error::Journal(journal::Error::Locked { .. })) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOCK_LOOK).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts a run and follows it, as [`watch`](Self::watch) does, from its first moment. It exists, durably, when this
    /// returns, also where an engine in another process ended meanwhile, which tells nothing any more.
    pub async fn start_watched(&self, request: StartRequest) -> Result<(Started, Option<mpsc::Receiver<Tale>>), Error> {
        match self {
            Self::Here(own) => {
                let by = By { who: person::here(request.by.who), why: request.by.why };
                let (started, tale) = own.engine.start_watched(StartRequest { by, ..request }).await?;
                Ok((started, Some(tale)))
            }
            Self::There(client) => {
                let started = client.start(&request).await?;
                let tale = client.watch(started.run).await.ok();
                Ok((started, tale))
            }
        }
    }

    /// The runs that fit, newest first, at most 1000.
    pub async fn runs(&self, query: &Query) -> Result<Vec<Listed>, Error> {
        match self {
            Self::Here(own) => own.engine.list(query),
            Self::There(client) => client.runs(query).await,
        }
    }

    /// The run that `text` means: an id, the beginning or end of one, or `latest`.
    pub async fn find(&self, text: &str) -> Result<RunId, Error> {
        match self {
            Self::Here(own) => find_run(own.engine.journal().as_ref(), text),
            Self::There(client) => client.find(text).await,
        }
    }

    /// One run.
    pub async fn show(&self, run: RunId) -> Result<RunView, Error> {
        match self {
            Self::Here(own) => own.engine.show(run),
            Self::There(client) => client.show(run).await,
        }
    }

    /// One run's records.
    pub async fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        match self {
            Self::Here(own) => Ok(own.engine.journal().history(run)?),
            Self::There(client) => client.history(run).await,
        }
    }

    /// Follows a run from its first record on, until it is over or a person must decide.
    pub async fn watch(&self, run: RunId) -> Result<mpsc::Receiver<Tale>, Error> {
        match self {
            Self::Here(own) => own.engine.watch(run),
            Self::There(client) => client.watch(run).await,
        }
    }

    /// What was said in a run, and with [`LogQuery::follow`] what will be, until it is over or does not go on.
    pub async fn logs(&self, run: RunId, query: &LogQuery) -> Result<mpsc::Receiver<Said>, Error> {
        match self {
            Self::Here(own) => own.engine.logs(run, query.clone()),
            Self::There(client) => client.logs(run, query).await,
        }
    }

    /// Takes an unfinished run up again.
    pub async fn resume(&self, run: RunId) -> Result<(), Error> {
        match self {
            Self::Here(own) => Ok(own.engine.driver().resume(run).await?),
            Self::There(client) => client.resume(run).await,
        }
    }

    /// Asks a run to stop, and perhaps to take back what it did.
    pub async fn cancel(&self, run: RunId, request: CancelRequest) -> Result<(), Error> {
        match self {
            Self::Here(own) => Ok(own.engine.driver().cancel(run, request.by, request.rollback).await?),
            Self::There(client) => client.cancel(run, &request).await,
        }
    }

    /// Asks a run to take back what it did.
    pub async fn roll_back(&self, run: RunId, by: By) -> Result<(), Error> {
        match self {
            Self::Here(own) => Ok(own.engine.driver().roll_back(run, by).await?),
            Self::There(client) => client.roll_back(run, &by).await,
        }
    }

    /// Decides what became of a step, or of all that fit a pattern.
    pub async fn settle(&self, run: RunId, request: SettleRequest) -> Result<Settled, Error> {
        match self {
            Self::Here(own) => own.engine.settle(run, request).await,
            Self::There(client) => client.settle(run, &request).await,
        }
    }

    /// Answers a step that asks for approval.
    pub async fn approve(&self, run: RunId, request: ApproveRequest) -> Result<(), Error> {
        match self {
            Self::Here(own) => {
                let ApproveRequest { step, yes, by } = request;
                own.engine.approve(run, step, yes, By { who: person::here(by.who), why: by.why }).await
            }
            Self::There(client) => client.approve(run, &request).await,
        }
    }

    /// Takes alarms in, in Alertmanager's form.
    pub async fn alarm(&self, body: &[u8]) -> Result<Accepted, Error> {
        match self {
            Self::Here(own) => own.engine.alarm(body).await,
            Self::There(client) => client.alarm(body).await,
        }
    }

    /// Tries again to start what could not be started for these alarms; for all where none is named.
    pub async fn retry_unstarted(&self, request: &UnstartedRequest) -> Result<Accepted, Error> {
        match self {
            Self::Here(own) => own.engine.retry_unstarted(&request.keys, &request.by).await,
            Self::There(client) => client.retry_unstarted(request).await,
        }
    }

    /// Takes these alarms out of the list of those that could not start; all of them where none is named.
    pub async fn dismiss_unstarted(&self, request: &UnstartedRequest) -> Result<Vec<UnstartedAlarm>, Error> {
        match self {
            Self::Here(own) => own.engine.dismiss_unstarted(&request.keys, &request.by).await,
            Self::There(client) => client.dismiss_unstarted(request).await,
        }
    }

    /// Where the engine stands.
    pub async fn status(&self) -> Result<StatusView, Error> {
        match self {
            Self::Here(own) => own.engine.status(),
            Self::There(client) => client.status().await,
        }
    }

    /// The runs that go on in this process's own engine, for example those that other commands started in it.
    pub fn going_on(&self) -> Result<Vec<RunId>, Error> {
        match self {
            Self::Here(own) => own.engine.going_on(),
            Self::There(_) => Ok(Vec::new()),
        }
    }

    /// Waits until no run goes on in this process's own engine.
    pub async fn until_quiet(&self) -> Result<(), Error> {
        let Self::Here(own) = self else { return Ok(()) };
        while let Some(run) = own.engine.going_on()?.first() {
            // In a queue it may never be still: who is before it may come to wait for a person.
            let _ = tokio::time::timeout(QUIET_LOOK, own.engine.driver().until_still(*run)).await;
            // Its task may be a moment behind what the journal says.
            tokio::time::sleep(LOCK_LOOK).await;
        }
        Ok(())
    }

    /// From now on an engine in this process answers nobody new; requests that have begun come to their end, and what they
    /// start is among the runs that [go on](Self::going_on).
    pub async fn answer_no_more(&mut self) {
        let Self::Here(own) = self else { return };
        let Some(answering) = &mut own.answering else { return };
        answering.end();
        // Whoever watches a run may stay longer.
        if tokio::time::timeout(DRAIN, &mut answering.task).await.is_ok() {
            own.answering = None;
        }
    }

    /// Lets go: an engine in this process stops cleanly.
    pub async fn close(self) {
        let Self::Here(own) = self else { return };
        let Own { engine, answering } = *own;
        if let Some(mut answering) = answering {
            answering.end();
            engine.stop().await;
            // What others watched has its last records to send.
            let _ = tokio::time::timeout(LINGER, answering.task).await;
        } else {
            engine.stop().await;
        }
    }
}

impl Answering {
    /// Nobody new is answered from now on, and whoever comes waits for the state directory itself.
    fn end(&mut self) {
        if let Some(close) = self.close.take() {
            self.file.remove();
            let _ = close.send(());
        }
    }
}

impl Own {
    fn quiet(engine: Engine) -> Self {
        Self { engine, answering: None }
    }

    /// A socket that can't be made is no reason not to run: other commands wait then.
    fn answering(engine: Engine) -> Self {
        let socket = match Socket::listen(&engine.settings.socket()) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!("other commands can't go through this one: {error}");
                return Self::quiet(engine);
            }
        };
        let (close, closing) = oneshot::channel();
        let closing = async {
            let _ = closing.await;
        };
        let file = socket.file();
        let task = tokio::spawn(api::answer(engine.clone(), socket, closing));
        Self { engine, answering: Some(Answering { close: Some(close), file, task }) }
    }
}
