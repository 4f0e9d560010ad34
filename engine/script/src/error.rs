//! Why a text could not be compiled, or what went wrong while it ran.

use std::fmt;

use rhai::{Dynamic, EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use crate::convert;

/// An expression or script that could not be compiled or evaluated.
///
/// `line` and `column` count from 1, in characters, inside the text that was given to the
/// [`Engine`](crate::Engine); the message is a lowercase fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of trouble it is.
    pub reason: Reason,
    /// What is wrong.
    pub message: String,
    /// The line of it.
    pub line: usize,
    /// The column of it.
    pub column: usize,
    /// How to mend it.
    pub hint: Option<String>,
    /// What was thrown that nobody caught, where it is a map with `kind`, like that of an action that failed.
    pub thrown: Option<Thrown>,
}

/// What a map that was thrown says, besides its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thrown {
    /// The kind of failure, for example `denied`.
    pub kind: String,
    /// What went wrong, for machines.
    pub code: Option<String>,
}

/// The kinds of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The text is not an expression or script.
    Syntax,
    /// It read something that is not there, or of another type.
    Value,
    /// It used more than its [`Limits`](crate::Limits) allow.
    Limit,
    /// It took longer than its deadline.
    Timeout,
    /// It was cancelled.
    Cancelled,
    /// It ended itself with `throw`, or an action that it called failed and it did not catch that.
    Thrown,
    /// It was ended by the [`Outside`](crate::Outside), which says why.
    Halted,
}

impl std::error::Error for Error {}

impl Thrown {
    fn of(thrown: &Dynamic) -> Option<Self> {
        let map = thrown.read_lock::<rhai::Map>()?;
        let text = |key: &str| map.get(key)?.clone().into_string().ok();
        Some(Self { kind: text("kind")?, code: text("code") })
    }
}

impl Error {
    /// The error of a script whose text begins on this line of a file, with the line of the file.
    pub fn in_file(&self, first: u32) -> String {
        let line = first as usize + self.line - 1;
        let placed =
            !matches!((self.line, self.column), (1, 1)) || matches!(self.reason, Reason::Value | Reason::Thrown);
        let place = if placed { format!(" (line {line} of the runbook)") } else { String::new() };
        let hint = self.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{}{place}{hint}", self.message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if (self.line, self.column) != (1, 1) {
            write!(f, " (line {}, column {})", self.line, self.column)?;
        }
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

const NOTHING_OUTSIDE: &str = "nothing outside is reached from here; use a step with `uses:`, or `act(…)` in a script";

/// What [`crate::guard`] says where it ends an evaluation.
pub(crate) mod stop {
    pub(crate) const TIME: &str = "time";
    pub(crate) const CANCELLED: &str = "cancelled";
    pub(crate) const OPERATIONS: &str = "operations";
    pub(crate) const DEPTH: &str = "depth";
    pub(crate) const DATA: &str = "data";
    pub(crate) const CALLS: &str = "calls";
    pub(crate) const ANSWER: &str = "answer";
    pub(crate) const HALTED: &str = "halted";
}

impl Error {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), line: 1, column: 1, hint: None, thrown: None }
    }

    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::new(Reason::Value, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(mut self, position: Position) -> Self {
        if let Some(line) = position.line() {
            self.line = line;
            self.column = position.position().unwrap_or(1).max(1);
        }
        self
    }

    pub(crate) fn of_parse(error: &ParseError) -> Self {
        Self::of_syntax(error.err_type()).at(error.position())
    }

    fn of_syntax(error: &ParseErrorType) -> Self {
        use ParseErrorType as Type;
        let new = |message: String| Self::new(Reason::Syntax, message);
        match error {
            Type::UnexpectedEOF => new("it ends too soon".into()),
            Type::ExprTooDeep => Self::new(Reason::Limit, "it nests too deeply"),
            Type::TooManyFunctions => Self::new(Reason::Limit, "it defines too many functions"),
            Type::LiteralTooLarge(..) => Self::new(Reason::Limit, lower(&error.to_string())),
            Type::Reserved(word) => Self::reserved(word),
            Type::MissingToken(token, _) => new(format!("expected `{token}`")),
            Type::AssignmentToInvalidLHS(_) => new("this can't be assigned to".into()).hint("compare with `==`"),
            Type::BadInput(input) => Self::of_input(input),
            other => new(lower(&other.to_string())),
        }
    }

    fn of_input(error: &LexError) -> Self {
        let new = |message: String| Self::new(Reason::Syntax, message);
        match error {
            LexError::MalformedChar(text) => new(format!("'{text}' is not one character"))
                .hint(format!("text is written in double quotes: {text:?}")),
            LexError::UnterminatedString => new("the text does not end".into()).hint("close it with a quote"),
            LexError::UnexpectedInput(text) if text == "=" => {
                new("`=` can't stand here".into()).hint("to compare, write `==`")
            }
            LexError::ImproperSymbol(symbol, _) if symbol == "===" || symbol == "!==" => {
                new(format!("there is no operator `{symbol}`")).hint(format!("write `{}`", &symbol[..2]))
            }
            LexError::ImproperSymbol(_, why) if why.contains("is disabled") => {
                Self::reserved(why.split('\'').nth(1).unwrap_or_default())
            }
            LexError::UnexpectedInput(text) => new(format!("`{text}` can't stand here")),
            other => new(lower(&other.to_string())),
        }
    }

    fn reserved(word: &str) -> Self {
        let error = Self::new(Reason::Syntax, format!("`{word}` is not available here"));
        match word {
            "eval" | "import" | "export" | "sleep" => error.hint(NOTHING_OUTSIDE),
            _ => error,
        }
    }

    /// The error of an evaluation, without what only the scope can tell.
    pub(crate) fn of_run(error: &EvalAltResult) -> Self {
        use EvalAltResult as Run;
        let at = error.position();
        let limit = |what: &str| Self::new(Reason::Limit, what);
        let found = match error {
            Run::ErrorParsing(syntax, _) => Self::of_syntax(syntax),
            Run::ErrorInFunctionCall(_, _, inner, _) => return Self::of_run(inner),
            Run::ErrorTooManyOperations(_) => limit("it takes too many operations"),
            Run::ErrorTooManyVariables(_) => limit("it has too many variables"),
            Run::ErrorTooManyModules(_) => limit("modules are not available here"),
            Run::ErrorStackOverflow(_) => limit("its calls nest too deeply"),
            Run::ErrorDataTooLarge(what, _) => {
                let what = match what.as_str() {
                    "Length of string" => "a text",
                    "Size of array/BLOB" => "a list",
                    _ => "a map",
                };
                Self::new(Reason::Limit, format!("{what} grows too large"))
            }
            Run::ErrorTerminated(token, _) => Self::of_stop(&token.clone().into_string().unwrap_or_default()),
            Run::ErrorRuntime(thrown, _) => {
                Self { thrown: Thrown::of(thrown), ..Self::new(Reason::Thrown, of_thrown(thrown)) }
            }
            Run::ErrorVariableNotFound(name, _) => Self::value(format!("there is no `{name}` here")),
            Run::ErrorPropertyNotFound(name, _) => Self::value(format!("there is no `{name}` in this map")),
            Run::ErrorFunctionNotFound(signature, _) => Self::of_missing_function(signature),
            Run::ErrorMismatchDataType(wanted, found, _) if !wanted.is_empty() && !found.is_empty() => {
                Self::value(format!("expected {}, found {}", word(wanted), word(found)))
            }
            Run::ErrorArrayBounds(length, index, _) => {
                Self::value(format!("there is no item {index} in a list of {length}"))
            }
            other => {
                let text = other.to_string();
                Self::value(lower(text.split(" (line ").next().unwrap_or(&text)))
            }
        };
        found.at(at)
    }

    /// The error of an evaluation that the guard ended.
    pub(crate) fn of_stop(why: &str) -> Self {
        let limit = |what: &str| Self::new(Reason::Limit, what);
        match why {
            stop::TIME => Self::new(Reason::Timeout, "it takes too long"),
            stop::CANCELLED => Self::new(Reason::Cancelled, "it was cancelled"),
            stop::DEPTH => limit("its data nests too deeply"),
            stop::DATA => limit("its variables hold too much data"),
            stop::CALLS => limit("it calls actions and asks for values too often"),
            stop::ANSWER => limit("what the action gave is too large for a script")
                .hint("call it in a step of its own, with `uses:`, and read what is needed of its output"),
            stop::HALTED => Self::new(Reason::Halted, "it was ended from outside"),
            _ => limit("it takes too many operations"),
        }
    }

    fn of_missing_function(signature: &str) -> Self {
        let (name, rest) = signature.split_once(' ').unwrap_or((signature, ""));
        let inside = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or_default();
        let types: Vec<&str> = inside.split(", ").filter(|kind| !kind.is_empty()).map(word).collect();
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') && types.len() == 2 {
            let error = Self::value(format!("`{name}` does not work between {} and {}", types[0], types[1]));
            return match types.contains(&"null") {
                true => error.hint("the value may be missing: give one with `?? …`"),
                false => error,
            };
        }
        let error = match types.as_slice() {
            [] => Self::value(format!("there is no function `{name}`")),
            types => Self::value(format!("there is no function `{name}` for {}", types.join(", "))),
        };
        match function_hint(name) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// How to do what a function of this name does elsewhere.
pub(crate) fn function_hint(name: &str) -> Option<&'static str> {
    Some(match name {
        "sleep" => "use a step with `wait:`",
        "timestamp" | "rand" => "a script has `now()`, `random()` and `uuid()`",
        "eval" | "open" | "exec" | "env" | "getenv" | "read_file" => NOTHING_OUTSIDE,
        "join" => "write it with `reduce`: list.reduce(|all, item| if all == () { item } else { `${all}, ${item}` })",
        "length" | "size" | "count" => "did you mean `len`?",
        "includes" | "has" => "did you mean `contains`?",
        "upper" => "did you mean `to_upper`?",
        "lower" => "did you mean `to_lower`?",
        "to_integer" => "did you mean `parse_int`?",
        "float" | "to_number" => "did you mean `parse_float`?",
        "str" => "did you mean `to_string`?",
        "toJSON" | "tojson" | "to_yaml" => "did you mean `to_json`?",
        "fromJSON" | "from_json" => "did you mean `parse_json`?",
        "default" => "give another value with `?? …`",
        _ => return None,
    })
}

/// What was thrown, for people: of a map with a `message`, like that of an action that failed, the message.
fn of_thrown(thrown: &Dynamic) -> String {
    const MOST: usize = 1_000;
    match thrown.read_lock::<rhai::Map>().as_ref().and_then(|map| map.get("message")) {
        Some(message) if message.is_string() => convert::show(message, MOST),
        _ => convert::show(thrown, MOST),
    }
}

/// The word of runbooks for a type of Rhai.
pub(crate) fn word(kind: &str) -> &str {
    match kind {
        "i64" => "an integer",
        "u64" => "an integer above 9223372036854775807, which can only be compared and passed on",
        "f64" => "a number",
        "bool" => "a boolean",
        "string" | "&str | ImmutableString | String" => "text",
        "char" => "a character",
        "array" => "a list",
        "map" => "a map",
        "()" => "null",
        other => other,
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
