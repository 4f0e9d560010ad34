//! `run`: runs a program that changes something.
//!
//! Nobody knows what a program does, so it is never repeated by itself, and it has no undo: a step says by `undo:` how
//! it is taken back. Where another program can tell whether it happened, the input names it as `verify`.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, ErrorKind, Outcome, Preview, Result, Verdict};
use serde::Deserialize;
use serde_json::json;

use crate::program::{Left, Program};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[serde(flatten)]
    program: Program,
    /// How to find out whether it happened, where its answer was lost.
    verify: Option<Verify>,
}

/// A program that only reads and tells by its status.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Verify {
    #[serde(flatten)]
    program: Program,
    /// The statuses that mean that it did not happen. Any that is neither of these nor of success can't tell.
    #[serde(default = "one")]
    #[schemars(example = json!([1]))]
    not_happened_statuses: Vec<i32>,
}

fn one() -> Vec<i32> {
    vec![1]
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Left>> {
    let output = input.program.run()?;
    // It may have done a part of its work before it failed.
    input.program.judge(&output, ErrorKind::Partial).map(Outcome::changed)
}

pub(crate) fn plan(input: Input, _: &Context) -> Result<Preview> {
    let line = input.program.shown();
    let verified = if input.verify.is_some() { "" } else { "; if its answer is lost, a person is asked" };
    let change = Change::new(ChangeKind::Execute, &input.program.program, format!("{line}{verified}"));
    Ok(Preview::new(format!("runs {line}")).change(change))
}

pub(crate) fn verify(input: Input, _: &Context) -> Result<Verdict<Left>> {
    let Some(verify) = input.verify else {
        return Ok(Verdict::cannot_tell("nobody can know what a program did, and the step names no `verify`"));
    };
    let output = verify.program.run().map_err(unverified)?;
    if let Some(status) = output.status
        && verify.not_happened_statuses.contains(&status)
    {
        return Ok(Verdict::NotHappened);
    }
    match verify.program.judge(&output, ErrorKind::Permanent) {
        // What the lost attempt printed is lost: this is what the check says.
        Ok(left) => Ok(Verdict::Happened(Outcome::changed(left))),
        Err(error) => Ok(Verdict::cannot_tell(error.to_string())),
    }
}

fn unverified(error: Error) -> Error {
    match error.kind() {
        ErrorKind::UnknownOutcome => Error::transient(error.to_string()).code("exec.timed-out"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(verify: &str) -> Verdict<Left> {
        let input = format!(r#"{{"program": "/bin/true"{verify}}}"#);
        super::verify(serde_json::from_str(&input).unwrap(), &Context::default()).unwrap()
    }

    fn status(status: i32) -> String {
        format!(r#", "verify": {{"program": "/bin/sh", "args": ["-c", "echo up; exit {status}"]}}"#)
    }

    #[test]
    fn another_program_tells_whether_it_happened() {
        assert!(matches!(told(""), Verdict::CannotTell(_)));
        assert_eq!(told(&status(1)), Verdict::NotHappened);
        assert!(matches!(told(&status(0)), Verdict::Happened(outcome) if outcome.output.status == 0));
        assert!(matches!(told(&status(2)), Verdict::CannotTell(why) if why.contains("status 2")));
    }
}
