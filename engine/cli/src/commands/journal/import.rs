//! `runwright journal import`

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use super::{counted, open, options};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright journal import backup.jsonl --state-dir restored
  gunzip < backup.jsonl.gz | runwright journal import -

The state directory must have no journal yet. The whole export is checked before any of it counts. Plugins are not in an
export: copy their folder too.";

/// Make a journal from an export
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    /// The export; `-` is standard input
    #[arg(value_name = "FILE")]
    from: PathBuf,
}

impl Import {
    pub(super) fn run(self, context: &Context) -> Result<u8, Error> {
        let folder = context.settings()?.state_dir;
        let options = options("runwright journal import");
        let imported = if self.from.as_os_str() == "-" {
            journal::import(&folder, &mut BufReader::new(io::stdin().lock()), &options)
        } else {
            let failed = |error: io::Error| {
                Error::because(exit::INVALID, format!("{} could not be read", self.from.display()), &error)
            };
            journal::import(&folder, &mut BufReader::new(File::open(&self.from).map_err(failed)?), &options)
        };
        let imported = imported.map_err(|error| match error {
            journal::Error::Export { .. } => {
                let message = error.to_string();
                Error::new(exit::INVALID, message).hint("nothing was imported; use another copy of the export")
            }
            journal::Error::NotEmpty { .. } => {
                Error::new(exit::INVALID, error.to_string()).hint("give another folder with --state-dir")
            }
            error => Error::from(error),
        });
        let imported = imported.map_err(|error| error.during("import the journal"))?;
        // The store is built when it is opened; then everything that says that this works was done once.
        drop(open(context, "runwright journal import")?);
        context.screen.json(&imported);
        let (runs, records) = (counted(imported.runs, "run"), counted(imported.records, "record"));
        let alarms = counted(imported.entries, "alarm");
        context.screen.line(format!("imported {runs}, {records}, {alarms} into {}", folder.display()));
        for run in &imported.damaged {
            context.screen.line(format!("run {run} was damaged when it was exported and stays blocked"));
        }
        Ok(exit::SUCCEEDED)
    }
}
