//! The tree of a YAML text, each part with its place.
//!
//! Runbooks use the plain part of YAML: maps with text as keys, lists and scalars. Anchors, aliases, tags, merge keys and
//! several documents are refused, so what a file says is what it looks like, and it can't grow while it is read.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::check::Check;
use crate::node::{Entry, Kind, Node, Scalar};
use crate::{limits, syntax};

/// The tree of the text; none where it could not be read to its end. What is wrong is told to `check`.
pub(crate) fn tree(check: &mut Check) -> Option<Node> {
    let text = check.source.text;
    let mut reader = Reader { parser: Parser::new_from_str(text), offsets: Offsets::new(text), check, nodes: 0 };
    let root = reader.document()?;
    if check.anchors > 0 {
        // What they stand for is not known, so nothing else can be judged.
        return None;
    }
    Some(root)
}

/// Offsets of characters, which is what the parser counts, to offsets of bytes.
struct Offsets(Option<Vec<u32>>);

impl Offsets {
    fn new(text: &str) -> Self {
        let offsets = || text.char_indices().map(|(at, _)| at as u32).chain([text.len() as u32]).collect();
        Self((!text.is_ascii()).then(offsets))
    }

    fn byte(&self, index: usize, most: usize) -> usize {
        match &self.0 {
            Some(offsets) => offsets.get(index).map_or(most, |at| *at as usize),
            None => index.min(most),
        }
    }
}

struct Reader<'c, 'a> {
    parser: Parser<'a, StrInput<'a>>,
    offsets: Offsets,
    check: &'c mut Check<'a>,
    nodes: usize,
}

impl<'a> Reader<'_, 'a> {
    fn document(&mut self) -> Option<Node> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    let error =
                        self.check.error("documents", span.start..span.start + 3, "a second document begins here");
                    error.help("a file holds one runbook: put the other one into a file of its own");
                    break;
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?);
                }
                _ => return None,
            }
        }
        Some(root.unwrap_or(Node {
            kind: Kind::Scalar(Scalar { text: String::new(), style: ScalarStyle::Plain }),
            span: 0..0,
        }))
    }

    fn next(&mut self) -> Option<(Event<'a>, Range<usize>)> {
        let most = self.check.source.text.len();
        match self.parser.next_event()? {
            Ok((event, span)) => {
                let Span { start, end } = span;
                let start = self.offsets.byte(start.index(), most);
                Some((event, start..self.offsets.byte(end.index(), most).max(start)))
            }
            Err(error) => {
                let at = self.offsets.byte(error.marker().index(), most);
                syntax::report(self.check, error.info(), at);
                None
            }
        }
    }

    /// The node that begins with `event`; none where reading ends.
    fn node(&mut self, event: Event<'a>, span: Range<usize>, depth: usize) -> Option<Node> {
        self.nodes += 1;
        if self.nodes > limits::NODES {
            let message = format!("the file has more than {} values", limits::NODES);
            self.check.error("too-large", span, message).help("split it into several runbooks");
            return None;
        }
        if depth > limits::DEPTH {
            syntax::too_deep(self.check, span.start);
            return None;
        }
        let begin = span.start;
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.is_some())
            }
            _ => (0, false),
        };
        if anchor > 0 {
            syntax::anchor(self.check, begin, '&');
        }
        if tag {
            syntax::tag(self.check, begin);
        }
        let kind = match event {
            Event::Alias(_) => {
                syntax::anchor(self.check, begin, '*');
                Kind::Broken
            }
            Event::Scalar(text, ..) if text.len() > limits::SCALAR_BYTES => {
                let message =
                    format!("a text of {} KiB; at most {} are allowed", text.len() / 1024, limits::SCALAR_BYTES / 1024);
                self.check.error("too-large", span.clone(), message);
                Kind::Broken
            }
            Event::Scalar(_, ScalarStyle::Plain, ..) if self.check.typographic(span.clone()) => Kind::Broken,
            Event::Scalar(text, style, ..) => {
                self.check.unseen(span.clone(), style);
                Kind::Scalar(Scalar { text: text.into_owned(), style })
            }
            Event::SequenceStart(..) => return self.list(begin, depth, tag),
            Event::MappingStart(..) => return self.map(begin, depth, tag),
            _ => return None,
        };
        Some(Node { kind: if tag { Kind::Broken } else { kind }, span })
    }

    fn list(&mut self, begin: usize, depth: usize, broken: bool) -> Option<Node> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let kind = if broken { Kind::Broken } else { Kind::List(items) };
                return Some(Node { kind, span: self.trim(begin..span.end) });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, begin: usize, depth: usize, broken: bool) -> Option<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let kind = if broken { Kind::Broken } else { Kind::Map(entries) };
                return Some(Node { kind, span: self.trim(begin..span.end) });
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            match key.kind {
                Kind::Scalar(scalar) => {
                    let text = self.check.key(scalar, key.span.clone())?;
                    self.entry(&mut entries, Entry { key: text, at: key.span, value });
                }
                Kind::Broken => {}
                Kind::List(_) | Kind::Map(_) => {
                    let error = self.check.error("syntax", key.span, "a key is text");
                    error.help("put `${{ }}` in quotes: \"${{ … }}\"");
                }
            }
        }
    }

    fn entry(&mut self, entries: &mut Vec<Entry>, entry: Entry) {
        if entry.key == "<<" {
            let error = self.check.error("anchor", entry.at, "merge keys are not available");
            error.help("write the keys where they are needed");
        } else if let Some(first) = entries.iter().find(|known| known.key == entry.key) {
            let (line, _) = self.check.source.place(first.at.start);
            let error =
                self.check.error("duplicate-key", entry.at, format!("the key `{}` is there already", entry.key));
            error.note(format!("its first place is line {line}")).help("keep one of the two");
        } else {
            entries.push(entry);
        }
    }

    /// The span without the white space at its end.
    fn trim(&self, span: Range<usize>) -> Range<usize> {
        let text = self.check.source.text.get(span.clone()).unwrap_or_default();
        span.start..span.start + text.trim_end().len()
    }
}
