//! `remove`: removes a file or an empty folder. Undo writes a file's content back, as far as it was kept.

use std::fs;
use std::path::Path;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, checkpoint};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::exists::Kind;
use crate::place;
use crate::previous::{KEPT_MAX, Previous};
use crate::write::put;

/// The note that the step removes a folder.
const FOLDER: &str = "folder";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    /// The absolute path of a file, a link or an empty folder. What is not there is fine.
    #[schemars(example = &"/var/log/app/app.log.7")]
    path: String,
    /// Whether the content is kept for undo. It stands in the journal: say false where it is secret or worthless.
    #[serde(default = "yes")]
    #[schemars(example = true)]
    keep_previous: bool,
}

fn yes() -> bool {
    true
}

/// What was removed.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Removed {
    /// Whether there was something.
    #[schemars(example = true)]
    existed: bool,
    /// How many bytes it had.
    #[schemars(example = 1_048_576)]
    bytes: u64,
    /// Whether undo can bring it back.
    #[schemars(example = json!(true))]
    undoable: bool,
}

#[derive(Serialize)]
pub(crate) struct Undone {
    /// Whether something was put back.
    restored: bool,
}

/// What is removed: never more than one thing.
fn look(path: &Path) -> Result<Option<(Kind, u64)>> {
    let found = place::look(path)?.map(|metadata| (Kind::of(&metadata), metadata.len()));
    if let Some((Kind::Other, _)) = found {
        let message = format!("{} is a socket, a pipe or a device, and no file", path.display());
        return Err(Error::permanent(message).code("files.no-file"));
    }
    Ok(found)
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Removed>> {
    let path = place::checked(&input.path)?;
    let Some((kind, bytes)) = look(path)? else {
        // It was there when an earlier attempt noted it.
        let previous = Previous::noted()?;
        let existed = previous.is_some();
        let undoable = previous.as_ref().is_none_or(Previous::is_kept);
        let outcome = Outcome { output: Removed { existed, bytes: 0, undoable }, changed: existed, undo: None };
        return outcome.with_undo(previous);
    };
    let failed = |error| place::failure("remove", path, &error);
    let undoable = match kind {
        Kind::Folder => {
            checkpoint::set(FOLDER, &true)?;
            fs::remove_dir(path).map_err(failed)?;
            true
        }
        // Where a link leads is not followed: it is not known afterwards.
        Kind::Link | Kind::Other => {
            fs::remove_file(path).map_err(failed)?;
            false
        }
        Kind::File => {
            let previous = Previous::note(path, input.keep_previous)?;
            fs::remove_file(path).map_err(failed)?;
            previous.is_kept()
        }
    };
    let outcome = Outcome::changed(Removed { existed: true, bytes, undoable });
    outcome.with_undo(Previous::noted()?)
}

pub(crate) fn plan(input: Input, _: &Context) -> Result<Preview> {
    let path = place::checked(&input.path)?;
    let Some((kind, bytes)) = look(path)? else {
        let change = Change::new(ChangeKind::None, &input.path, "it is not there");
        return Ok(Preview::new(format!("there is no {} to remove", input.path)).change(change));
    };
    let (what, kept) = match kind {
        Kind::Folder => ("a folder, if it is empty", true),
        Kind::Link | Kind::Other => ("a link", false),
        Kind::File => ("a file", input.keep_previous && bytes <= KEPT_MAX),
    };
    let undo = if kept { "undo brings it back" } else { "undo can't bring it back" };
    let change = Change::new(ChangeKind::Delete, &input.path, format!("{what} of {bytes} bytes; {undo}"));
    Ok(Preview::new(format!("removes {}", input.path)).change(change))
}

pub(crate) fn verify(input: Input, _: &Context) -> Result<Verdict<Removed>> {
    if look(place::checked(&input.path)?)?.is_some() {
        return Ok(Verdict::NotHappened);
    }
    let previous = Previous::noted()?;
    let undoable = previous.as_ref().is_none_or(Previous::is_kept);
    let output = Removed { existed: previous.is_some(), bytes: 0, undoable };
    Ok(Verdict::Happened(Outcome::changed(output).with_undo(previous)?))
}

/// The notes tell all, so the data is not looked at. What somebody else put there since is left alone.
pub(crate) fn undo(input: Input, _: Option<serde_json::Value>, context: &Context) -> Result<Outcome<Undone>> {
    let path = place::checked(&input.path)?;
    let unchanged = Ok(Outcome::unchanged(Undone { restored: false }));
    if place::look(path)?.is_some() {
        return unchanged;
    }
    if checkpoint::get::<bool>(FOLDER)?.unwrap_or(false) {
        fs::create_dir(path).map_err(|error| place::failure("make", path, &error))?;
        return Ok(Outcome::changed(Undone { restored: true }));
    }
    let content = match Previous::noted()? {
        Some(previous) => previous.content()?,
        None => None,
    };
    let Some(content) = content else { return unchanged };
    put(path, &content, None, None, context)?;
    Ok(Outcome::changed(Undone { restored: true }))
}
