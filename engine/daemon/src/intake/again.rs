//! What could not be started: trying it again, and dismissing it.

use journal::Batch;
use runwright_core::By;
use tokio::time::Instant;

use super::accept::{ANSWER_WITHIN, Arrival};
use super::consumer::Outcome;
use super::item::{Again, Item};
use crate::view::{Accepted, AcceptedAlarm, UnstartedAlarm};
use crate::{Engine, Error};

impl Engine {
    /// Asks for what could not be started for an alarm to be tried again, and waits for what becomes of that. Without a
    /// person all who ask until it was tried ask for the same.
    pub(super) async fn again(
        &self,
        listed: &UnstartedAlarm,
        by: Option<By>,
        until: Instant,
    ) -> Result<Outcome, Error> {
        let UnstartedAlarm { key: alarm, at, retried, .. } = listed;
        let key = match &by {
            Some(_) => format!("again/{}", self.driver().new_id()?),
            None => format!("again/{alarm}/{}", retried.unwrap_or(*at).millis()),
        };
        let item = Item::Again(Again { again: alarm.clone(), transient_only: by.is_none(), by });
        let arrival = Arrival { name: String::new(), key: key.clone(), item };
        let Some(accepting) = self.accept(vec![arrival], self.driver().now()).await?.pop() else {
            return Ok(Outcome::default());
        };
        let entry = if accepting.duplicate { self.journal().inbox(&key)? } else { None };
        match entry.and_then(|entry| entry.handled) {
            // Somebody else asked for the same, and it was tried just now.
            Some(known) => {
                let failures = self.intake.unstarted.get(alarm).map(|listed| listed.failures).unwrap_or_default();
                Ok(Outcome { runs: known.runs, note: known.note, failures })
            }
            None => Ok(self.outcome(accepting.asked, until).await),
        }
    }

    /// Tries again to start what could not be started for these alarms; for all in the list where none is named.
    ///
    /// # Errors
    ///
    /// [`Error::NoAlarm`] where one is not in the list; then nothing is tried.
    pub async fn retry_unstarted(&self, keys: &[String], by: &By) -> Result<Accepted, Error> {
        if let Some(why) = self.driver().safe_mode() {
            return Err(driver::Error::SafeMode(why.to_owned()).into());
        }
        let until = Instant::now() + ANSWER_WITHIN;
        let mut accepted = Accepted::default();
        for listed in self.unstarted(keys)? {
            let Outcome { runs, note, failures } = self.again(&listed, Some(by.clone()), until).await?;
            let UnstartedAlarm { key, alarm: name, .. } = listed;
            accepted.alarms.push(AcceptedAlarm { name, key, duplicate: false, runs, note, failures });
        }
        Ok(accepted)
    }

    /// Takes these alarms out of the list of those that could not start; all of them where none is named. Gives what was
    /// taken out.
    ///
    /// # Errors
    ///
    /// [`Error::NoAlarm`] where one is not in the list; then none is taken out.
    pub async fn dismiss_unstarted(&self, keys: &[String], by: &By) -> Result<Vec<UnstartedAlarm>, Error> {
        let _turn = self.intake.turn.lock().await;
        let listed = self.unstarted(keys)?;
        for alarm in &listed {
            let change = self.intake.unstarted.change(UnstartedAlarm { failures: Vec::new(), ..alarm.clone() });
            self.journal().append(Batch { meta: change.settings.clone(), ..Batch::default() }).await?;
            self.intake.unstarted.apply(change);
            tracing::info!(key = alarm.key, who = by.who, why = by.why, "an alarm that could not start was dismissed");
        }
        Ok(listed)
    }

    fn unstarted(&self, keys: &[String]) -> Result<Vec<UnstartedAlarm>, Error> {
        if keys.is_empty() {
            return Ok(self.intake.unstarted.all());
        }
        let find = |key: &String| self.intake.unstarted.get(key).ok_or_else(|| Error::NoAlarm(key.clone()));
        keys.iter().map(find).collect()
    }
}
