//! What the YAML parser refuses, in words that help.

use std::ops::Range;

use crate::check::Check;
use crate::{characters, limits};

/// Tells what the parser refused at `at`.
pub(crate) fn report(check: &mut Check, info: &str, at: usize) {
    let (line, _) = check.source.place(at);
    if let Some(tab) = tab(check, line) {
        let error = check.error("tab", tab, "a tab in the indentation");
        error.help("indent with spaces; most editors can convert tabs");
        return;
    }
    // The parser often notices one line late.
    let lines = check.source.line(line.saturating_sub(1).max(1)).start..check.source.line(line).end;
    if let Some((odd, place)) = characters::breaking(check.source, lines) {
        check.error("character", odd.at.clone(), format!("{} {place}", odd.named())).help(odd.help());
        return;
    }
    let text = &check.source.text[check.source.line(line)];
    let expression = text.contains("${{");
    let at = at..at + check.source.text[at..].chars().next().map_or(0, char::len_utf8);
    let (message, help) = match info {
        _ if info.contains("unknown anchor") => return anchor(check, at.start, '*'),
        _ if info.contains("recursion limit") => return too_deep(check, at.start),
        _ if expression && info.contains("flow") => {
            ("`${{` can't stand here without quotes", "write \"${{ … }}\" with quotes")
        }
        _ if info.contains("mapping values are not allowed") || info.contains("placement of ':'") => {
            ("a `:` where no key can be", "check the indentation, or put text that contains `: ` in quotes")
        }
        _ if info.contains("did not find expected key") || info.contains("simple key expect") => {
            ("this line fits none of the lines above", "check its indentation; a key ends with `:`")
        }
        _ if info.contains("did not find expected '-'") => {
            ("this line fits none of the lines above", "check its indentation; an item of a list begins with `- `")
        }
        _ if info.contains("scanning a quoted scalar") => {
            ("the quoted text that begins here does not end", "close it with a quote")
        }
        _ if info.contains("flow sequence") => {
            ("the list that began with `[` does not end before this", "close it with `]`, or put a `,` here")
        }
        _ if info.contains("flow mapping") => {
            ("the map that began with `{` does not end before this", "close it with `}`, or put a `,` here")
        }
        _ if info.contains("unexpected character") => {
            ("text can't begin with this character", "put the text in quotes")
        }
        _ if info.contains("unprintable") => {
            ("a control character", "remove it; in quoted text it is written as an escape, such as \"\\0\"")
        }
        _ => {
            check.error("syntax", at, format!("not YAML: {info}"));
            return;
        }
    };
    check.error("syntax", at, message).help(help);
}

/// The first tab in the indentation of a line, or of the one after it, where the parser noticed it late.
fn tab(check: &Check, line: usize) -> Option<Range<usize>> {
    [line, line + 1].into_iter().find_map(|line| {
        let span = check.source.line(line);
        let text = &check.source.text[span.clone()];
        let indentation = &text[..text.len() - text.trim_start().len()];
        let at = span.start + indentation.find('\t')?;
        Some(at..at + 1)
    })
}

pub(crate) fn too_deep(check: &mut Check, at: usize) {
    let message = format!("more than {} lists and maps inside each other", limits::DEPTH);
    check.error("too-large", at..at + 1, message);
}

/// Tells of the first anchor or alias; the others are counted.
pub(crate) fn anchor(check: &mut Check, at: usize, sign: char) {
    check.anchors += 1;
    if check.anchors > 1 {
        return;
    }
    let at = back(check, at, sign);
    let error = check.error("anchor", at, "anchors and aliases are not available");
    error.help(match sign {
        '&' => "write the value where it is needed; text that begins with `&` is put in quotes",
        _ => "write the value where it is needed; text that begins with `*` is put in quotes",
    });
}

pub(crate) fn tag(check: &mut Check, at: usize) {
    let at = back(check, at, '!');
    let key = check.source.text[..at.start].trim_end();
    let expression = ["if:", "where:"].iter().any(|key_word| key.ends_with(key_word));
    let text = &check.source.text[check.source.line(check.source.place(at.start).0)];
    let rest = text.find('!').map_or("", |bang| text[bang..].trim_end());
    let (message, help) = match expression {
        true => ("an expression that begins with `!` needs quotes", format!("write \"{}\"", rest.replace('"', "\\\""))),
        false => ("tags are not available", "text that begins with `!` is put in quotes".to_owned()),
    };
    check.error("tag", at, message).help(help);
}

/// The word with the sign that introduces it, on the line before `at` or at it.
fn back(check: &Check, at: usize, sign: char) -> Range<usize> {
    let text = check.source.text;
    let line = check.source.line(check.source.place(at).0);
    match text[line.start..line.end].rfind(sign) {
        _ if text[at..].starts_with(sign) => word(check, at),
        Some(found) if line.start + found < at => word(check, line.start + found),
        _ => at..at + 1,
    }
}

fn word(check: &Check, at: usize) -> Range<usize> {
    let rest = &check.source.text[at..];
    at..at + rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}')).unwrap_or(rest.len()).max(1)
}
