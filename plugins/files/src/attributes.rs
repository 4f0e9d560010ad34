//! A file's mode and owner, which WASI does not know: coreutils' `cp --attributes-only` and `chmod` set them.
//!
//! They are set on the new file before it has any content and before it takes its place, so a failure changes nothing and
//! no secret is readable for a moment.

use std::path::Path;
use std::time::Duration;

use runwright_sdk::exec::Command;
use runwright_sdk::{Error, Result};

const COPY: &str = "/usr/bin/cp";
const CHMOD: &str = "/usr/bin/chmod";
/// One of the two.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Gives `to` the mode and owner of `from`.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let args = ["--attributes-only", "--preserve=mode,ownership", "--"];
    run(Command::new(COPY).args(args).arg(text(from)).arg(text(to)), COPY).map_err(|error| {
        error.context(format!(
            "the mode and owner of {} could not be kept; nothing was changed; `attributes: fresh` does without them",
            from.display()
        ))
    })
}

/// Gives `path` this mode.
pub(crate) fn set_mode(path: &Path, mode: &str) -> Result<()> {
    run(Command::new(CHMOD).arg(mode).arg("--").arg(text(path)), CHMOD)
        .map_err(|error| error.context(format!("the mode {mode} could not be set; nothing was changed")))
}

/// The mode, if it is three or four octal digits.
pub(crate) fn checked(mode: &str) -> Result<&str> {
    let octal = (3..=4).contains(&mode.len()) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let message = || format!("{mode:?} is no mode: write three or four octal digits in quotes, like \"0640\"");
    if octal { Ok(mode) } else { Err(Error::invalid_input(message()).code("files.mode")) }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whatever these programs do, they do it to a file that is not yet in its place: nothing that matters has happened.
fn run(command: Command, program: &str) -> Result<()> {
    let output = match command.timeout(TIMEOUT).run() {
        Ok(output) => output,
        Err(error @ runwright_sdk::exec::Error::Denied(_)) => return Err(error.into()),
        Err(error) => return Err(Error::permanent(format!("{program}: {error}")).code("files.attributes")),
    };
    if output.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::permanent(said).code("files.attributes"))
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn a_mode_is_octal() {
        assert!(checked("640").is_ok() && checked("0640").is_ok() && checked("4755").is_ok());
        for wrong in ["", "64", "00640", "0680", "u+x", "-rw", "0x1"] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }
}
