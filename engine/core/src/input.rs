//! What a runbook says of its inputs.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// One input of a runbook, or what each item of one is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Input {
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: InputKind,
    /// For people; may be empty.
    pub description: String,
    /// Used when it is not given; without one it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The least value of a number, characters of a text, items of a list or entries of a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    /// The greatest value of a number, characters of a text, items of a list or entries of a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
    /// The only values of a text or number; empty where any is taken.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// A regular expression that a whole text matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Of a list or map: what each of its values is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Box<Self>>,
}

impl Input {
    /// An input that takes every value of this kind.
    pub const fn new(kind: InputKind) -> Self {
        Self {
            kind,
            description: String::new(),
            default: None,
            min: None,
            max: None,
            choices: Vec::new(),
            pattern: None,
            of: None,
        }
    }
}

/// The values that an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// Text.
    String,
    /// A whole number of 64 bits.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of anything.
    List,
    /// A map from text to anything.
    Map,
    /// The name of a secret, which a plugin that is granted it resolves: no run ever sees the value.
    Secret,
}

impl InputKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::String, Self::Integer, Self::Number, Self::Boolean, Self::List, Self::Map, Self::Secret];

    /// The word for it in runbooks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Map => "map",
            Self::Secret => "secret",
        }
    }

    /// What an input of this kind takes, for people.
    pub const fn expects(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Secret => "the name of a secret",
        }
    }

    /// Whether `value` is of this kind.
    pub fn accepts(self, value: &Value) -> bool {
        match self {
            Self::String | Self::Secret => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Map => value.is_object(),
        }
    }
}
