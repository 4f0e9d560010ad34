//! Where the log ended when the journal was closed last. With it, damage to the last commits is told from commits that
//! were never finished; without it, only what is before the store's checkpoint is known to have been there.
//!
//! The file `end` in the state directory: `RWE1`, 4 zeros, the position (8 bytes, little-endian), a CRC-32 of all that.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::Error;
use crate::frame::Position;
use crate::record::array;

const MAGIC: &[u8; 8] = b"RWE1\0\0\0\0";

/// The file in which the end is remembered.
pub(crate) struct EndFile;

impl EndFile {
    /// The end that was remembered; the beginning where none can be read.
    pub(crate) fn read(dir: &Path) -> Position {
        let Ok(bytes) = fs::read(dir.join("end")) else { return Position::default() };
        let whole = bytes.len() == 20 && bytes[..8] == *MAGIC;
        if !whole || crc32fast::hash(&bytes[..16]).to_le_bytes() != bytes[16..] {
            tracing::warn!("the file that tells where the log ended can't be read");
            return Position::default();
        }
        Position(u64::from_le_bytes(array(&bytes[8..16])))
    }

    /// Remembers the end durably, where it is another. Everything before it must be durable.
    pub(crate) fn write(dir: &Path, end: Position) -> Result<(), Error> {
        if Self::read(dir) == end {
            return Ok(());
        }
        let path = dir.join("end");
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&end.0.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = opened.map_err(|error| Error::io("open", &path, error))?;
        // In place and within one sector: it is the one or the other.
        file.write_all_at(&bytes, 0).map_err(|error| Error::io("write", &path, error))?;
        file.sync_data().map_err(|error| Error::io("sync", &path, error))
    }
}
