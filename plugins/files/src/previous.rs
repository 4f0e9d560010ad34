//! What a file was before the step changed it, noted durably before the change: undo puts it back.
//!
//! The content lies in the step's checkpoints, so it stands in the journal, and an attempt that is repeated does not take
//! what the first one wrote for what was there before.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use runwright_sdk::{Error, Result, checkpoint};
use serde::{Deserialize, Serialize};

use crate::place;

const NOTE: &str = "previous";
/// Bytes of one checkpoint.
const CHUNK: usize = 4096;
/// Bytes that are kept: 60 of the 64 checkpoints of a step.
pub(crate) const KEPT_MAX: u64 = 60 * CHUNK as u64;

/// What was there before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Previous {
    /// Nothing.
    Absent,
    /// A file whose content is noted in so many parts.
    Kept { sha256: String, parts: u32 },
    /// A file whose content is not noted, and why.
    Lost { sha256: String, bytes: u64, why: String },
}

impl Previous {
    /// What an attempt of this step noted.
    pub(crate) fn noted() -> Result<Option<Self>> {
        checkpoint::get(NOTE)
    }

    /// Notes what lies at `path`, unless an earlier attempt did. `keep`: its content too.
    pub(crate) fn note(path: &Path, keep: bool) -> Result<Self> {
        if let Some(noted) = Self::noted()? {
            return Ok(noted);
        }
        let previous = match place::digest_of(path)? {
            None => Self::Absent,
            Some((sha256, bytes)) if !keep => Self::Lost { sha256, bytes, why: "the step says so".into() },
            Some((sha256, bytes)) if bytes > KEPT_MAX => {
                let why = format!("it has more than the {KEPT_MAX} bytes that are kept");
                Self::Lost { sha256, bytes, why }
            }
            Some((sha256, _)) => Self::Kept { sha256, parts: note_content(path)? },
        };
        // Last, so that it names parts that are there.
        checkpoint::set(NOTE, &previous)?;
        Ok(previous)
    }

    /// Whether undo can bring it back.
    pub(crate) fn is_kept(&self) -> bool {
        !matches!(self, Self::Lost { .. })
    }

    /// Whether the path has this now.
    pub(crate) fn is_back(&self, now: Option<&str>) -> bool {
        match self {
            Self::Absent => now.is_none(),
            Self::Kept { sha256, .. } | Self::Lost { sha256, .. } => now == Some(sha256),
        }
    }

    /// The content; none where there was no file.
    pub(crate) fn content(&self) -> Result<Option<Vec<u8>>> {
        let gone = |what: String| Error::permanent(what).code("files.not-kept");
        match self {
            Self::Absent => Ok(None),
            Self::Lost { bytes, why, .. } => {
                let message =
                    format!("the {bytes} bytes that were there before are not kept: {why}; restore them by hand");
                Err(gone(message))
            }
            Self::Kept { sha256, parts } => {
                let mut content = Vec::new();
                for part in 0..*parts {
                    content.extend(checkpoint::get_bytes(&part_name(part))?.unwrap_or_default());
                }
                let whole = place::digest(&content) == *sha256;
                if whole { Ok(Some(content)) } else { Err(gone("the kept content is damaged".into())) }
            }
        }
    }
}

fn part_name(part: u32) -> String {
    format!("{NOTE}-{part}")
}

fn note_content(path: &Path) -> Result<u32> {
    let content = read(path)?;
    let mut parts = 0;
    for chunk in content.chunks(CHUNK) {
        checkpoint::set_bytes(&part_name(parts), chunk)?;
        parts += 1;
    }
    Ok(parts)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(KEPT_MAX).read_to_end(&mut content));
    match read {
        Ok(_) => Ok(content),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(content),
        Err(error) => Err(place::failure("read", path, &error)),
    }
}
