//! The journal as JSON lines: for backup, for other tools, and for looking.

use std::io::Write;
use std::path::Path;

use runwright_core::{Digest, Head, Record, RunId, Value};
use serde::{Deserialize, Serialize};

use crate::{Damage, Entry, Error, Journal, Query, Report};

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
    Run(Head),
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
}

pub(crate) struct Writer<'a>(&'a mut dyn Write);

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Result<Self, Error> {
        let mut writer = Self(out);
        writer.line(&Line::RunwrightExport { version: VERSION })?;
        Ok(writer)
    }

    fn line(&mut self, line: &Line) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec(line).map_err(|error| Error::Store(error.to_string()))?;
        bytes.push(b'\n');
        self.0.write_all(&bytes).map_err(|error| Error::io("write the export to", Path::new("its output"), error))
    }

    pub(crate) fn source(&mut self, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
        let text = str::from_utf8(bytes).ok().map(str::to_owned);
        let hex = text.is_none().then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        self.line(&Line::Source { digest, text, hex })
    }

    /// Every run with its records, oldest first.
    pub(crate) fn runs(&mut self, journal: &impl Journal) -> Result<(), Error> {
        for head in journal.runs(&Query::default())?.into_iter().rev() {
            let run = head.run;
            self.line(&Line::Run(head))?;
            match journal.history(run) {
                Ok(records) => records.into_iter().try_for_each(|record| self.line(&Line::Record(record)))?,
                Err(Error::Damaged { run, seq, what }) => self.line(&Line::Damaged { run, seq, what })?,
                Err(error) => return Err(error),
            }
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
