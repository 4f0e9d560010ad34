//! `write`: gives a file this content, whole or not at all.
//!
//! The content is written into a new file beside it, flushed, and takes its place by one renaming. Undo puts back what
//! was there: see [`Previous`].

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, base64, log};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::previous::{KEPT_MAX, Previous};
use crate::{attributes, diff, place};

/// What may be written at once.
const CONTENT_MAX: usize = 1024 * 1024;
/// Bytes of a file that a preview compares.
const COMPARED_MAX: u64 = 256 * 1024;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    /// The absolute path. Its folder must be there.
    #[schemars(example = &"/srv/app/app.conf")]
    path: String,
    /// The content. Either this or `base64`.
    #[schemars(example = &"listen = 8080\n")]
    text: Option<String>,
    /// The content in base64, where it is no text.
    #[schemars(example = &"/w==")]
    base64: Option<String>,
    /// The mode in octal digits; without it a file keeps the one it has.
    #[schemars(example = &"0640")]
    mode: Option<String>,
    /// What becomes of the mode and owner of a file that is there.
    #[serde(default)]
    #[schemars(example = json!("keep"))]
    attributes: Attributes,
    /// Whether the previous content is kept for undo. It stands in the journal: say false where it is secret.
    #[serde(default = "yes")]
    #[schemars(example = true)]
    keep_previous: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Attributes {
    /// They stay, which needs the grant of `/usr/bin/cp`.
    #[default]
    Keep,
    /// They become those that the engine's user gives to a new file.
    Fresh,
}

fn yes() -> bool {
    true
}

/// The file as it is now.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Written {
    /// The SHA-256 of the content.
    #[schemars(example = &"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    sha256: String,
    /// Its size in bytes.
    #[schemars(example = 14)]
    bytes: usize,
    /// Whether undo can bring back what was there before.
    #[schemars(example = true)]
    undoable: bool,
}

#[derive(Serialize)]
pub(crate) struct Undone {
    /// Whether something was put back.
    restored: bool,
}

impl Input {
    fn content(&self) -> Result<Vec<u8>> {
        let wrong = |message: &str| Error::invalid_input(message).code("files.content");
        if let Some(mode) = &self.mode {
            attributes::checked(mode)?;
        }
        let content = match (&self.text, &self.base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => base64::decode(text).ok_or_else(|| wrong("`base64` is no base64"))?,
            _ => return Err(wrong("give the content: either `text` or `base64`")),
        };
        if content.len() > CONTENT_MAX { Err(wrong("the content is larger than 1 MiB")) } else { Ok(content) }
    }
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Written>> {
    let content = input.content()?;
    let path = place::checked(&input.path)?;
    let there = place::look_at_file(path)?.is_some();
    let sha256 = place::digest(&content);
    let same = there && place::digest_of(path)?.is_some_and(|(found, _)| found == sha256);
    if same && input.mode.is_none() && Previous::noted()?.is_none() {
        return Ok(Outcome::unchanged(Written { sha256, bytes: content.len(), undoable: true }));
    }
    let previous = Previous::note(path, input.keep_previous)?;
    if !previous.is_kept() {
        log::warn!("what {} has now is not kept: undo can't bring it back", input.path);
    }
    let keep = (input.attributes == Attributes::Keep && there).then_some(path);
    put(path, &content, keep, input.mode.as_deref(), context)?;
    let undoable = previous.is_kept();
    Outcome::changed(Written { sha256, bytes: content.len(), undoable }).with_undo(previous)
}

/// Puts a file with this content in the place of what is there. Until it is in its place, nothing has happened.
pub(crate) fn put(
    path: &Path,
    content: &[u8],
    like: Option<&Path>,
    mode: Option<&str>,
    context: &Context,
) -> Result<()> {
    let new = place::beside(path, context);
    let made = make(&new, content, like, mode);
    let moved = made.and_then(|()| fs::rename(&new, path).map_err(|error| place::failure("replace", path, &error)));
    if moved.is_err() {
        fs::remove_file(&new).ok();
    }
    moved
}

fn make(new: &Path, content: &[u8], like: Option<&Path>, mode: Option<&str>) -> Result<()> {
    let failed = |error| place::failure("write", new, &error);
    // What an earlier attempt left when the engine died.
    match fs::remove_file(new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(new).map_err(failed)?;
    if let Some(like) = like {
        attributes::copy(like, new)?;
    }
    if let Some(mode) = mode {
        attributes::set_mode(new, mode)?;
    }
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)
}

pub(crate) fn plan(input: Input, _: &Context) -> Result<Preview> {
    let content = input.content()?;
    let path = place::checked(&input.path)?;
    let output = json!({"sha256": place::digest(&content), "bytes": content.len()});
    let Some(metadata) = place::look_at_file(path)? else {
        let mut change = Change::new(ChangeKind::Create, &input.path, format!("a file of {} bytes", content.len()));
        change.after = String::from_utf8(content).ok();
        return Ok(Preview::new(format!("creates {}", input.path)).change(change).output(output));
    };
    if metadata.len() > COMPARED_MAX {
        let change =
            Change::new(ChangeKind::Update, &input.path, format!("{} bytes become {}", metadata.len(), content.len()));
        return Ok(Preview::new(format!("replaces {}", input.path)).change(change).output(output));
    }
    let before = fs::read(path).map_err(|error| place::failure("read", path, &error))?;
    if before == content {
        let change = Change::new(ChangeKind::None, &input.path, "it has this content already");
        return Ok(Preview::new(format!("leaves {} as it is", input.path)).change(change).output(output));
    }
    let difference = diff::between(&before, &content);
    let lost = if metadata.len() > KEPT_MAX { "; it is too large to be kept for undo" } else { "" };
    let change = Change::new(ChangeKind::Update, &input.path, difference.summary + lost)
        .states(difference.before, difference.after);
    Ok(Preview::new(format!("changes {}", input.path)).change(change).output(output))
}

pub(crate) fn verify(input: Input, _: &Context) -> Result<Verdict<Written>> {
    let content = input.content()?;
    let sha256 = place::digest(&content);
    let found = place::digest_of(place::checked(&input.path)?)?;
    if found.is_none_or(|(found, _)| found != sha256) {
        return Ok(Verdict::NotHappened);
    }
    let previous = Previous::noted()?;
    let undoable = previous.as_ref().is_none_or(Previous::is_kept);
    Ok(Verdict::Happened(Outcome::changed(Written { sha256, bytes: content.len(), undoable }).with_undo(previous)?))
}

/// The notes tell all, so the data is not looked at. What somebody else changed since is left alone.
pub(crate) fn undo(input: Input, _: Option<serde_json::Value>, context: &Context) -> Result<Outcome<Undone>> {
    let ours = place::digest(&input.content()?);
    let path = place::checked(&input.path)?;
    let unchanged = Ok(Outcome::unchanged(Undone { restored: false }));
    let Some(previous) = Previous::noted()? else { return unchanged };
    let now = place::digest_of(path)?.map(|(sha256, _)| sha256);
    if previous.is_back(now.as_deref()) {
        return unchanged;
    }
    if now.as_ref() != Some(&ours) {
        let message = format!("{} was changed since it was written, and is left alone; restore it by hand", input.path);
        return Err(Error::permanent(message).code("files.changed"));
    }
    match previous.content()? {
        Some(content) => {
            let keep = (input.attributes == Attributes::Keep).then_some(path);
            put(path, &content, keep, None, context)?;
        }
        None => fs::remove_file(path).map_err(|error| place::failure("remove", path, &error))?,
    }
    Ok(Outcome::changed(Undone { restored: true }))
}
