//! Redaction: what was given to a plugin as a secret leaves the host as `[secret NAME]` only.
//!
//! One table in the host holds every value that any plugin may have been given since the engine started. Whatever a call
//! gives back or tells goes through it: also a value that comes back as Base64 (standard and URL-safe, anywhere in a
//! longer text, padded or not), hexadecimal, percent-encoded, as JSON or C escapes, or as several of these.
//!
//! A value that is short or a common word can't be told from other text: `test` stands in `latest`. Hiding it everywhere
//! would spoil what other steps say, change what runbooks decide, and tell the value by what is missing. So such a weak
//! secret is hidden only in what a call says that was given it, and only where it stands as a word of its own.
//!
//! **Invariant:** text of a plugin is redacted before it is cut, and what is cut never ends in a part of a secret.
//!
//! This mends accidents. A plugin that means to give a secret away can spell it in ways that nobody can foresee: what it
//! may reach with it is what its grants say.

mod reply;
mod spelling;
mod strength;
mod view;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::AhoCorasick;
use runwright_core::Value;

use view::{View, views};

pub(crate) use strength::is_weak;

/// Bytes of a secret at least: shorter ones can't be told from other text.
pub(crate) const SECRET_BYTES_MIN: usize = 4;
/// Bytes of a secret that hold back a line which has ended, at least: every line ends in the first ones of some secret.
const LINE_HELD_MIN: usize = 8;
/// Different values that are known at a time.
const VALUES_MAX: usize = 1024;

/// The secrets that must not be seen. Its clones are one table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tainted {
    /// Those that can be told from other text: all that any call was given.
    distinct: Arc<RwLock<Known>>,
    /// The weak ones that this call was given.
    weak: Arc<RwLock<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Name and value, in the order in which they became known.
    secrets: Vec<(String, String)>,
    finder: Option<Arc<Finder>>,
    /// Names of weak secrets of which people were told.
    told: BTreeSet<String>,
}

/// Finds all spellings of all secrets in one pass.
#[derive(Debug)]
struct Finder {
    /// Only where they stand as words of their own.
    as_words: bool,
    automaton: AhoCorasick,
    patterns: Vec<Pattern>,
}

/// One spelling of one secret.
#[derive(Debug)]
struct Pattern {
    bytes: Vec<u8>,
    /// What is shown instead.
    shown: Arc<str>,
    name: Arc<str>,
}

impl Known {
    fn add(&mut self, name: &str, value: &str, as_words: bool) -> Result<(), String> {
        if self.secrets.iter().any(|(_, other)| other == value) {
            return Ok(());
        }
        if self.secrets.len() >= VALUES_MAX {
            return Err(format!("the engine has seen {VALUES_MAX} values of secrets since it started; restart it"));
        }
        self.secrets.push((name.to_owned(), value.to_owned()));
        let finder = Finder::new(&self.secrets, as_words);
        self.finder = Some(Arc::new(finder.map_err(|error| format!("it can't be kept out of logs: {error}"))?));
        Ok(())
    }
}

fn finder(known: &RwLock<Known>) -> Option<Arc<Finder>> {
    known.read().unwrap_or_else(PoisonError::into_inner).finder.clone()
}

impl Tainted {
    /// The table for one call: the weak secrets in it are its own.
    pub(crate) fn for_call(&self) -> Self {
        Self { distinct: Arc::clone(&self.distinct), weak: Arc::default() }
    }

    /// From now on `value` is shown as `[secret NAME]`. An error says why it can't be.
    pub(crate) fn add(&self, name: &str, value: &str) -> Result<(), String> {
        if value.len() < SECRET_BYTES_MIN {
            return Err(format!(
                "it has fewer than {SECRET_BYTES_MIN} bytes, so that it can't be kept out of logs and the journal: give \
                 it a longer value"
            ));
        }
        let weak = is_weak(value);
        let table = if weak { &self.weak } else { &self.distinct };
        table.write().unwrap_or_else(PoisonError::into_inner).add(name, value, weak)
    }

    /// Whether nobody was told yet that the secret is weak; from now on somebody was.
    pub(crate) fn is_news(&self, name: &str) -> bool {
        self.distinct.write().unwrap_or_else(PoisonError::into_inner).told.insert(name.to_owned())
    }

    fn finders(&self) -> impl Iterator<Item = Arc<Finder>> {
        [finder(&self.distinct), finder(&self.weak)].into_iter().flatten()
    }

    /// `text` without secrets.
    pub(crate) fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.hide_bytes(text.as_bytes()) {
            // What stands in place of bytes is text, and whole characters are replaced.
            Some(hidden) => Cow::Owned(String::from_utf8_lossy(&hidden).into_owned()),
            None => Cow::Borrowed(text),
        }
    }

    /// The first `bytes` of `text` at most, without secrets and without the beginning of one at its end.
    pub(crate) fn hide_head<'a>(&self, text: &'a str, bytes: usize) -> Cow<'a, str> {
        if text.len() <= bytes {
            return self.hide(text);
        }
        let head = &text[..text.floor_char_boundary(bytes)];
        self.hide(&head[..head.floor_char_boundary(self.settled(head.as_bytes()))])
    }

    /// `bytes` without secrets; none where there are none in it.
    pub(crate) fn hide_bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.finders().fold(None, |hidden, finder| finder.hide(hidden.as_deref().unwrap_or(bytes)).or(hidden))
    }

    /// How many bytes at the beginning of `bytes` do not depend on what may follow. Of a weak secret that is cut in two,
    /// the parts are seen.
    pub(crate) fn settled(&self, bytes: &[u8]) -> usize {
        finder(&self.distinct).map_or(bytes.len(), |finder| finder.settled(bytes, 0))
    }

    /// The same of lines: less than [`LINE_HELD_MIN`] bytes of a secret that may go on over the end of a line do not hold
    /// that line back.
    pub(crate) fn settled_lines(&self, bytes: &[u8]) -> usize {
        finder(&self.distinct).map_or(bytes.len(), |finder| finder.settled(bytes, LINE_HELD_MIN))
    }

    /// What follows the first `from` bytes, without secrets, also those that begin before.
    pub(crate) fn hide_from(&self, bytes: &[u8], from: usize) -> Vec<u8> {
        let hidden = match finder(&self.distinct) {
            Some(finder) => finder.hide_from(bytes, from),
            None => bytes[from..].to_vec(),
        };
        finder(&self.weak).and_then(|finder| finder.hide(&hidden)).unwrap_or(hidden)
    }

    /// The name of a secret that stands in `text`. Weak ones are not looked for: they may stand there by chance.
    pub(crate) fn found(&self, text: &str) -> Option<Arc<str>> {
        let finder = finder(&self.distinct)?;
        views(text.as_bytes(), |view| {
            let found = finder.automaton.find(&view.bytes[..])?;
            Some(Arc::clone(&finder.patterns[found.pattern().as_usize()].name))
        })
    }

    /// Takes secrets out of a JSON value: out of its texts, keys and numbers.
    pub(crate) fn hide_value(&self, value: &mut Value) {
        self.finders().for_each(|finder| finder.hide_value(value));
    }
}

impl Finder {
    fn new(secrets: &[(String, String)], as_words: bool) -> Result<Self, aho_corasick::BuildError> {
        let mut patterns = Vec::new();
        for (name, value) in secrets {
            let shown: Arc<str> = format!("[secret {}]", crate::said::clean(name)).into();
            let name: Arc<str> = name.as_str().into();
            let spellings = spelling::spellings(value);
            patterns.extend(spellings.into_iter().map(|bytes| Pattern {
                bytes,
                shown: Arc::clone(&shown),
                name: Arc::clone(&name),
            }));
        }
        let automaton = AhoCorasick::new(patterns.iter().map(|pattern| &pattern.bytes))?;
        Ok(Self { as_words, automaton, patterns })
    }

    /// Where secrets stand, in order and apart from each other, each with what is shown instead.
    fn places(&self, bytes: &[u8]) -> Vec<(Range<usize>, &str)> {
        let mut found: Vec<(Range<usize>, usize)> = Vec::new();
        views(bytes, |view| {
            for one in self.automaton.find_overlapping_iter(&view.bytes[..]) {
                if self.as_words && !is_word(&view.bytes, &one.range()) {
                    continue;
                }
                let (range, pattern) = (view.place(one.range()), one.pattern().as_usize());
                match found.last_mut().filter(|(last, _)| last.start <= range.start && range.start < last.end) {
                    // There may be as many as bytes.
                    Some((last, _)) => last.end = last.end.max(range.end),
                    None => found.push((range, pattern)),
                }
            }
            None::<()>
        });
        found.sort_unstable_by_key(|(range, pattern)| (range.start, usize::MAX - range.end, *pattern));
        let mut places: Vec<(Range<usize>, &str)> = Vec::new();
        for (range, pattern) in found {
            match places.last_mut().filter(|(last, _)| range.start < last.end) {
                Some((last, _)) => last.end = last.end.max(range.end),
                None => places.push((range, &self.patterns[pattern].shown)),
            }
        }
        places
    }

    fn hide(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let places = self.places(bytes);
        (!places.is_empty()).then(|| without(&places, bytes, 0))
    }

    fn hide_from(&self, bytes: &[u8], from: usize) -> Vec<u8> {
        without(&self.places(bytes), bytes, from)
    }

    fn hide_value(&self, value: &mut Value) {
        let hidden =
            |text: &str| self.hide(text.as_bytes()).map(|hidden| String::from_utf8_lossy(&hidden).into_owned());
        match value {
            Value::String(text) => {
                if let Some(hidden) = hidden(text) {
                    *text = hidden;
                }
            }
            Value::Number(number) => {
                if let Some(hidden) = hidden(&number.to_string()) {
                    *value = Value::String(hidden);
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_value(value)),
            Value::Object(map) => {
                map.values_mut().for_each(|value| self.hide_value(value));
                if map.keys().any(|key| hidden(key).is_some()) {
                    let all = std::mem::take(map).into_iter();
                    *map = all.map(|(key, value)| (hidden(&key).unwrap_or(key), value)).collect();
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn settled(&self, bytes: &[u8], over_lines_min: usize) -> usize {
        // No escape goes on over the end of a line.
        let line = bytes.iter().rposition(|byte| over_lines_min > 0 && *byte == b'\n').map_or(0, |end| end + 1);
        let whole = &bytes[..line + view::without_begun_escape(&bytes[line..]).len()];
        let mut begun = whole.len();
        views(whole, |view| {
            begun = begun.min(self.begun(view, whole, over_lines_min));
            None::<()>
        });
        // A secret that is whole already is not cut in two.
        let places = self.places(whole);
        let within = places.iter().find(|(range, _)| range.start < begun && begun < range.end);
        within.map_or(begun, |(range, _)| range.start)
    }

    /// Where, seen this way, a spelling begins that may go on beyond the end; of one that is on several lines by then, if
    /// that is `over_lines_min` bytes of it.
    fn begun(&self, view: &View<'_>, text: &[u8], over_lines_min: usize) -> usize {
        let counts =
            |length: usize| length >= over_lines_min || !text[view.start(view.bytes.len() - length)..].contains(&b'\n');
        let starts = self.patterns.iter().filter_map(|pattern| {
            let longest = (pattern.bytes.len() - 1).min(view.bytes.len());
            let begins = |length: &usize| view.bytes.ends_with(&pattern.bytes[..*length]) && counts(*length);
            (1..=longest).rev().find(begins)
        });
        view.start(view.bytes.len() - starts.max().unwrap_or(0))
    }
}

/// What follows the first `from` bytes, with what is shown in these places.
fn without(places: &[(Range<usize>, &str)], bytes: &[u8], from: usize) -> Vec<u8> {
    let mut shown = Vec::with_capacity(bytes.len() - from);
    let mut at = from;
    for (range, instead) in places.iter().filter(|(range, _)| range.end > from) {
        shown.extend_from_slice(&bytes[at..range.start.max(at)]);
        shown.extend_from_slice(instead.as_bytes());
        at = range.end;
    }
    shown.extend_from_slice(&bytes[at..]);
    shown
}

/// Whether no letter, digit or `_` stands right before or after.
fn is_word(bytes: &[u8], range: &Range<usize>) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    !before.is_some_and(part) && !bytes.get(range.end).is_some_and(part)
}

#[cfg(test)]
mod tests;
