//! Places in the text of a scalar to places in the file.
//!
//! YAML takes quotes, escapes, indentation and line ends out of a text, so a character of an expression does not stand
//! where it would if one only counted. The decoded text is followed through the raw one, character by character; where
//! that goes wrong in some corner of YAML, a place is off by a little, and nothing else happens.

use saphyr_parser::ScalarStyle;

use crate::node::Scalar;

/// The offset in the raw text of a scalar at which the decoded text stands at `target`.
pub(crate) fn raw_offset(raw: &str, scalar: &Scalar, target: usize) -> usize {
    let mut follow = Follow { raw, style: scalar.style, at: 0, indentation: 0 };
    match scalar.style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => follow.at = 1,
        ScalarStyle::Literal => follow.indentation = indentation(raw),
        ScalarStyle::Plain | ScalarStyle::Folded => {}
    }
    for wanted in scalar.text[..target].chars() {
        follow.after(wanted);
    }
    if let Some(wanted) = scalar.text[target..].chars().next() {
        follow.before(wanted);
    }
    follow.at.min(raw.len())
}

/// The indentation of a block's lines that is not part of its text. The raw text begins behind that of its first line,
/// and ends with that of what follows; so it is the least that any line has.
fn indentation(raw: &str) -> usize {
    let lines = raw.lines().skip(1).filter(|line| !line.trim().is_empty());
    lines.map(|line| line.len() - line.trim_start_matches(' ').len()).min().unwrap_or(0)
}

struct Follow<'r> {
    raw: &'r str,
    style: ScalarStyle,
    at: usize,
    indentation: usize,
}

impl<'r> Follow<'r> {
    fn rest(&self) -> &'r str {
        self.raw.get(self.at..).unwrap_or_default()
    }

    /// Whether an escape begins here.
    fn escape(&self) -> bool {
        self.style == ScalarStyle::DoubleQuoted && self.rest().starts_with('\\')
    }

    /// Goes to where the raw form of `wanted` begins.
    fn before(&mut self, wanted: char) {
        while self.escape() && self.rest()[1..].starts_with(['\n', '\r']) {
            self.at += 1;
            self.skip();
        }
        if !wanted.is_whitespace() && !self.escape() && !self.rest().starts_with(wanted) {
            self.skip();
        }
    }

    fn skip(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Goes to where the raw form of `wanted` ends.
    fn after(&mut self, wanted: char) {
        self.before(wanted);
        let rest = self.rest();
        if self.escape() {
            self.at += match rest[1..].chars().next() {
                Some('x') => 4,
                Some('u') => 6,
                Some('U') => 10,
                Some(c) => 1 + c.len_utf8(),
                None => 1,
            };
            return;
        }
        self.at += match (wanted, rest.chars().next()) {
            ('\'', Some('\'')) if self.style == ScalarStyle::SingleQuoted => 2,
            // A line end, and the indentation behind it.
            ('\n' | ' ', Some('\n' | '\r')) => {
                let line = rest.find('\n').map_or(rest.len(), |end| end + 1);
                let spaces = rest[line..].len() - rest[line..].trim_start_matches(' ').len();
                line + if self.style == ScalarStyle::Literal { spaces.min(self.indentation) } else { spaces }
            }
            // White space at the end of a line, which folding drops.
            ('\n', Some(c)) if c.is_whitespace() => rest.find('\n').map_or(0, |end| end + 1),
            (_, Some(c)) => c.len_utf8(),
            (_, None) => 0,
        };
    }
}
