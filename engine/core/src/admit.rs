//! The values that a run is given, against the inputs that its runbook declares.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde_json::Number;

use crate::words::{kind_of, listed, plain, short};
use crate::{Input, InputKind, Map, Runbook, Value, did_you_mean};

/// What is wrong with the inputs that a run was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// The input.
    pub input: String,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl fmt::Display for InputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

/// Problems of one input that are told: those of a list of a thousand look alike.
const PROBLEMS: usize = 5;

/// The inputs of a run: what is given, with defaults, in the order in which the runbook declares them. Otherwise
/// everything that is wrong with them.
pub fn admit_inputs(runbook: &Runbook, mut given: Map) -> Result<Map, Vec<InputProblem>> {
    let mut problems = Vec::new();
    let mut admitted = Map::new();
    let mut problem = |input: &str, message: String, help: Option<String>| {
        problems.push(InputProblem { input: input.to_owned(), message, help });
    };
    for (name, input) in &runbook.inputs {
        let Some(value) = given.remove(name).or_else(|| input.default.clone()) else {
            let help = (!input.description.is_empty()).then(|| format!("it is: {}", input.description));
            problem(name, format!("the input `{name}` is missing"), help);
            continue;
        };
        if !input.kind.accepts(&value) {
            let (found, help) = misfit(input.kind, &value);
            problem(name, format!("the input `{name}` is {}, found {found}", input.kind.expects()), help);
            continue;
        }
        let mut wrong = Vec::new();
        inside(input, &value, "", &mut wrong);
        for Wrong { message, help } in wrong.into_iter().take(PROBLEMS) {
            problem(name, format!("the input `{name}`: {message}"), help);
        }
        admitted.insert(name.clone(), value);
    }
    for name in given.keys() {
        let known = || runbook.inputs.keys().map(String::as_str);
        let help = did_you_mean(name, known()).unwrap_or_else(|| match runbook.inputs.is_empty() {
            true => "it has no inputs".to_owned(),
            false => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
        });
        problem(name, format!("the runbook `{}` has no input `{name}`", runbook.name), Some(help));
    }
    if problems.is_empty() { Ok(admitted) } else { Err(problems) }
}

/// The names of secrets in the inputs of a run, each with its input.
pub fn secret_names<'a>(runbook: &'a Runbook, inputs: &'a Map) -> Vec<(&'a str, &'a str)> {
    let mut names = Vec::new();
    for (name, input) in &runbook.inputs {
        let mut rest: Vec<(&Input, &Value)> = inputs.get(name).map(|value| (input, value)).into_iter().collect();
        while let Some((input, value)) = rest.pop() {
            match (value, &input.of) {
                (Value::String(secret), _) if input.kind == InputKind::Secret => {
                    names.push((name.as_str(), secret.as_str()))
                }
                (Value::Array(items), Some(of)) => rest.extend(items.iter().map(|item| (&**of, item))),
                (Value::Object(map), Some(of)) => rest.extend(map.values().map(|value| (&**of, value))),
                _ => {}
            }
        }
    }
    names
}

/// Something wrong with a value, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// Adds what is wrong with a value of the right kind, and with the values in it; `at` says where it stands.
fn inside(input: &Input, value: &Value, at: &str, wrong: &mut Vec<Wrong>) {
    let place = |text: &str| if at.is_empty() { text.to_owned() } else { format!("{at}: {text}") };
    wrong.extend(constraints(input, value).into_iter().map(|one| Wrong { message: place(&one.message), ..one }));
    let Some(of) = &input.of else { return };
    let values: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().zip(1..).map(|(item, number)| (format!("item {number}"), item)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (format!("`{}`", short(key)), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in values {
        if wrong.len() > PROBLEMS {
            return;
        }
        let at = if at.is_empty() { name } else { format!("{at}, {name}") };
        if of.kind.accepts(value) {
            inside(of, value, &at, wrong);
        } else {
            let (found, help) = misfit(of.kind, value);
            wrong.push(Wrong { message: format!("{at}: expected {}, found {found}", of.kind.expects()), help });
        }
    }
}

/// What a value is that is not of its input's kind, and how to mend it.
fn misfit(kind: InputKind, value: &Value) -> (String, Option<String>) {
    let Some(number) = value.as_number().filter(|_| kind == InputKind::Integer) else {
        return (kind_of(value).to_owned(), None);
    };
    let help = match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => format!("write {float:.0}"),
        _ if number.is_f64() => {
            "write it without a `.` or an exponent, or let the input be of type `number`".to_owned()
        }
        _ => format!("a whole number is at most {}", i64::MAX),
    };
    (number.to_string(), Some(help))
}

/// What is wrong with a value of the right kind, whatever is in it.
pub fn constraints(input: &Input, value: &Value) -> Vec<Wrong> {
    let all = [secret_name(input, value), choice(input, value), matches(input, value), bounds(input, value)];
    all.into_iter().flatten().collect()
}

/// Of a secret the name is given, and somebody may have given the secret: the message does not have it.
fn secret_name(input: &Input, value: &Value) -> Option<Wrong> {
    const MOST: usize = 64;
    let name = value.as_str().filter(|_| input.kind == InputKind::Secret)?;
    let fits = (1..=MOST).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    (!fits).then(|| Wrong {
        message: "this is no name of a secret".to_owned(),
        help: Some(format!(
            "give the name under which a plugin is granted it, never its value: at most {MOST} letters, digits, `-`, `_` or `.`"
        )),
    })
}

fn choice(input: &Input, value: &Value) -> Option<Wrong> {
    if input.choices.is_empty() || input.choices.iter().any(|choice| equal(choice, value)) {
        return None;
    }
    let words: Vec<String> = input.choices.iter().map(plain).collect();
    let text = plain(value);
    Some(Wrong {
        message: format!("expected one of {}, found {}", listed(&words), shown(&text)),
        help: did_you_mean(&text, words.iter().map(String::as_str)),
    })
}

/// A value that came from outside, on one line.
fn shown(text: &str) -> String {
    short(text).replace(char::is_control, "\u{fffd}")
}

/// Numbers are equal however they are written.
fn equal(left: &Value, right: &Value) -> bool {
    left == right || left.is_number() && right.is_number() && left.as_f64() == right.as_f64()
}

fn matches(input: &Input, value: &Value) -> Option<Wrong> {
    let (text, wanted) = (value.as_str()?, input.pattern.as_ref()?);
    let message = match pattern(wanted) {
        Ok(regex) if regex.is_match(text) => return None,
        Ok(_) => format!("`{}` does not match the pattern `{wanted}`", shown(text)),
        Err(why) => format!("the pattern `{wanted}` can't be used: {why}"),
    };
    Some(Wrong { message, help: None })
}

/// The pattern, which the whole text matches; what is wrong with it otherwise.
pub fn pattern(text: &str) -> Result<Regex, String> {
    const COMPILED_BYTES: usize = 1024 * 1024;
    let build = |text: &str| RegexBuilder::new(text).size_limit(COMPILED_BYTES).build();
    // Alone first: with what is put around it, a `)` too many would be none.
    let regex = build(text).and_then(|_| build(&format!(r"\A(?:{text})\z")));
    regex.map_err(|error| {
        let told = error.to_string();
        let last = told.lines().last().unwrap_or_default();
        last.trim_start_matches("error: ").to_owned()
    })
}

fn bounds(input: &Input, value: &Value) -> Option<Wrong> {
    let (count, unit) = match value {
        Value::Number(number) => (number.clone(), ""),
        Value::String(text) => (text.chars().count().into(), "character"),
        Value::Array(items) => (items.len().into(), "item"),
        Value::Object(map) => (map.len().into(), "entry"),
        _ => return None,
    };
    let (bound, word) = match (&input.min, &input.max) {
        (Some(min), _) if less(&count, min) => (min, "min"),
        (_, Some(max)) if less(max, &count) => (max, "max"),
        _ => return None,
    };
    let message = match (unit, count.as_u64()) {
        ("", _) => {
            format!("{count} is {} than `{word}`, which is {bound}", if word == "min" { "less" } else { "more" })
        }
        (_, Some(0)) => format!("it is empty, which `{word}: {bound}` does not allow"),
        (unit, many) => format!("it has {count} {}, and `{word}` is {bound}", counted(unit, many)),
    };
    Some(Wrong { message, help: None })
}

fn counted(unit: &str, many: Option<u64>) -> String {
    match (unit, many) {
        (unit, Some(1)) => unit.to_owned(),
        ("entry", _) => "entries".to_owned(),
        (unit, _) => format!("{unit}s"),
    }
}

/// Whether one number is less than another, exactly where both are whole.
pub fn less(left: &Number, right: &Number) -> bool {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => left < right,
        _ => left.as_f64() < right.as_f64(),
    }
}

/// The value of an input that was written as text, as on a command line. Lists and maps are written as JSON.
///
/// ```
/// use runwright_core::{InputKind, input_from_text};
///
/// assert_eq!(input_from_text(InputKind::Integer, "3").unwrap(), 3);
/// assert_eq!(input_from_text(InputKind::String, "3").unwrap(), "3");
/// assert_eq!(input_from_text(InputKind::Boolean, "yes").unwrap_err(), "`yes` is not `true` or `false`");
/// ```
pub fn input_from_text(kind: InputKind, text: &str) -> Result<Value, String> {
    let json = || serde_json::from_str::<Value>(text).ok().filter(|value| kind.accepts(value));
    let value = match kind {
        InputKind::String | InputKind::Secret => return Ok(text.into()),
        InputKind::Boolean => text.parse::<bool>().ok().map(Value::from),
        InputKind::Integer => text.parse::<i64>().ok().map(Value::from),
        InputKind::Number | InputKind::List | InputKind::Map => json(),
    };
    value.ok_or_else(|| {
        let expected = match kind {
            InputKind::Boolean => "`true` or `false`",
            InputKind::Integer => "a whole number",
            InputKind::Number => "a number",
            InputKind::List => "a list in JSON, for example [\"a\", \"b\"]",
            InputKind::Map | InputKind::String | InputKind::Secret => "a map in JSON, for example {\"a\": 1}",
        };
        format!("`{}` is not {expected}", short(text))
    })
}
