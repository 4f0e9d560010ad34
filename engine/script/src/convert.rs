//! Values of JSON to values of Rhai and back.

use std::fmt::Write;

use rhai::{Dynamic, ImmutableString};
use runwright_core::{Map, Value};
use serde_json::Number;

use crate::Error;
use crate::error::stop;

/// Maps and lists inside each other, at most, as in the JSON that the engine reads.
pub(crate) const DEPTH_MAX: usize = 128;

/// The Rhai value of `value`. A whole number above those of Rhai's own integers keeps its value as one without sign.
pub(crate) fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(large)) => Dynamic::from(large),
            (None, None) => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => ImmutableString::from(text.as_str()).into(),
        Value::Array(items) => Dynamic::from_array(items.iter().map(dynamic).collect()),
        Value::Object(entries) => Dynamic::from_map(map(entries)),
    }
}

/// The Rhai map of the entries.
pub(crate) fn map(entries: &Map) -> rhai::Map {
    entries.iter().map(|(key, value)| (key.into(), dynamic(value))).collect()
}

/// The JSON value of `value`; an error for functions, ranges and numbers that JSON lacks.
pub(crate) fn value(value: &Dynamic) -> Result<Value, Error> {
    nested(value, DEPTH_MAX)
}

fn nested(value: &Dynamic, depth: usize) -> Result<Value, Error> {
    let inner = || depth.checked_sub(1).ok_or_else(|| Error::value("the value nests too deeply"));
    if value.is_unit() {
        Ok(Value::Null)
    } else if let Ok(value) = value.as_bool() {
        Ok(value.into())
    } else if let Ok(value) = value.as_int() {
        Ok(value.into())
    } else if let Some(large) = large(value) {
        Ok(large.into())
    } else if let Ok(value) = value.as_float() {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| Error::value(format!("the result is {value}, which is not a number")))
    } else if let Ok(value) = value.as_char() {
        Ok(value.to_string().into())
    } else if let Some(text) = value.read_lock::<ImmutableString>() {
        Ok(text.as_str().into())
    } else if let Some(items) = value.read_lock::<rhai::Array>() {
        let depth = inner()?;
        items.iter().map(|item| nested(item, depth)).collect()
    } else if let Some(map) = value.read_lock::<rhai::Map>() {
        let depth = inner()?;
        let entries = map.iter().map(|(key, value)| Ok((key.to_string(), nested(value, depth)?)));
        entries.collect::<Result<Map, Error>>().map(Value::Object)
    } else {
        let what = if value.is_fnptr() { "a function" } else { "a range or the like" };
        Err(Error::value(format!("the result is {what}, which can't be kept")))
    }
}

/// A whole number without sign.
fn large(value: &Dynamic) -> Option<u64> {
    value.read_lock::<u64>().map(|large| *large)
}

/// About as many bytes as `value` takes, with the keys of maps and what closures captured; why it is refused where that
/// is more than `most`, or it nests deeper than [`DEPTH_MAX`] levels.
///
/// It stops as soon as it is too much: closures that capture each other look like a tree without end.
pub(crate) fn bytes(value: &Dynamic, most: usize) -> Result<usize, &'static str> {
    let mut measured = Measured { left: most };
    measured.value(value, DEPTH_MAX)?;
    Ok(most - measured.left)
}

struct Measured {
    left: usize,
}

impl Measured {
    fn value(&mut self, value: &Dynamic, depth: usize) -> Result<(), &'static str> {
        const SLOT: usize = size_of::<Dynamic>();
        self.take(SLOT)?;
        let inner = || depth.checked_sub(1).ok_or(stop::DEPTH);
        if let Some(text) = value.read_lock::<ImmutableString>() {
            self.take(text.len())?;
        } else if let Some(items) = value.read_lock::<rhai::Array>() {
            let depth = inner()?;
            items.iter().try_for_each(|item| self.value(item, depth))?;
        } else if let Some(map) = value.read_lock::<rhai::Map>() {
            let depth = inner()?;
            for (key, value) in map.iter() {
                self.take(2 * SLOT + key.len())?;
                self.value(value, depth)?;
            }
        } else if let Some(blob) = value.read_lock::<rhai::Blob>() {
            self.take(blob.len())?;
        } else if let Some(function) = value.read_lock::<rhai::FnPtr>() {
            let depth = inner()?;
            function.iter_curry().try_for_each(|captured| self.value(captured, depth))?;
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.left = self.left.checked_sub(bytes).ok_or(stop::DATA)?;
        Ok(())
    }
}

/// `value` for people, cut at about `most` bytes and [`DEPTH_MAX`] levels; text alone stands without quotes.
pub(crate) fn show(value: &Dynamic, most: usize) -> String {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return text.chars().take(most).collect();
    }
    let mut out = String::new();
    write(value, DEPTH_MAX, most, &mut out);
    out
}

fn write(value: &Dynamic, depth: usize, most: usize, out: &mut String) {
    if out.len() >= most || depth == 0 {
        out.push('…');
    } else if let Some(items) = value.read_lock::<rhai::Array>() {
        write_list(&items, depth, most, out);
    } else if let Some(map) = value.read_lock::<rhai::Map>() {
        write_map(&map, depth, most, out);
    } else if let Some(text) = value.read_lock::<ImmutableString>() {
        let _ = write!(out, "{:?}", text.as_str());
    } else if value.is_unit() {
        out.push_str("null");
    } else {
        let _ = write!(out, "{value}");
    }
}

/// Writes a list as [`show`] does.
pub(crate) fn write_list(items: &rhai::Array, depth: usize, most: usize, out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate().take_while(|(index, _)| *index == 0 || depth > 0) {
        out.push_str(if index == 0 { "" } else { ", " });
        write(item, depth.saturating_sub(1), most, out);
        if out.len() >= most {
            break;
        }
    }
    out.push(']');
}

/// Writes a map as [`show`] does.
pub(crate) fn write_map(map: &rhai::Map, depth: usize, most: usize, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        let _ = write!(out, "{}{key:?}: ", if index == 0 { "" } else { ", " });
        write(value, depth.saturating_sub(1), most, out);
        if out.len() >= most {
            break;
        }
    }
    out.push('}');
}

/// Whether two values are equal: numbers by their value, everything else only with its own kind. Values that nest
/// deeper than [`DEPTH_MAX`] equal nothing.
pub(crate) fn equal(left: &Dynamic, right: &Dynamic, depth: usize) -> bool {
    let number = |value: &Dynamic| value.as_float().or_else(|_| value.as_int().map(|i| i as f64));
    if let (Some(left), Some(right)) = (left.read_lock::<rhai::Array>(), right.read_lock::<rhai::Array>()) {
        equal_lists(&left, &right, depth)
    } else if let (Some(left), Some(right)) = (left.read_lock::<rhai::Map>(), right.read_lock::<rhai::Map>()) {
        equal_maps(&left, &right, depth)
    } else if let (Some(l), Some(r)) = (left.read_lock::<ImmutableString>(), right.read_lock::<ImmutableString>()) {
        *l == *r
    } else if let (Ok(left), Ok(right)) = (left.as_int(), right.as_int()) {
        left == right
    } else if let (Some(left), Some(right)) = (large(left), large(right)) {
        left == right
    } else if let (Ok(left), Ok(right)) = (number(left), number(right)) {
        left == right
    } else if let (Ok(left), Ok(right)) = (left.as_bool(), right.as_bool()) {
        left == right
    } else if let (Ok(left), Ok(right)) = (left.as_char(), right.as_char()) {
        left == right
    } else {
        left.is_unit() && right.is_unit()
    }
}

/// Whether two lists are equal, item by item.
pub(crate) fn equal_lists(left: &rhai::Array, right: &rhai::Array, depth: usize) -> bool {
    depth > 0 && left.len() == right.len() && left.iter().zip(right).all(|(l, r)| equal(l, r, depth - 1))
}

/// Whether two maps have the same keys with equal values.
pub(crate) fn equal_maps(left: &rhai::Map, right: &rhai::Map, depth: usize) -> bool {
    let same = |(l, r): ((_, &Dynamic), (_, &Dynamic))| l.0 == r.0 && equal(l.1, r.1, depth - 1);
    depth > 0 && left.len() == right.len() && left.iter().zip(right).all(same)
}
