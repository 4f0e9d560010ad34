//! The alarms that could not start what they call for: a list that survives a restart, until a person or a retry clears it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use journal::Journal;
use runwright_core::Value;

use crate::view::{StartFailure, UnstartedAlarm};

/// Alarms in the list. The oldest leaves it for the newest; the inbox still has it, with a note that says why.
const ALARMS_MAX: usize = 1_000;

/// Failures that are listed of one alarm.
const FAILURES_MAX: usize = 100;

/// Characters of one reason.
const REASON_CHARS_MAX: usize = 500;

/// The journal's setting that holds which places are taken. The alarm at place N is the setting `unstarted/N`, so that a
/// change writes one alarm and not all of them.
const NAME: &str = "unstarted";

/// The list, by places.
#[derive(Debug, Default)]
pub(super) struct Unstarted(Mutex<BTreeMap<usize, UnstartedAlarm>>);

/// A change of the list that is not durable yet.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// The settings to write.
    pub(super) settings: Vec<(String, Option<Value>)>,
    place: Option<(usize, Option<UnstartedAlarm>)>,
}

impl Unstarted {
    /// The list as the journal has it. What can't be read of it is left out: it must not keep the engine from starting.
    pub(super) fn load(journal: &dyn Journal) -> Result<Self, journal::Error> {
        let mut places = BTreeMap::new();
        let taken = journal.meta(NAME)?.and_then(|taken| serde_json::from_value::<Vec<usize>>(taken).ok());
        for place in taken.unwrap_or_default().into_iter().take(ALARMS_MAX) {
            let alarm = journal.meta(&setting(place))?.and_then(|alarm| serde_json::from_value(alarm).ok());
            places.extend(alarm.map(|alarm| (place, alarm)));
        }
        Ok(Self(Mutex::new(places)))
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> Vec<UnstartedAlarm> {
        let mut all: Vec<UnstartedAlarm> = self.places().values().cloned().collect();
        all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.key.cmp(&b.key)));
        all
    }

    /// The one with this key.
    pub(super) fn get(&self, key: &str) -> Option<UnstartedAlarm> {
        self.places().values().find(|alarm| alarm.key == key).cloned()
    }

    /// The change after which the list says this of an alarm; without failures the alarm is not in it. One change is made
    /// durable and [applied](Self::apply) before the next is asked for.
    pub(super) fn change(&self, mut alarm: UnstartedAlarm) -> Change {
        let places = self.places();
        let known = places.iter().find(|(_, known)| known.key == alarm.key).map(|(place, _)| *place);
        let mut taken: Vec<usize> = places.keys().copied().collect();
        bound(&mut alarm.failures);
        let (place, alarm) = match (known, alarm.failures.is_empty()) {
            (None, true) => return Change::default(),
            (Some(place), true) => {
                taken.retain(|other| *other != place);
                (place, None)
            }
            (Some(place), false) => (place, Some(alarm)),
            (None, false) => {
                let place = free(&places);
                if !places.contains_key(&place) {
                    taken.push(place);
                }
                (place, Some(alarm))
            }
        };
        let value = alarm.as_ref().and_then(|alarm| serde_json::to_value(alarm).ok());
        let settings = vec![(setting(place), value), (NAME.to_owned(), Some(Value::from(taken)))];
        Change { settings, place: Some((place, alarm)) }
    }

    /// The change is durable.
    pub(super) fn apply(&self, change: Change) {
        let mut places = self.places();
        match change.place {
            Some((place, Some(alarm))) => drop(places.insert(place, alarm)),
            Some((place, None)) => drop(places.remove(&place)),
            None => {}
        }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<usize, UnstartedAlarm>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn setting(place: usize) -> String {
    format!("{NAME}/{place}")
}

/// A free place, or that of the oldest alarm.
fn free(places: &BTreeMap<usize, UnstartedAlarm>) -> usize {
    let free = (0..ALARMS_MAX).find(|place| !places.contains_key(place));
    free.unwrap_or_else(|| {
        let oldest = places.iter().min_by_key(|(_, alarm)| alarm.at);
        let (place, alarm) = oldest.map_or((0, ""), |(place, alarm)| (*place, alarm.key.as_str()));
        tracing::warn!(alarm, "the list of alarms that could not start is full: this one leaves it");
        place
    })
}

fn bound(failures: &mut Vec<StartFailure>) {
    if failures.len() > FAILURES_MAX {
        tracing::warn!(more = failures.len() - FAILURES_MAX, "not all that an alarm could not start is listed");
        failures.truncate(FAILURES_MAX);
    }
    for failure in failures {
        if let Some((end, _)) = failure.reason.char_indices().nth(REASON_CHARS_MAX) {
            failure.reason.truncate(end);
            failure.reason.push('…');
        }
    }
}

#[cfg(test)]
mod tests {
    use journal::{Batch, Memory};
    use runwright_core::Timestamp;

    use super::*;

    fn alarm(key: usize, failures: usize) -> UnstartedAlarm {
        let failure = |_| StartFailure { runbook: Some("fix".into()), reason: "é".repeat(600), transient: false };
        let failures = (0..failures).map(failure).collect();
        let listed = UnstartedAlarm::new(key.to_string(), "A".into(), Timestamp::from_millis(key as u64));
        UnstartedAlarm { failures, ..listed }
    }

    async fn put(list: &Unstarted, journal: &Memory, alarm: UnstartedAlarm) {
        let change = list.change(alarm);
        journal.append(Batch { meta: change.settings.clone(), ..Batch::default() }).await.expect("it is written");
        list.apply(change);
    }

    #[tokio::test]
    async fn it_is_bounded_and_survives_a_restart() {
        let (list, journal) = (Unstarted::default(), Memory::new());
        for key in 0..ALARMS_MAX {
            put(&list, &journal, alarm(key, 1)).await;
        }
        assert_eq!((list.all().len(), list.all()[0].key.as_str()), (ALARMS_MAX, "999"));
        assert!(list.get("0").is_some());
        put(&list, &journal, alarm(1_000, FAILURES_MAX + 1)).await;
        put(&list, &journal, alarm(7, 0)).await;
        put(&list, &journal, alarm(8, 2)).await;
        let again = Unstarted::load(&journal).expect("it is read");
        assert_eq!(again.all(), list.all());
        assert_eq!((again.all().len(), again.get("0"), again.get("7")), (ALARMS_MAX - 1, None, None));
        assert_eq!(again.get("8").expect("it is there").failures.len(), 2);
        let bounded = again.get("1000").expect("it is there").failures;
        assert_eq!((bounded.len(), bounded[0].reason.chars().count()), (FAILURES_MAX, REASON_CHARS_MAX + 1));
    }
}
