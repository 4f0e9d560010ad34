//! One file of the log. It has its full size, in zeros, before the first frame is written to it: then a commit changes
//! no metadata, and there is always room for it.
//!
//! It begins with `RUNWRIGHT LOG\n`, two zeros, its format (4 bytes), its number (4 bytes), its full size (8 bytes; zero
//! where it has none), zeros up to 60 bytes, and a CRC-32 of all that. Frames follow.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::log::{files, full_or};
use crate::record::array;

/// Bytes before the first frame.
pub(crate) const HEADER: usize = 64;
/// The format that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;
const MAGIC: &[u8; 16] = b"RUNWRIGHT LOG\n\0\0";

/// One open file of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    pub(crate) bytes: usize,
}

impl Segment {
    /// The segment with this number; none where there is no such file.
    pub(crate) fn open(dir: &Path, number: u32) -> Result<Option<Self>, Error> {
        let path = path(dir, number);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", &path, error)),
        };
        let bytes = file.metadata().map_err(|error| Error::io("read", &path, error))?.len();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(u32::MAX as usize);
        Ok(Some(Self { number, file, path, bytes }))
    }

    /// A new, durable segment of `bytes` bytes.
    pub(crate) fn create(dir: &Path, number: u32, bytes: usize) -> Result<Self, Error> {
        let (path, unfinished) = (path(dir, number), dir.join("next.tmp"));
        match fill(&unfinished, number, bytes) {
            Ok(file) => {
                files::rename(&unfinished, &path)?;
                files::sync_dir(dir)?;
                Ok(Self { number, file, path, bytes })
            }
            Err(error) => {
                let _ = fs::remove_file(&unfinished);
                Err(full_or(error, "allocate", &path))
            }
        }
    }

    /// Writes zeros from this offset to the end.
    pub(crate) fn clear(&self, from: usize) -> Result<(), Error> {
        let zeros = vec![0; self.bytes.saturating_sub(from)];
        files::write_at(&self.file, &self.path, from, &zeros)
            .map_err(|error| Error::io("clear the end of", &self.path, error))
    }
}

/// The file of the segment with this number.
pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:06}.log"))
}

fn fill(path: &Path, number: u32, bytes: usize) -> std::io::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let header = header(number, bytes);
    file.write_all(&header)?;
    let zeros = vec![0; 256 << 10];
    let mut left = bytes - HEADER;
    while left > 0 {
        let part = left.min(zeros.len());
        file.write_all(&zeros[..part])?;
        left -= part;
    }
    file.sync_all()?;
    files::created(path, &header, bytes);
    files::sync(&file, path)?;
    Ok(file)
}

/// The header of a segment with this number and size; 0 for one that has just the length of what is in it.
pub(crate) fn header(number: u32, bytes: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..16].copy_from_slice(MAGIC);
    header[16..20].copy_from_slice(&FORMAT.to_le_bytes());
    header[20..24].copy_from_slice(&number.to_le_bytes());
    header[24..32].copy_from_slice(&(bytes as u64).to_le_bytes());
    let crc = crc32fast::hash(&header[..60]);
    header[60..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Where a segment should end, where its header says so.
pub(crate) fn full_bytes(bytes: &[u8]) -> usize {
    let size = bytes.get(24..32).map_or(0, |size| u64::from_le_bytes(array(size)));
    usize::try_from(size).unwrap_or(usize::MAX).min(u32::MAX as usize)
}

/// Checks a segment's header. Damage in it loses nothing, since every frame names its place: it is only reported.
///
/// # Errors
///
/// [`Error::NewerFormat`].
pub(crate) fn check_header(bytes: &[u8], number: u32, path: &Path) -> Result<bool, Error> {
    let Some(header) = bytes.get(..HEADER) else { return Ok(false) };
    if header[..16] != *MAGIC || crc32fast::hash(&header[..60]).to_le_bytes() != header[60..] {
        return Ok(false);
    }
    match u32::from_le_bytes(array(&header[16..20])) {
        FORMAT => Ok(u32::from_le_bytes(array(&header[20..24])) == number),
        found => {
            let what = path.display().to_string();
            Err(Error::NewerFormat { what, found: found.into(), known: FORMAT.into() })
        }
    }
}
