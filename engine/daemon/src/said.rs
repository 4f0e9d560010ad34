//! What steps said: read from where it is kept, followed, and forgotten with its run.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use driver::{Hearing, Progress};
use journal::Journal;
use logs::{Logs, Place};
use runwright_core::{Line, RunId};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::view::{LogQuery, Said};
use crate::{Engine, Error};

/// How long lines on their way to the disk are waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a run that says nothing is looked at: whether it goes on.
const LOOK: Duration = Duration::from_millis(500);

/// How long lines that come one after the other are collected.
const TOGETHER: Duration = Duration::from_millis(30);

impl LogQuery {
    fn fits(&self, line: &Line) -> bool {
        let below = |path: &String| {
            line.step.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.step.as_ref().is_none_or(below) && self.attempt.is_none_or(|attempt| attempt == line.attempt)
    }
}

impl Engine {
    /// What was said in a run and is kept; with `follow` also what will be said, until the run is over or does not go on here.
    ///
    /// # Errors
    ///
    /// For a step that the run does not have, and where the run can't be read.
    pub fn logs(&self, run: RunId, query: LogQuery) -> Result<mpsc::Receiver<Said>, Error> {
        let state = self.driver().load(run)?;
        if let Some(path) = &query.step {
            let unknown = |misfit: runwright_core::Misfit| Error::NoStep(misfit.to_string());
            state.check_path(path).map_err(unknown)?;
        }
        let hearing = self.driver().hear();
        hearing.only(run);
        let (tell, said) = mpsc::channel(256);
        let engine = self.clone();
        tokio::spawn(async move {
            if let Err(error) = engine.tell_logs(run, query, hearing, tell).await {
                tracing::warn!(%run, %error, "what its steps said can't be read");
            }
        });
        Ok(said)
    }

    async fn tell_logs(
        &self,
        run: RunId,
        query: LogQuery,
        mut hearing: Hearing,
        tell: mpsc::Sender<Said>,
    ) -> io::Result<()> {
        let (query, mut place) = (Arc::new(query), Place::default());
        loop {
            // Asked before what it said is read: after its end it says nothing more.
            let goes_on = query.follow && self.goes_on(run);
            let (logs, to, wanted) = (Arc::clone(self.driver().logs()), tell.clone(), Arc::clone(&query));
            let read = spawn_blocking(move || {
                logs.settle(PATIENCE);
                tell_kept(&*logs, run, place, &wanted, &to)
            });
            place = read.await.map_err(io::Error::other)??;
            if !goes_on || tell.is_closed() {
                return Ok(());
            }
            let more = next_said(&mut hearing, &query, &tell);
            if tokio::time::timeout(LOOK, more).await.is_ok() {
                tokio::time::sleep(TOGETHER).await;
            }
        }
    }

    fn goes_on(&self, run: RunId) -> bool {
        let is_over = self.journal().head(run).is_ok_and(|head| head.is_none_or(|head| head.status.is_finished()));
        !is_over && self.driver().is_living(run)
    }

    /// Waits until what was said is kept, as far as it can be.
    pub(crate) async fn settle_logs(&self) {
        let logs = Arc::clone(self.driver().logs());
        // It is lost only where the runtime ends.
        let _ = spawn_blocking(move || logs.settle(PATIENCE)).await;
    }
}

/// Tells the kept lines from `place` on that are wanted; returns where the next ones begin. It blocks its thread.
fn tell_kept(
    logs: &dyn Logs,
    run: RunId,
    place: Place,
    query: &LogQuery,
    tell: &mpsc::Sender<Said>,
) -> io::Result<Place> {
    let mut last = VecDeque::new();
    let place = logs.read(run, place, &mut |line| {
        if !query.fits(&line) {
            return true;
        }
        let said = Said { line, passes: false };
        let Some(count) = query.last else { return tell.blocking_send(said).is_ok() };
        last.push_back(said);
        if last.len() > count {
            last.pop_front();
        }
        true
    })?;
    for said in last {
        if tell.blocking_send(said).is_err() {
            break;
        }
    }
    Ok(place)
}

/// Waits until something was said that is kept, or a record was written; tells lines that only pass.
async fn next_said(hearing: &mut Hearing, query: &LogQuery, tell: &mpsc::Sender<Said>) {
    loop {
        match hearing.next().await {
            Progress::Said { line, passes: true, .. } if query.fits(&line) => {
                // Whoever went away is seen by the caller.
                let _ = tell.send(Said { line, passes: true }).await;
            }
            Progress::Said { passes: true, .. } | Progress::Percent { .. } => {}
            Progress::Said { .. } | Progress::Record(_) | Progress::Unheard { .. } => return,
        }
    }
}

/// Forgets what was said in runs that the journal does not have any more; returns of how many. A run that can't be looked up
/// keeps its lines.
///
/// **A crash** in the middle leaves the rest for the next time.
pub fn forget_logs(journal: &dyn Journal, logs: &dyn Logs) -> io::Result<usize> {
    logs.retain(&mut |run| !matches!(journal.head(run), Ok(None)))
}
