//! Text with `${{ }}` in it.

use crate::{Error, Reason};

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text as it stands.
    Text(&'a str),
    /// What is between `${{` and `}}`, with the byte offset in the text at which it begins.
    Expression {
        /// The expression.
        text: &'a str,
        /// Where it begins.
        offset: usize,
    },
}

/// Splits `text` at its `${{ }}`; `$${{` stands for the text `${{`.
///
/// Braces, quotes and comments inside an expression are understood, so `${{ #{a: "}}"} }}` is one expression.
///
/// ```
/// use script::Part;
///
/// let parts = script::parts("vm-${{ inputs.vm }}").unwrap();
/// assert_eq!(parts, [Part::Text("vm-"), Part::Expression { text: " inputs.vm ", offset: 6 }]);
/// ```
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, Error> {
    let mut parts = Vec::new();
    let mut from = 0;
    let mut search = 0;
    while let Some(open) = text[search..].find("${{").map(|at| at + search) {
        if text[from..open].ends_with('$') {
            // Drop the `$` that escapes, keep the `${{`.
            push(&mut parts, &text[from..open - 1]);
            (from, search) = (open, open + 3);
            continue;
        }
        push(&mut parts, &text[from..open]);
        let begin = open + 3;
        let Some(length) = end(&text[begin..]) else {
            let error = Error::new(Reason::Syntax, "`${{` without its `}}`");
            return Err(error.hint("write `$${{` where the text `${{` is meant").place(place(text, open)));
        };
        parts.push(Part::Expression { text: &text[begin..begin + length], offset: begin });
        from = begin + length + 2;
        search = from;
    }
    push(&mut parts, &text[from..]);
    Ok(parts)
}

fn push<'a>(parts: &mut Vec<Part<'a>>, text: &'a str) {
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
}

/// The place of the byte at `offset`.
pub(crate) fn place(text: &str, offset: usize) -> crate::At {
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    crate::At { line, column }
}

/// The offset of the `}}` that ends the expression at the start of `text`.
fn end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut depth = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'`' => at = close(bytes, at)?,
            b'\'' => at = character(text, at),
            b'/' if bytes[at..].starts_with(b"//") => at += bytes[at..].iter().position(|b| *b == b'\n')?,
            b'/' if bytes[at..].starts_with(b"/*") => at += text[at + 2..].find("*/")? + 3,
            b'{' => depth += 1,
            b'}' if depth == 0 && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The offset of the quote that closes the one at `open`.
fn close(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if bytes[open] == b'"' => at += 1,
            byte if byte == bytes[open] => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The end of the character literal at `open`; `open` itself where it is none, so that a stray `'` ends nothing.
fn character(text: &str, open: usize) -> usize {
    let rest = &text[open + 1..];
    let most = rest.char_indices().nth(12).map_or(rest.len(), |(at, _)| at);
    let skip = usize::from(rest.starts_with('\\')) * 2;
    match rest[..most].get(skip..).and_then(|rest| rest.find('\'')) {
        Some(length) if skip > 0 || rest[..length].chars().count() == 1 => open + 1 + skip + length,
        _ => open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expressions(text: &str) -> Vec<String> {
        let show = |part| match part {
            Part::Text(text) => text.to_owned(),
            Part::Expression { text, offset: _ } => format!("<{}>", text.trim()),
        };
        parts(text).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn braces_and_quotes_inside_an_expression_do_not_end_it() {
        for inner in [
            r#"#{a: #{b: 1}}"#,
            r#"if x { "image" } else { "}}" }"#,
            r#""\"}}" + '}' + '"' + '\'' + '\u{7d}'"#,
            "`}}`",
            "a /* }} */ + b",
            "a // }} \n + b",
            "it's",
        ] {
            assert_eq!(expressions(&format!("<${{{{ {inner} }}}}>")), ["<", &format!("<{inner}>"), ">"], "{inner}");
        }
    }

    #[test]
    fn a_doubled_dollar_escapes() {
        assert_eq!(expressions("$${{ x }} ${{ y }}"), ["${{ x }} ", "<y>"]);
        assert_eq!(expressions("a $${{ b $${{"), ["a ", "${{ b ", "${{"]);
        assert_eq!(expressions("$ { ${ $$ }}"), ["$ { ${ $$ }}"]);
    }

    #[test]
    fn a_missing_end_is_placed() {
        let error = parts("first\nsécond ${{ \"}}\"").unwrap_err();
        assert_eq!((error.line, error.column), (2, 8));
    }
}
