//! An export back into a journal.

use std::io::{BufRead, Read as _};
use std::path::Path;

use runwright_core::{Digest, Head, Record, RunId};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Line, VERSION};
use crate::commit::item::Lost;
use crate::disk::EmptyState;
use crate::log::base::{Info, Writer};
use crate::record::{self, Hash, NO_HASH, View};
use crate::{Error, Options};

/// A line has at most this many bytes: a batch in the least compact form, a source of control characters, has fewer.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// What [`import`] took in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Imported {
    /// Runs.
    pub runs: u64,
    /// Records.
    pub records: u64,
    /// Sources.
    pub sources: u64,
    /// Inbox entries.
    pub entries: u64,
    /// Settings.
    pub settings: u64,
    /// Runs that were damaged when they were exported, and are blocked here too.
    pub damaged: Vec<RunId>,
}

/// Makes a journal from an export, in a state directory that is empty or not there. Opening it builds the store.
///
/// Everything is checked before the journal counts: the export is whole and unchanged, sources have their digests, the
/// records of a run follow each other up to its head.
///
/// **A crash** in the middle leaves no journal.
///
/// # Errors
///
/// [`Error::NotEmpty`]; [`Error::Export`] names the line; [`Error::NewerFormat`]; what opening gives.
pub fn import(dir: impl AsRef<Path>, export: &mut dyn BufRead, options: &Options) -> Result<Imported, Error> {
    let state = EmptyState::take(dir.as_ref(), &options.holder)?;
    let mut import = Import {
        writer: Writer::new(state.log(), Info::new(0, 0), options.base_file_bytes)?,
        line: 0,
        sha256: Sha256::new(),
        run: None,
        begun: false,
        ended: false,
        done: Imported::default(),
    };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = (&mut *export).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes);
        if read.map_err(|error| Error::io("read", Path::new("the export"), error))? == 0 {
            break;
        }
        import.line += 1;
        if bytes.len() > LINE_BYTES_MAX {
            return Err(import.bad(format!("it has more than {LINE_BYTES_MAX} bytes")));
        }
        import.take(&bytes)?;
    }
    if !import.ended {
        import.line += 1;
        return Err(import.bad("it ends too early"));
    }
    import.writer.finish(0)?;
    state.keep();
    Ok(import.done)
}

struct Import {
    writer: Writer,
    line: u64,
    sha256: Sha256,
    run: Option<Run>,
    begun: bool,
    ended: bool,
    done: Imported,
}

/// The run whose records are being read.
struct Run {
    head: Head,
    expected: Digest,
    sha256: Sha256,
    seq: u64,
    prev: Hash,
    lost: Option<Lost>,
}

impl Import {
    fn bad(&self, what: impl Into<String>) -> Error {
        Error::Export { line: self.line, what: what.into() }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let line: Line = serde_json::from_slice(bytes).map_err(|error| self.bad(error.to_string()))?;
        match &line {
            _ if self.ended => return Err(self.bad("something follows the end")),
            Line::RunwrightExport { version } if *version > VERSION => {
                let (found, known) = ((*version).into(), VERSION.into());
                return Err(Error::NewerFormat { what: "the export".to_owned(), found, known });
            }
            Line::RunwrightExport { .. } => self.begun = true,
            _ if !self.begun => return Err(self.bad("it is not an export of a journal")),
            _ => {}
        }
        if let Line::End { lines, sha256 } = &line {
            self.end_of_run()?;
            let found = Digest::from_bytes(std::mem::take(&mut self.sha256).finalize().into());
            if *lines != self.line - 1 || *sha256 != found {
                return Err(self.bad("the lines before it are not those that were written"));
            }
            self.ended = true;
            return Ok(());
        }
        self.sha256.update(bytes);
        self.line(line, bytes)
    }

    fn line(&mut self, line: Line, bytes: &[u8]) -> Result<(), Error> {
        match line {
            Line::Record(record) => return self.record(&record, bytes),
            Line::Damaged { run, seq, what } => {
                return match &mut self.run {
                    Some(open) if open.head.run == run => {
                        open.lost = Some(Lost { seq, what });
                        Ok(())
                    }
                    _ => Err(self.bad("its run does not stand before it")),
                };
            }
            _ => self.end_of_run()?,
        }
        match line {
            Line::Source { digest, text, hex } => {
                let bytes = match (text, hex) {
                    (Some(text), _) => Some(text.into_bytes()),
                    (None, hex) => hex.as_deref().and_then(from_hex),
                };
                let bytes = bytes.filter(|bytes| Digest::of(bytes) == digest);
                let bytes = bytes.ok_or_else(|| self.bad(format!("the source is not what has the digest {digest}")))?;
                self.writer.source(digest, &bytes)?;
                self.done.sources += 1;
            }
            Line::Run { head, sha256: expected } => {
                let sha256 = Sha256::new();
                self.run = Some(Run { head, expected, sha256, seq: 0, prev: NO_HASH, lost: None });
            }
            Line::Inbox(entry) => {
                self.writer.entry(&entry)?;
                self.done.entries += 1;
            }
            Line::Meta { name, value } => {
                self.writer.setting(name, value)?;
                self.done.settings += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn record(&mut self, record: &Record, line: &[u8]) -> Result<(), Error> {
        let place = self.line;
        let bad = |what: String| Error::Export { line: place, what };
        let Some(run) = &mut self.run else { return Err(bad("no run stands before the record".to_owned())) };
        if (record.run, record.seq) != (run.head.run, run.seq + 1) {
            let (id, next) = (run.head.run, run.seq + 1);
            return Err(bad(format!(
                "record {} of run {} stands where record {next} of run {id} is next",
                record.seq, record.run
            )));
        }
        run.sha256.update(line);
        let mut bytes = Vec::new();
        record::encode(record, &mut bytes).map_err(|error| bad(error.to_string()))?;
        run.prev = record::seal(&mut bytes, &run.prev);
        run.seq = record.seq;
        let view = View::read(&bytes).map_err(|error| bad(error.to_string()))?;
        self.writer.record(&run.head, view)?;
        self.done.records += 1;
        Ok(())
    }

    fn end_of_run(&mut self) -> Result<(), Error> {
        let Some(run) = self.run.take() else { return Ok(()) };
        let id = run.head.run;
        if Digest::from_bytes(run.sha256.finalize().into()) != run.expected {
            return Err(self.bad(format!("a record of run {id} before it is not what was written")));
        }
        if run.lost.is_none() && (run.seq != run.head.seq || run.seq == 0) {
            return Err(self.bad(format!("run {id} has no record {} before it", run.seq + 1)));
        }
        self.done.damaged.extend(run.lost.is_some().then_some(id));
        self.done.runs += 1;
        self.writer.run(run.head, run.lost)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(digits).collect()
}
