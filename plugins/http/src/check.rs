//! `check`: does a URL answer as expected?

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, Outcome, Result, http::Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Ask;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[serde(flatten)]
    ask: Ask,
    #[serde(flatten)]
    expected: Expected,
}

/// What the answer must be like.
#[derive(Deserialize, JsonSchema)]
struct Expected {
    /// The statuses that are right; without it any from 200 to 299 is.
    #[serde(default)]
    #[schemars(example = json!([200, 204]))]
    status: Option<Vec<u16>>,
    /// Text that the body must contain.
    #[schemars(example = &"ready")]
    contains: Option<String>,
    /// JSON that the body must have; an object may have more fields than these.
    #[schemars(example = json!({"status": "up"}))]
    json: Option<Value>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// The status that came.
    #[schemars(example = 200)]
    status: u16,
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Checked>> {
    let response = if input.expected.needs_a_body() { input.ask.send()? } else { input.ask.send_for_head()? };
    match input.expected.miss(&response) {
        None => Ok(Outcome::unchanged(Checked { status: response.status })),
        Some(miss) => {
            let code = format!("http.{}", response.status);
            Err(Error::transient(miss).context(format!("GET {}", input.ask.url)).code(code))
        }
    }
}

impl Expected {
    /// Whether the body is compared with anything: a health page may be larger than what a plugin may read.
    fn needs_a_body(&self) -> bool {
        self.contains.is_some() || self.json.is_some()
    }

    /// Why the answer is not as expected.
    fn miss(&self, response: &Response) -> Option<String> {
        let right = match &self.status {
            Some(statuses) => statuses.contains(&response.status),
            None => (200..300).contains(&response.status),
        };
        if !right {
            let expected = self.status.as_ref().map_or("2xx".to_owned(), |statuses| {
                statuses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
            });
            return Some(format!("the status is {}, not {expected}", response.status));
        }
        if let Some(text) = &self.contains
            && !response.text().contains(text)
        {
            return Some(format!("the body does not contain {text:?}"));
        }
        let expected = self.json.as_ref()?;
        match response.json::<Value>() {
            Ok(found) => (!fits(expected, &found)).then(|| format!("the body does not have {expected}")),
            Err(error) => Some(format!("the body is no JSON: {error}")),
        }
    }
}

/// Whether `found` has all of `expected`.
fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| fits(value, found)))
        }
        _ => expected == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miss(expected: Value, status: u16, body: &str) -> Option<String> {
        let expected: Expected = serde_json::from_value(expected).unwrap();
        expected.miss(&Response { status, headers: Vec::new(), body: body.into() })
    }

    #[test]
    fn any_2xx_is_right_unless_said() {
        for status in [200, 204, 299] {
            assert_eq!(miss(json!({}), status, ""), None);
        }
        for status in [199, 300, 503] {
            assert_eq!(miss(json!({}), status, "").unwrap(), format!("the status is {status}, not 2xx"));
        }
        assert!(miss(json!({"status": [200]}), 204, "").unwrap().ends_with("is 204, not 200"));
        assert_eq!(miss(json!({"status": [200, 404]}), 404, ""), None);
    }

    #[test]
    fn the_body_must_contain_the_text() {
        assert_eq!(miss(json!({"contains": "up"}), 200, "all up"), None);
        assert!(miss(json!({"contains": "up"}), 200, "down").is_some());
    }

    #[test]
    fn the_body_must_have_the_fields() {
        let expected = json!({"json": {"a": {"b": 1}}});
        assert_eq!(miss(expected.clone(), 200, r#"{"a":{"b":1,"c":2}}"#), None);
        assert!(miss(expected.clone(), 200, r#"{"a":{"b":2}}"#).is_some());
        assert!(miss(expected, 200, "no").unwrap().starts_with("the body is no JSON"));
    }
}
