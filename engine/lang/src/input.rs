//! The inputs that a runbook declares.

use std::ops::RangeInclusive;

use indexmap::IndexMap;
use runwright_core::{Input, InputKind, Value, constraints, less, pattern, plain, short};
use serde_json::{Number, json};

use crate::check::{Check, Keys, find};
use crate::node::{Entry, Kind, Node};

pub(crate) const KEYS: Keys = Keys {
    of: "an input",
    known: &["type", "description", "default", "required", "enum", "pattern", "min", "max", "of"],
    later: &[],
};

pub(crate) const OF: Keys =
    Keys { of: "`of`", known: &["type", "description", "enum", "pattern", "min", "max", "of"], later: &[] };

/// Characters, items or entries that a bound counts.
const COUNTS: RangeInclusive<u32> = 1..=10_000;

/// Bytes of a pattern: it is compiled again for every run.
const PATTERN_BYTES: usize = 1_000;

impl Check<'_> {
    /// The inputs that a runbook declares.
    pub(crate) fn inputs(&mut self, node: &Node) -> IndexMap<String, Input> {
        let mut inputs = IndexMap::new();
        let entries = self.map(node, "a map from names to inputs").unwrap_or_default();
        for (at, entry) in entries.iter().enumerate() {
            self.identifier(&entry.key, &entry.at, "an input");
            let same = entries[..at].iter().find(|other| dotted(&other.key) == dotted(&entry.key));
            if let Some(same) = same {
                self.same_name("inputs", &same.key, entry.at.clone(), &entry.key);
            }
            if let Some(input) = self.input(entry) {
                inputs.insert(entry.key.clone(), input);
            }
        }
        inputs
    }

    /// Two names that expressions could not tell from each other behind a dot.
    pub(crate) fn same_name(&mut self, root: &str, first: &str, at: std::ops::Range<usize>, second: &str) {
        let message = format!("`{first}` and `{second}` are both read as `{root}.{}`", dotted(second));
        self.error("duplicate-name", at, message)
            .help("behind a dot, `_` stands for `-`: give one of them another name");
    }

    fn input(&mut self, entry: &Entry) -> Option<Input> {
        let fields = self.map(&entry.value, "a map like `{ type: string }`")?;
        self.keys(fields, &KEYS);
        let input = self.values(fields, &entry.key, entry);
        let default = find(fields, "default").map(|field| (&field.value, field.value.value()));
        if let Some((node, _)) = &default {
            self.plain(node);
            match &input {
                Some(input) => self.literal(node, input),
                None => self.numbers(node, None),
            }
        }
        self.required(fields, default.is_some());
        Some(Input { default: default.map(|(_, value)| value), ..input? })
    }

    fn required(&mut self, fields: &[Entry], has_default: bool) {
        let Some(field) = find(fields, "required") else { return };
        match (self.boolean(&field.value), has_default) {
            (Some(true), true) => {
                let error = self.error("bad-value", field.at.clone(), "an input with a default is not required");
                error.help("remove `required` or `default`");
            }
            (Some(false), false) => {
                let error = self.error("bad-value", field.at.clone(), "an input that is not required needs a default");
                error.help("add `default`");
            }
            _ => {}
        }
    }

    /// What values an input takes, or those in it.
    fn values(&mut self, fields: &[Entry], name: &str, entry: &Entry) -> Option<Input> {
        let kind = match find(fields, "type") {
            Some(field) => self.input_kind(&field.value),
            None => {
                let error = self.error("missing-key", entry.at.clone(), format!("the input `{name}` has no `type`"));
                error.help(format!("one of {}", InputKind::ALL.map(InputKind::as_str).join(", ")));
                None
            }
        };
        let description = find(fields, "description").and_then(|field| self.text(&field.value)).unwrap_or_default();
        self.belongs(fields, kind);
        let bound = |check: &mut Self, key| find(fields, key).and_then(|field| check.bound(&field.value, kind?));
        let (min, max) = (bound(self, "min"), bound(self, "max"));
        if let (Some(min), Some(max), Some(field)) = (&min, &max, find(fields, "max"))
            && less(max, min)
        {
            let error = self.error("bad-value", field.value.span.clone(), "`max` is less than `min`");
            error.help("no value would fit both");
        }
        let choices = find(fields, "enum").map(|field| self.choices(&field.value, kind)).unwrap_or_default();
        let pattern = find(fields, "pattern").and_then(|field| self.pattern(&field.value));
        let of = find(fields, "of").map(|field| self.of(field, name));
        let input = Input::new(kind?);
        let of = of.flatten().map(Box::new);
        Some(Input { description: description.to_owned(), min, max, choices, pattern, of, ..input })
    }

    fn input_kind(&mut self, node: &Node) -> Option<InputKind> {
        self.choice(node, &InputKind::ALL.map(|kind| (kind.as_str(), kind)))
    }

    /// Tells of keys that mean nothing for inputs of this kind.
    fn belongs(&mut self, fields: &[Entry], kind: Option<InputKind>) {
        use InputKind as Of;
        let Some(kind) = kind else { return };
        for entry in fields {
            let kinds: &[InputKind] = match entry.key.as_str() {
                "enum" => &[Of::String, Of::Integer, Of::Number],
                "pattern" => &[Of::String],
                "min" | "max" => &[Of::String, Of::Integer, Of::Number, Of::List, Of::Map],
                "of" => &[Of::List, Of::Map],
                _ => continue,
            };
            if !kinds.contains(&kind) {
                let names: Vec<String> = kinds.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
                let message = format!("`{}` is there for inputs of type {}", entry.key, names.join(", "));
                let error = self.error("bad-value", entry.at.clone(), message);
                error.help(match (entry.key.as_str(), kind) {
                    ("enum" | "pattern", Of::List | Of::Map) => "say it of the values in it: `of: { type: string, … }`",
                    _ => "leave it out",
                });
            }
        }
    }

    /// The least or greatest value of a number, or how many characters, items or entries there are.
    fn bound(&mut self, node: &Node, kind: InputKind) -> Option<Number> {
        match kind {
            InputKind::Integer | InputKind::Number => match node.value() {
                Value::Number(number) if kind.accepts(&Value::Number(number.clone())) => Some(number),
                _ => {
                    self.wrong_type(node, kind.expects());
                    None
                }
            },
            InputKind::String | InputKind::List | InputKind::Map => self.integer(node, COUNTS).map(Number::from),
            InputKind::Boolean | InputKind::Secret => None,
        }
    }

    fn choices(&mut self, node: &Node, kind: Option<InputKind>) -> Vec<Value> {
        let Kind::List(items) = &node.kind else {
            self.wrong_type(node, "a list of values like `[small, large]`");
            return Vec::new();
        };
        if items.is_empty() {
            self.error("bad-value", node.span.clone(), "`enum` is empty").help("no value would fit: leave it out");
        }
        let mut choices = Vec::new();
        for item in items {
            let value = item.value();
            match kind {
                Some(kind) if !kind.accepts(&value) => self.wrong_type(item, kind.expects()),
                _ if choices.contains(&value) => {
                    let message = format!("`{}` is there twice", short(&plain(&value)));
                    self.error("bad-value", item.span.clone(), message).help("leave one out");
                }
                _ => choices.push(value),
            }
        }
        choices
    }

    fn pattern(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        let why = match pattern(text) {
            Ok(_) if text.len() <= PATTERN_BYTES => return Some(text.to_owned()),
            Ok(_) => format!("it is longer than {PATTERN_BYTES} bytes"),
            Err(why) => why,
        };
        let error = self.error("bad-value", node.span.clone(), format!("this is no pattern: {why}"));
        error.help("a regular expression that the whole text matches, for example `[a-z][a-z0-9-]*`");
        None
    }

    /// What each value of a list or map is: the word for a type, or a map as of an input.
    fn of(&mut self, entry: &Entry, name: &str) -> Option<Input> {
        let node = &entry.value;
        if let Kind::Map(fields) = &node.kind {
            self.keys(fields, &OF);
            return self.values(fields, name, entry);
        }
        self.input_kind(node).map(Input::new)
    }

    /// Tells what is wrong with a literal value of an input; of what an expression gives nothing is said.
    pub(crate) fn literal(&mut self, node: &Node, input: &Input) {
        let value = node.value();
        let open = value.as_str().is_some_and(|text| text.contains("${{"));
        if open || matches!(node.kind, Kind::Broken) {
            return;
        }
        if !input.kind.accepts(&value) {
            self.numbers(node, Some(&schema(input.kind)));
            return self.wrong_type(node, input.kind.expects());
        }
        for wrong in constraints(input, &value) {
            self.error("bad-value", node.span.clone(), wrong.message).help = wrong.help;
        }
        match (&node.kind, &input.of) {
            (Kind::List(items), Some(of)) => items.iter().for_each(|item| self.literal(item, of)),
            (Kind::Map(entries), Some(of)) => entries.iter().for_each(|entry| self.literal(&entry.value, of)),
            _ => self.numbers(node, Some(&schema(input.kind))),
        }
    }

    /// A default is a plain value.
    fn plain(&mut self, node: &Node) {
        if node.value().to_string().contains("${{") {
            let error = self.error("expression", node.span.clone(), "a default can't have expressions");
            error.help("work it out in the step that needs it");
        }
    }
}

/// How expressions write a name with dashes behind a dot.
pub(crate) fn dotted(name: &str) -> String {
    name.replace('-', "_")
}

/// What a value of this kind is, as a schema that says where numbers are meant.
fn schema(kind: InputKind) -> Value {
    match kind {
        InputKind::String | InputKind::Boolean | InputKind::Secret => json!({ "type": "string" }),
        InputKind::Integer | InputKind::Number => json!({ "type": "number" }),
        InputKind::List | InputKind::Map => json!({}),
    }
}
