//! The parts of the tree, and what they are for people.

use std::ops::Range;

use runwright_core::{Value, kind_of, short};
use saphyr_parser::ScalarStyle;

use crate::scalar;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// What was refused already; nothing more is said of it.
    Broken,
}

#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: ScalarStyle,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Range<usize>,
    pub(crate) value: Node,
}

impl Scalar {
    pub(crate) fn value(&self) -> Value {
        match self.style {
            ScalarStyle::Plain => scalar::plain(&self.text),
            _ => Value::String(self.text.clone()),
        }
    }
}

impl Node {
    /// The value without its places; what was refused is null.
    pub(crate) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.value(),
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.value())).collect())
            }
            Kind::Broken => Value::Null,
        }
    }

    /// The entries of a map; none where it is none.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a scalar that is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.value().is_string() => Some(&scalar.text),
            _ => None,
        }
    }

    /// The help for a number or the like that is meant as text.
    pub(crate) fn quoted(&self) -> Option<String> {
        match &self.kind {
            Kind::Scalar(scalar) if !self.is_null() => Some(format!("put it in quotes: \"{}\"", short(&scalar.text))),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.value().is_null())
    }

    /// What it is, for people.
    pub(crate) fn found(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(scalar) => kind_of(&scalar.value()),
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Broken => "nothing",
        }
    }
}
