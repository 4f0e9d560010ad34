//! The plugin {{name}}: two actions to start from.

use runwright_sdk::{
    Action, Context, Error, Outcome, Plugin, Result, log,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Person {
    /// Who is greeted.
    name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Greeting {
    text: String,
}

fn greet(input: Person, _: &Context) -> Result<Outcome<Greeting>> {
    if input.name.trim().is_empty() {
        return Err(Error::invalid_input("name is empty"));
    }
    let text = format!("Hello, {}!", input.name);
    Ok(Outcome::unchanged(Greeting { text }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Span {
    /// How far to count.
    to: u32,
    /// Where to fail, to see what that does.
    #[serde(default)]
    fail_at: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Counted {
    counted: u32,
}

/// How an action fails says what remains of it: see `runwright_sdk::ErrorKind`.
fn count(input: Span, context: &Context) -> Result<Outcome<Counted>> {
    if input.to > 100 {
        return Err(Error::permanent(format!("{} is more than this plugin can count", input.to)));
    }
    for number in 1..=input.to {
        if number == input.fail_at {
            return Err(Error::partial(format!("stopped at {number} of {}", input.to)));
        }
        log::info!("attempt {}: counted {number}", context.attempt());
    }
    Ok(Outcome::changed(Counted { counted: input.to }))
}

fn plugin() -> Plugin {
    Plugin::new("{{name}}", env!("CARGO_PKG_VERSION"), "Greets and counts")
        .action(Action::read("greet", "Greets somebody", greet))
        .action(Action::idempotent("count", "Counts, and shows how an action fails", count))
}

runwright_sdk::export!(plugin);

#[cfg(test)]
mod tests {
    use runwright_sdk::{Context, ErrorKind};

    #[test]
    fn greets() {
        let answer = super::plugin().run("greet", r#"{"name": "Ada"}"#, &Context::default()).unwrap();
        assert_eq!(answer.output, r#"{"text":"Hello, Ada!"}"#);
        assert!(!answer.changed);
    }

    #[test]
    fn says_what_remains_when_it_fails() {
        let failed = super::plugin().run("count", r#"{"to": 3, "fail-at": 2}"#, &Context::default());
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Partial);
    }
}
