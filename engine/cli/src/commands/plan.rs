//! `runwright plan`

use std::sync::Arc;

use daemon::{Library, Settings, Workshop};
use host::shown;
use runwright_core::Runbook;

use crate::inputs::Inputs;
use crate::preview::{Plan as Preview, text};
use crate::runbook::Source;
use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright plan recover-vm.yaml -i vm=web1
  runwright plan recover-vm -i vm=web1 -o json

Nothing is started and nothing is written. What depends on how a step ends is shown as (known after STEP). The exit code \
is 3 if the run could not go as it should.";

/// Show what a run would do, without doing it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Plan {
    /// The path of a runbook, or the name of one in the folder of runbooks
    #[arg(value_name = "FILE|NAME")]
    pub(super) runbook: String,
    #[command(flatten)]
    pub(super) inputs: Inputs,
}

impl Plan {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let source = Source::find(&self.runbook)?;
        let given = self.inputs.map()?;
        let settings = context.settings()?;
        let workshop = Workshop::open(&settings).await?;
        let planned = async {
            let (runbook, warning) = runbook(source, &settings, &workshop)?;
            warning.inspect(|warning| context.screen.remark(format!("warning: {warning}")));
            let inputs = workshop.inputs(&runbook, given)?;
            Preview::new(&settings, &workshop, runbook, inputs)
        };
        let plan = planned.await.map_err(|error| error.during(&format!("plan {}", self.runbook)))?;
        context.screen.json(&plan);
        context.screen.lines(text(&context.screen, &plan));
        Ok(plan.exit())
    }
}

/// The runbook, without errors, and what may be meant otherwise in it.
fn runbook(source: Source, settings: &Settings, workshop: &Workshop) -> Result<(Arc<Runbook>, Option<String>), Error> {
    let mut library = Library::new(&settings.runbooks);
    let needs_library = match &source {
        Source::File { file, bytes } => workshop.calls(file, bytes),
        Source::Name(_) => true,
    };
    if needs_library {
        library.scan(&workshop.catalog(), &workshop.scripts, false);
    }
    let (checked, file) = match source {
        Source::File { file, bytes } => (workshop.runbook(&file, &bytes, &library)?, file),
        Source::Name(name) => {
            let loaded = library.find(&name, workshop)?;
            (loaded.checked, shown(&loaded.file))
        }
    };
    let warning = checked.warning(&file);
    Ok((checked.runbook, warning))
}
