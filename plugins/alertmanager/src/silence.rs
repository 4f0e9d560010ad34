//! `silence`: mutes the alerts that fit, for a time.
//!
//! # After a crash
//!
//! The silence's comment ends in the step's idempotency key. Before one is made, one with that key is looked for, so an
//! attempt that is repeated finds the silence of the one before it. The key is noted first: undo, which has a key of its
//! own, finds the silence by the note when the answer was lost.

use std::time::Duration;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{
    Change, ChangeKind, Context, Error, Outcome, Preview, Result, Span, Verdict, checkpoint, clock, log,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::list;
use crate::matcher::{self, Matcher, Written, shown};
use crate::record::{Kept, Silence};
use crate::server::Server;

/// The note with the mark that the silence's comment ends in.
const MARK: &str = "mark";
/// The longest silence: a year.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Which alerts: those that fit all of these.
    #[schemars(length(min = 1), example = json!(["alertname=\"DiskFull\"", "instance=~\"web-1(:.*)?\""]))]
    matchers: Vec<Written>,
    /// How long, from now on.
    #[schemars(example = &"2h")]
    r#for: Span,
    /// Why, for people who see the silence.
    #[schemars(example = &"the disk of web-1 is replaced")]
    comment: String,
    /// Who is shown as its creator.
    #[serde(default = "runwright")]
    #[schemars(example = &"runwright")]
    creator: String,
}

fn runwright() -> String {
    "runwright".into()
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Silenced {
    /// The silence's id.
    #[schemars(example = &"0f7c2b54-0d6b-4b6c-a3e7-6d0e0f5b9c11")]
    id: String,
    /// When it ends, in RFC 3339.
    #[serde(rename = "ends-at")]
    #[schemars(example = &"2026-05-01T14:00:00Z")]
    ends_at: String,
}

/// What undo needs to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct Undo {
    id: String,
}

#[derive(Serialize)]
pub(crate) struct Undone {
    /// Whether a silence was ended.
    expired: bool,
}

impl Input {
    fn check(&self) -> Result<Vec<Matcher>> {
        let wrong = |message: &str| Err(Error::invalid_input(message).code("alertmanager.silence"));
        let time = Duration::from(self.r#for);
        if self.matchers.is_empty() {
            return wrong("a silence without matchers would mute everything: name at least one label");
        }
        if time.is_zero() || time > LONGEST {
            return wrong("a silence lasts longer than 0s and at most 366d");
        }
        if self.comment.trim().is_empty() {
            return wrong("a silence needs a comment: say why");
        }
        matcher::read(&self.matchers)
    }
}

/// What the comment of the step's silence ends in.
fn mark(key: &str) -> String {
    format!("[runwright {key}]")
}

/// The silence with this mark that still counts.
fn find(server: &Server, matchers: &[Matcher], mark: &str) -> Result<Option<Kept>> {
    let all = Kept::all(server, matchers)?;
    Ok(all.into_iter().find(|kept| kept.counts() && kept.silence.comment.ends_with(mark)))
}

fn answer(id: String, ends_at: String) -> Result<Outcome<Silenced>> {
    Outcome::changed(Silenced { id: id.clone(), ends_at }).with_undo(Undo { id })
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Silenced>> {
    let matchers = input.check()?;
    let server = Server::of(context)?;
    let mark = mark(context.key());
    if let Some(kept) = find(&server, &matchers, &mark)? {
        log::info!("an earlier attempt made the silence {}", kept.id);
        return answer(kept.id, kept.silence.ends_at);
    }
    checkpoint::set(MARK, &mark)?;
    let now = clock::now();
    let silence = Silence {
        matchers,
        starts_at: clock::rfc3339(now),
        ends_at: clock::rfc3339(now + Duration::from(input.r#for)),
        created_by: input.creator,
        comment: format!("{} {mark}", input.comment.trim()),
    };
    let id = silence.make(&server)?;
    log::info!("{} is silenced until {} by {id}", shown(&silence.matchers), silence.ends_at);
    answer(id, silence.ends_at)
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let matchers = input.check()?;
    let server = Server::of(context)?;
    let firing = list::firing(&server, &matchers)?;
    let summary = format!("mutes {} for {}; {firing} of its alerts fire now", shown(&matchers), input.r#for);
    let change = Change::new(ChangeKind::Create, shown(&matchers), format!("a silence for {}", input.r#for));
    Ok(Preview::new(summary).change(change))
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Silenced>> {
    let matchers = input.check()?;
    let found = find(&Server::of(context)?, &matchers, &mark(context.key()))?;
    Ok(match found {
        Some(kept) => Verdict::Happened(answer(kept.id, kept.silence.ends_at)?),
        None => Verdict::NotHappened,
    })
}

/// Without data the answer was lost, and the note says what to look for.
pub(crate) fn undo(input: Input, data: Option<Undo>, context: &Context) -> Result<Outcome<Undone>> {
    let server = Server::of(context)?;
    let kept = match (data, checkpoint::get::<String>(MARK)?) {
        (Some(Undo { id }), _) => Kept::of(&server, &id)?.filter(Kept::counts),
        (None, Some(mark)) => find(&server, &input.check()?, &mark)?,
        (None, None) => None,
    };
    let Some(kept) = kept else {
        return Ok(Outcome::unchanged(Undone { expired: false }));
    };
    Kept::expire(&server, &kept.id)?;
    Ok(Outcome::changed(Undone { expired: true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Vec<Matcher>> {
        serde_json::from_str::<Input>(json).unwrap().check()
    }

    #[test]
    fn a_silence_has_matchers_a_time_and_a_reason() {
        assert!(check(r#"{"matchers": ["a=b"], "for": "2h", "comment": "why"}"#).is_ok());
        for (wrong, word) in [
            (r#"{"matchers": [], "for": "2h", "comment": "why"}"#, "mute everything"),
            (r#"{"matchers": ["a=b"], "for": "0s", "comment": "why"}"#, "366d"),
            (r#"{"matchers": ["a=b"], "for": "367d", "comment": "why"}"#, "366d"),
            (r#"{"matchers": ["a=b"], "for": "1h", "comment": " "}"#, "say why"),
        ] {
            let error = check(wrong).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
