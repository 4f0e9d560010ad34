//! `runwright check`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use daemon::view::Problem;
use daemon::{Library, Workshop};
use host::shown;
use lang::Diagnostic;
use serde::Serialize;
use serde_json::json;

use crate::human::{clean, count};
use crate::runbook;
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright check recover-vm.yaml
  runwright check runbooks/
  runwright check runbooks/ -o json

All errors of all files are shown at once. The exit code is 3 if there is one: also where two files define a runbook of \
the same name, a sync tool left the copy of a conflict, or a folder can't be read. Backups are not checked, and a note says so.";

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
        let settings = context.settings()?;
        let mut found = Found::default();
        for path in &self.paths {
            found.look_at(path, &settings.runbooks);
        }
        let workshop = Workshop::open(&settings).await?;
        for problem in &workshop.problems() {
            tracing::warn!("plugin {} can't be used: {}", problem.subject, problem.problem);
        }
        let Found { files, notes, mut problems } = found;
        let mut checked = Vec::with_capacity(files.len());
        let mut libraries = BTreeMap::new();
        for (file, folder) in files {
            match check(&workshop, &file, &folder, &mut libraries) {
                Ok(found) => checked.push(found),
                Err(error) if self.paths.contains(&file) => return Err(error),
                Err(error) => problems.push(Problem { subject: shown(&file), problem: error.causes.join(": ") }),
            }
        }
        problems.extend(twice(&checked));
        context.screen.json(&json!({ "files": checked, "notes": notes, "problems": problems }));
        context.screen.lines(checked.iter().map(|checked| text(context, checked)));
        if checked.is_empty() && problems.is_empty() {
            let places: Vec<String> = self.paths.iter().map(|path| shown(path)).collect();
            context.screen.line(format!("no runbooks in {}", places.join(", ")));
        }
        context.screen.lines(notes.iter().map(|note| line(context, Tone::Plain, "note:", note)));
        context.screen.lines(problems.iter().map(|problem| line(context, Tone::Bad, "error:", problem)));
        let bad = checked.iter().filter(|checked| !checked.is_good()).count();
        if bad > 0 {
            context.screen.line(format!("{} of {} can't be used", bad, count(checked.len(), "file")));
        }
        Ok(if bad == 0 && problems.is_empty() { exit::SUCCEEDED } else { exit::INVALID })
    }
}

/// What there is to check.
#[derive(Default)]
struct Found {
    /// The files, each with the folder in which the runbooks are that it calls.
    files: Vec<(PathBuf, PathBuf)>,
    /// Files that are not to be checked, with the reason.
    notes: Vec<Problem>,
    /// Folders that can't be read, and copies of conflicts.
    problems: Vec<Problem>,
}

impl Found {
    /// Adds the file at `path`, which calls the runbooks in `usual`, or those in the folder and its subfolders, which call one
    /// another.
    fn look_at(&mut self, path: &Path, usual: &Path) {
        if !path.is_dir() {
            return self.files.push((path.to_owned(), usual.to_owned()));
        }
        let listed = daemon::runbook_files(path);
        self.files.extend(listed.files.into_iter().map(|file| (file, path.to_owned())));
        self.notes.extend(listed.left);
        self.problems.extend(listed.unread);
        self.problems.extend(listed.conflicts);
    }
}

/// The runbooks that several of the files define.
fn twice(checked: &[Checked]) -> Vec<Problem> {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for checked in checked {
        if let Some(name) = &checked.runbook {
            files.entry(name).or_default().push(&checked.file);
        }
    }
    let problem = |(name, files): (&str, Vec<&str>)| {
        let problem = format!("defined by {} files: {}; rename or remove all but one", files.len(), files.join(", "));
        (files.len() > 1).then(|| Problem { subject: format!("the runbook {name:?}"), problem })
    };
    files.into_iter().filter_map(problem).collect()
}

fn line(context: &Context, tone: Tone, what: &str, problem: &Problem) -> String {
    format!("{} {}: {}", context.screen.paint(tone, what), clean(&problem.subject), clean(&problem.problem))
}

fn check(
    workshop: &Workshop,
    path: &Path,
    folder: &Path,
    libraries: &mut BTreeMap<PathBuf, Library>,
) -> Result<Checked, Error> {
    let (file, bytes) = (shown(path), runbook::read(path)?);
    let mut none = Library::new(folder);
    let library = match workshop.calls(&file, &bytes) {
        true => libraries.entry(folder.to_owned()).or_insert_with(|| {
            none.scan(&workshop.catalog(), &workshop.scripts, false);
            none
        }),
        false => &none,
    };
    let parsed = workshop.parse(&file, &bytes, library);
    let rendered =
        if parsed.diagnostics.is_empty() { String::new() } else { lang::render(&parsed.diagnostics, &bytes) };
    let runbook = parsed.runbook.map(|runbook| runbook.name);
    Ok(Checked { file, runbook, diagnostics: parsed.diagnostics, rendered })
}

fn text(context: &Context, checked: &Checked) -> String {
    let mut text = checked.rendered.clone();
    if checked.is_good() {
        let mark = context.screen.paint(Tone::Good, "ok");
        text.push_str(&format!("{mark} {}", clean(&checked.file)));
    }
    text.trim_end().to_owned()
}
