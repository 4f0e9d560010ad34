//! Diagnostics as people read them, without colours.

use std::fmt::Write;

use crate::characters::is_unseen;
use crate::{Diagnostic, Severity};

/// Characters of a source line that are shown.
const SHOWN: usize = 120;

/// The diagnostics of one file, and how many there are.
///
/// `source` is the file's bytes; they need not be UTF-8. Characters that would move a terminal's cursor are replaced.
pub fn render(diagnostics: &[Diagnostic], source: &[u8]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&diagnostic.render(source));
        out.push('\n');
    }
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let counted = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let counts = [counted(count(Severity::Error), "error"), counted(count(Severity::Warning), "warning")];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    if let Some(first) = diagnostics.first() {
        let _ = writeln!(out, "{}: {}", clean(&first.file), counts.join(", "));
    }
    out
}

impl Diagnostic {
    /// The message, the place, the line with what it is about underlined, and how to mend it.
    ///
    /// ```text
    /// error: unknown key `tiemout` in a step [unknown-key]
    ///   --> recover-vm.yaml:12:5
    ///    |
    /// 12 |     tiemout: 2m
    ///    |     ^^^^^^^
    ///    = help: did you mean `timeout`?
    /// ```
    pub fn render(&self, source: &[u8]) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let (line, before, length) = self.shown(source);
        let mut out = format!("{}: {} [{}]\n", self.severity.as_str(), clean(&self.message), self.code);
        let _ = writeln!(out, "{margin}--> {}:{}:{}", clean(&self.file), self.line, self.column);
        if !line.is_empty() {
            let _ = writeln!(out, "{margin} |");
            let _ = writeln!(out, "{number} | {line}");
            let _ = writeln!(out, "{margin} | {}{}", " ".repeat(before), "^".repeat(length.max(1)));
        }
        for note in &self.notes {
            let _ = writeln!(out, "{margin} = note: {}", clean(note));
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{margin} = help: {}", clean(help));
        }
        out
    }

    /// The part of the line that is shown, the characters before the underline and those that it covers.
    fn shown(&self, source: &[u8]) -> (String, usize, usize) {
        let at = self.span.start.min(source.len());
        let begin = source[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = source[at..].iter().position(|byte| *byte == b'\n').map_or(source.len(), |length| at + length);
        let chars = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\r').chars().count();
        let before = chars(&source[begin..at]);
        let length = chars(&source[at..self.span.end.clamp(at, end)]);
        // A long line is cut so that the underlined part is seen.
        let cut = if before + length.min(20) > SHOWN { before.saturating_sub(SHOWN / 2) } else { 0 };
        let text = String::from_utf8_lossy(&source[begin..end]);
        let kept: String = text.trim_end().chars().skip(cut).take(SHOWN).collect();
        let more = text.trim_end().chars().nth(cut + SHOWN).is_some();
        let (left, right) = (if cut > 0 { "…" } else { "" }, if more { "…" } else { "" });
        let before = before - cut + left.chars().count();
        (format!("{left}{}{right}", clean(&kept)), before, length.min(SHOWN.saturating_sub(before).max(1)))
    }
}

/// `text` with a sign for what moves the cursor, reorders text or is not seen.
fn clean(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c if is_unseen(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}
