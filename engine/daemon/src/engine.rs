//! One engine: the floors put together.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use driver::{Admission, Driver, Hearing, Hosted, Progress, SystemClock};
use host::shown;
use journal::{Journal, Memory, SledJournal};
use logs::{Logs, Nowhere};
use runwright_core::{By, Cause, Record, RunId, RunStatus, Timestamp};
use tokio::sync::mpsc;

use crate::intake::{Candidate, Intake};
use crate::library::{Library, Loaded, Shared};
use crate::view::{Listed, Problem, Question, RunView, RunbookRef, Said, StartRequest, Started, StatusView, Tale};
use crate::{Error, Settings, Workshop, person};

/// How long an engine waits for a state directory that another process holds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Blocked runs of which the status tells what people are asked, at most: each is read as a whole for that.
const QUESTIONED_MAX: usize = 20;

/// How long it waits between two looks.
pub(crate) const LOCK_LOOK: Duration = Duration::from_millis(50);

/// One engine: it holds the state directory. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) settings: Arc<Settings>,
    pub(crate) workshop: Workshop,
    pub(crate) driver: Driver,
    pub(crate) library: Arc<Shared>,
    pub(crate) intake: Arc<Intake>,
    /// What is wrong with files of alarms.
    pub(crate) alarm_problems: Arc<Mutex<Vec<Problem>>>,
    told: Arc<Mutex<BTreeSet<Problem>>>,
    /// Whether it watches folders and takes alarms. Otherwise it belongs to one command.
    pub(crate) serves: bool,
    command: Arc<str>,
    since: Timestamp,
}

impl Engine {
    /// Opens the state directory, or makes one, for `command`, which another process that finds it in use is told. Nothing
    /// is resumed yet.
    pub async fn open(settings: &Settings, command: &str) -> Result<Self, Error> {
        Self::open_with(settings, command, Workshop::make(settings)).await
    }

    async fn open_with(
        settings: &Settings,
        command: &str,
        workshop: impl Future<Output = Result<Workshop, Error>>,
    ) -> Result<Self, Error> {
        let state_dir = settings.state_dir.clone();
        let options = journal::Options { holder: command.to_owned(), ..journal::Options::default() };
        let opened = tokio::task::spawn_blocking(move || SledJournal::open_with(&state_dir, &options));
        let workshop = workshop.await?;
        let journal = opened.await.map_err(|error| Error::Internal(error.to_string()))??;
        let kept = settings.state_dir.join("plugins");
        workshop.files.keep_in(&kept)?;
        Self::with(settings, command, (Arc::new(journal), Arc::new(settings.logs())), workshop)
    }

    /// The same for a command that only looks, or asks for something about a run that there is: where there is no journal
    /// yet none is made, and it finds an empty one.
    pub async fn look(settings: &Settings, command: &str) -> Result<Self, Error> {
        if settings.has_journal() {
            return Self::open(settings, command).await;
        }
        let kept = (Arc::new(Memory::new()) as _, Arc::new(Nowhere) as _);
        Self::with(settings, command, kept, Workshop::open(settings).await?)
    }

    /// The engine of this journal, with what is kept beside it.
    pub(crate) fn with(
        settings: &Settings,
        command: &str,
        (journal, logs): (Arc<dyn Journal>, Arc<dyn Logs>),
        workshop: Workshop,
    ) -> Result<Self, Error> {
        let kept = settings.state_dir.join("plugins");
        let driver = Driver::with_logs(
            journal,
            Arc::new(Hosted { host: Arc::clone(&workshop.host), kept }),
            Arc::new(SystemClock::default()),
            Arc::clone(&workshop.scripts),
            logs,
        );
        let library = Arc::new(Shared::new(Library::new(&settings.runbooks)));
        driver.remember_locks()?;
        let intake = Intake::of(driver.journal().as_ref())?;
        let since = driver.now();
        Ok(Self {
            settings: Arc::new(settings.clone()),
            workshop,
            driver,
            library,
            intake,
            alarm_problems: Arc::default(),
            told: Arc::default(),
            serves: false,
            command: command.into(),
            since,
        })
    }

    /// Opens it to serve, and waits a little while another process holds the directory: most hold it only for a moment. It
    /// does without plugins whose configuration can't be read.
    pub(crate) async fn open_to_serve(settings: &Settings) -> Result<Self, Error> {
        let began = std::time::Instant::now();
        loop {
            match Self::open_with(settings, "runwright serve", Workshop::make_to_serve(settings)).await {
                Err(Error::Journal(journal::Error::Locked { .. })) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOCK_LOOK).await;
                }
                opened => return Ok(Self { serves: true, ..opened? }),
            }
        }
    }

    /// Answers a step that asks for approval, for somebody who may.
    pub(crate) async fn approve(&self, run: RunId, step: String, yes: bool, by: By) -> Result<(), Error> {
        let state = self.driver.load(run)?;
        let status = state.status();
        if status.is_finished() {
            return Err(driver::Error::Over { run, status }.into());
        }
        // What does not ask yet is answered by nobody: who may, would not be known.
        if let Some(role) = state.approver(&step).map_err(driver::Error::from)?.role {
            let members = self.settings.roles.get(role);
            if !members.is_some_and(|members| person::is_among(members, by.person())) {
                let (who, is_known) = (by.who, members.is_some_and(|members| !members.is_empty()));
                return Err(Error::MayNotApprove { who, step, role: role.to_owned(), is_known });
            }
        }
        Ok(self.driver.approve(run, step, yes, by).await?)
    }

    /// The engine of a command takes no alarms: their runs would have nobody who goes on with them.
    pub(crate) fn must_serve(&self) -> Result<(), Error> {
        match self.serves {
            true => Ok(()),
            false => Err(Error::NotServing { command: self.command.to_string() }),
        }
    }

    /// The journal.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        self.driver.journal()
    }

    /// The driver of its runs.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// The plugins and expressions.
    pub fn workshop(&self) -> &Workshop {
        &self.workshop
    }

    /// Looks at the folder of runbooks; with `patience` a file that was written just now is left for the next look. True:
    /// something is still changing, look again soon.
    pub(crate) fn scan_runbooks(&self, patience: bool) -> bool {
        let catalog = self.workshop.catalog();
        let scan = self.library.change(|library| library.scan(&catalog, &self.workshop.scripts, patience));
        for path in &scan.changed {
            tracing::info!(file = shown(path), "runbook file changed");
        }
        self.tell_problems();
        scan.unsettled
    }

    /// What is wrong with files and folders, and what is missing of alarms.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.library().problems();
        problems.extend(self.workshop.problems());
        problems.extend(self.alarm_problems.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        problems.extend(self.intake.problems(self.driver.now()));
        problems
    }

    /// Logs what is wrong, each problem once for as long as it lasts. Only an engine that serves does: a command tells of
    /// the file that it is about.
    pub(crate) fn tell_problems(&self) {
        if !self.serves {
            return;
        }
        let problems: BTreeSet<Problem> = self.problems().into_iter().collect();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for problem in problems.difference(&told) {
            tracing::warn!("{}: {}", problem.subject, problem.problem);
        }
        *told = problems;
    }

    /// The runbooks as they are now.
    pub(crate) fn library(&self) -> Arc<Library> {
        self.library.now()
    }

    /// Looks at the folders of plugins; where new runs use another one now, every runbook is checked again. True: something
    /// is still changing, look again soon.
    pub(crate) async fn scan_plugins(&self) -> bool {
        let scanned = self.workshop.files.scan(true).await;
        if scanned.changed {
            let plugins = self.workshop.host.plugins();
            let names: Vec<String> = plugins.iter().map(|facts| format!("{} {}", facts.name, facts.version)).collect();
            tracing::info!(plugins = names.join(", "), "plugins changed: new runs use these");
            self.library.change(Library::forget_looks);
            tokio::task::block_in_place(|| self.scan_runbooks(true));
        }
        self.tell_problems();
        scanned.unsettled
    }

    /// The runbooks that an alarm may call for, and why there may be others that can't be asked, if so.
    pub(crate) fn candidates(&self) -> (Vec<Candidate>, Option<String>) {
        let library = self.library();
        let (unusable, unasked) = library.unusable();
        let usable = library.runbooks().into_values();
        let mut all: Vec<Candidate> =
            usable.map(|loaded| Candidate { runbook: loaded.checked.runbook, unusable: None }).collect();
        all.extend(unusable.into_iter().map(|(runbook, why)| Candidate { runbook, unusable: Some(why) }));
        (all, unasked)
    }

    /// Starts a run. It exists, durably, when this returns.
    pub async fn start(&self, request: StartRequest) -> Result<Started, Error> {
        let (runbook, note) = match request.runbook {
            RunbookRef::Text { file, text } => {
                if !self.serves && self.workshop.calls(&file, text.as_bytes()) {
                    self.scan_runbooks(false);
                }
                let checked = self.workshop.runbook(&file, text.as_bytes(), &self.library())?;
                let note = checked.warning(&file);
                (checked.runbook, note)
            }
            RunbookRef::Name(name) => {
                let loaded = self.named(&name)?;
                let note =
                    if loaded.stale { Some(stale(&loaded)) } else { loaded.checked.warning(&shown(&loaded.file)) };
                (loaded.checked.runbook, note)
            }
        };
        let inputs = self.workshop.inputs(&runbook, request.inputs)?;
        let cause = Cause::Person { by: request.by };
        let run = self.driver.start(Admission { runbook, inputs, cause }).await?;
        Ok(Started { run, note })
    }

    fn named(&self, name: &str) -> Result<Loaded, Error> {
        if !self.serves {
            // Nobody watches the folder for the engine of a command.
            self.scan_runbooks(false);
        }
        self.library().find(name, &self.workshop)
    }

    /// Tells everything about a run: its runbook, its records from the first on, and, while it lives, log lines and
    /// progress. The tale ends when the run is over or a person must decide.
    pub fn watch(&self, run: RunId) -> Result<mpsc::Receiver<Tale>, Error> {
        self.watch_from(run, self.driver.hear(), false)
    }

    /// Starts a run and watches it from its first moment, so that no log line is missing.
    pub async fn start_watched(&self, request: StartRequest) -> Result<(Started, mpsc::Receiver<Tale>), Error> {
        let heard = self.driver.hear();
        let started = self.start(request).await?;
        let tale = self.watch_from(started.run, heard, true)?;
        Ok((started, tale))
    }

    /// `all`: everything that the run ever told is in `heard`, log lines in their places between the records; so the
    /// journal, which may be ahead of it, is not read first.
    fn watch_from(&self, run: RunId, mut heard: Hearing, all: bool) -> Result<mpsc::Receiver<Tale>, Error> {
        let now = self.driver.load(run)?;
        heard.only(run);
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
                let go_on = match heard.next().await {
                    Progress::Record(record) if record.seq == seq + 1 => {
                        seq = record.seq;
                        engine.tell_record(Record::clone(&record), &tell).await
                    }
                    Progress::Record(record) if record.seq <= seq => true,
                    Progress::Record(_) | Progress::Unheard { .. } => engine.tell_history(run, &mut seq, &tell).await,
                    Progress::Said { line, passes, .. } => tell.send(Tale::Said(Said { line, passes })).await.is_ok(),
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
        let Ok(history) = self.journal().history(run) else { return false };
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
        !matches!(self.journal().head(run), Ok(Some(head)) if head.seq == seq && still(head.status))
    }

    /// Where it stands.
    pub fn status(&self) -> Result<StatusView, Error> {
        let mut problems = self.problems();
        problems.extend(self.driver.logs().trouble().map(|problem| Problem { subject: "logs".to_owned(), problem }));
        let runbooks = self.library().views();
        let unfinished = self.unfinished()?;
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            serves: self.serves,
            command: self.command.to_string(),
            since: self.since,
            safe_mode: self.driver.safe_mode().map(str::to_owned),
            questions: self.questions(&unfinished),
            unfinished,
            runbooks,
            problems,
            plugins: self.workshop.plugin_views(),
            alarms: self.intake.unstarted(),
        })
    }

    /// What people are asked about the blocked ones of these runs. A run that can't be read is told of where it is shown.
    fn questions(&self, runs: &[Listed]) -> Vec<Question> {
        let blocked =
            runs.iter().map(|run| &run.head).filter(|head| head.status == RunStatus::Blocked).take(QUESTIONED_MAX);
        let loaded = blocked.filter_map(|head| self.driver.load(head.run).ok());
        loaded.flat_map(|run| RunView::of(&run).questions()).collect()
    }

    /// Stops cleanly: steps in flight may end within the settings' grace, and everything is durable when this returns.
    pub async fn stop(&self) {
        self.driver.stop(self.settings.grace).await;
        self.settle_logs().await;
    }
}

/// What whoever starts a runbook whose file has errors now is told.
fn stale(loaded: &Loaded) -> String {
    let file = shown(&loaded.file);
    format!("{file} has errors now, so this is the last good version of it; `runwright check {file}` shows them")
}
