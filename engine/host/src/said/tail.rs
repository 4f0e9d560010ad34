//! The end of what a source said, as it came.

use crate::redact::Tainted;

/// Bytes before what is shown of an end, so that the end of a secret is known for what it is.
const CONTEXT_BYTES: usize = 32 * 1024;

#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Ends of lines that came.
    lines: u64,
    /// Whether the beginning is gone.
    is_cut: bool,
}

impl Tail {
    /// Adds what came, and lets go of what is more than `bytes_max` and its context.
    pub(super) fn push(&mut self, bytes: &[u8], bytes_max: usize) {
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let most = bytes_max + CONTEXT_BYTES;
        if bytes.len() > most {
            (self.bytes, self.is_cut) = (Vec::new(), true);
        }
        self.bytes.extend_from_slice(&bytes[bytes.len().saturating_sub(most)..]);
        // Not at every push: letting go moves the rest.
        if self.bytes.len() > most + most / 4 {
            self.bytes.drain(..self.bytes.len() - most);
            self.is_cut = true;
        }
    }

    /// How many lines were left out, and the last ones.
    pub(super) fn end(&self, tainted: &Tainted, lines_max: usize, bytes_max: usize) -> (u64, Vec<String>) {
        let lines = self.shown(tainted, self.bytes.len());
        let mut bytes = 0;
        let fits = |line: &&String| {
            bytes += line.len();
            bytes <= bytes_max
        };
        let last = lines.iter().rev().take(lines_max).take_while(fits).count();
        let open = u64::from(!self.bytes.is_empty() && !self.bytes.ends_with(b"\n"));
        ((self.lines + open).saturating_sub(last as u64), lines[lines.len() - last..].to_vec())
    }

    /// The newest whole line.
    pub(super) fn newest(&self, tainted: &Tainted) -> Option<String> {
        let settled = tainted.settled_lines(&self.bytes);
        let end = self.bytes[..settled].iter().rposition(|byte| *byte == b'\n')?;
        self.shown(tainted, end + 1).pop()
    }

    /// The last lines.
    pub(super) fn last(&self, tainted: &Tainted, count: usize) -> Vec<String> {
        let lines = self.shown(tainted, self.bytes.len());
        lines[lines.len().saturating_sub(count)..].to_vec()
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// The lines up to `end` without secrets; none of a secret whose beginning is gone.
    fn shown(&self, tainted: &Tainted, end: usize) -> Vec<String> {
        let from = if self.is_cut { CONTEXT_BYTES.min(end) } else { 0 };
        let shown = tainted.hide_from(&self.bytes[..end], from);
        let mut text = &*String::from_utf8_lossy(&shown);
        if self.is_cut {
            text = text.split_once('\n').map_or("", |(_, rest)| rest);
        }
        text.lines().map(str::to_owned).collect()
    }
}
