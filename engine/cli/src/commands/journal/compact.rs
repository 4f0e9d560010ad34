//! `runwright journal compact`

use super::{folder, options};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright journal compact

Writes what is kept anew and removes the rest: worthwhile after `runwright journal prune`. The journal says the same
before and after. A running engine trims its log by itself.";

/// Make the journal as small as what is kept in it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compact {}

impl Compact {
    pub(super) fn run(self, context: &Context) -> Result<u8, Error> {
        let folder = folder(context)?;
        let done = journal::compact(&folder, &options("runwright journal compact")).map_err(|error| {
            let damaged = matches!(error, journal::Error::Store(_) | journal::Error::Damaged { .. });
            let error = Error::from(error).during("compact the journal");
            if damaged { error.hint("`runwright journal repair` puts it in order") } else { error }
        })?;
        context.screen.json(&done);
        context.screen.line(format!("{} bytes before, {} bytes now", done.before_bytes, done.after_bytes));
        Ok(exit::SUCCEEDED)
    }
}
