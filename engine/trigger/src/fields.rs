//! The fields of an alert.
//!
//! What tells an alert apart from others (labels, begin, status) must be right, or the alert is refused. What it can do
//! without (annotations, end, a fingerprint that is too long) is made to fit or left out, and a note says how.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use runwright_core::{Map, Value};

use crate::read::limits;
use crate::{Error, Status, alarm};

/// Digits of a fraction of a second that are kept: nanoseconds.
const FRACTION_DIGITS_MAX: usize = 9;

/// The labels. Numbers whose text is beyond doubt, `true` and `false` become text; null counts as no label.
pub(crate) fn labels(at: &str, value: Option<&Value>) -> Result<BTreeMap<String, String>, Error> {
    let map = object(at, value)?.ok_or_else(|| {
        let hint = "labels tell one alert apart from another: send at least one, for example `alertname`";
        Error::new(at, "there is none").hint(hint)
    })?;
    if map.len() > limits::LABELS {
        return Err(Error::new(at, format!("{} labels, more than {}", map.len(), limits::LABELS)));
    }
    let label = |(name, value): (&String, &Value)| {
        if name.len() > limits::NAME_BYTES {
            let message = format!("a name of {} bytes, more than {}", name.len(), limits::NAME_BYTES);
            return Err(Error::new(at, message));
        }
        let at = || format!("{at}.{name}");
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            Value::Number(_) => {
                let hint = "put it in quotes: 1.30 and 1.3 are the same number, but not the same text";
                return Err(
                    Error::new(at(), "expected text, found a number with a fraction or of many digits").hint(hint)
                );
            }
            other => {
                return Err(Error::new(at(), format!("expected text, found {}", kind(other))).hint("put it in quotes"));
            }
        };
        match text.len() {
            length if length > limits::LABEL_BYTES => {
                Err(Error::new(at(), format!("{length} bytes, more than {}", limits::LABEL_BYTES)))
            }
            _ => Ok((name.clone(), text)),
        }
    };
    map.iter().filter(|(_, value)| !value.is_null()).map(label).collect()
}

/// The annotations, made to fit: what is too long is cut, what is too many or no object is left out, and `notes` say so.
pub(crate) fn annotations(at: &str, value: Option<&Value>, notes: &mut Vec<String>) -> BTreeMap<String, String> {
    let none = Map::new();
    let map = or_note(object(at, value), notes).flatten().unwrap_or(&none);
    if map.len() > limits::ANNOTATIONS {
        notes.push(format!("{at}: the first {} of {} are kept", limits::ANNOTATIONS, map.len()));
    }
    let mut kept = BTreeMap::new();
    for (name, value) in map.iter().take(limits::ANNOTATIONS).filter(|(_, value)| !value.is_null()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let short_name = cut(name, limits::NAME_BYTES);
        let short_text = cut(&text, limits::ANNOTATION_BYTES);
        if short_name.is_some() {
            notes.push(format!("{at}: a name of {} bytes was cut", name.len()));
        }
        let name = short_name.unwrap_or_else(|| name.clone());
        if short_text.is_some() {
            notes.push(format!(
                "{at}.{name}: cut, it has {} bytes, more than {}",
                text.len(),
                limits::ANNOTATION_BYTES
            ));
        }
        kept.insert(name, short_text.unwrap_or(text));
    }
    kept
}

/// What can be read; the error of what can't, and is not needed, becomes a note.
fn or_note<T>(read: Result<T, Error>, notes: &mut Vec<String>) -> Option<T> {
    let left_out = |error: Error| notes.push(format!("{}: left out: {}", error.at, error.message));
    read.map_err(left_out).ok()
}

/// What `text` is cut to where it has more than `bytes_max` bytes: its beginning, and a mark that says so.
fn cut(text: &str, bytes_max: usize) -> Option<String> {
    if text.len() <= bytes_max {
        return None;
    }
    let mark = format!("… [cut: {} bytes]", text.len());
    let end = text.floor_char_boundary(bytes_max.saturating_sub(mark.len()));
    Some(format!("{}{mark}", &text[..end]))
}

/// Whether the alert is firing or resolved.
pub(crate) fn status(at: &str, value: &Value) -> Result<Status, Error> {
    match value.as_str() {
        Some("firing") => Ok(Status::Firing),
        Some("resolved") => Ok(Status::Resolved),
        _ => Err(Error::new(at, format!("expected \"firing\" or \"resolved\", found {}", short(value)))),
    }
}

/// The sender's fingerprint. Where there is none, or, which is noted, one that is too long, has other characters or is no
/// text, one that follows from the labels.
pub(crate) fn fingerprint(
    at: &str,
    value: Option<&Value>,
    labels: &BTreeMap<String, String>,
    notes: &mut Vec<String>,
) -> String {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let fits = |text: &str| text.len() <= limits::FINGERPRINT_BYTES && text.bytes().all(legal);
    match value {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) if fits(text) => return text.clone(),
        Some(_) => {
            let expected =
                format!("expected up to {} letters, digits, `-`, `_`, `.` and `:`", limits::FINGERPRINT_BYTES);
            notes.push(format!("{at}: worked out from the labels: {expected}"));
        }
    }
    alarm::fingerprint(labels)
}

/// A time in RFC 3339. The year 1 is how Go, and so Alertmanager, writes that there is none.
pub(crate) fn time(at: &str, value: Option<&Value>) -> Result<Option<Timestamp>, Error> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() || text.starts_with("0001-01-01T00:00:00") => return Ok(None),
        Some(Value::String(text)) => text,
        Some(other) => return Err(Error::new(at, format!("expected a time, found {}", kind(other)))),
    };
    let wrong = || {
        Error::new(at, format!("expected a time, found {}", short(&Value::from(text.as_str()))))
            .hint("times look like this: \"2026-01-31T12:00:00Z\"")
    };
    let text = known_digits(text);
    if !is_offset_of_a_day(&text) {
        return Err(wrong());
    }
    text.parse().map(Some).map_err(|_| wrong())
}

/// When it ended; none, and a note, where that can't be read.
pub(crate) fn end(at: &str, value: Option<&Value>, notes: &mut Vec<String>) -> Option<Timestamp> {
    or_note(time(at, value), notes).flatten()
}

/// A time whose fraction of a second has at most the nine digits that are kept; RFC 3339 allows more.
fn known_digits(text: &str) -> Cow<'_, str> {
    let Some((front, rest)) = text.split_once('.') else { return text.into() };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= FRACTION_DIGITS_MAX {
        return text.into();
    }
    format!("{front}.{}{}", &rest[..FRACTION_DIGITS_MAX], &rest[digits..]).into()
}

/// Whether the offset of a time, if it has one in numbers, is less than a day, as RFC 3339 has it.
fn is_offset_of_a_day(text: &str) -> bool {
    let behind_date = text.split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    let Some((_, offset)) = behind_date.split_once(['+', '-']) else { return true };
    offset.get(..2).and_then(|hours| hours.parse::<u8>().ok()).is_some_and(|hours| hours < 24)
}

/// The object that stands here; none where there is none, or an empty one.
fn object<'a>(at: &str, value: Option<&'a Value>) -> Result<Option<&'a Map>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map).filter(|map| !map.is_empty())),
        Some(other) => Err(Error::new(at, format!("expected an object, found {}", kind(other)))),
    }
}

/// A value as an error shows it.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The kind of a value, as an error names it.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_and_marked() {
        assert_eq!(cut(&"é".repeat(32), 64), None);
        let long = "é".repeat(33);
        let short = cut(&long, 64).expect("it is cut");
        assert!(short.len() <= 64 && short.ends_with("é… [cut: 66 bytes]"), "{short}");
    }
}
