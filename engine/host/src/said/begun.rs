//! Lines that are coming in: what can't be a part of a secret any more goes on, the rest is held.

use crate::redact::Tainted;

/// Bytes that are held at most, because they may be a part of a secret.
const HELD_BYTES_MAX: usize = 128 * 1024;

/// Bytes that went on and are looked at once more: a secret may go on over the end of a line.
const CONTEXT_BYTES: usize = 64;

/// What came of a stream and was not said yet.
#[derive(Default)]
pub(super) struct Begun {
    /// As it came: first what went on already, then what is held.
    raw: Vec<u8>,
    /// Bytes of the former.
    context: usize,
    /// What went on, without secrets, and is no line yet.
    lines: Vec<u8>,
    /// Whether anything came since the last pause.
    touched: bool,
}

impl Begun {
    pub(super) fn take(&mut self, bytes: &[u8], tainted: &Tainted) {
        self.touched = true;
        self.raw.extend_from_slice(bytes);
        let settled = tainted.settled_lines(&self.raw).max(self.context);
        let is_held = self.raw.len() - self.context < HELD_BYTES_MAX;
        self.release(if is_held { settled } else { self.raw.len() }, tainted);
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self, tainted: &Tainted) {
        self.release(self.raw.len(), tainted);
    }

    fn release(&mut self, settled: usize, tainted: &Tainted) {
        self.lines.extend(tainted.hide_from(&self.raw[..settled], self.context));
        let gone = settled.saturating_sub(CONTEXT_BYTES);
        self.raw.drain(..gone);
        self.context = settled - gone;
    }

    /// The next whole line, or as much as one may have of a line that does not end.
    pub(super) fn line(&mut self, bytes_max: usize) -> Option<Vec<u8>> {
        let end = self.lines.iter().take(bytes_max + 1).position(|byte| *byte == b'\n');
        if end.is_none() && self.lines.len() <= bytes_max {
            return None;
        }
        // No character is cut in two.
        let is_between = |at: &usize| self.lines[*at] & 0xc0 != 0x80;
        let piece = || (bytes_max.saturating_sub(3)..=bytes_max).rev().find(is_between).unwrap_or(bytes_max).max(1);
        let mut line: Vec<u8> = self.lines.drain(..end.map_or_else(piece, |end| end + 1)).collect();
        for end in [b'\n', b'\r'] {
            line.pop_if(|last| *last == end);
        }
        Some(line)
    }

    /// What stands there of a line that goes on, if nothing came since the last pause.
    pub(super) fn pause(&mut self) -> Option<Vec<u8>> {
        if std::mem::take(&mut self.touched) { None } else { self.last() }
    }

    /// What stands there of a line without an end.
    pub(super) fn last(&mut self) -> Option<Vec<u8>> {
        (!self.lines.is_empty()).then(|| std::mem::take(&mut self.lines))
    }

    /// What was not said.
    pub(super) fn into_rest(self) -> Vec<u8> {
        let Self { raw, context, mut lines, .. } = self;
        lines.extend_from_slice(&raw[context..]);
        lines
    }
}
