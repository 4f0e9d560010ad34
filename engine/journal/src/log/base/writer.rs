//! Writing a base.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use runwright_core::{Digest, Head, Value};
use serde::Serialize;

use super::{Base, Info, UNFINISHED};
use crate::commit::item::{self, Kind, Lost, LostRun, Meta};
use crate::frame::{self, Position, Touched};
use crate::log::{files, full_or, segment};
use crate::record::View;
use crate::{Entry, Error};

/// A frame is written once its contents have this many bytes, or a quarter of a file.
const FRAME_BYTES: usize = 1 << 20;
/// What was written is synced whenever it comes to this many bytes: one sync of all at the end would hold up the log's.
const SYNC_BYTES: usize = 4 << 20;
/// Bytes of one run in the index: its id and its last sequence number.
const INDEX_BYTES: usize = 24;

/// A base that is being written. Dropped before [`finish`](Self::finish), it is removed.
#[derive(Debug)]
pub(crate) struct Writer {
    log: PathBuf,
    dir: PathBuf,
    info: Info,
    /// A file is left for the next one before it would hold more bytes.
    file_bytes: usize,
    frame_bytes: usize,
    file: File,
    path: PathBuf,
    at: Position,
    unsynced: usize,
    number: u64,
    contents: Vec<u8>,
    touched: Vec<Touched>,
    heads: Vec<Head>,
    index: Vec<u8>,
    finished: bool,
}

impl Writer {
    /// Begins a base in the log's folder. Each of its files has at most `file_bytes`, or a single frame.
    pub(crate) fn new(log: &Path, info: Info, file_bytes: usize) -> Result<Self, Error> {
        let dir = log.join(UNFINISHED);
        remove_unfinished(log)?;
        fs::DirBuilder::new().mode(0o700).create(&dir).map_err(|error| full_or(error, "make", &dir))?;
        let path = segment::path(&dir, 1);
        let file = start(&path, 1)?;
        let mut writer = Self {
            log: log.to_owned(),
            dir,
            info,
            file_bytes,
            frame_bytes: FRAME_BYTES.min(file_bytes / 4),
            file,
            path,
            at: Position::new(1, segment::HEADER),
            unsynced: 0,
            number: 0,
            contents: Vec::new(),
            touched: Vec::new(),
            heads: Vec::new(),
            index: Vec::new(),
            finished: false,
        };
        writer.json(Kind::Base, &info)?;
        Ok(writer)
    }

    pub(crate) fn source(&mut self, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
        self.item(Kind::Source, &[&digest.bytes(), bytes])?;
        self.maybe_frame()
    }

    /// One record of the run with this head, encoded and sealed. The records of a run follow each other, then it is
    /// closed by [`run`](Self::run).
    pub(crate) fn record(&mut self, head: &Head, record: View<'_>) -> Result<(), Error> {
        let (run, seq) = (record.run(), record.seq());
        let open = self.touched.last().is_some_and(|touched| touched.run == run);
        if open && self.contents.len() >= self.frame_bytes {
            // Every frame has a head for the records in it.
            self.heads.push(Head { seq: seq - 1, ..head.clone() });
            self.frame()?;
        }
        match self.touched.last_mut().filter(|touched| touched.run == run) {
            Some(touched) => touched.last = seq,
            None => self.touched.push(Touched { run, first: seq, last: seq }),
        }
        self.item(Kind::Record, &[record.bytes()])
    }

    /// The head of the run whose records were written, and what is lost of it.
    pub(crate) fn run(&mut self, head: Head, lost: Option<Lost>) -> Result<(), Error> {
        let run = head.run;
        if !self.touched.iter().any(|touched| touched.run == run) {
            self.touched.push(Touched { run, first: 1, last: head.seq });
        }
        self.index.extend_from_slice(&run.bytes());
        self.index.extend_from_slice(&head.seq.to_le_bytes());
        self.heads.push(head);
        if let Some(lost) = lost {
            self.json(Kind::Lost, &LostRun { run, lost })?;
        }
        self.maybe_frame()
    }

    pub(crate) fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        self.info.accepted = self.info.accepted.max(entry.number);
        self.json(Kind::Entry, entry)?;
        self.maybe_frame()
    }

    pub(crate) fn setting(&mut self, name: String, value: Value) -> Result<(), Error> {
        self.json(Kind::Meta, &Meta::new(name, Some(value)))?;
        self.maybe_frame()
    }

    /// Makes it durable as what stands for the segment and all before it.
    pub(crate) fn finish(mut self, segment: u32) -> Result<Base, Error> {
        let runs = (self.frame_bytes / INDEX_BYTES).max(1);
        for some in std::mem::take(&mut self.index).chunks(runs * INDEX_BYTES) {
            self.item(Kind::Index, &[some])?;
            self.maybe_frame()?;
        }
        if !self.contents.is_empty() {
            self.frame()?;
        }
        // Not the first item of its frame: by that the last frame is known.
        self.item(Kind::Void, &[])?;
        self.json(Kind::Base, &Info { ..self.info })?;
        self.frame()?;
        self.sync()?;
        files::sync_dir(&self.dir)?;
        let dir = self.log.join(format!("base-{segment:06}"));
        files::rename(&self.dir, &dir)?;
        files::sync_dir(&self.log)?;
        self.finished = true;
        Ok(Base { segment, dir })
    }

    fn item(&mut self, kind: Kind, parts: &[&[u8]]) -> Result<(), Error> {
        item::write(&mut self.contents, kind, |out| {
            parts.iter().for_each(|part| out.extend_from_slice(part));
            Ok(())
        })
        .map(drop)
    }

    fn json(&mut self, kind: Kind, value: &impl Serialize) -> Result<(), Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::Store(error.to_string()))?;
        self.item(kind, &[&bytes])
    }

    fn maybe_frame(&mut self) -> Result<(), Error> {
        if self.contents.len() >= self.frame_bytes { self.frame() } else { Ok(()) }
    }

    fn frame(&mut self) -> Result<(), Error> {
        for head in std::mem::take(&mut self.heads) {
            self.json(Kind::Head, &head)?;
        }
        let touched = std::mem::take(&mut self.touched);
        let mut bytes = vec![0; frame::contents_at(touched.len())];
        bytes.append(&mut self.contents);
        // All of it becomes durable at once, so everything before a frame counts as durable when it is written: up to
        // the end of the file before it for the first one of a file, as in the log.
        let durable = self.at;
        let full = self.at.offset() + bytes.len().next_multiple_of(frame::ALIGN) > self.file_bytes;
        if full && self.at.offset() > segment::HEADER {
            self.sync()?;
            let number = self.at.segment() + 1;
            self.path = segment::path(&self.dir, number);
            self.file = start(&self.path, number)?;
            self.at = Position::new(number, segment::HEADER);
        }
        self.number += 1;
        frame::seal(&mut bytes, &touched, self.number, durable, self.at);
        files::write_at(&self.file, &self.path, self.at.offset(), &bytes)
            .map_err(|error| full_or(error, "write", &self.path))?;
        self.at = self.at.plus(bytes.len());
        self.unsynced += bytes.len();
        if self.unsynced >= SYNC_BYTES { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.unsynced = 0;
        files::sync(&self.file, &self.path).map_err(|error| match full_or(error, "sync", &self.path) {
            Error::Io { what, source } => Error::Failed(format!("{what}: {source}")),
            full => full,
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            let _ = files::remove_dir(&self.dir);
        }
    }
}

/// Removes what a crash left of a base that was being written.
pub(crate) fn remove_unfinished(log: &Path) -> Result<(), Error> {
    let dir = log.join(UNFINISHED);
    if dir.exists() { files::remove_dir(&dir) } else { Ok(()) }
}

fn start(path: &Path, number: u32) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| full_or(error, "make", path))?;
    let header = segment::header(number, 0);
    file.write_all(&header).map_err(|error| full_or(error, "write", path))?;
    files::created(path, &header, header.len());
    Ok(file)
}

// A frame must have room for the runs that it names; each takes more than a record's header.
const _: () = assert!(FRAME_BYTES / crate::record::HEADER < frame::RUNS_MAX);
