//! `runwright schema`

use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright schema > runbook.schema.json

An editor that knows YAML then completes and checks runbooks. The first line of a runbook says where the schema is:

  # yaml-language-server: $schema=runbook.schema.json

It knows no plugins: `runwright check` finds more.";

/// Print the JSON Schema of runbooks, for editors
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self, context: &Context) -> Result<u8, Error> {
        let text = serde_json::to_string_pretty(&lang::editor_schema());
        let text = text.map_err(|error| Error::because(exit::INTERNAL, "could not print the schema", &error))?;
        context.screen.raw(format!("{text}\n").as_bytes());
        Ok(exit::SUCCEEDED)
    }
}
