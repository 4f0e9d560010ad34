//! `runwright check`

use std::path::{Path, PathBuf};

use daemon::Workshop;
use lang::Diagnostic;
use serde::Serialize;

use crate::human::{clean, count};
use crate::runbook;
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright check recover-vm.yaml
  runwright check runbooks/
  runwright check runbooks/ -o json

All errors of all files are shown at once. The exit code is 3 if there is one.";

/// Check runbooks without running them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Check {
    /// Files, or folders with *.yaml and *.yml files in them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

/// What was found in one file.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    /// The runbook's name, if there is no error.
    runbook: Option<String>,
    diagnostics: Vec<Diagnostic>,
    #[serde(skip)]
    rendered: String,
}

impl Checked {
    fn is_good(&self) -> bool {
        self.runbook.is_some()
    }
}

impl Check {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let mut files = Vec::new();
        for path in &self.paths {
            find(path, &mut files)?;
        }
        let workshop = Workshop::open(&context.settings()?).await?;
        for problem in &workshop.problems() {
            tracing::warn!("plugin {} can't be used: {}", problem.subject, problem.problem);
        }
        let mut checked = Vec::with_capacity(files.len());
        for file in &files {
            checked.push(check(&workshop, file)?);
        }
        context.screen.json(&serde_json::json!({ "files": checked }));
        context.screen.lines(checked.iter().map(|checked| text(context, checked)));
        if files.is_empty() {
            let places: Vec<String> = self.paths.iter().map(|path| clean(&path.display().to_string())).collect();
            context.screen.line(format!("no runbooks in {}", places.join(", ")));
        }
        let bad = checked.iter().filter(|checked| !checked.is_good()).count();
        if bad > 0 {
            context.screen.line(format!("{} of {} can't be used", bad, count(files.len(), "file")));
        }
        Ok(if bad == 0 { exit::SUCCEEDED } else { exit::INVALID })
    }
}

/// The runbook files at `path`: itself, or those in the folder and its folders, sorted.
fn find(path: &Path, files: &mut Vec<String>) -> Result<(), Error> {
    if !path.is_dir() {
        files.push(path.display().to_string());
        return Ok(());
    }
    let failed =
        |error: std::io::Error| Error::because(exit::INVALID, format!("could not read {}", path.display()), &error);
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut entries: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let is_runbook = (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.ends_with(".test.yaml");
        // Links to folders are not followed: they may lead in a circle.
        if !name.starts_with('.') && (is_runbook || entry.is_dir() && !entry.is_symlink()) {
            find(&entry, files)?;
        }
    }
    Ok(())
}

fn check(workshop: &Workshop, file: &str) -> Result<Checked, Error> {
    let bytes = runbook::read(file)?;
    let parsed = workshop.parse(file, &bytes);
    let rendered =
        if parsed.diagnostics.is_empty() { String::new() } else { lang::render(&parsed.diagnostics, &bytes) };
    let runbook = parsed.runbook.map(|runbook| runbook.name);
    Ok(Checked { file: file.to_owned(), runbook, diagnostics: parsed.diagnostics, rendered })
}

fn text(context: &Context, checked: &Checked) -> String {
    let mut text = checked.rendered.clone();
    if checked.is_good() {
        let mark = context.screen.paint(Tone::Good, "ok");
        text.push_str(&format!("{mark} {}", clean(&checked.file)));
    }
    text.trim_end().to_owned()
}
