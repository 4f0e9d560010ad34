//! `status`: in which state is a unit? One that is not there is an answer too.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Outcome, Result};
use serde::Deserialize;

use crate::unit::{Named, State, Unit};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[serde(flatten)]
    named: Named,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<State>> {
    Unit::of(&input.named, context)?.look().map(Outcome::unchanged)
}
