//! `runwright journal repair`

use super::{damaged, folder, options};
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright journal repair --dry-run
  runwright journal repair

What is damaged in the log is taken from the store and the other way round. Nothing is invented: a run that is whole in
neither stays blocked, and the exit code is 1. The damaged files are kept beside the new ones.";

/// Put a damaged journal in order
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Repair {
    /// Say what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Repair {
    pub(super) fn run(self, context: &Context) -> Result<u8, Error> {
        let folder = folder(context)?;
        let done = journal::repair(&folder, &options("runwright journal repair"), self.dry_run)
            .map_err(|error| Error::from(error).during("repair the journal"))?;
        context.screen.json(&done);
        let would = if self.dry_run { "would be" } else { "was" };
        for what in &done.found {
            context.screen.line(format!("found: {what}"));
        }
        for (did, what) in [(done.store_rebuilt, "the store"), (done.log_rewritten, "the log")] {
            if did {
                context.screen.line(format!("{what} {would} rebuilt"));
            }
        }
        for run in &done.healed {
            context.screen.line(format!("run {run} {would} mended from its second copy"));
        }
        for path in &done.aside {
            context.screen.line(format!("the damaged files are in {}", path.display()));
        }
        for lost in &done.lost {
            context.screen.line(damaged(context, lost));
        }
        if !done.lost.is_empty() {
            context.screen.line("these runs stay blocked; what they did outside is not known: look, then `runwright journal abandon RUN`");
            return Ok(exit::FAILED);
        }
        if done == journal::Repair::default() {
            context.screen.line(context.screen.paint(Tone::Good, "there is nothing to repair"));
        }
        Ok(exit::SUCCEEDED)
    }
}
