//! An outside that is made up.

use script::{Outside, Refusal};
use serde_json::{Value, json};

/// Answers what it was given, in this order, and then what was asked.
pub(crate) struct Given {
    answers: std::vec::IntoIter<Result<Value, Refusal>>,
}

impl Given {
    pub(crate) fn new(answers: impl IntoIterator<Item = Result<Value, Refusal>>) -> Box<Self> {
        Box::new(Self { answers: answers.into_iter().collect::<Vec<_>>().into_iter() })
    }
}

impl Outside for Given {
    fn act(&mut self, action: &str, input: Value) -> Result<Value, Refusal> {
        self.answers.next().unwrap_or_else(|| Ok(json!({"action": action, "input": input})))
    }

    fn value(&mut self, function: &'static str) -> Result<Value, Refusal> {
        self.answers.next().unwrap_or_else(|| Ok(json!(function)))
    }

    fn print(&mut self, _: &str) {}
}
