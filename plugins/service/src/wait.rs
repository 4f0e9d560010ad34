//! `wait-active`: waits until a unit is active, and stays so. What is hopeless is not waited for.

use std::time::Duration;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, Outcome, Result, Span, clock, log};
use serde::Deserialize;
use serde_json::json;

use crate::unit::{Named, State, Unit};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(500);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[serde(flatten)]
    named: Named,
    /// How long it must stay active without being started anew.
    #[serde(default = "no_time")]
    #[schemars(example = json!("5s"))]
    r#for: Span,
    /// How long is waited for that.
    #[serde(default = "a_minute")]
    #[schemars(example = json!("1m"))]
    within: Span,
}

fn no_time() -> Span {
    Span::seconds(0)
}

fn a_minute() -> Span {
    Span::seconds(60)
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<State>> {
    let unit = Unit::of(&input.named, context)?;
    let start = clock::now();
    // Since when it is active, in which invocation.
    let mut since: Option<(std::time::SystemTime, String)> = None;
    loop {
        let state = unit.find()?;
        let now = clock::now();
        if state.active == "failed" {
            let message = format!("{} failed: {}", state.unit, state.result);
            return Err(Error::permanent(message).code("service.failed"));
        }
        since = match since.take() {
            _ if !state.is_active() => None,
            Some((from, invocation)) if invocation == state.invocation => Some((from, invocation)),
            _ => Some((now, state.invocation.clone())),
        };
        let stood = since.as_ref().map(|(from, _)| now.duration_since(*from).unwrap_or_default());
        if stood.is_some_and(|stood| stood >= Duration::from(input.r#for)) {
            return Ok(Outcome::unchanged(state));
        }
        if now.duration_since(start).unwrap_or_default() >= Duration::from(input.within) {
            let message = format!("{} is {} ({}) after {}", state.unit, state.active, state.sub, input.within);
            return Err(Error::transient(message).code("service.not-active"));
        }
        log::progress(None, &format!("{} is {}", state.unit, state.active));
        clock::sleep(EVERY)?;
    }
}
