//! `runwright runs list`

use journal::Query;
use runwright_core::{Head, RunStatus};
use serde_json::json;

use crate::human::{duration, now, table, time};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright runs list
  runwright runs list --status blocked --status running
  runwright runs list --runbook recover-vm --limit 5 -o json";

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// Only those that stand so: running, waiting, blocked, rolling-back, succeeded, failed, cancelled, rolled-back
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Vec<RunStatus>,
    /// Only those that are not over
    #[arg(long, conflicts_with = "status")]
    unfinished: bool,
    /// Only those of this runbook
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let status = if self.unfinished { Query::unfinished().status } else { self.status };
        let query = Query { status, name: self.runbook, before: None, limit: Some(self.limit) };
        let access = context.access("runwright runs list").await?;
        let runs = access.runs(&query).await;
        access.close().await;
        let runs = runs.map_err(|error| Error::from(error).during("list the runs"))?;
        context.screen.json(&json!({ "runs": runs }));
        context.screen.lines(text(&runs));
        Ok(exit::SUCCEEDED)
    }
}

fn status(text: &str) -> Result<RunStatus, String> {
    let known = RunStatus::ALL.into_iter().find(|status| status.as_str() == text);
    known.ok_or_else(|| {
        let words: Vec<&str> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

fn text(runs: &[Head]) -> Vec<String> {
    if runs.is_empty() {
        return vec!["no runs".to_owned()];
    }
    let mut rows = vec![["RUN", "RUNBOOK", "STATUS", "STARTED", "FOR"].map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|head| {
        let end = if head.status.is_finished() { head.updated } else { now() };
        let took = duration(end.millis_since(head.created));
        vec![head.run.to_string(), head.name.clone(), head.status.as_str().to_owned(), time(head.created), took]
    }));
    table(&rows)
}
