//! Serving: the engine that lives until it is told to stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::view::StatusView;
use crate::{Engine, Error, Settings, api, intake, starts, watch};

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
    let engine = Engine::open_to_serve(&settings).await?;
    starts::begin(&engine).await?;
    let listener = api::listen(&settings.socket())?;
    // A second look takes files that were written just now as they are: an alarm may come at once.
    engine.scan_runbooks();
    engine.scan_runbooks();
    let safe_mode = engine.driver().safe_mode().is_some();
    if !safe_mode {
        resume(&engine).await?;
    }
    let watching = async {
        match safe_mode {
            true => std::future::pending().await,
            false => tokio::select! {
                ended = watch::watch(engine.clone()) => ended,
                ended = watch::watch_plugins(engine.clone()) => ended,
            },
        }
    };
    let forgetting = forget(&engine);
    // On tasks of their own, so that a look at a large folder holds up neither.
    let mut tasks = JoinSet::new();
    if !safe_mode {
        tasks.spawn(intake::consume(&engine));
    }
    tasks.spawn(api::answer(engine.clone(), listener, std::future::pending()));
    let working = async {
        match tasks.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => Err(Error::Internal(error.to_string())),
            None => Ok(()),
        }
    };
    ready(&engine.status()?);
    let ended = tokio::select! {
        () = shutdown => Ok(()),
        ended = watching => ended,
        ended = working => ended,
        () = forgetting => Ok(()),
    };
    tasks.abort_all();
    tracing::info!("stopping: steps in flight may take {} s more", settings.grace.as_secs());
    // Nobody can ask for anything any more; the socket goes first, so that commands do not wait for an answer.
    let _ = std::fs::remove_file(settings.socket());
    engine.stop().await;
    if ended.is_ok() {
        starts::end(&engine).await?;
    }
    ended
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

/// Forgets runs that were over long ago, for ever, if the settings say so.
async fn forget(engine: &Engine) {
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
        tokio::time::sleep(FORGET_EVERY).await;
    }
}
