//! Taking alarms in: they become durable, and their sender hears what becomes of them.

use std::time::Duration;

use journal::Batch;
use runwright_core::Timestamp;
use tokio::time::Instant;
use trigger::{Format, Parts};

use super::Asked;
use super::consumer::Outcome;
use super::item::Item;
use crate::view::{Accepted, AcceptedAlarm, RefusedAlert, UnstartedAlarm};
use crate::{Engine, Error};

/// How long a sender waits for what becomes of its alarms. They are handled after that all the same.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The time between two retries because the alarm came again, in milliseconds.
const RETRY_MS: u64 = 10_000;

/// Something that is to stand in the inbox.
pub(super) struct Arrival {
    /// The alarm's name, where it is one.
    pub(super) name: String,
    pub(super) key: String,
    pub(super) item: Item,
}

/// Something that stands in the inbox.
pub(super) struct Accepting {
    name: String,
    /// It was there before.
    pub(super) duplicate: bool,
    pub(super) asked: Asked,
}

impl Engine {
    /// Takes in alarms in Alertmanager's form.
    pub async fn alarm(&self, body: &[u8]) -> Result<Accepted, Error> {
        self.take_in(Format::Alertmanager, body).await
    }

    /// Takes in the alarms of a body and tells what became of them. All that could be read are durable when this returns,
    /// and those that could not are kept with the reason; **a crash** after that loses none, and a repetition of one that
    /// is known starts nothing.
    ///
    /// What was accepted is handled whether the future is dropped or not.
    ///
    /// # Errors
    ///
    /// Where nothing in the body can be read, or the journal is in trouble.
    pub async fn take_in(&self, format: Format, body: impl AsRef<[u8]>) -> Result<Accepted, Error> {
        self.take_in_until(format, body, Instant::now() + ANSWER_WITHIN).await
    }

    /// The same for somebody who waits so long for what becomes of them.
    pub(crate) async fn take_in_until(
        &self,
        format: Format,
        body: impl AsRef<[u8]>,
        until: Instant,
    ) -> Result<Accepted, Error> {
        self.must_serve()?;
        let now = self.driver().now();
        let Parts { alarms, refused, left_out, warnings } = trigger::read_at(format, body.as_ref(), now)?;
        // It is large, and the rest may take long.
        drop(body);
        let first_problem = refused.first().map(|refused| refused.error.clone());
        let good = alarms.len();
        let of_alarm = |alarm: trigger::Alarm| {
            let (name, key) = (alarm.name.clone(), alarm.key());
            Arrival { name, key, item: Item::Alarm(Box::new(alarm)) }
        };
        let mut arrivals: Vec<Arrival> = alarms.into_iter().map(of_alarm).collect();
        let mut accepted = Accepted { left_out, warnings, ..Accepted::default() };
        for refused in refused {
            let problem = refused.error.to_string();
            let (key, item) = Item::unreadable(refused);
            accepted.refused.push(RefusedAlert { key: key.clone(), problem });
            arrivals.push(Arrival { name: String::new(), key, item });
        }
        accepted.warnings.iter().for_each(|warning| self.intake.warn(now, warning));
        for accepting in self.accept(arrivals, now).await? {
            accepted.alarms.push(self.became(accepting, until).await?);
        }
        accepted.alarms.truncate(good);
        match first_problem {
            Some(error) if good == 0 => Err(Error::Alarm(nothing_good(error, accepted.refused.len()))),
            _ => Ok(accepted),
        }
    }

    /// Writes arrivals into the inbox and wakes the consumer. Each is a commit of its own, and the journal writes those that
    /// wait at once.
    pub(super) async fn accept(&self, arrivals: Vec<Arrival>, now: Timestamp) -> Result<Vec<Accepting>, Error> {
        let mut appended = Vec::new();
        for Arrival { name, key, item } in arrivals {
            let asked = self.intake.ask(&key);
            appended.push((name, asked, self.journal().append(Batch::accept(&key, item.payload()?, now))));
        }
        let (mut accepted, mut trouble) = (Vec::new(), None);
        for (name, asked, appended) in appended {
            match appended.await {
                Ok(receipt) => {
                    let duplicate = receipt.duplicates.contains(&asked.key);
                    accepted.push(Accepting { name, duplicate, asked });
                }
                Err(error) => trouble = Some(error),
            }
        }
        self.intake.wake.notify_one();
        trouble.map_or(Ok(accepted), |error| Err(error.into()))
    }

    /// What became of an alarm that was accepted, as far as it is known in time.
    async fn became(&self, alarm: Accepting, until: Instant) -> Result<AcceptedAlarm, Error> {
        let Accepting { name, duplicate, asked } = alarm;
        let key = asked.key.clone();
        let entry = if duplicate { self.journal().inbox(&key)? } else { None };
        let known = entry.and_then(|entry| entry.handled);
        let listed = self.intake.unstarted.get(&key);
        let (duplicate, outcome) = match (known, listed) {
            (None, _) => (duplicate, self.outcome(asked, until).await),
            (Some(_), Some(listed)) if self.is_due(&listed) => (false, self.again(&listed, None, until).await?),
            (Some(known), listed) => {
                let failures = listed.map(|listed| listed.failures).unwrap_or_default();
                (true, Outcome { runs: known.runs, note: "it was here before".into(), failures })
            }
        };
        let Outcome { runs, note, failures } = outcome;
        Ok(AcceptedAlarm { name, key, duplicate, runs, note, failures })
    }

    /// Whether what could not be started for an alarm is tried again because the alarm came again.
    fn is_due(&self, listed: &UnstartedAlarm) -> bool {
        let rested = listed.retried.is_none_or(|at| self.driver().now().millis_since(at) >= RETRY_MS);
        rested && self.is_consumed() && listed.failures.iter().any(|failure| failure.transient)
    }

    /// What becomes of an entry, as far as it is known in time.
    pub(super) async fn outcome(&self, mut asked: Asked, until: Instant) -> Outcome {
        let waits = |why: &str| Outcome { note: format!("it waits: {why}"), ..Outcome::default() };
        if self.driver().safe_mode().is_some() {
            return waits("the engine is in safe mode");
        }
        if !self.is_consumed() {
            return waits("no engine serves");
        }
        let told = tokio::time::timeout_at(until, &mut asked.outcome).await;
        told.ok().and_then(Result::ok).unwrap_or_else(|| waits("others are handled before it"))
    }
}

/// The error of a body in which nothing is good.
fn nothing_good(first: trigger::Error, count: usize) -> trigger::Error {
    match count {
        1 => first,
        _ => {
            let message = format!("none of the {count} alerts can be read, the first because: {first}");
            trigger::Error { message, at: String::new(), hint: None }
        }
    }
}
