//! What all checks share: the source, what is known, and the diagnostics so far; and typed reading of fields.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use runwright_core::{ActionName, Catalog, did_you_mean, duration_ms, short};

use crate::defaults::Defaults;
use crate::diagnostic::bounded;
use crate::node::{Entry, Kind, Node};
use crate::source::Source;
use crate::types::Types;
use crate::{Diagnostic, Severity, characters, foreign, limits};

pub(crate) struct Check<'a> {
    pub(crate) source: &'a Source<'a>,
    pub(crate) catalog: Option<&'a Catalog>,
    pub(crate) engine: &'a script::Engine,
    /// The compiled input schemas of the actions met so far; none where a schema is not one.
    pub(crate) schemas: HashMap<ActionName, Option<jsonschema::Validator>>,
    /// Anchors and aliases met so far.
    pub(crate) anchors: usize,
    pub(crate) types: Types<'a>,
    pub(crate) defaults: Defaults,
    /// The steps that the expressions met since it was last taken read.
    pub(crate) steps_read: BTreeSet<String>,
    /// The name of the runbook, once it is read.
    pub(crate) own: String,
    /// The runbooks that steps call, and what they hold in all.
    pub(crate) calls: BTreeSet<String>,
    pub(crate) called_steps: usize,
    pub(crate) called_bytes: usize,
    diagnostics: Vec<Diagnostic>,
}

/// The keys that a map may have.
pub(crate) struct Keys {
    /// What the map is, for people: `a step`.
    pub(crate) of: &'static str,
    pub(crate) known: &'static [&'static str],
    /// Keys that a later version will know.
    pub(crate) later: &'static [&'static str],
}

impl<'a> Check<'a> {
    pub(crate) fn new(source: &'a Source<'a>, catalog: Option<&'a Catalog>, engine: &'a script::Engine) -> Self {
        Self {
            source,
            catalog,
            engine,
            schemas: HashMap::new(),
            anchors: 0,
            types: Types::default(),
            defaults: Defaults::default(),
            steps_read: BTreeSet::new(),
            own: String::new(),
            calls: BTreeSet::new(),
            called_steps: 0,
            called_bytes: 0,
            diagnostics: Vec::new(),
        }
    }

    /// Notes an error; what is returned takes help and notes.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let error = self.source.error(code, span, message);
        let at = self.diagnostics.len();
        self.diagnostics.push(error);
        &mut self.diagnostics[at]
    }

    /// Notes a warning; what is returned takes help and notes.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let warning = self.error(code, span, message);
        warning.severity = Severity::Warning;
        warning
    }

    /// Whether there are enough diagnostics that more of them help nobody; what takes time to say may then stay unsaid.
    pub(crate) fn full(&self) -> bool {
        self.diagnostics.len() > limits::DIAGNOSTICS
    }

    /// The diagnostics in the order of the text, at most [`limits::DIAGNOSTICS`] and one that counts the others.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut all = self.diagnostics;
        all.iter_mut().for_each(|diagnostic| characters::explain(self.source, diagnostic));
        let errors = all.iter().filter(|one| one.severity == Severity::Error);
        let errors: Vec<_> = errors.map(|one| (one.span.clone(), one.line, one.code)).collect();
        // One character that is not seen is enough to look at a line, or at what an error is about.
        let told = |one: &Diagnostic| {
            let near = |span: &Range<usize>, line, code| {
                span.contains(&one.span.start) || (line, code) == (one.line, one.code)
            };
            one.severity == Severity::Warning && errors.iter().any(|(span, line, code)| near(span, *line, *code))
        };
        all.retain(|one| one.code != "character" || !told(one));
        bounded(all)
    }

    /// The entries of a map; none where it is none.
    pub(crate) fn map<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n [Entry]> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            _ => {
                self.wrong_type(node, expected);
                None
            }
        }
    }

    /// Tells of keys that the map may not have.
    pub(crate) fn keys(&mut self, entries: &[Entry], keys: &Keys) {
        for entry in entries {
            if keys.known.contains(&entry.key.as_str()) {
                continue;
            }
            if keys.later.contains(&entry.key.as_str()) {
                let message = format!("`{}` is not supported by this version yet", entry.key);
                self.error("unsupported", entry.at.clone(), message).help("leave it out for now");
                continue;
            }
            let help = foreign::instead(keys.of, &entry.key).map(str::to_owned);
            let help = help
                .or_else(|| did_you_mean(&entry.key, keys.known.iter().copied()))
                .unwrap_or_else(|| format!("there are: {}", keys.known.join(", ")));
            let message = format!("unknown key `{}` in {}", short(&entry.key), keys.of);
            self.error("unknown-key", entry.at.clone(), message).help(help);
        }
    }

    /// Says that `node` is not what was expected.
    pub(crate) fn wrong_type(&mut self, node: &Node, expected: &str) {
        if matches!(node.kind, Kind::Broken) {
            return;
        }
        let message = format!("expected {expected}, found {}", node.found());
        let error = self.error("wrong-type", node.span.clone(), message);
        if expected.starts_with("text")
            && let Some(help) = node.quoted()
        {
            error.help(help);
        }
        let yes = |text: &str| matches!(text.to_lowercase().as_str(), "yes" | "no" | "on" | "off" | "true" | "false");
        if expected.contains("`true`") && node.text().is_some_and(yes) {
            error.help("write `true` or `false`, without quotes");
        }
    }

    pub(crate) fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let text = node.text();
        if text.is_none() {
            self.wrong_type(node, "text");
        }
        text
    }

    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        let value = node.value().as_bool();
        if value.is_none() {
            self.wrong_type(node, "`true` or `false`");
        }
        value
    }

    /// The milliseconds of a duration.
    pub(crate) fn duration(&mut self, node: &Node) -> Option<u64> {
        let Some(text) = node.text() else {
            self.wrong_type(node, "a duration like `90s`");
            if let (Kind::Scalar(scalar), Some(_)) = (&node.kind, node.value().as_u64())
                && let Some(error) = self.diagnostics.last_mut()
            {
                error.help(format!("give its unit: `{}s` are seconds, `{0}m` minutes", scalar.text));
            }
            return None;
        };
        match duration_ms(text) {
            Ok(ms) => Some(ms),
            Err(message) if text.contains("${{") => {
                self.error("bad-value", node.span.clone(), message).help("expressions can't be used here");
                None
            }
            Err(message) => {
                self.error("bad-value", node.span.clone(), message);
                None
            }
        }
    }

    pub(crate) fn integer(&mut self, node: &Node, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        match node.value().as_i64() {
            None => self.wrong_type(node, &expected),
            Some(value) => match u32::try_from(value).ok().filter(|value| range.contains(value)) {
                Some(value) => return Some(value),
                None => {
                    self.error("bad-value", node.span.clone(), format!("expected {expected}, found {value}"));
                }
            },
        }
        None
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let text = node.text().unwrap_or_default();
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() && !matches!(node.kind, Kind::Broken) {
            let expected = words().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            let what = node.text().map_or_else(|| node.found().to_owned(), |text| format!("`{}`", short(text)));
            let help = did_you_mean(text, words());
            let error = self.error("bad-value", node.span.clone(), format!("expected one of {expected}, found {what}"));
            error.help = help;
        }
        found
    }

    /// A name of an input or step: a letter, then letters, digits, `_` or `-`.
    pub(crate) fn identifier(&mut self, name: &str, at: &Range<usize>, what: &str) -> bool {
        let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            && name.len() <= 64;
        if !fits {
            let error = self.error("bad-value", at.clone(), format!("`{}` is no name for {what}", short(name)));
            error.help("a name is a letter, then letters, digits, `_` or `-`, at most 64 in all");
        }
        fits
    }
}

/// The entry with this key.
pub(crate) fn find<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| entry.key == key)
}
