//! `exists`: is there something, and what?

use std::fs::Metadata;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Outcome, Result, clock};
use serde::{Deserialize, Serialize};

use crate::place;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The absolute path.
    #[schemars(example = &"/srv/app/app.conf")]
    path: String,
}

/// What lies there.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Found {
    /// Whether anything does.
    #[schemars(example = true)]
    exists: bool,
    /// What it is, not following a link; null: nothing.
    kind: Option<Kind>,
    /// Its size in bytes.
    #[schemars(example = 512)]
    bytes: u64,
    /// When it was changed last, in RFC 3339; null where that is not known.
    #[schemars(example = &"2026-05-01T12:00:00Z")]
    modified: Option<String>,
}

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A socket, a pipe or a device.
    Other,
}

impl Kind {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        match metadata.file_type() {
            kind if kind.is_file() => Self::File,
            kind if kind.is_dir() => Self::Folder,
            kind if kind.is_symlink() => Self::Link,
            _ => Self::Other,
        }
    }
}

pub(crate) fn modified(metadata: &Metadata) -> Option<String> {
    metadata.modified().ok().map(clock::rfc3339)
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Found>> {
    let found = place::look(place::checked(&input.path)?)?;
    Ok(Outcome::unchanged(Found {
        exists: found.is_some(),
        kind: found.as_ref().map(Kind::of),
        bytes: found.as_ref().map_or(0, Metadata::len),
        modified: found.as_ref().and_then(modified),
    }))
}
