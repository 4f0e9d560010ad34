//! JSON Schemas of actions, compiled once.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// Problems that are told of one value.
const PROBLEMS_MAX: usize = 8;

/// A compiled JSON Schema 2020-12.
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Compiles `schema`. It is a stranger's: it may name no other document, and its patterns run in linear time.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(1 << 20))
            .offline()
            .build(schema)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// What does not fit, in words, each with its place.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        if self.0.is_valid(value) {
            return Ok(());
        }
        let mut errors = self.0.iter_errors(value);
        let mut told: Vec<String> = errors
            .by_ref()
            .take(PROBLEMS_MAX)
            .map(|error| {
                let place = error.instance_path().to_string();
                let what = error.masked_with("this value").to_string();
                if place.is_empty() { what } else { format!("{what} (at {place})") }
            })
            .collect();
        let more = errors.count();
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        Err(told.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let schema = Schema::new(&json!({
            "type": "object", "required": ["vm"], "additionalProperties": false,
            "properties": { "vm": { "type": "string" }, "ports": { "items": { "type": "integer" } } }
        }))
        .unwrap();
        assert_eq!(schema.check(&json!({"vm": "web"})), Ok(()));
        let told = schema.check(&json!({"ports": [1, "x"], "extra": 1})).unwrap_err();
        assert!(told.contains("/ports/1") && told.contains("\"vm\"") && told.contains("extra"), "{told}");
    }

    #[test]
    fn a_stranger_s_schema_reaches_nothing_and_is_not_slow() {
        assert!(Schema::new(&json!({"$ref": "https://example.org/schema.json"})).is_err());
        assert!(Schema::new(&json!({"type": "nonsense"})).is_err());
        assert!(Schema::new(&json!({"pattern": "(a)\\1"})).is_err(), "backreferences need backtracking");
        let schema = Schema::new(&json!({"pattern": "^(a+)+$"})).unwrap();
        let started = std::time::Instant::now();
        assert!(schema.check(&json!("a".repeat(10_000) + "b")).is_err());
        assert!(started.elapsed().as_secs() < 2);
    }
}
