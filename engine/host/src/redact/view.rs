//! A text as what its escapes stand for, with the places that each byte came from.

use std::borrow::Cow;
use std::ops::Range;

/// A text seen one way.
#[derive(Debug, Clone)]
pub(super) struct View<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// What part of the text each byte stands for; none: every byte stands for itself.
    spans: Option<Vec<(u32, u32)>>,
    /// Bytes of the text.
    length: usize,
}

/// What a decoder found: this many bytes of the text stand for these.
type Decoded = (usize, [u8; 4], usize);

/// A way to look behind escapes: which bytes begin one, and what one stands for.
type Way = (fn(u8) -> bool, fn(&[u8]) -> Option<Decoded>);

const WAYS: [Way; 4] = [
    (|byte| byte == b'%', percent),
    (|byte| byte == b'\\', backslash),
    (|byte| matches!(byte, 0..=8 | 0xb | 0xc | 0xe..0x20 | 0x7f | 0xc2 | 0xe2), unseen),
    (|byte| matches!(byte, b'\n' | b'\r'), folded),
];

/// Looks at `text` in all ways: as it is, and with its percent-encoding, its backslash escapes, its line ends and what a
/// terminal would not show taken away, up to twice, as in JSON that stands in JSON. No more than two views are held at a
/// time: a view is larger than what it is of. Ends with the first answer.
pub(super) fn views<T>(text: &[u8], mut look: impl FnMut(&View<'_>) -> Option<T>) -> Option<T> {
    let plain = View { bytes: Cow::Borrowed(text), spans: None, length: text.len() };
    if let found @ Some(_) = look(&plain) {
        return found;
    }
    for way in WAYS {
        let Some(once) = plain.decoded(way) else { continue };
        let twice = |way| once.decoded(way);
        let found = look(&once).or_else(|| WAYS.into_iter().filter_map(twice).find_map(|view| look(&view)));
        if found.is_some() {
            return found;
        }
    }
    None
}

impl View<'_> {
    /// Where byte `at` begins in the text.
    pub(super) fn start(&self, at: usize) -> usize {
        match &self.spans {
            Some(spans) => spans.get(at).map_or(self.length, |span| span.0 as usize),
            None => at,
        }
    }

    /// What part of the text `range`, which is not empty, is.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        match &self.spans {
            Some(spans) => self.start(range.start)..spans[range.end - 1].1 as usize,
            None => range,
        }
    }

    /// The view behind the escapes; none, where there are none.
    fn decoded(&self, (begins, decode): Way) -> Option<View<'static>> {
        self.bytes.iter().any(|byte| begins(*byte)).then_some(())?;
        let (mut bytes, mut spans) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.bytes.len()));
        let mut at = 0;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let (read, stands, length) = match begins(rest[0]).then(|| decode(rest)).flatten() {
                Some(decoded) => decoded,
                None => (1, [rest[0], 0, 0, 0], 1),
            };
            bytes.extend_from_slice(&stands[..length]);
            let place = self.place(at..at + read);
            // Texts of plugins are far smaller than 4 GiB.
            let span = (u32::try_from(place.start).ok()?, u32::try_from(place.end).ok()?);
            spans.extend(std::iter::repeat_n(span, length));
            at += read;
        }
        let decoded = bytes.len() < self.bytes.len();
        decoded.then_some(View { bytes: Cow::Owned(bytes), spans: Some(spans), length: self.length })
    }
}

/// `%41` (RFC 3986).
fn percent(text: &[u8]) -> Option<Decoded> {
    let value = hex(text.get(1..3)?)?;
    Some((3, [u8::try_from(value).ok()?, 0, 0, 0], 1))
}

/// `\n`, `\"`, `\x41`, `\u0041`, `\ud83d\ude00`, `\u{1f600}`: JSON (RFC 8259), C, Python, Rust and JavaScript.
fn backslash(text: &[u8]) -> Option<Decoded> {
    let plain = |byte: u8| Some((2, [byte, 0, 0, 0], 1));
    match *text.get(1)? {
        b'n' => plain(b'\n'),
        b't' => plain(b'\t'),
        b'r' => plain(b'\r'),
        b'b' => plain(8),
        b'f' => plain(12),
        b'0' => plain(0),
        byte @ (b'"' | b'\'' | b'\\' | b'/') => plain(byte),
        b'x' => Some((4, [u8::try_from(hex(text.get(2..4)?)?).ok()?, 0, 0, 0], 1)),
        b'u' if text.get(2) == Some(&b'{') => {
            let digits = text.get(3..)?.iter().take(7).position(|byte| *byte == b'}')?;
            character(digits + 4, hex(&text[3..3 + digits])?)
        }
        b'u' => {
            let unit = |at: usize| hex(text.get(at..at + 4)?);
            let low = || text.get(6..8).filter(|mark| *mark == b"\\u").and_then(|_| unit(8));
            match unit(2)? {
                high @ 0xd800..=0xdbff => {
                    let low = low().filter(|low| (0xdc00..=0xdfff).contains(low))?;
                    character(12, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                }
                unit => character(6, unit),
            }
        }
        _ => None,
    }
}

/// What [`clean`](crate::said::clean) takes out of texts: escape sequences, control characters but for those
/// that are white space, and the direction overrides of Unicode.
fn unseen(text: &[u8]) -> Option<Decoded> {
    let nothing = |read: usize| Some((read.min(text.len()), [0; 4], 0));
    let until = |end: &dyn Fn(u8) -> bool| text[2..].iter().position(|byte| end(*byte)).map_or(text.len(), |at| at + 3);
    match *text {
        [0x1b, b'[', ..] => nothing(until(&|byte| (b'@'..=b'~').contains(&byte))),
        [0x1b, b']' | b'P' | b'_' | b'^' | b'X', ..] => nothing(until(&|byte| byte == 7 || byte == b'\\')),
        [..0x20 | 0x7f, ..] => nothing(1),
        [0xc2, 0x80..=0x9f, ..] => nothing(2),
        [0xe2, 0x80, 0x8e | 0x8f | 0xaa..=0xae, ..] | [0xe2, 0x81, 0xa6..=0xa9, ..] => nothing(3),
        _ => None,
    }
}

/// The end of a line: Base64 (RFC 2045) and hexadecimal dumps are broken into lines.
fn folded(_: &[u8]) -> Option<Decoded> {
    Some((1, [0; 4], 0))
}

fn character(read: usize, code: u32) -> Option<Decoded> {
    let mut bytes = [0; 4];
    let length = char::from_u32(code)?.encode_utf8(&mut bytes).len();
    Some((read, bytes, length))
}

fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// `bytes` up to an escape that may go on beyond the end.
pub(super) fn without_begun_escape(bytes: &[u8]) -> &[u8] {
    // The longest one is `\\ud83d\\ude00`, written twice.
    let tail = bytes.len().saturating_sub(24);
    let begun = bytes[tail..].iter().position(|byte| matches!(byte, b'%' | b'\\' | 0x1b | 0xc2 | 0xe2));
    &bytes[..begun.map_or(bytes.len(), |begun| tail + begun)]
}
