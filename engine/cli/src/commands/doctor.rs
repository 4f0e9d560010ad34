//! `runwright doctor`

use serde_json::json;

use crate::examine::{Finding, Grade, examine};
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright doctor
  runwright doctor --config /etc/runwright/runwright.toml -o json

Looks at everything that a run needs and says how to mend what is wrong. The exit code is 1 if something is.";

/// Look for what is wrong with this installation
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let findings = examine(context).await;
        let failed = findings.iter().any(|finding| finding.grade == Grade::Fail);
        context.screen.json(&json!({ "ok": !failed, "findings": findings }));
        context.screen.lines(findings.iter().flat_map(|finding| text(context, finding)));
        Ok(if failed { exit::FAILED } else { exit::SUCCEEDED })
    }
}

fn text(context: &Context, finding: &Finding) -> Vec<String> {
    let (tone, word) = match finding.grade {
        Grade::Ok => (Tone::Good, "ok  "),
        Grade::Warn => (Tone::Warn, "warn"),
        Grade::Fail => (Tone::Bad, "fail"),
    };
    let mut found = finding.found.lines();
    let first = found.next().unwrap_or_default();
    let mut lines = vec![format!("{}  {}: {first}", context.screen.paint(tone, word), finding.subject)];
    lines.extend(found.map(|line| format!("        {line}")));
    let mend = finding.mend.iter().flat_map(|mend| mend.lines());
    lines.extend(mend.enumerate().map(|(place, line)| format!("      {} {line}", if place == 0 { "→" } else { " " })));
    lines
}
