//! `runwright serve`

use daemon::view::StatusView;

use crate::follow::Signals;
use crate::human::count;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright serve
  runwright serve --config /etc/runwright/runwright.toml
  runwright serve -o json            one line of JSON on standard output when it is ready

It goes on with unfinished runs, watches the folders of runbooks and alarms, and answers on the socket api.sock in the \
state directory, which other commands use. Ctrl-C, SIGTERM or SIGHUP (unless it is ignored, as under nohup) ends it: steps \
in flight may end within the configured grace, and what does not goes on when it is started again. A second signal ends it \
at once.

A file in the folder of alarms holds what Alertmanager sends, and its name ends in .json. Write it under a name that ends \
in .tmp, and rename it when it is whole. It goes to accepted/ once it is in the journal, with what came of it beside it, or \
to rejected/ with the reason. What can't be read, used or moved is a problem in `runwright status`, and the rest goes on.

An engine that died 5 times within 10 minutes starts in safe mode: everything can be looked at, alarms are accepted and \
wait, nothing is started. Stop it and start it again to leave safe mode.";

/// Watch folders, take alarms, and run what they call for
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {}

impl Serve {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let settings = context.settings()?;
        let mut signals = Signals::listen()?;
        let (stopping, stop) = tokio::sync::oneshot::channel::<()>();
        let shutdown = async {
            // An error means that nobody will ever say so; then the engine lives on.
            if stop.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let folder = settings.state_dir.display().to_string();
        let ready = |status: &StatusView| {
            context.screen.json_line(status);
            context.screen.line(greeting(status, &folder));
        };
        let serving = daemon::serve(settings, shutdown, ready);
        tokio::pin!(serving);
        let first = tokio::select! {
            ended = &mut serving => Some(ended),
            signal = signals.next() => {
                tracing::info!(?signal, "told to end");
                None
            }
        };
        let ended = match first {
            Some(ended) => ended,
            None => {
                let _ = stopping.send(());
                tokio::select! {
                    ended = &mut serving => ended,
                    _ = signals.next() => return Ok(exit::LEFT),
                }
            }
        };
        ended.map_err(|error| Error::from(error).during("serve"))?;
        Ok(exit::SUCCEEDED)
    }
}

fn greeting(status: &StatusView, folder: &str) -> String {
    let runbooks = count(status.runbooks.len(), "runbook");
    let plugins = count(status.plugins.len(), "plugin");
    let mut text = format!("runwright {} serves {folder} (pid {}): {runbooks}, {plugins}", status.version, status.pid);
    if !status.unfinished.is_empty() {
        text.push_str(&format!(", {} not over", count(status.unfinished.len(), "run")));
    }
    if let Some(why) = &status.safe_mode {
        text.push_str(&format!(", in safe mode: nothing is started, because {why}"));
    }
    if !status.alarms.is_empty() {
        let alarms = count(status.alarms.len(), "alarm");
        text.push_str(&format!(", {alarms} could not start what they call for: see `runwright alarm list`"));
    }
    if !status.problems.is_empty() {
        text.push_str(&format!(", {}: see `runwright status`", count(status.problems.len(), "problem")));
    }
    text
}
