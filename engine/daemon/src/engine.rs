//! One engine: the floors put together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use driver::{Admission, Driver, Hosted, Progress, SystemClock};
use journal::{Journal, SledJournal};
use runwright_core::{Cause, Record, RunId, RunStatus, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use crate::intake::{Candidate, Intake};
use crate::library::{Library, Loaded};
use crate::view::{RunbookRef, StartRequest, StatusView, Tale};
use crate::{Error, Settings, Workshop, workshop};

/// How long an engine waits for a state directory that another process holds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// How long it waits between two looks.
pub(crate) const LOCK_LOOK: Duration = Duration::from_millis(50);

/// One engine: it holds the state directory. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) settings: Arc<Settings>,
    pub(crate) workshop: Workshop,
    pub(crate) driver: Driver,
    pub(crate) library: Arc<Mutex<Library>>,
    pub(crate) intake: Arc<Intake>,
    journal: Arc<SledJournal>,
    since: Timestamp,
}

impl Engine {
    /// Opens the state directory for `purpose`, which another process that finds it in use is told. Nothing is resumed
    /// yet.
    pub async fn open(settings: &Settings, purpose: &str) -> Result<Self, Error> {
        let state_dir = settings.state_dir.clone();
        let options = journal::Options { holder: purpose.to_owned(), ..journal::Options::default() };
        let opened = tokio::task::spawn_blocking(move || SledJournal::open_with(&state_dir, &options));
        let workshop = Workshop::open(settings).await?;
        let journal = Arc::new(opened.await.map_err(|error| Error::Internal(error.to_string()))??);
        let kept = settings.state_dir.join("plugins");
        workshop.files.keep_in(&kept)?;
        let driver = Driver::new(
            Arc::clone(&journal) as Arc<dyn Journal>,
            Arc::new(Hosted { host: Arc::clone(&workshop.host), kept }),
            Arc::new(SystemClock::default()),
            Arc::clone(&workshop.scripts),
        );
        let library = Arc::new(Mutex::new(Library::new(&settings.runbooks)));
        driver.remember_locks()?;
        let (intake, since) = (Intake::of(journal.as_ref())?, driver.now());
        Ok(Self { settings: Arc::new(settings.clone()), workshop, driver, library, intake, journal, since })
    }

    /// The same, but waits a little while another process holds the directory: most hold it only for a moment.
    pub(crate) async fn open_patiently(settings: &Settings, purpose: &str) -> Result<Self, Error> {
        let began = std::time::Instant::now();
        loop {
            match Self::open(settings, purpose).await {
                Err(Error::Journal(journal::Error::Locked { .. })) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOCK_LOOK).await;
                }
                opened => return opened,
            }
        }
    }

    /// The journal.
    pub fn journal(&self) -> &Arc<SledJournal> {
        &self.journal
    }

    /// The driver of its runs.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// The plugins and expressions.
    pub fn workshop(&self) -> &Workshop {
        &self.workshop
    }

    /// Looks at the folder of runbooks. True: something is still changing, look again soon.
    pub(crate) fn scan_runbooks(&self) -> bool {
        let mut library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        match library.scan(&self.workshop.catalog(), &self.workshop.scripts) {
            Ok(scan) => {
                for path in &scan.changed {
                    tracing::info!(file = %path.display(), "runbook file changed");
                }
                for problem in library
                    .problems()
                    .iter()
                    .filter(|p| scan.changed.iter().any(|c| c.display().to_string() == p.subject))
                {
                    tracing::warn!(file = %problem.subject, "can't be used:\n{}", problem.problem);
                }
                scan.unsettled
            }
            Err(error) => {
                let folder = self.settings.runbooks.display();
                tracing::debug!(%folder, %error, "the folder of runbooks can't be read");
                false
            }
        }
    }

    /// Looks at the folders of plugins; where new runs use another one now, every runbook is checked again. True: something
    /// is still changing, look again soon.
    pub(crate) async fn scan_plugins(&self) -> bool {
        let scanned = self.workshop.files.scan(true).await;
        if scanned.changed {
            let plugins = self.workshop.host.plugins();
            let names: Vec<String> = plugins.iter().map(|facts| format!("{} {}", facts.name, facts.version)).collect();
            tracing::info!(plugins = names.join(", "), "plugins changed: new runs use these");
            self.library.lock().unwrap_or_else(PoisonError::into_inner).forget_looks();
            tokio::task::block_in_place(|| self.scan_runbooks());
        }
        scanned.unsettled
    }

    /// The runbooks that new runs can use, by name.
    pub(crate) fn runbooks(&self) -> BTreeMap<String, Loaded> {
        let library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        library.runbooks().into_iter().map(|(name, loaded)| (name.to_owned(), loaded)).collect()
    }

    /// The runbooks that an alarm may call for, and how many files can't be asked because of their errors.
    pub(crate) fn candidates(&self) -> (Vec<Candidate>, usize) {
        let library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        let (unusable, unread) = library.unusable();
        let usable = library.runbooks().into_values();
        let mut all: Vec<Candidate> =
            usable.map(|loaded| Candidate { runbook: loaded.runbook, unusable: None }).collect();
        all.extend(unusable.into_iter().map(|(runbook, why)| Candidate { runbook, unusable: Some(why) }));
        (all, unread)
    }

    /// Starts a run. It exists, durably, when this returns.
    pub async fn start(&self, request: StartRequest) -> Result<RunId, Error> {
        let runbook = match request.runbook {
            RunbookRef::Text { file, text } => Arc::new(self.workshop.runbook(&file, text.as_bytes())?),
            RunbookRef::Name(name) => self.named(&name)?,
        };
        let inputs = workshop::inputs(&runbook, request.inputs)?;
        let cause = Cause::Person { by: request.by };
        Ok(self.driver.start(Admission { runbook, inputs, cause }).await?)
    }

    fn named(&self, name: &str) -> Result<Arc<runwright_core::Runbook>, Error> {
        let mut runbooks = self.runbooks();
        if runbooks.is_empty() {
            // A command that opened the state directory itself has not looked yet. A second look takes a file that was
            // written just now as it is.
            self.scan_runbooks();
            self.scan_runbooks();
            runbooks = self.runbooks();
        }
        match runbooks.remove(name) {
            Some(loaded) => Ok(loaded.runbook),
            None => {
                let known: Vec<String> = runbooks.into_keys().collect();
                let hint = (!known.is_empty()).then(|| format!("there are: {}", known.join(", ")));
                Err(Error::NoRunbook { name: name.to_owned(), hint })
            }
        }
    }

    /// Tells everything about a run: its runbook, its records from the first on, and, while it lives, log lines and
    /// progress. The tale ends when the run is over or a person must decide.
    pub fn watch(&self, run: RunId) -> Result<mpsc::Receiver<Tale>, Error> {
        self.watch_from(run, self.driver.hear(), false)
    }

    /// Starts a run and watches it from its first moment, so that no log line is missing.
    pub async fn start_watched(&self, request: StartRequest) -> Result<(RunId, mpsc::Receiver<Tale>), Error> {
        let heard = self.driver.hear();
        let run = self.start(request).await?;
        Ok((run, self.watch_from(run, heard, true)?))
    }

    /// `all`: everything that the run ever told is in `heard`, log lines in their places between the records; so the
    /// journal, which may be ahead of it, is not read first.
    fn watch_from(
        &self,
        run: RunId,
        mut heard: broadcast::Receiver<Progress>,
        all: bool,
    ) -> Result<mpsc::Receiver<Tale>, Error> {
        let now = self.driver.load(run)?;
        let (tell, tale) = mpsc::channel(256);
        let engine = self.clone();
        tokio::spawn(async move {
            let runbook = Tale::Runbook(Box::new(now.runbook().as_ref().clone()));
            if tell.send(runbook).await.is_err() {
                return;
            }
            let mut seq = 0;
            if !all && !engine.tell_history(run, &mut seq, &tell).await {
                return;
            }
            loop {
                let progress = match heard.recv().await {
                    Ok(progress) if progress.run() == run => progress,
                    Ok(_) => continue,
                    Err(RecvError::Lagged(_)) => {
                        if !engine.tell_history(run, &mut seq, &tell).await {
                            return;
                        }
                        continue;
                    }
                    Err(RecvError::Closed) => return,
                };
                let go_on = match progress {
                    Progress::Record(record) if record.seq == seq + 1 => {
                        seq = record.seq;
                        engine.tell_record(Record::clone(&record), &tell).await
                    }
                    Progress::Record(record) if record.seq <= seq => true,
                    Progress::Record(_) | Progress::Unheard { .. } => engine.tell_history(run, &mut seq, &tell).await,
                    Progress::Log { step, level, message, .. } => {
                        let level = level.as_str().to_owned();
                        tell.send(Tale::Log { step, level, message }).await.is_ok()
                    }
                    Progress::Percent { step, percent, note, .. } => {
                        tell.send(Tale::Progress { step, percent, note }).await.is_ok()
                    }
                };
                if !go_on {
                    return;
                }
            }
        });
        Ok(tale)
    }

    /// Tells the records after `seq`. False: the tale is at its end.
    async fn tell_history(&self, run: RunId, seq: &mut u64, tell: &mpsc::Sender<Tale>) -> bool {
        let Ok(history) = self.journal.history(run) else { return false };
        for record in history {
            if record.seq <= *seq {
                continue;
            }
            *seq = record.seq;
            if !self.tell_record(record, tell).await {
                return false;
            }
        }
        true
    }

    /// Tells one record. False: the tale is at its end.
    async fn tell_record(&self, record: Record, tell: &mpsc::Sender<Tale>) -> bool {
        let (run, seq) = (record.run, record.seq);
        if tell.send(Tale::Record(Box::new(record))).await.is_err() {
            return false;
        }
        // Which record blocks a run only its fold tells, and a run that is over may have been taken up again to be rolled
        // back; the journal's head has that after the newest record.
        let still = |status: RunStatus| status == RunStatus::Blocked || status.is_finished();
        !matches!(self.journal.head(run), Ok(Some(head)) if head.seq == seq && still(head.status))
    }

    /// Where it stands.
    pub fn status(&self) -> Result<StatusView, Error> {
        let library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = library.problems();
        problems.extend(self.workshop.problems());
        problems.extend(self.intake.problems(self.driver.now()));
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: self.since,
            safe_mode: self.driver.safe_mode().map(str::to_owned),
            unfinished: self.journal.runs(&journal::Query::unfinished())?,
            runbooks: library.views(),
            problems,
            plugins: self.workshop.plugin_views(),
            alarms: self.intake.unstarted(),
        })
    }

    /// Stops cleanly: steps in flight may end within the settings' grace, and everything is durable when this returns.
    pub async fn stop(&self) {
        self.driver.stop(self.settings.grace).await;
    }
}
