//! `query`: runs a program that, as the author of the runbook says, only reads.
//!
//! So it is repeated where an answer was lost, and really runs in a dry run, where the grant says `in-plan`.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, ErrorKind, Outcome, Result};
use serde::Deserialize;

use crate::program::{Left, Program};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[serde(flatten)]
    program: Program,
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Left>> {
    let output = input.program.run().map_err(harmless)?;
    // It changes nothing, so it may be tried again.
    input.program.judge(&output, ErrorKind::Transient).map(Outcome::unchanged)
}

/// What only reads leaves nothing behind when it is cut off.
fn harmless(error: Error) -> Error {
    match error.kind() {
        ErrorKind::UnknownOutcome => {}
        ErrorKind::Partial => return Error::cancelled(),
        _ => return error,
    }
    let code = error.code_text().unwrap_or("exec.failed").to_owned();
    Error::transient(error.to_string()).code(code)
}
