//! `checksum`: the SHA-256 of a file, however large.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, Outcome, Result};
use serde::{Deserialize, Serialize};

use crate::place;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The absolute path.
    #[schemars(example = &"/srv/images/golden.qcow2")]
    path: String,
    /// What it should be; another one fails the step.
    #[schemars(example = &"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    expect: Option<String>,
}

/// What a file's content comes to.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Sum {
    /// The SHA-256 in hexadecimal digits.
    #[schemars(example = &"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    sha256: String,
    /// The size in bytes.
    #[schemars(example = 0)]
    bytes: u64,
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Sum>> {
    let path = place::checked(&input.path)?;
    place::look_at_file(path)?;
    let missing = || Error::permanent(format!("there is no file {}", input.path)).code("files.not-found");
    let (sha256, bytes) = place::digest_of(path)?.ok_or_else(missing)?;
    if let Some(expected) = &input.expect
        && !expected.eq_ignore_ascii_case(&sha256)
    {
        let message = format!("{} has the SHA-256 {sha256}, not {expected}", input.path);
        return Err(Error::permanent(message).code("files.checksum"));
    }
    Ok(Outcome::unchanged(Sum { sha256, bytes }))
}
