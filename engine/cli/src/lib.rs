//! Arguments, commands, rendering and exit codes.
//!
//! Every command is one file in `commands`; it gives an exit code (see [`exit`]) or an [`Error`]. Everything that is
//! printed goes through one `Screen`: text for people, or JSON with `-o json`.

mod args;
mod commands;
mod context;
mod error;
mod examine;
pub mod exit;
mod follow;
mod human;
mod inputs;
mod log;
mod preview;
mod runbook;
mod screen;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

pub use error::Error;

use args::Args;
pub(crate) use context::Context;

/// Runs the command line of this process and gives its exit code.
pub fn main() -> ExitCode {
    let args = match Args::try_parse_from(words(std::env::args_os().collect())) {
        Ok(args) => args,
        Err(error) => return ExitCode::from(usage(&error)),
    };
    log::start(&args);
    let context = Context::new(args.global);
    let ran = catch_unwind(AssertUnwindSafe(|| args.command.run(&context)));
    let ran = ran.unwrap_or_else(|_| {
        let error = Error::new(exit::INTERNAL, "this is a defect in runwright: what is above says where");
        Err(error.hint("every run that was going on can be resumed; please report it"))
    });
    let exit = ran.unwrap_or_else(|error| {
        context.screen.error(&error);
        error.exit
    });
    ExitCode::from(match screen::lost() {
        Some(why) if exit == exit::SUCCEEDED => {
            context.screen.error(&Error::new(exit::INTERNAL, format!("could not write to standard output: {why}")));
            exit::INTERNAL
        }
        _ => exit,
    })
}

/// The command line with `help COMMAND` and `version` as the options that they mean.
fn words(mut words: Vec<OsString>) -> Vec<OsString> {
    let option = match words.get(1).and_then(|word| word.to_str()) {
        Some("help") => "--help",
        Some("version") => "--version",
        _ => return words,
    };
    words.remove(1);
    words.push(option.into());
    words
}

/// Shows help, the version, or what is wrong with the command line.
fn usage(error: &clap::Error) -> u8 {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let json = |pair: &[String]| matches!(pair[0].as_str(), "-o" | "--format") && pair[1] == "json";
    let wants_json = words.windows(2).any(json) || words.iter().any(|word| word == "-ojson" || word == "--format=json");
    if error.use_stderr() && wants_json {
        let text = error.render().to_string();
        let text = text.trim_start_matches("error: ");
        let (message, hint) = text.split_once("\n\n").unwrap_or((text, ""));
        let own = Error::new(exit::USAGE, message.trim()).hint(hint.trim());
        screen::Screen::new(screen::Format::Json, screen::Color::Never).error(&own);
    } else {
        // An error means that nobody reads it.
        let _ = error.print();
    }
    if error.use_stderr() { exit::USAGE } else { exit::SUCCEEDED }
}
