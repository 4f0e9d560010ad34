//! Templates: values with `${{ }}` in their text.

use runwright_core::{Map, Value};

use crate::compile::Missing;
use crate::template::{Part, parts, place};
use crate::{Engine, Error, Limits, Reason, explain};

/// What an expression, or all of a template together, may still use.
pub(crate) struct Room {
    /// Bytes that it may give.
    bytes: usize,
    pub(crate) operations: u64,
}

impl Room {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { bytes: limits.data_bytes, operations: limits.expression_operations }
    }

    fn take(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes =
            self.bytes.checked_sub(bytes).ok_or_else(|| Error::new(Reason::Limit, "it gives too much data"))?;
        Ok(())
    }
}

impl Engine {
    pub(crate) fn resolve_in(&self, template: &Value, scope: &Value, room: &mut Room) -> Result<Value, Error> {
        match template {
            Value::String(text) if text.contains("${{") => self.resolve_text(text, scope, room),
            Value::Array(items) => items.iter().map(|item| self.resolve_in(item, scope, room)).collect(),
            Value::Object(map) => {
                let entry = |(key, value): (&String, _)| Ok((key.clone(), self.resolve_in(value, scope, room)?));
                map.iter().map(entry).collect::<Result<Map, Error>>().map(Value::Object)
            }
            plain => {
                room.take(bytes(plain))?;
                Ok(plain.clone())
            }
        }
    }

    fn resolve_text(&self, text: &str, scope: &Value, room: &mut Room) -> Result<Value, Error> {
        let parts = parts(text)?;
        let moved = |error: Error, offset| shift(error, text, offset);
        if let [Part::Expression { text: expression, offset }] = parts.as_slice() {
            let value =
                self.evaluate_in(expression, scope, Missing::Refused, room).map_err(|error| moved(error, *offset))?;
            room.take(bytes(&value))?;
            return Ok(value);
        }
        let mut out = String::with_capacity(text.len());
        for part in parts {
            let before = out.len();
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expression { text: expression, offset } => {
                    let value = self
                        .evaluate_in(expression, scope, Missing::Refused, room)
                        .map_err(|error| moved(error, offset))?;
                    join(&mut out, &value).map_err(|error| moved(error, offset))?;
                }
            }
            room.take(out.len() - before)?;
        }
        Ok(Value::String(out))
    }
}

/// Appends `value` to text. What has no plain text is refused: a name with a hole in it, or a list where one word was
/// expected, is worse than an error.
fn join(out: &mut String, value: &Value) -> Result<(), Error> {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Number(number) => out.push_str(&digits(number)),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Null => {
            return Err(Error::value("null can't be put into text")
                .hint("give another value with `?? …`, or let the whole value be one `${{ }}`"));
        }
        Value::Array(_) | Value::Object(_) => {
            return Err(Error::value(format!("{} can't be put into text", explain::kind(value)))
                .hint("use `.to_json()`, or let the whole value be one `${{ }}`"));
        }
    }
    Ok(())
}

/// The digits of a number, also of a whole one that JSON would write with an exponent.
fn digits(number: &serde_json::Number) -> String {
    /// From here on an exponent is what people expect, as in JavaScript.
    const LONG: f64 = 1e21;
    let text = number.to_string();
    match number.as_f64() {
        Some(value) if text.contains('e') && value.fract() == 0.0 && value.abs() < LONG => format!("{value:.0}"),
        _ => text,
    }
}

/// The error of an expression that begins at `offset` of `text`, placed in `text`.
fn shift(error: Error, text: &str, offset: usize) -> Error {
    let begin = place(text, offset);
    let column = if error.line == 1 { begin.column + error.column - 1 } else { error.column };
    let line = begin.line + error.line - 1;
    Error { line, column, ..error }
}

/// About as many bytes as `value` takes.
fn bytes(value: &Value) -> usize {
    const SLOT: usize = size_of::<Value>();
    SLOT + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| SLOT + key.len() + bytes(value)).sum(),
        _ => 0,
    }
}
