//! Serving: the engine that lives until it is told to stop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::hints::Complaints;
use crate::view::StatusView;
use crate::{Engine, Error, Settings, api, intake, said, starts, watch};

/// How often old runs are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);

/// Serves until `shutdown` is done: resumes what is unfinished, handles the inbox, watches the folders and answers the
/// API. `ready` is called once, when all of that is in place.
///
/// **A crash** at any moment is what the journal is for: the next `serve` goes on. After many of them in a short time the
/// engine only answers: it resumes, watches and starts nothing (safe mode) until it was stopped cleanly.
pub async fn serve(
    settings: Settings,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(&StatusView),
) -> Result<(), Error> {
    let mut shutdown = pin!(shutdown);
    let engine = tokio::select! {
        // Compiling large plugins takes a while, and nothing has begun yet.
        () = &mut shutdown => return Ok(()),
        opened = Engine::open_to_serve(&settings) => opened?,
    };
    starts::begin(&engine).await?;
    watch::make(&engine).await?;
    let socket = api::Socket::listen(&settings.socket())?;
    let socket_file = socket.file();
    // Without patience: an alarm may come at once.
    engine.scan_runbooks(false);
    let safe_mode = engine.driver().safe_mode().is_some();
    if !safe_mode {
        resume(&engine).await?;
    }
    let mut tasks = tasks(&engine, socket, safe_mode);
    ready(&engine.status()?);
    let ended = tokio::select! {
        () = &mut shutdown => Ok(()),
        Some(ended) = tasks.join_next() => ended.unwrap_or_else(|error| Err(Error::Internal(error.to_string()))),
    };
    tasks.shutdown().await;
    tracing::info!("stopping: steps in flight may take {} s more", settings.grace.as_secs());
    // Nobody can ask for anything any more; the socket goes first, so that commands do not wait for an answer.
    socket_file.remove();
    engine.stop().await;
    if ended.is_ok() {
        starts::end(&engine).await?;
    }
    ended
}

/// What an engine does while it serves, each on a task of its own, so that a look at a large folder holds up nothing else.
/// None of them ends by itself; with an error only where the engine as a whole can't go on, never because of one file or
/// one request.
fn tasks(engine: &Engine, socket: api::Socket, safe_mode: bool) -> JoinSet<Result<(), Error>> {
    let mut tasks = JoinSet::new();
    tasks.spawn(forget(engine.clone()));
    if !safe_mode {
        let complaints = Complaints::default();
        tasks.spawn(intake::consume(engine));
        tasks.spawn(watch::watch_runbooks(engine.clone(), Arc::clone(&complaints)));
        tasks.spawn(watch::watch_alarms(engine.clone(), Arc::clone(&complaints)));
        tasks.spawn(watch::watch_plugins(engine.clone(), complaints));
    }
    // Last: who is answered finds an engine that does all of this.
    tasks.spawn(api::answer(engine.clone(), socket, std::future::pending()));
    tasks
}

async fn resume(engine: &Engine) -> Result<(), Error> {
    let (resumed, left) = engine.driver().resume_all().await?;
    if resumed > 0 {
        tracing::info!(resumed, "unfinished runs go on");
    }
    for (run, error) in left {
        tracing::error!(%run, %error, "an unfinished run can't go on");
    }
    Ok(())
}

/// Forgets runs that were over long ago, for ever, if the settings say so; and at first what a crash left of that.
async fn forget(engine: Engine) -> Result<(), Error> {
    forget_what_was_said(&engine).await;
    let Some(keep) = engine.settings.keep else { return std::future::pending().await };
    loop {
        let (journal, now) = (Arc::clone(engine.journal()), engine.driver().now());
        let pruned = tokio::task::spawn_blocking(move || journal::prune(journal.as_ref(), now, keep, false)).await;
        match pruned {
            Ok(Ok(pruned)) if pruned.runs > 0 => tracing::info!(pruned.runs, "forgot runs that were over long ago"),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "old runs could not be forgotten"),
            Err(error) => tracing::error!(%error, "old runs could not be forgotten"),
        }
        forget_what_was_said(&engine).await;
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

/// Forgets what was said in runs that are forgotten.
async fn forget_what_was_said(engine: &Engine) {
    let (journal, logs) = (Arc::clone(engine.journal()), Arc::clone(engine.driver().logs()));
    match tokio::task::spawn_blocking(move || said::forget_logs(&*journal, &*logs)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "what was said in runs that are forgotten could not be removed"),
        Err(error) => tracing::error!(%error, "what was said in runs that are forgotten could not be removed"),
    }
}
