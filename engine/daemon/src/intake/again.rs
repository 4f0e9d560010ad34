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
    /// Asks for what could not be started for an alarm to be tried again, and waits for what becomes of that.
    pub(super) async fn again(&self, key: &str, by: Option<By>, until: Instant) -> Result<Outcome, Error> {
        let item = Item::Again(Again { again: key.to_owned(), transient_only: by.is_none(), by });
        let key = format!("again/{}", self.driver().new_id()?);
        let arrival = Arrival { name: String::new(), key, item };
        match self.accept(vec![arrival], self.driver().now()).await?.pop() {
            Some(accepting) => Ok(self.outcome(accepting.asked, until).await),
            None => Ok(Outcome::default()),
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
            let UnstartedAlarm { key, alarm: name, .. } = listed;
            let Outcome { runs, note, failures } = self.again(&key, Some(by.clone()), until).await?;
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
