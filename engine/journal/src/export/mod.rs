//! The journal as JSON lines: for backup, for other tools, and for looking.

mod import;

use std::io::Write;
use std::path::Path;

use runwright_core::{Digest, Head, Record, RunId, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Damage, Entry, Error, Journal, Query, Report};
pub(crate) use import::LINE_BYTES_MAX;
pub use import::{Imported, import};

/// The version of the lines.
pub(crate) const VERSION: u32 = 1;

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// The first line.
    RunwrightExport {
        /// The version of the lines, 1.
        version: u32,
    },
    /// Bytes that are kept by their digest: as text where they are UTF-8, else in hexadecimal.
    Source {
        /// Their digest.
        digest: Digest,
        /// The bytes as text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The bytes in hexadecimal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hex: Option<String>,
    },
    /// A run; its records follow.
    Run {
        /// Where it stands.
        #[serde(flatten)]
        head: Head,
        /// SHA-256 of the lines of its records, each with its line break.
        sha256: Digest,
    },
    /// One record.
    Record(Record),
    /// A run whose history can't be read, from this record on.
    Damaged {
        /// The run.
        run: RunId,
        /// The record.
        seq: u64,
        /// What is wrong with it.
        what: String,
    },
    /// An inbox entry.
    Inbox(Entry),
    /// A setting.
    Meta {
        /// Its name.
        name: String,
        /// Its value.
        value: Value,
    },
    /// The last line.
    End {
        /// How many lines there are before it.
        lines: u64,
        /// SHA-256 of all of them, each with its line break.
        sha256: Digest,
    },
}

pub(crate) struct Writer<'a> {
    out: &'a mut dyn Write,
    lines: u64,
    sha256: Sha256,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Result<Self, Error> {
        let mut writer = Self { out, lines: 0, sha256: Sha256::new() };
        writer.line(&Line::RunwrightExport { version: VERSION })?;
        Ok(writer)
    }

    /// The last line: without it an export is not whole.
    pub(crate) fn end(mut self) -> Result<(), Error> {
        let sha256 = Digest::from_bytes(std::mem::take(&mut self.sha256).finalize().into());
        self.line(&Line::End { lines: self.lines, sha256 })
    }

    pub(crate) fn line(&mut self, line: &Line) -> Result<(), Error> {
        self.bytes(&to_bytes(line)?)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.sha256.update(bytes);
        self.out.write_all(bytes).map_err(|error| Error::io("write the export to", Path::new("its output"), error))
    }

    pub(crate) fn source(&mut self, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
        let text = str::from_utf8(bytes).ok().map(str::to_owned);
        let hex = text.is_none().then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        self.line(&Line::Source { digest, text, hex })
    }

    /// Every run with its records, oldest first; of a damaged run those before the damage, which `readable` gives.
    pub(crate) fn runs(
        &mut self,
        journal: &impl Journal,
        readable: impl Fn(RunId) -> Vec<Record>,
    ) -> Result<(), Error> {
        for head in journal.runs(&Query::default())?.into_iter().rev() {
            let (records, damage) = match journal.history(head.run) {
                Ok(records) => (records, None),
                Err(Error::Damaged { run, seq, what }) => {
                    let mut records = readable(run);
                    records.retain(|record| record.seq < seq);
                    (records, Some(Line::Damaged { run, seq, what }))
                }
                Err(error) => return Err(error),
            };
            let mut lines = Vec::new();
            // It may go on meanwhile.
            for record in records.into_iter().filter(|record| record.seq <= head.seq) {
                lines.extend_from_slice(&to_bytes(&Line::Record(record))?);
            }
            self.line(&Line::Run { head, sha256: Digest::of(&lines) })?;
            self.bytes(&lines)?;
            damage.map_or(Ok(()), |damage| self.line(&damage))?;
        }
        Ok(())
    }

    pub(crate) fn entry(&mut self, entry: Entry) -> Result<(), Error> {
        self.line(&Line::Inbox(entry))
    }

    pub(crate) fn meta(&mut self, name: String, value: Value) -> Result<(), Error> {
        self.line(&Line::Meta { name, value })
    }
}

fn to_bytes(line: &Line) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec(line).map_err(|error| Error::Store(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads every one of these runs' histories.
pub(crate) fn check_runs(
    heads: &[Head],
    history: impl Fn(RunId) -> Result<Vec<Record>, Error>,
) -> Result<Report, Error> {
    let mut report = Report::default();
    for head in heads {
        report.runs += 1;
        match history(head.run) {
            Ok(records) => report.records += records.len() as u64,
            Err(Error::Damaged { run, seq, what }) => {
                report.records += seq - 1;
                report.damage.push(Damage { run: Some(run), seq: Some(seq), what, readable: false });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}
