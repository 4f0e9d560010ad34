//! Matchers: which alerts are meant, by their labels.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Error, Result};
use serde::{Deserialize, Serialize};

/// Matchers of one silence or query, at most.
const MATCHERS_MAX: usize = 64;

/// A matcher as the Alertmanager's API has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Matcher {
    /// The label's name.
    #[schemars(example = &"instance")]
    pub(crate) name: String,
    /// The value, or the regular expression, that the label is compared with.
    #[schemars(example = &"web-1:9100")]
    pub(crate) value: String,
    /// Whether the value is a regular expression.
    #[serde(default)]
    #[schemars(example = false)]
    pub(crate) is_regex: bool,
    /// Whether the label must fit; false: it must not.
    #[serde(default = "yes")]
    #[schemars(example = true)]
    pub(crate) is_equal: bool,
}

fn yes() -> bool {
    true
}

/// A matcher as a runbook writes it: text as in Prometheus, or a table where the value comes from an expression.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a matcher is text like `job=\"web\"`, or a table with `name` and `value`")]
pub(crate) enum Written {
    /// `name="value"`, `name!="value"`, `name=~"regex"` or `name!~"regex"`; the quotes may be left out.
    Text(#[schemars(example = &"severity=~\"warning|info\"")] String),
    /// The parts by name: nothing in the value can change what is compared.
    Table(Table),
}

/// The parts of a matcher.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// The label's name.
    #[schemars(example = &"instance")]
    name: String,
    /// What the label is compared with.
    #[schemars(example = &"web-1:9100")]
    value: String,
    /// Whether the value is a regular expression, which must fit all of the label.
    #[serde(default)]
    #[schemars(example = false)]
    regex: bool,
    /// Whether alerts are meant that do not fit.
    #[serde(default)]
    #[schemars(example = false)]
    not: bool,
}

/// What was written, checked.
pub(crate) fn read(written: &[Written]) -> Result<Vec<Matcher>> {
    if written.len() > MATCHERS_MAX {
        let message = format!("{} matchers are too many: at most {MATCHERS_MAX}", written.len());
        return Err(Error::invalid_input(message).code("alertmanager.matchers"));
    }
    written.iter().map(Written::read).collect()
}

impl Written {
    fn read(&self) -> Result<Matcher> {
        let matcher = match self {
            Self::Text(text) => parse(text).ok_or_else(|| no_matcher(text))?,
            Self::Table(Table { name, value, regex, not }) => {
                Matcher { name: name.clone(), value: value.clone(), is_regex: *regex, is_equal: !not }
            }
        };
        if is_label(&matcher.name) { Ok(matcher) } else { Err(no_matcher(&matcher.name)) }
    }
}

fn no_matcher(text: &str) -> Error {
    let message = format!("{text:?} is no matcher: write it like job=\"web\" or severity=~\"warning|info\"");
    Error::invalid_input(message).code("alertmanager.matchers")
}

/// A label's name: a letter or `_`, then letters, digits and `_`.
fn is_label(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn parse(text: &str) -> Option<Matcher> {
    let text = text.trim();
    let end = text.find(['=', '!'])?;
    let (name, rest) = text.split_at(end);
    let signs = [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
    let (sign, is_regex, is_equal) = signs.into_iter().find(|(sign, ..)| rest.starts_with(sign))?;
    let value = rest[sign.len()..].trim();
    let value = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None if value.contains('"') => return None,
        None => value.to_owned(),
    };
    Some(Matcher { name: name.trim().to_owned(), value, is_regex, is_equal })
}

/// The text up to the closing quote, which must be the last character.
fn unquote(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(value),
            '\\' => value.push(match characters.next()? {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            plain => value.push(plain),
        }
    }
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match (self.is_equal, self.is_regex) {
            (true, false) => "=",
            (true, true) => "=~",
            (false, false) => "!=",
            (false, true) => "!~",
        };
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{sign}\"{value}\"", self.name)
    }
}

/// The matchers for people: `job="web", severity="page"`.
pub(crate) fn shown(matchers: &[Matcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Matcher> {
        Written::Text(text.into()).read()
    }

    #[test]
    fn matchers_read_as_prometheus_writes_them() {
        for (written, shown) in [
            ("job=web", r#"job="web""#),
            (r#" job = "web" "#, r#"job="web""#),
            (r#"severity=~"warning|info""#, r#"severity=~"warning|info""#),
            (r#"team!="a\"b\\c""#, r#"team!="a\"b\\c""#),
            ("path!~/x=.*", r#"path!~"/x=.*""#),
            (r#"note="""#, r#"note="""#),
        ] {
            let matcher = text(written).unwrap();
            assert_eq!(matcher.to_string(), shown);
            assert_eq!(text(shown).unwrap(), matcher, "what is shown reads back");
        }
    }

    #[test]
    fn what_is_no_matcher_is_refused() {
        for wrong in ["", "job", "=x", "1a=b", "a b=c", r#"a="b"#, r#"a="b"c"#, r#"a=b"c"#, r#"a="\x""#, "a!b"] {
            let error = text(wrong).unwrap_err();
            assert_eq!(error.code_text(), Some("alertmanager.matchers"), "{wrong}");
        }
        let many = vec![Written::Text("a=b".into()); MATCHERS_MAX + 1];
        assert!(read(&many).is_err() && read(&many[1..]).is_ok());
    }

    #[test]
    fn a_value_in_a_table_stays_a_value() {
        let written: Written = serde_json::from_str(r#"{"name": "instance", "value": "x\",job=~\".*"}"#).unwrap();
        let matcher = written.read().unwrap();
        assert_eq!((matcher.value.as_str(), matcher.is_regex), ("x\",job=~\".*", false));
        let error = serde_json::from_str::<Written>(r#"{"name": "x", "valeu": "y"}"#).unwrap_err();
        assert!(error.to_string().contains("a table with `name` and `value`"), "{error}");
    }
}
