//! The consumer: it alone handles what waits in the inbox, in order, live and after a start alike.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use driver::{Admission, Admitted};
use journal::{Batch, Entry, InboxWrite};
use runwright_core::{Cause, RunId, Runbook, Timestamp};
use tokio::runtime::Handle;
use trigger::Alarm;

use super::item::{Again, Item};
use super::matching::{self, Called, Candidate};
use super::unstarted::Change;
use crate::view::{StartFailure, UnstartedAlarm};
use crate::{Engine, Error};

/// How often it looks though nothing woke it.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How soon it looks again where something could not be handled, for example because the disk is full.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Entries that are read at once.
const PAGE: usize = 64;

/// Entries that may fail in one round before the rest waits for the next.
const FAILED_MAX: usize = 256;

/// What became of an entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) runs: Vec<RunId>,
    pub(super) note: String,
    pub(super) failures: Vec<StartFailure>,
}

/// An alarm that is being handled.
struct Subject {
    /// The entry that is handled.
    entry: String,
    /// The alarm's own entry; the same, unless what failed is tried again.
    key: String,
    at: Timestamp,
    alarm: Alarm,
    /// Where what failed is tried again.
    retry: Option<Retry>,
}

/// What is to be tried again of an alarm.
#[derive(Default)]
struct Retry {
    wanted: Vec<StartFailure>,
    /// What else had failed, and stays listed.
    others: Vec<StartFailure>,
    /// The runbooks that were started for it before.
    started: Vec<String>,
    at: Timestamp,
}

/// Handles what waits in the inbox, for ever. An error of one entry, or of one runbook, is written down and ends nothing;
/// only a journal that can't be written any more does.
pub(crate) async fn consume(engine: Engine) -> Result<(), Error> {
    loop {
        let calm = match engine.handle_waiting().await {
            Ok(calm) => calm,
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "the inbox can't be looked at: it is tried again");
                false
            }
        };
        let wait = if calm { LOOK_EVERY } else { LOOK_AGAIN };
        let _ = tokio::time::timeout(wait, engine.intake.wake.notified()).await;
    }
}

impl Engine {
    /// Handles what waits now. False: something could not be handled yet.
    async fn handle_waiting(&self) -> Result<bool, Error> {
        let mut failed = HashSet::new();
        loop {
            // Those that failed in this round are the oldest: the others are behind them.
            let mut page = self.journal().waiting(PAGE + failed.len())?;
            page.retain(|entry| !failed.contains(&entry.key));
            if page.is_empty() || failed.len() > FAILED_MAX {
                return Ok(failed.is_empty());
            }
            for entry in page {
                match self.handle(&entry).await {
                    Ok(outcome) => self.intake.tell(&entry.key, outcome),
                    Err(error) if is_final(&error) => return Err(error),
                    Err(error) => {
                        tracing::error!(key = entry.key, %error, "an alarm waits: it is tried again");
                        if is_everyones(&error) {
                            return Ok(false);
                        }
                        failed.insert(entry.key);
                    }
                }
            }
        }
    }

    /// Handles one entry, on a thread beside those that serve: its expressions may take long, and must not take the consumer
    /// with them.
    async fn handle(&self, entry: &Entry) -> Result<Outcome, Error> {
        let _turn = self.intake.turn.lock().await;
        let (engine, handled, runtime) = (self.clone(), entry.clone(), Handle::current());
        let handled = tokio::task::spawn_blocking(move || runtime.block_on(engine.decide(&handled))).await;
        match handled.unwrap_or_else(|error| Err(Error::Internal(error.to_string()))) {
            Err(
                Error::Journal(journal::Error::NotWaiting(_))
                | Error::Driver(driver::Error::Journal(journal::Error::NotWaiting(_))),
            ) => Ok(Outcome::default()),
            // It would fail for ever, and others wait.
            Err(error) if !is_engines(&error) => self.give_up(entry, error.to_string()).await,
            handled => handled,
        }
    }

    /// Handles one entry: in one commit its runs begin, it is marked as handled, and what could not start is listed.
    async fn decide(&self, entry: &Entry) -> Result<Outcome, Error> {
        let (key, at) = (entry.key.clone(), entry.at);
        match serde_json::from_value::<Item>(entry.payload.clone()) {
            Ok(Item::Alarm(alarm)) => {
                self.start_for(Subject { entry: key.clone(), key, at, alarm: *alarm, retry: None }).await
            }
            Ok(Item::Again(again)) => self.decide_again(entry, again).await,
            Ok(Item::Unreadable(unreadable)) => self.give_up(entry, unreadable.problem).await,
            Err(error) => self.give_up(entry, format!("can't be read any more: {error}")).await,
        }
    }

    async fn decide_again(&self, entry: &Entry, again: Again) -> Result<Outcome, Error> {
        let nothing = |note: &str| Outcome { note: note.to_owned(), ..Outcome::default() };
        let Some(listed) = self.intake.unstarted.get(&again.again) else {
            return self.close(&entry.key, nothing("nothing is left to start"), Change::default()).await;
        };
        let alarm = self.journal().inbox(&again.again)?.map(|alarm| serde_json::from_value::<Item>(alarm.payload));
        let Some(Ok(Item::Alarm(alarm))) = alarm else {
            let outcome = Outcome { failures: listed.failures, ..nothing("the alarm can't be read") };
            return self.close(&entry.key, outcome, Change::default()).await;
        };
        let wanted = |failure: &StartFailure| failure.transient || !again.transient_only;
        let (wanted, others) = listed.failures.into_iter().partition(wanted);
        let (entry, key) = (entry.key.clone(), again.again);
        let retry = Some(Retry { wanted, others, started: listed.started, at: self.driver().now() });
        self.start_for(Subject { entry, key, at: listed.at, alarm: *alarm, retry }).await
    }

    /// Starts the runs that an alarm calls for.
    async fn start_for(&self, subject: Subject) -> Result<Outcome, Error> {
        let (mut candidates, unasked) = self.candidates();
        let mut failures = subject.only_what_failed(&mut candidates);
        if subject.asks_all() {
            failures.extend(unasked.map(|reason| StartFailure { runbook: None, reason, transient: true }));
        }
        let (mut admissions, mut runbooks) = (Vec::new(), Vec::new());
        let (scripts, secrets) = (&self.workshop.scripts, &self.workshop.secrets);
        let called = matching::called(scripts, secrets, candidates, &subject.alarm, subject.at);
        for Called { runbook, inputs } in called {
            match inputs {
                Ok(inputs) => {
                    runbooks.push(Arc::clone(&runbook));
                    let cause = Cause::Alarm { key: subject.key.clone(), name: subject.alarm.name.clone() };
                    admissions.push((self.driver().new_id()?, Admission { runbook, inputs, cause }));
                }
                Err(failure) => failures.push(failure),
            }
        }
        let (mut outcome, mut change) = (Outcome::default(), Change::default());
        let with = |admitted: &[Admitted]| {
            outcome = subject.outcome(&runbooks, admitted, failures);
            change = self.intake.unstarted.change(subject.listed(&runbooks, admitted, &outcome));
            outcome.handles(&subject.entry, &change)
        };
        self.driver().admit(admissions, with).await?;
        self.intake.unstarted.apply(change);
        let (alarm, key) = (&subject.alarm.name, &subject.key);
        tracing::info!(alarm, key, runs = outcome.runs.len(), note = outcome.note, "alarm handled");
        for StartFailure { runbook, reason, .. } in &outcome.failures {
            tracing::warn!(alarm, key, runbook, reason, "an alarm could not start what it calls for");
        }
        Ok(outcome)
    }

    /// Marks an entry that can't be handled as handled, and lists it.
    async fn give_up(&self, entry: &Entry, reason: String) -> Result<Outcome, Error> {
        tracing::warn!(key = entry.key, reason, "an alarm can't be handled");
        let name = ["/name", "/unreadable/labels/alertname"].iter().find_map(|at| entry.payload.pointer(at)?.as_str());
        let failures = vec![StartFailure { runbook: None, reason: reason.clone(), transient: false }];
        let (key, alarm) = (entry.key.clone(), name.unwrap_or_default().to_owned());
        let listed = UnstartedAlarm { failures: failures.clone(), ..UnstartedAlarm::new(key, alarm, entry.at) };
        let outcome = Outcome { note: reason, failures, ..Outcome::default() };
        self.close(&entry.key, outcome, self.intake.unstarted.change(listed)).await
    }

    /// Marks an entry as handled that starts nothing.
    async fn close(&self, key: &str, outcome: Outcome, change: Change) -> Result<Outcome, Error> {
        self.journal().append(outcome.handles(key, &change)).await?;
        self.intake.unstarted.apply(change);
        Ok(outcome)
    }
}

impl Outcome {
    /// What marks this entry as handled.
    fn handles(&self, key: &str, change: &Change) -> Batch {
        let write = InboxWrite::Handle { key: key.to_owned(), runs: self.runs.clone(), note: self.note.clone() };
        Batch { inbox: vec![write], meta: change.settings.clone(), ..Batch::default() }
    }
}

impl Subject {
    /// Whether every runbook is asked that was not started for the alarm: also where it is tried again, if it failed as a
    /// whole, or not all of them could be asked.
    fn asks_all(&self) -> bool {
        self.retry.as_ref().is_none_or(|retry| retry.wanted.iter().any(|failure| failure.runbook.is_none()))
    }

    /// Where what failed is tried again, no other runbook is asked; gives what is not there any more.
    fn only_what_failed(&self, candidates: &mut Vec<Candidate>) -> Vec<StartFailure> {
        let Some(Retry { wanted, others, started, .. }) = &self.retry else { return Vec::new() };
        let fits = |failure: &StartFailure, name: &str| failure.runbook.as_deref() == Some(name);
        let is_in = |failures: &[StartFailure], name: &str| failures.iter().any(|failure| fits(failure, name));
        let asks_all = self.asks_all();
        candidates.retain(|Candidate { runbook, .. }| {
            let name = &runbook.name;
            is_in(wanted, name) || (asks_all && !is_in(others, name) && !started.contains(name))
        });
        let is_there = |name: &str| candidates.iter().any(|one| one.runbook.name == name);
        let gone = wanted.iter().filter(|failure| failure.runbook.as_deref().is_some_and(|name| !is_there(name)));
        let reason = || "the runbook is not there, or its file has errors".to_owned();
        gone.map(|failure| StartFailure { reason: reason(), ..failure.clone() }).collect()
    }

    /// What became of the runbooks that it calls for, and of those that failed before.
    fn outcome(&self, runbooks: &[Arc<Runbook>], admitted: &[Admitted], failures: Vec<StartFailure>) -> Outcome {
        let mut outcome = Outcome { failures, ..Outcome::default() };
        let mut notes = self.alarm.notes.clone();
        for (runbook, admitted) in runbooks.iter().zip(admitted) {
            match admitted {
                Admitted::Started(run) => {
                    outcome.runs.push(*run);
                    notes.push(format!("{} matches", runbook.name));
                }
                Admitted::Skipped { key, holder } => {
                    notes.push(format!("{} is skipped: run {holder} holds the lock {key:?}", runbook.name));
                }
                Admitted::Refused(error) => {
                    outcome.failures.push(matching::failure(runbook, error.to_string(), is_passing(error)));
                }
            }
        }
        if runbooks.is_empty() && outcome.failures.is_empty() {
            notes.push("no runbook matches".to_owned());
        }
        notes.extend(outcome.failures.iter().map(told));
        outcome.note = notes.join("; ");
        outcome
    }

    /// What the list says of the alarm after this.
    fn listed(&self, runbooks: &[Arc<Runbook>], admitted: &[Admitted], outcome: &Outcome) -> UnstartedAlarm {
        let others = self.retry.iter().flat_map(|retry| &retry.others);
        let failures = others.chain(&outcome.failures).cloned().collect();
        let done = runbooks.iter().zip(admitted).filter(|(_, admitted)| !matches!(admitted, Admitted::Refused(_)));
        let before = self.retry.iter().flat_map(|retry| &retry.started).cloned();
        let started = before.chain(done.map(|(runbook, _)| runbook.name.clone())).collect();
        let retried = self.retry.as_ref().map(|retry| retry.at);
        let listed = UnstartedAlarm::new(self.key.clone(), self.alarm.name.clone(), self.at);
        UnstartedAlarm { failures, started, retried, ..listed }
    }
}

fn told(failure: &StartFailure) -> String {
    match &failure.runbook {
        Some(runbook) => format!("{runbook} can't be started: {}", failure.reason),
        None => failure.reason.clone(),
    }
}

/// Whether the error may be gone the next time though neither the runbook nor the alarm has changed.
fn is_passing(error: &driver::Error) -> bool {
    matches!(error, driver::Error::NoSuchAction(_) | driver::Error::PluginGone { .. } | driver::Error::Stopped)
}

/// Whether the engine is in trouble, and not this entry, which waits.
fn is_engines(error: &Error) -> bool {
    match error {
        Error::Driver(driver::Error::SafeMode(_) | driver::Error::Stopped) => true,
        Error::Journal(error) | Error::Driver(driver::Error::Journal(error)) => !matches!(
            error,
            journal::Error::Invalid(_) | journal::Error::NotWaiting(_) | journal::Error::Sequence { .. }
        ),
        _ => false,
    }
}

/// Whether no other entry can be handled now either.
fn is_everyones(error: &Error) -> bool {
    match error {
        Error::Driver(driver::Error::SafeMode(_) | driver::Error::Stopped) => true,
        Error::Journal(error) | Error::Driver(driver::Error::Journal(error)) => {
            matches!(error, journal::Error::Full(_) | journal::Error::Closed)
        }
        _ => false,
    }
}

/// Whether nothing can be written down any more.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Journal(error) | Error::Driver(driver::Error::Journal(error)) => error.is_final(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use journal::{Journal, Memory};
    use serde_json::json;

    use super::*;
    use crate::{Settings, Workshop};

    #[tokio::test(flavor = "multi_thread")]
    async fn entries_behind_many_that_fail_are_handled() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "state-dir = \"state\"\nrunbooks = \"runbooks\"\nplugins = [\"plugins\"]\n";
        let settings = Settings::parse(&folder.path().join("runwright.toml"), text).expect("settings");
        let journal = Arc::new(Memory::new());
        let workshop = Workshop::make(&settings).await.expect("a workshop");
        let engine = Engine::with(&settings, "test", (Arc::clone(&journal) as _, Arc::new(logs::Nowhere)), workshop)
            .expect("an engine");
        let last = PAGE * 2;
        for n in 0..=last {
            let poison = Batch::accept(format!("a/{n}"), json!({"no": "alarm"}), Timestamp::from_millis(1));
            journal.append(poison).await.expect("it is accepted");
        }
        for nth in 1..=last {
            journal.fail_append(nth as u64, journal::Error::Store("test".into()));
        }
        assert!(!engine.handle_waiting().await.expect("it goes on"));
        let is_handled = |n: usize| journal.inbox(&format!("a/{n}")).expect("read").expect("there").handled.is_some();
        assert!(is_handled(last) && !is_handled(0));
        assert!(engine.handle_waiting().await.expect("it goes on"));
        assert!((0..=last).all(is_handled));
    }
}
