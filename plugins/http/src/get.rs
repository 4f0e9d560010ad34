//! `get`: reads a URL.

use std::collections::BTreeMap;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Outcome, Result, http::Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Ask;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[serde(flatten)]
    ask: Ask,
}

/// What the server answered.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Answer {
    /// The status, for example 200.
    #[schemars(example = 200)]
    status: u16,
    /// The headers by their lower-case names; several of one name are joined by commas.
    #[schemars(example = json!({"content-type": "application/json"}))]
    headers: BTreeMap<String, String>,
    /// The body as text; what is not UTF-8 is replaced.
    #[schemars(example = &"{\"status\": \"up\"}")]
    body: String,
    /// The body as JSON, if it is JSON.
    #[schemars(example = json!({"status": "up"}))]
    json: Option<Value>,
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Answer>> {
    input.ask.send().map(|response| Outcome::unchanged(answer(&response)))
}

fn answer(response: &Response) -> Answer {
    let mut headers = BTreeMap::new();
    for (name, value) in &response.headers {
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|all: &mut String| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.clone());
    }
    Answer { status: response.status, headers, body: response.text(), json: response.json().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_name_are_joined_and_json_is_read() {
        let headers = [("A", "1"), ("a", "2"), ("B", "3")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let answer = answer(&Response { status: 200, headers, body: b"[1]".to_vec() });
        assert_eq!(answer.headers["a"], "1, 2");
        assert_eq!(answer.headers["b"], "3");
        assert_eq!(answer.json, Some(serde_json::json!([1])));
    }

    #[test]
    fn a_body_may_be_anything() {
        let answer = answer(&Response { status: 500, headers: Vec::new(), body: vec![0xff, b'x'] });
        assert_eq!((answer.body.as_str(), answer.json), ("\u{fffd}x", None));
    }
}
