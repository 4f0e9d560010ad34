//! Greets people: the smallest plugin, shown in the README.

use runwright_sdk::{
    Action, Context, Outcome, Plugin, Result,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Greet {
    /// Who is greeted.
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    text: String,
}

fn greet(input: Greet, _: &Context) -> Result<Outcome<Greeting>> {
    let text = format!("Hello, {}!", input.name);
    Ok(Outcome::unchanged(Greeting { text }))
}

fn plugin() -> Plugin {
    Plugin::new("hello", env!("CARGO_PKG_VERSION"), "Greets people").action(Action::read(
        "greet",
        "Greets somebody",
        greet,
    ))
}

runwright_sdk::export!(plugin);
