//! Alarms in, runs out: everything that may start a run goes through the durable inbox.

use std::fmt::Write as _;
use std::sync::Arc;

use driver::{Admission, Admitted};
use journal::{Batch, InboxWrite, Journal};
use runwright_core::{Cause, Map, RunId, Runbook, Trigger, Value};
use trigger::Alarm;

use crate::view::{Accepted, AcceptedAlarm};
use crate::{Engine, Error, workshop};

impl Engine {
    /// Takes in alarms in Alertmanager's form and starts the runs that they call for. All of them are durable when this
    /// returns; **a crash** after that loses none, and a repetition of one that is known starts nothing.
    pub async fn alarm(&self, body: &[u8]) -> Result<Accepted, Error> {
        self.must_serve()?;
        let mut accepted = Accepted::default();
        for alarm in trigger::alertmanager(body)? {
            accepted.alarms.push(self.accept(&alarm).await?);
        }
        Ok(accepted)
    }

    async fn accept(&self, alarm: &Alarm) -> Result<AcceptedAlarm, Error> {
        let key = alarm.key();
        let payload = serde_json::to_value(alarm).map_err(|error| Error::Internal(error.to_string()))?;
        let receipt = self.journal().append(Batch::accept(&key, payload, self.driver().now())).await?;
        let name = alarm.name.clone();
        if receipt.duplicates.contains(&key) {
            let handled = self.journal().inbox(&key)?.and_then(|entry| entry.handled);
            let runs = handled.map(|handled| handled.runs).unwrap_or_default();
            return Ok(AcceptedAlarm { name, key, duplicate: true, runs, note: "it was here before".into() });
        }
        if self.driver().safe_mode().is_some() {
            let note = "it waits: the engine is in safe mode".into();
            return Ok(AcceptedAlarm { name, key, duplicate: false, runs: Vec::new(), note });
        }
        let (runs, note) = self.handle(&key, alarm).await?;
        Ok(AcceptedAlarm { name, key, duplicate: false, runs, note })
    }

    /// Deals with the alarms that were accepted, but not dealt with, when an engine died.
    pub(crate) async fn handle_waiting(&self) -> Result<usize, Error> {
        let waiting = self.journal().waiting(usize::MAX)?;
        let count = waiting.len();
        for entry in waiting {
            match serde_json::from_value::<Alarm>(entry.payload) {
                Ok(alarm) => {
                    self.handle(&entry.key, &alarm).await?;
                }
                Err(error) => {
                    let note = format!("can't be read any more: {error}");
                    let write = InboxWrite::Handle { key: entry.key, runs: Vec::new(), note };
                    self.journal().append(Batch { inbox: vec![write], ..Batch::default() }).await?;
                }
            }
        }
        Ok(count)
    }

    /// Starts the runs that an accepted alarm calls for, in the commit that marks it as dealt with.
    async fn handle(&self, key: &str, alarm: &Alarm) -> Result<(Vec<RunId>, String), Error> {
        let scope = serde_json::json!({ "alarm": alarm.scope() });
        let mut admissions = Vec::new();
        let mut note = String::new();
        for (name, loaded) in self.runbooks() {
            match self.inputs_for(&loaded.runbook, &scope) {
                Ok(Some(inputs)) => {
                    let cause = Cause::Alarm { key: key.to_owned(), name: alarm.name.clone() };
                    let admission = Admission { runbook: Arc::clone(&loaded.runbook), inputs, cause };
                    admissions.push((self.driver().new_id()?, admission));
                    _ = write!(note, "{}{name} matches", separator(&note));
                }
                Ok(None) => {}
                Err(problem) => {
                    tracing::warn!(runbook = name, alarm = alarm.name, "{problem}");
                    _ = write!(note, "{}{name} can't be started: {problem}", separator(&note));
                }
            }
        }
        if note.is_empty() {
            note.push_str("no runbook matches");
        }
        let mut handled = (Vec::new(), note);
        let with = |admitted: &[Admitted]| {
            for admitted in admitted {
                match admitted {
                    Admitted::Started(run) => handled.0.push(*run),
                    Admitted::Skipped { key, holder } => {
                        _ = write!(handled.1, "; skipped: run {holder} holds the lock {key:?}");
                    }
                }
            }
            let (runs, note) = handled.clone();
            let write = InboxWrite::Handle { key: key.to_owned(), runs, note };
            Batch { inbox: vec![write], ..Batch::default() }
        };
        self.driver().admit(admissions, with).await?;
        let (runs, note) = handled;
        tracing::info!(alarm = alarm.name, key, runs = runs.len(), note, "alarm accepted");
        Ok((runs, note))
    }

    /// The inputs of the run that this alarm calls for; none if it calls for none.
    fn inputs_for(&self, runbook: &Runbook, scope: &Value) -> Result<Option<Map>, String> {
        for trigger in &runbook.on {
            let Trigger::Alarm { r#where, with } = trigger;
            let holds = self.workshop.scripts.condition(r#where, scope);
            if !holds.map_err(|error| format!("`where` failed: {error}"))? {
                continue;
            }
            let with = self.workshop.scripts.resolve(&Value::Object(with.clone()), scope);
            let with = match with.map_err(|error| format!("`with` failed: {error}"))? {
                Value::Object(with) => with,
                _ => Map::new(),
            };
            return workshop::inputs(runbook, with).map(Some).map_err(|error| error.to_string());
        }
        Ok(None)
    }
}

fn separator(note: &str) -> &'static str {
    if note.is_empty() { "" } else { "; " }
}
