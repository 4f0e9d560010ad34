//! The text of a file and the places in it.

use std::ops::Range;

use crate::limits;
use crate::{Diagnostic, Severity};

/// A text with its lines.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    /// The offset at which each line begins.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        let begins = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { name, text, lines: std::iter::once(0).chain(begins).collect() }
    }

    /// The line and column of the byte at `offset`, both from 1; columns count characters.
    pub(crate) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let begin = self.lines[line - 1];
        let before = self.text.get(begin..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The bytes of a line, counted from 1, without its end.
    pub(crate) fn line(&self, line: usize) -> Range<usize> {
        let begin = self.lines.get(line - 1).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        begin..end
    }

    pub(crate) fn error(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        let (line, column) = self.place(span.start);
        let file = self.name.to_owned();
        let message = message.into();
        Diagnostic { code, severity: Severity::Error, message, file, span, line, column, help: None, notes: Vec::new() }
    }
}

/// The text of a file, where its size and encoding are right.
pub(crate) fn text<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Box<Diagnostic>> {
    const MIB: usize = 1024 * 1024;
    let error = |code, before: &str, message: String, help: &str| {
        let source = Source::new(name, before);
        let mut error = source.error(code, before.len()..before.len() + 1, message);
        error.help(help);
        Err(Box::new(error))
    };
    if bytes.len() > limits::FILE_BYTES {
        // By how much is not known: not more is read than tells so.
        let message = format!("the file has more than {} MiB, the most that a runbook has", limits::FILE_BYTES / MIB);
        return error(
            "too-large",
            "",
            message,
            "is this a runbook? Data that steps need belongs into files of its own",
        );
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(wrong) => {
            let before = String::from_utf8_lossy(&bytes[..wrong.valid_up_to()]);
            let message = format!("the byte 0x{:02x} is not UTF-8", bytes[wrong.valid_up_to()]);
            let help = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16: save it as UTF-8",
                _ => "save the file as UTF-8",
            };
            error("encoding", &before, message, help)
        }
    }
}
