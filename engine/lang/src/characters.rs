//! Characters that are not what they look like: invisible ones, spaces that are none, and look-alikes.
//!
//! An editor, a chat or a web page puts them into a file, and nobody sees them there.

use std::ops::Range;

use saphyr_parser::ScalarStyle;

use crate::Severity;
use crate::check::Check;
use crate::diagnostic::Diagnostic;
use crate::node::Scalar;
use crate::source::Source;

/// A character that is not what it looks like.
pub(crate) struct Odd {
    pub(crate) at: Range<usize>,
    char: char,
    name: &'static str,
    /// What it looks like; none where it is not seen.
    like: Option<char>,
}

/// The first of them in the bytes of `span`.
pub(crate) fn first(source: &Source, span: Range<usize>) -> Option<Odd> {
    all(source, span).next()
}

fn all<'s>(source: &'s Source, span: Range<usize>) -> impl Iterator<Item = Odd> + 's {
    let (text, begin) = (source.text.get(span.clone()).unwrap_or_default(), span.start);
    let text = if text.is_ascii() { "" } else { text };
    text.char_indices().filter_map(move |(at, char)| {
        let (name, like) = odd(char)?;
        let at = begin + at;
        Some(Odd { at: at..at + char.len_utf8(), char, name, like })
    })
}

impl Odd {
    /// `U+00A0 (no-break space)`
    pub(crate) fn named(&self) -> String {
        format!("U+{:04X} ({})", u32::from(self.char), self.name)
    }

    /// How to mend it.
    pub(crate) fn help(&self) -> String {
        match self.like {
            Some(' ') if ends_line(self.char) => {
                "YAML takes it for a part of the text: break the line there, or write a plain space".to_owned()
            }
            Some(' ') => "replace it with a plain space".to_owned(),
            Some(like) => format!("it looks like `{like}`, which is U+{:04X}: write that", u32::from(like)),
            None => "it can't be seen: remove it".to_owned(),
        }
    }
}

impl Check<'_> {
    /// Warns of characters in a text that are not seen, that turn what follows around, that are spaces or line ends where YAML
    /// wants its own, or that make no template of what looks like one.
    pub(crate) fn unseen(&mut self, span: Range<usize>, style: ScalarStyle) {
        let doubtful = |odd: &Odd| {
            let before = &self.source.text[..odd.at.start];
            match odd.like {
                None => !joins(before, odd.char),
                Some(' ') => style == ScalarStyle::Plain || indents(before) || ends_line(odd.char),
                Some('$') => self.source.text[odd.at.end..].starts_with(is_brace),
                Some('{') => before.ends_with('$'),
                Some(_) => false,
            }
        };
        let found: Vec<Odd> = all(self.source, span).filter(doubtful).take(3).collect();
        for odd in found {
            let help = match odd.like {
                Some(_) => odd.help(),
                None => {
                    let number = u32::from(odd.char);
                    // YAML has four digits behind `\u` and eight behind `\U`.
                    let escape = if number > 0xffff { format!("\\U{number:08X}") } else { format!("\\u{number:04X}") };
                    format!("it can't be seen: remove it, or write it as \"{escape}\" in double quotes")
                }
            };
            self.warning("character", odd.at.clone(), format!("{} in this text", odd.named())).help(help);
        }
    }

    /// A key as it looks; a character in it that is not seen is an error. None where it stands in the indentation, since
    /// nothing behind it belongs where it seems to.
    pub(crate) fn key(&mut self, scalar: Scalar, span: Range<usize>) -> Option<String> {
        let spaces = scalar.style == ScalarStyle::Plain;
        let hidden = |like: Option<char>| like.is_none() || (spaces && like == Some(' '));
        let Some(first) = all(self.source, span).find(|odd| hidden(odd.like)) else { return Some(scalar.text) };
        let indents = indents(&self.source.text[..first.at.start]);
        let place = if indents { "in the indentation" } else { "in a key" };
        let error = self.error("character", first.at.clone(), format!("{} {place}", first.named()));
        error.help(first.help());
        let seen = scalar.text.replace(|char| odd(char).is_some_and(|(_, like)| hidden(like)), "");
        (!indents).then(|| seen.trim().to_owned())
    }

    /// The error of text that begins with a quote of typography: YAML would take it as part of the text.
    pub(crate) fn typographic(&mut self, span: Range<usize>) -> bool {
        let sign = self.source.text.get(span.clone()).and_then(|text| text.chars().next());
        let begin = span.start..span.start + sign.map_or(0, char::len_utf8);
        let Some(odd) = first(self.source, begin).filter(|odd| matches!(odd.like, Some('"' | '\''))) else {
            return false;
        };
        let error = self.error("character", odd.at.clone(), format!("{} is no quote", odd.named()));
        error.help(odd.help()).note("where it is meant to be part of the text, put the text in plain quotes");
        true
    }
}

/// Whether there is nothing but spaces before, on the same line.
fn indents(before: &str) -> bool {
    before.chars().rev().take_while(|c| *c != '\n').all(|c| c == ' ' || matches!(odd(c), Some((_, Some(' ')))))
}

/// What broke the YAML in these lines: a character that is not seen or is no space, or one that looks like a sign of YAML
/// where such a sign is meant; and where it stands.
pub(crate) fn breaking(source: &Source, lines: Range<usize>) -> Option<(Odd, &'static str)> {
    all(source, lines).find_map(|odd| {
        let before = source.text[..odd.at.start].rsplit('\n').next().unwrap_or_default();
        let place = match odd.like {
            Some(' ') | None if indents(before) => "in the indentation",
            Some(' ') | None if before.ends_with([':', '-', ',', '?']) => "where a space is meant",
            Some(' ') if ends_line(odd.char) => "where a line end is meant",
            Some(sign) => meant(before, sign)?,
            None => return None,
        };
        Some((odd, place))
    })
}

/// Where a sign of YAML is meant behind what stands before it on its line, if one is.
fn meant(before: &str, sign: char) -> Option<&'static str> {
    let text = before.trim_end();
    // An item of a list, or a part of a map in braces.
    let part = text.rsplit(['{', '[', ',']).next().unwrap_or_default().trim_start().trim_start_matches("- ").trim();
    let is_key =
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '"' | '\''));
    let begins_value = text.ends_with([':', '-', ',', '[', '{']);
    let is_inside = text.contains(['{', '[']);
    match sign {
        ':' if is_key => Some("where a `:` is meant"),
        '-' if text.is_empty() => Some("where a `-` is meant"),
        '#' if text.len() < before.len() || text.is_empty() => Some("where a comment is meant"),
        '{' | '[' | '|' | '>' | '"' | '\'' if begins_value => Some("where a value is meant"),
        ',' | '}' | ']' if is_inside => Some("in a list or map on one line"),
        _ => None,
    }
}

/// Whether other programs end a line at it, and YAML 1.2 does not (5.4).
fn ends_line(char: char) -> bool {
    matches!(char, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether it is a brace, or looks like one.
fn is_brace(char: char) -> bool {
    char == '{' || matches!(odd(char), Some((_, Some('{'))))
}

/// Whether it joins letters or pictures, as some scripts need it: never behind plain letters.
fn joins(before: &str, char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}') && before.chars().next_back().is_some_and(|before| !before.is_ascii())
}

/// Names the character in what `error` is about, where there is one: else nobody sees what is wrong.
pub(crate) fn explain(source: &Source, error: &mut Diagnostic) {
    if error.severity != Severity::Error || error.code == "character" {
        return;
    }
    if let Some(odd) = first(source, error.span.clone()) {
        let (line, column) = source.place(odd.at.start);
        error.note(format!("at {line}:{column} stands {}; {}", odd.named(), odd.help()));
    }
}

/// Whether `char` is not seen, or changes how what follows is seen.
pub(crate) fn is_unseen(char: char) -> bool {
    matches!(odd(char), Some((_, None)))
}

/// The name of a character that is not what it looks like, and what it looks like.
fn odd(char: char) -> Option<(&'static str, Option<char>)> {
    if char.is_ascii() {
        return None;
    }
    unseen(char).map(|name| (name, None)).or_else(|| sign(char)).or_else(|| letter(char))
}

/// Names as in <https://www.unicode.org/Public/UCD/latest/ucd/NamesList.txt>, in lower case.
fn unseen(char: char) -> Option<&'static str> {
    Some(match char {
        '\u{ad}' => "soft hyphen",
        '\u{34f}' => "combining grapheme joiner",
        '\u{61c}' => "arabic letter mark",
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => "hangul filler",
        '\u{180e}' => "mongolian vowel separator",
        '\u{200b}' => "zero width space",
        '\u{200c}' => "zero width non-joiner",
        '\u{200d}' => "zero width joiner",
        '\u{200e}' => "left-to-right mark",
        '\u{200f}' => "right-to-left mark",
        '\u{202a}' => "left-to-right embedding",
        '\u{202b}' => "right-to-left embedding",
        '\u{202c}' => "pop directional formatting",
        '\u{202d}' => "left-to-right override",
        '\u{202e}' => "right-to-left override",
        '\u{2060}' => "word joiner",
        '\u{2061}'..='\u{2064}' => "invisible operator",
        '\u{2066}' => "left-to-right isolate",
        '\u{2067}' => "right-to-left isolate",
        '\u{2068}' => "first strong isolate",
        '\u{2069}' => "pop directional isolate",
        '\u{206a}'..='\u{206f}' => "deprecated format character",
        '\u{feff}' => "zero width no-break space",
        '\u{fff9}'..='\u{fffb}' => "interlinear annotation mark",
        '\u{e0000}'..='\u{e007f}' => "tag character",
        _ => return None,
    })
}

fn sign(char: char) -> Option<(&'static str, Option<char>)> {
    let (name, like) = match char {
        '\u{85}' => ("next line", ' '),
        '\u{a0}' => ("no-break space", ' '),
        '\u{1680}' => ("ogham space mark", ' '),
        '\u{2000}'..='\u{200a}' => ("typographic space", ' '),
        '\u{2028}' => ("line separator", ' '),
        '\u{2029}' => ("paragraph separator", ' '),
        '\u{202f}' => ("narrow no-break space", ' '),
        '\u{205f}' => ("medium mathematical space", ' '),
        '\u{3000}' => ("ideographic space", ' '),
        '\u{2018}' => ("left single quotation mark", '\''),
        '\u{2019}' => ("right single quotation mark", '\''),
        '\u{201a}' | '\u{201b}' => ("single low-9 or reversed quotation mark", '\''),
        '\u{201c}' => ("left double quotation mark", '"'),
        '\u{201d}' => ("right double quotation mark", '"'),
        '\u{201e}' | '\u{201f}' => ("double low-9 or reversed quotation mark", '"'),
        '\u{2032}' => ("prime", '\''),
        '\u{2033}' => ("double prime", '"'),
        '\u{2bc}' => ("modifier letter apostrophe", '\''),
        '\u{b4}' => ("acute accent", '\''),
        '\u{2010}' => ("hyphen", '-'),
        '\u{2011}' => ("non-breaking hyphen", '-'),
        '\u{2012}' => ("figure dash", '-'),
        '\u{2013}' => ("en dash", '-'),
        '\u{2014}' => ("em dash", '-'),
        '\u{2212}' => ("minus sign", '-'),
        '\u{2044}' | '\u{2215}' => ("fraction or division slash", '/'),
        '\u{2217}' => ("asterisk operator", '*'),
        '\u{2022}' => ("bullet", '-'),
        '\u{a789}' | '\u{2236}' | '\u{2d0}' => ("letter colon or ratio", ':'),
        '\u{3001}' | '\u{ff64}' => ("ideographic comma", ','),
        '\u{fe10}' => ("vertical form", ','),
        '\u{fe13}' => ("vertical form", ':'),
        '\u{fe50}' => ("small form", ','),
        '\u{fe55}' => ("small form", ':'),
        '\u{fe5b}' => ("small form", '{'),
        '\u{fe5c}' => ("small form", '}'),
        '\u{fe5f}' => ("small form", '#'),
        '\u{fe63}' => ("small form", '-'),
        '\u{ff01}'..='\u{ff5e}' => ("fullwidth form", char::from_u32(u32::from(char) - 0xfee0)?),
        _ => return None,
    };
    Some((name, Some(like)))
}

/// Letters of other alphabets that look like Latin ones.
fn letter(char: char) -> Option<(&'static str, Option<char>)> {
    const CYRILLIC: (&str, &str) = ("аеіорсухѕјһԁԛԝкАВЕІКМНОРСТХЅЈԌԚԜУ", "aeiopcyxsjhdqwkABEIKMHOPCTXSJGQWY");
    const GREEK: (&str, &str) = ("αικνορυχϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "aiKvopuxcjABEZHIKMNOPTYXC");
    const ARMENIAN: (&str, &str) = ("օոսհցՕՍԼ", "onuhgOUL");
    let tables = [("cyrillic letter", CYRILLIC), ("greek letter", GREEK), ("armenian letter", ARMENIAN)];
    tables.into_iter().find_map(|(name, (own, latin))| {
        let place = own.chars().position(|own| own == char)?;
        Some((name, latin.chars().nth(place)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_alike_has_its_latin_letter() {
        for (char, like) in [
            ('а', 'a'),
            ('с', 'c'),
            ('у', 'y'),
            ('х', 'x'),
            ('У', 'Y'),
            ('Х', 'X'),
            ('ο', 'o'),
            ('Χ', 'X'),
            ('օ', 'o'),
            ('Լ', 'L'),
            ('ａ', 'a'),
            ('：', ':'),
            ('﹕', ':'),
            ('、', ','),
        ] {
            assert_eq!(odd(char).and_then(|(_, like)| like), Some(like), "{char}");
        }
        for plain in ['a', ' ', 'é', 'ü', 'ж', '漢', '☃', '…', '→'] {
            assert!(odd(plain).is_none(), "{plain}");
        }
    }
}
