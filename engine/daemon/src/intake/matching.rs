//! What an alarm calls for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use runwright_core::{Map, Runbook, Timestamp, Trigger, Value};
use script::Reason;
use trigger::Alarm;

use crate::view::StartFailure;
use crate::{Error, workshop};

/// What all expressions of one alarm may take together.
const ALARM_TIME: Duration = Duration::from_secs(2);

/// What those of one runbook may take of it, so that a slow one leaves time for the others.
const RUNBOOK_TIME: Duration = Duration::from_millis(500);

/// A runbook that an alarm may call for.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// The runbook.
    pub(crate) runbook: Arc<Runbook>,
    /// Why it can't be started, though what it is called for by is known.
    pub(crate) unusable: Option<String>,
}

/// A runbook that an alarm calls for.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) runbook: Arc<Runbook>,
    /// The run's inputs, or why it can't be started.
    pub(super) inputs: Result<Map, StartFailure>,
}

/// Works out what the alarm calls for, which was `received` then. It takes up to [`ALARM_TIME`] and blocks its thread.
pub(super) fn called(
    scripts: &script::Engine,
    secrets: &BTreeSet<String>,
    candidates: Vec<Candidate>,
    alarm: &Alarm,
    received: Timestamp,
) -> Vec<Called> {
    let scope = serde_json::json!({ "alarm": alarm.scope(received) });
    let one = |candidate: Candidate| {
        let Candidate { runbook, unusable } = candidate;
        let wanted = scripts.within(RUNBOOK_TIME, || inputs_for(scripts, secrets, &runbook, &scope));
        let inputs = match (wanted, unusable) {
            (Ok(None), _) => return None,
            (Ok(Some(_)), Some(problem)) => Err(failure(&runbook, problem, true)),
            (Ok(Some(inputs)), None) => Ok(inputs),
            (Err((problem, transient)), _) => Err(failure(&runbook, problem, transient)),
        };
        Some(Called { runbook, inputs })
    };
    scripts.within(ALARM_TIME, || candidates.into_iter().filter_map(one).collect())
}

/// Why this runbook could not be started, on one line.
pub(super) fn failure(runbook: &Runbook, reason: impl AsRef<str>, transient: bool) -> StartFailure {
    let reason = reason.as_ref().split_whitespace().collect::<Vec<_>>().join(" ");
    StartFailure { runbook: Some(runbook.name.clone()), reason, transient }
}

/// The inputs of the run that the alarm calls for; none if it calls for none. An error says whether it may be gone the
/// next time.
fn inputs_for(
    scripts: &script::Engine,
    secrets: &BTreeSet<String>,
    runbook: &Runbook,
    scope: &Value,
) -> Result<Option<Map>, (String, bool)> {
    let mut wrong = None;
    for trigger in &runbook.on {
        let Trigger::Alarm { r#where, with } = trigger;
        match scripts.condition(r#where, scope) {
            Ok(false) => {}
            Ok(true) => {
                let with = scripts.resolve(&Value::Object(with.clone()), scope);
                let with = match with.map_err(|error| failed("with", &error))? {
                    Value::Object(with) => with,
                    _ => Map::new(),
                };
                let inputs = workshop::inputs(runbook, with, secrets);
                return inputs.map(Some).map_err(|error: Error| (error.to_string().replace('\n', "; "), false));
            }
            // Another trigger of the runbook may hold all the same.
            Err(error) => wrong = wrong.or(Some(failed("where", &error))),
        }
    }
    wrong.map_or(Ok(None), Err)
}

fn failed(field: &str, error: &script::Error) -> (String, bool) {
    let slow = error.reason == Reason::Timeout;
    let why = if slow {
        format!(
            "`{field}` takes too long: an alarm's expressions have {ALARM_TIME:?}, those of one runbook {RUNBOOK_TIME:?}"
        )
    } else {
        format!("`{field}` failed: {error}")
    };
    (why, slow)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn candidate(scripts: &script::Engine, name: &str, r#where: &str) -> Candidate {
        let text =
            format!("name: {name}\non: {{ alarm: {{ where: '{}' }} }}\nsteps: [{{ id: a, script: '1' }}]\n", r#where);
        let parsed = lang::parse("test.yaml", text.as_bytes(), None, scripts);
        Candidate { runbook: Arc::new(parsed.runbook.expect("a runbook")), unusable: None }
    }

    #[test]
    fn slow_runbooks_share_one_bound_and_leave_the_others_alone() {
        // Long enough to reach the bound, however fast the machine is.
        let limits = script::Limits {
            expression_operations: u64::MAX,
            expression_time: Duration::from_secs(60),
            ..script::Limits::default()
        };
        let scripts = script::Engine::new(limits);
        let list = format!("[{}]", "0,".repeat(200));
        let slow = format!("{list}.map(|a| {list}.map(|b| {list}.map(|c| a + b + c).len())).len() == 0");
        let slow = (0..20).map(|n| candidate(&scripts, &format!("slow-{n:02}"), &slow));
        let candidates = slow.chain([candidate(&scripts, "z", r#"alarm.name == "A""#)]).collect();
        let alarm = json!({"labels": {"alertname": "A"}, "startsAt": "2026-01-01T00:00:00Z"}).to_string();
        let alarm = trigger::read(trigger::Format::Alertmanager, alarm.as_bytes()).expect("an alarm").alarms.remove(0);
        let began = Instant::now();
        let called = called(&scripts, &BTreeSet::new(), candidates, &alarm, Timestamp::from_millis(1));
        assert!(began.elapsed() < ALARM_TIME + Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(called.len(), 21);
        let (last, slow) = called.split_last().expect("the last one");
        assert!(last.inputs.is_ok(), "{last:?}");
        assert!(slow.iter().all(|call| call.inputs.as_ref().is_err_and(|failure| failure.transient)), "{slow:?}");
    }

    #[test]
    fn what_an_alarm_gives_fits_its_input_or_starts_nothing() {
        let scripts = script::Engine::new(script::Limits::default());
        let text = r#"
name: deploy
inputs: { env: { type: string, enum: [dev, production] }, token: { type: secret } }
on: { alarm: { where: 'true', with: { env: "${{ alarm.labels.env }}", token: "${{ alarm.labels.token }}" } } }
steps: [{ id: a, script: '1' }]
"#;
        let runbook = lang::parse("test.yaml", text.as_bytes(), None, &scripts).runbook.expect("a runbook");
        let granted = BTreeSet::from(["chat".to_owned()]);
        let inputs = |env: &str, token: &str| {
            let scope = json!({"alarm": {"labels": {"env": env, "token": token}}});
            inputs_for(&scripts, &granted, &runbook, &scope)
        };
        let fits = inputs("dev", "chat").expect("inputs").expect("it calls for it");
        assert_eq!(Value::Object(fits), json!({"env": "dev", "token": "chat"}));
        let (why, transient) = inputs("prodution", "hunter-2").expect_err("neither fits");
        assert!(why.contains("did you mean `production`?") && why.contains("no plugin is granted a secret"), "{why}");
        assert!(!why.contains("hunter-2") && !transient, "{why}");
    }
}
