//! TOML text to the tree that serde types are read from, with the place of every value.

use std::ops::Range;

use saphyr_parser::ScalarStyle;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Diagnostic;
use crate::node::{Entry, Kind, Node, Scalar};
use crate::source::Source;

/// The tree of `source`; everything that is wrong with its syntax goes to `diagnostics`.
pub(crate) fn tree(source: &Source<'_>, diagnostics: &mut Vec<Diagnostic>) -> Node {
    let (root, errors) = DeTable::parse_recoverable(source.text);
    for error in errors {
        let end = source.text.len();
        let span = error.span().unwrap_or(end..end);
        diagnostics.push(source.error("syntax", span, error.message().replace('\n', ": ")));
    }
    Node { kind: table(root.get_ref()), span: 0..0 }
}

fn table(table: &DeTable<'_>) -> Kind {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().clone().into_owned(),
        at: key.span(),
        value: node(value.get_ref(), value.span()),
    };
    Kind::Map(table.iter().map(entry).collect())
}

fn node(value: &DeValue<'_>, span: Range<usize>) -> Node {
    let kind = match value {
        DeValue::String(text) => scalar(text, ScalarStyle::DoubleQuoted),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => scalar(&integer.to_string(), ScalarStyle::Plain),
            // Beyond 64 bits: as text no key takes it, and the message shows it as it stands there.
            Err(_) => scalar(integer.as_str(), ScalarStyle::DoubleQuoted),
        },
        DeValue::Float(float) => scalar(float.as_str(), ScalarStyle::Plain),
        DeValue::Boolean(boolean) => scalar(if *boolean { "true" } else { "false" }, ScalarStyle::Plain),
        DeValue::Datetime(time) => scalar(&time.to_string(), ScalarStyle::DoubleQuoted),
        DeValue::Array(items) => Kind::List(items.iter().map(|item| node(item.get_ref(), item.span())).collect()),
        DeValue::Table(inner) => table(inner),
    };
    Node { kind, span }
}

fn scalar(text: &str, style: ScalarStyle) -> Kind {
    Kind::Scalar(Scalar { text: text.to_owned(), style })
}
