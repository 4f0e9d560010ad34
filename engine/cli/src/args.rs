//! The command line: what all commands share, and the list of them.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

use crate::commands::{
    alarm, approve, check, completions, doctor, journal, plan, plugin, run, runs, schema, serve, settle, status,
};
use crate::screen::{Color, Format};
use crate::{Context, Error, exit};

/// Runs runbooks: YAML files whose steps are sandboxed plugins or scripts.
///
/// Every step is in a crash-safe journal before it acts, so a run goes on or goes back after a crash.
#[derive(Debug, Parser)]
#[command(name = "runwright", version, after_help = EXAMPLES, after_long_help = long(), max_term_width = 100)]
#[command(disable_help_subcommand = true, infer_subcommands = false, subcommand_required = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands take.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration [default: runwright.toml here, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "RUNWRIGHT_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// The journal's folder, instead of the configuration's state-dir
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// What goes to standard output: lines for people, or JSON
    #[arg(short = 'o', long, global = true, value_enum, value_name = "FORMAT", default_value = "text")]
    #[arg(hide_possible_values = true, help = "What goes to standard output: text or json")]
    pub(crate) format: Format,
    /// Say more: all log lines of steps; twice: what the engine does
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colours: auto, always or never; auto honours NO_COLOR
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(crate) color: Color,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    Plan(plan::Plan),
    Check(check::Check),
    Runs(runs::Runs),
    Approve(approve::Approve),
    Settle(settle::Settle),
    Serve(serve::Serve),
    Alarm(alarm::Alarm),
    Status(status::Status),
    Plugin(plugin::Plugin),
    Journal(journal::Journal),
    Doctor(doctor::Doctor),
    Schema(schema::Schema),
    Completions(completions::Completions),
}

impl Command {
    /// Does it and gives the exit code.
    pub(crate) fn run(self, context: &Context) -> Result<u8, Error> {
        match self {
            Self::Run(run) => block_on(run.run(context)),
            Self::Plan(plan) => block_on(plan.run(context)),
            Self::Check(check) => block_on(check.run(context)),
            Self::Runs(runs) => block_on(runs.run(context)),
            Self::Approve(approve) => block_on(approve.run(context)),
            Self::Settle(settle) => block_on(settle.run(context)),
            Self::Serve(serve) => block_on(serve.run(context)),
            Self::Alarm(alarm) => block_on(alarm.run(context)),
            Self::Status(status) => block_on(status.run(context)),
            Self::Plugin(plugin) => block_on(plugin.run(context)),
            Self::Journal(journal) => journal.run(context),
            Self::Doctor(doctor) => block_on(doctor.run(context)),
            Self::Schema(schema) => schema.run(context),
            Self::Completions(completions) => completions.run(context),
        }
    }
}

/// Runs a command that needs an engine, on threads that only such commands start.
fn block_on(command: impl Future<Output = Result<u8, Error>>) -> Result<u8, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::because(exit::INTERNAL, "could not start threads", &error))?;
    let ran = runtime.block_on(command);
    // Whatever still runs in the background has nothing to say any more.
    runtime.shutdown_background();
    ran
}

const EXAMPLES: &str = "\
Examples:
  runwright run recover-vm.yaml -i vm=web1    run a runbook and watch it
  runwright plan recover-vm.yaml -i vm=web1   see what it would do
  runwright serve                             start runbooks when alarms come
  runwright runs show latest                  see what became of a run";

fn long() -> String {
    format!("{EXAMPLES}\n\n{}", exit::HELP)
}

/// Whether the arguments of `command` fit each other: clap checks it in debug builds only.
#[cfg(test)]
mod tests {
    use clap::{Args as _, CommandFactory};

    use super::*;

    fn all(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            found.push((path.clone(), sub.clone()));
            all(sub, &path, found);
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_that_call_it() {
        let mut found = Vec::new();
        all(&Args::command(), "runwright", &mut found);
        assert!(found.len() > 15, "{}", found.len());
        for (path, command) in found {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Examples:\n") && help.contains(&path), "{path}: {help:?}");
        }
    }

    /// The words of an example as a shell would see them, without what follows two blanks, a pipe or a redirection.
    fn words(line: &str) -> Vec<String> {
        let call = line.trim_start().split("  ").next().unwrap();
        let call = [" < ", " > ", " | "].iter().fold(call, |call, end| call.split(end).next().unwrap());
        let parts = call.split('\'').enumerate();
        let words = parts.flat_map(|(place, part)| match place % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        words.collect()
    }

    #[test]
    fn every_example_is_a_command_line() {
        let mut found = vec![("runwright".to_owned(), Args::command())];
        all(&Args::command(), "runwright", &mut found);
        for (path, command) in found {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines().skip(1).filter(|line| line.trim_start().starts_with("runwright")) {
                let parsed = Args::try_parse_from(words(line));
                assert!(parsed.is_ok(), "{path}: {line}\n{}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn the_global_options_are_the_same_everywhere() {
        let command = Global::augment_args(clap::Command::new("x"));
        let names: Vec<&str> = command.get_arguments().filter_map(|arg| arg.get_long()).collect();
        assert_eq!(names, ["config", "state-dir", "format", "verbose", "color"]);
    }
}
