//! `expire`: ends a silence now. Its undo makes the same silence again, for the time that was left of it.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, checkpoint, clock, log};
use serde::{Deserialize, Serialize};

use crate::matcher::shown;
use crate::record::{Kept, Silence};
use crate::server::Server;

/// The note with the silence as it was.
const ENDED: &str = "ended";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The silence's id, as `alertmanager/silence` answered it.
    #[schemars(example = &"0f7c2b54-0d6b-4b6c-a3e7-6d0e0f5b9c11")]
    id: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Expired {
    /// Whether it had ended before.
    #[schemars(example = false)]
    already: bool,
}

#[derive(Serialize)]
pub(crate) struct Undone {
    /// The new silence; null: none was needed.
    id: Option<String>,
}

fn of(server: &Server, id: &str) -> Result<Kept> {
    Kept::of(server, id)?.ok_or_else(|| {
        let message = format!("there is no silence {id}; an ended one is forgotten after some days");
        Error::permanent(message).code("alertmanager.404")
    })
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Expired>> {
    let server = Server::of(context)?;
    let kept = of(&server, &input.id)?;
    let before: Option<Silence> = checkpoint::get(ENDED)?;
    if !kept.counts() {
        // An earlier attempt may have ended it: then that is what undo takes back.
        let mine = before.is_some();
        let outcome = Outcome { output: Expired { already: !mine }, changed: mine, undo: None };
        return outcome.with_undo(before);
    }
    checkpoint::set(ENDED, &kept.silence)?;
    Kept::expire(&server, &input.id)?;
    log::info!("the silence of {} is over", shown(&kept.silence.matchers));
    Outcome::changed(Expired { already: false }).with_undo(Some(kept.silence))
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let kept = of(&Server::of(context)?, &input.id)?;
    if !kept.counts() {
        return Ok(Preview::new(format!("the silence {} is over already", input.id)));
    }
    let silence = &kept.silence;
    let summary = format!("unmutes {}, which was silenced until {}", shown(&silence.matchers), silence.ends_at);
    let change = Change::new(ChangeKind::Delete, &input.id, format!("silence of {}", shown(&silence.matchers)));
    Ok(Preview::new(summary).change(change))
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Expired>> {
    let kept = of(&Server::of(context)?, &input.id)?;
    if kept.counts() {
        return Ok(Verdict::NotHappened);
    }
    let before: Option<Silence> = checkpoint::get(ENDED)?;
    Ok(Verdict::Happened(Outcome::changed(Expired { already: before.is_none() }).with_undo(before)?))
}

/// A silence that is the same and counts is as good as the old one: an earlier attempt made it.
pub(crate) fn undo(_: Input, data: Option<Option<Silence>>, context: &Context) -> Result<Outcome<Undone>> {
    let before = match data {
        Some(before) => before,
        None => checkpoint::get(ENDED)?,
    };
    let unchanged = Ok(Outcome::unchanged(Undone { id: None }));
    let Some(mut silence) = before else { return unchanged };
    let now = clock::rfc3339(clock::now());
    // RFC 3339 in UTC sorts by time.
    if silence.ends_at <= now {
        log::info!("the silence would have ended at {} anyway", silence.ends_at);
        return unchanged;
    }
    let server = Server::of(context)?;
    let same = |kept: &Kept| {
        let Silence { matchers, ends_at, created_by, comment, starts_at: _ } = &kept.silence;
        let like = matchers == &silence.matchers && ends_at == &silence.ends_at;
        kept.counts() && like && comment == &silence.comment && created_by == &silence.created_by
    };
    if let Some(kept) = Kept::all(&server, &silence.matchers)?.into_iter().find(same) {
        return Ok(Outcome::unchanged(Undone { id: Some(kept.id) }));
    }
    silence.starts_at = silence.starts_at.max(now);
    let id = silence.make(&server)?;
    Ok(Outcome::changed(Undone { id: Some(id) }))
}
