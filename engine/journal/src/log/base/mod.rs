//! A base: everything that is kept up to the end of one segment, written again without what was forgotten. It takes the
//! place of that segment and all before it, so it is where the log begins.
//!
//! `log/base-000007/` stands for the segments 1 to 7. It holds files in the form of segments, each of exactly its
//! length, numbered from 1. The first item in the first frame and the last one in the last frame say what it is
//! ([`Info`]); an index of all runs stands before the last. It is written to `log/base.tmp/` and renamed when all of it
//! is durable: its name is how the first position of the log is remembered.

mod writer;

use std::fs;
use std::path::{Path, PathBuf};

use runwright_core::RunId;
use serde::{Deserialize, Serialize};

use super::{End, Found, Hole, scan, segment, segments};
use crate::Error;
use crate::commit::item::{Kind, items};
use crate::frame::Position;
use crate::record::array;
pub(crate) use writer::{Writer, remove_unfinished};

/// The format that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;
/// The folder of a base that is not finished.
const UNFINISHED: &str = "base.tmp";

/// A base on disk.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// It stands for this segment and all before it.
    pub(crate) segment: u32,
    pub(crate) dir: PathBuf,
}

/// What a base is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Info {
    pub(crate) format: u32,
    /// The number of the last commit that it stands for.
    pub(crate) number: u64,
    /// The number of the last inbox entry that was ever accepted.
    pub(crate) accepted: u64,
}

impl Info {
    pub(crate) fn new(number: u64, accepted: u64) -> Self {
        Self { format: FORMAT, number, accepted }
    }
}

/// What was found in a base beside its commits.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// What it is of, where that could be read.
    pub(crate) info: Option<Info>,
    /// Its runs with their last sequence numbers.
    pub(crate) index: Vec<(RunId, u64)>,
    pub(crate) bytes: u64,
}

impl Base {
    /// The bases in the log's folder, oldest first. All but the last one are left over from a crash.
    pub(crate) fn all(log: &Path) -> Result<Vec<Self>, Error> {
        let mut found = Vec::new();
        for entry in fs::read_dir(log).map_err(|error| Error::io("read", log, error))? {
            let dir = entry.map_err(|error| Error::io("read", log, error))?.path();
            let name = dir.file_name().and_then(|name| name.to_str());
            let segment = name.and_then(|name| name.strip_prefix("base-")).and_then(|number| number.parse().ok());
            found.extend(segment.map(|segment| Self { segment, dir }));
        }
        found.sort_by_key(|base| base.segment);
        Ok(found)
    }

    /// The base that the log begins with; none where it begins with its first segment.
    pub(crate) fn newest(log: &Path) -> Result<Option<Self>, Error> {
        Ok(Self::all(log)?.pop())
    }

    /// Where the log goes on after it.
    pub(crate) fn end(&self) -> Position {
        Position::new(self.segment + 1, segment::HEADER)
    }

    /// Bytes on the disk.
    pub(crate) fn bytes(&self) -> Result<u64, Error> {
        Ok(segments(&self.dir)?.iter().filter_map(|(_, path)| Some(path.metadata().ok()?.len())).sum())
    }

    /// Reads all of it. All of it was durable once, so whatever can't be read is a hole.
    pub(crate) fn scan(&self, visit: &mut dyn FnMut(Found) -> Result<(), Error>) -> Result<Contents, Error> {
        let mut contents = Contents::default();
        let mut whole = false;
        let durable = match segments(&self.dir)?.last() {
            Some((number, path)) => {
                let bytes = path.metadata().map_err(|error| Error::io("read", path, error))?.len();
                Position::new(*number, usize::try_from(bytes).unwrap_or(usize::MAX))
            }
            None => Position::default(),
        };
        let end = scan(&self.dir, (Position::default(), 0), durable, None, &mut |found| match found {
            Found::Commit { at, number, commit } => {
                whole = contents.take(&commit.bytes, &self.dir)?;
                visit(Found::Commit { at, number, commit })
            }
            Found::Hole(hole) => visit(Found::Hole(Hole { base: Some(self.segment), ..hole })),
            spoiled @ Found::Spoiled(_) => visit(spoiled),
        })?;
        contents.bytes = end.bytes;
        if !whole {
            let (from, to) = (end.position, end.position);
            visit(Found::Hole(Hole { from, to, lost: Vec::new(), more: true, base: Some(self.segment) }))?;
        }
        Ok(contents)
    }
}

impl Contents {
    /// Takes in what one frame says of the base; whether it is the last frame.
    fn take(&mut self, frame: &[u8], dir: &Path) -> Result<bool, Error> {
        let mut last = false;
        for (place, item) in items(frame).filter_map(Result::ok).enumerate() {
            last = false;
            match item.kind {
                Ok(Kind::Base) => {
                    let Ok(info) = serde_json::from_slice::<Info>(item.bytes) else { continue };
                    if info.format > FORMAT {
                        let what = dir.display().to_string();
                        return Err(Error::NewerFormat { what, found: info.format.into(), known: FORMAT.into() });
                    }
                    last = place > 0;
                    self.info = Some(info);
                }
                Ok(Kind::Index) => self.index.extend(
                    item.bytes
                        .chunks_exact(24)
                        .map(|room| (RunId::from_bytes(array(&room[..16])), u64::from_le_bytes(array(&room[16..])))),
                ),
                _ => {}
            }
        }
        Ok(last)
    }
}

/// What a whole log holds beside its commits.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    pub(crate) end: End,
    pub(crate) base: Option<(Base, Contents)>,
}

/// Reads the whole log, base and segments, as [`scan`] does. `visit` is told which of both it is.
pub(crate) fn scan_all(
    log: &Path,
    durable: Position,
    upto: Option<Position>,
    visit: &mut dyn FnMut(bool, Found) -> Result<(), Error>,
) -> Result<Whole, Error> {
    let base = match Base::newest(log)? {
        Some(base) => {
            let contents = base.scan(&mut |found| visit(true, found))?;
            Some((base, contents))
        }
        None => None,
    };
    let from = base
        .as_ref()
        .map_or((Position::default(), 0), |(base, contents)| (base.end(), contents.info.unwrap_or_default().number));
    let end = scan(log, from, durable, upto, &mut |found| visit(false, found))?;
    Ok(Whole { end, base })
}
