//! The commit log: preallocated segments of frames. An `fdatasync` of it is the commit point of the journal.

pub(crate) mod base;
pub(crate) mod files;
pub(crate) mod kept;
pub(crate) mod rewrite;
mod salvage;
mod scan;
pub(crate) mod segment;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rustix::io::Errno;

pub(crate) use base::{Base, scan_all};
pub(crate) use scan::{End, Found, Hole, scan};
use segment::Segment;

use crate::Error;
use crate::frame::Position;

/// The first segment is small, so that a new state directory costs little.
const FIRST_BYTES: usize = 1 << 20;

/// The end of the log, for its one writer.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    current: Segment,
    at: usize,
    durable: Position,
    segment_bytes: usize,
    next: Option<JoinHandle<Result<Segment, Error>>>,
    #[cfg(test)]
    pub(crate) faults: std::sync::Arc<Faults>,
}

/// What tests make fail.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) full: std::sync::atomic::AtomicBool,
    pub(crate) sync: std::sync::atomic::AtomicBool,
}

impl Log {
    /// Opens the log to append at `end`, where a scan found its end. What stands behind it was never acknowledged and
    /// is cleared, and everything before it is made durable: after a kill it may not be yet.
    pub(crate) fn open(dir: &Path, end: Position, garbage: bool, segment_bytes: usize) -> Result<Self, Error> {
        let number = end.segment().max(1);
        let current = match Segment::open(dir, number)? {
            Some(segment) => segment,
            None => Segment::create(dir, number, segment_bytes.min(FIRST_BYTES))?,
        };
        let at = end.offset().max(segment::HEADER);
        if garbage {
            tracing::warn!(position = %end, "cutting off an unfinished commit that was never acknowledged");
            current.clear(at)?;
        }
        files::sync(&current.file, &current.path).map_err(|error| Error::io("sync", &current.path, error))?;
        let durable = Position::new(number, at);
        Ok(Self {
            dir: dir.to_owned(),
            current,
            at,
            durable,
            segment_bytes,
            next: None,
            #[cfg(test)]
            faults: std::sync::Arc::default(),
        })
    }

    /// Where the next frame goes.
    pub(crate) fn position(&self) -> Position {
        Position::new(self.current.number, self.at)
    }

    /// Up to where the log is durable.
    pub(crate) fn durable(&self) -> Position {
        self.durable
    }

    /// Whether that many bytes fit into the segment.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.at + bytes <= self.current.bytes
    }

    /// Goes on in the next segment, which has room for a frame of `frame_bytes`. Everything must be durable.
    ///
    /// # Errors
    ///
    /// [`Error::Full`]: nothing changed.
    pub(crate) fn roll(&mut self, frame_bytes: usize) -> Result<(), Error> {
        #[cfg(test)]
        if self.faults.full.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::Full("a test says so".to_owned()));
        }
        let bytes = self.segment_bytes.max(frame_bytes + segment::HEADER);
        let ready = self.next.take().and_then(|next| next.join().ok()).and_then(Result::ok);
        let next = match ready.filter(|segment| segment.bytes >= bytes) {
            Some(segment) => segment,
            None => match Segment::open(&self.dir, self.current.number + 1)?.filter(|segment| segment.bytes >= bytes) {
                Some(segment) => segment,
                None => Segment::create(&self.dir, self.current.number + 1, bytes)?,
            },
        };
        tracing::debug!(segment = next.number, "a new log segment");
        self.current = next;
        self.at = segment::HEADER;
        Ok(())
    }

    /// Writes whole frames at [`position`](Self::position). They are durable after [`sync`](Self::sync).
    ///
    /// # Errors
    ///
    /// [`Error::Full`]: nothing counts as written. Any other is final.
    pub(crate) fn write(&mut self, frames: &[u8]) -> Result<(), Error> {
        match files::write_at(&self.current.file, &self.current.path, self.at, frames) {
            Ok(()) => {
                self.at += frames.len();
                self.prepare_next();
                Ok(())
            }
            Err(error) => {
                let error = full_or(error, "write", &self.current.path);
                if matches!(error, Error::Full(_)) {
                    // Whole frames of it may be there, and nobody may read what was not written.
                    let end = (self.at + frames.len()).min(self.current.bytes);
                    files::write_at(&self.current.file, &self.current.path, self.at, &vec![0; end - self.at])
                        .map_err(|error| Error::io("clear", &self.current.path, error))?;
                }
                Err(error)
            }
        }
    }

    /// Makes everything that was written durable. After an error nobody knows what is on the disk: never try again.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        #[cfg(test)]
        if self.faults.sync.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::Failed("a test says so".to_owned()));
        }
        files::sync(&self.current.file, &self.current.path)
            .map_err(|error| Error::io("sync", &self.current.path, error))?;
        self.durable = self.position();
        Ok(())
    }

    /// Begins to allocate the next segment beside the work once this one is half full.
    fn prepare_next(&mut self) {
        if self.next.is_none() && self.at > self.current.bytes / 2 {
            let (dir, number, bytes) = (self.dir.clone(), self.current.number + 1, self.segment_bytes);
            let work = move || match Segment::open(&dir, number)? {
                Some(segment) => Ok(segment),
                None => Segment::create(&dir, number, bytes),
            };
            self.next = std::thread::Builder::new().name("journal-segment".to_owned()).spawn(work).ok();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(next) = self.next.take() {
            let _ = next.join();
        }
    }
}

/// The segments in the log's folder by number, oldest first.
pub(crate) fn segments(dir: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| Error::io("read", dir, error))? {
        let path = entry.map_err(|error| Error::io("read", dir, error))?.path();
        let number =
            path.extension().filter(|end| *end == "log").and_then(|_| path.file_stem()?.to_str()?.parse().ok());
        if let Some(number) = number {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// [`Error::Full`] where a disk or quota is full, else the I/O error.
fn full_or(error: std::io::Error, what: &str, path: &Path) -> Error {
    match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => {
            Error::Full(format!("could not {what} {}: {error}", path.display()))
        }
        _ => Error::io(what, path, error),
    }
}
