//! What a run needs, looked at one by one.

mod disk;
mod plugins;
mod vm;

use daemon::api::Client;
use daemon::{Settings, Workshop};
use journal::SledJournal;
use serde::Serialize;

use crate::human::count;
use crate::{Context, Error};

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) grade: Grade,
    /// What was looked at.
    pub(crate) subject: String,
    /// What was found.
    pub(crate) found: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<String>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Grade {
    /// As it should be.
    Ok,
    /// It works, with something to know.
    Warn,
    /// It does not work.
    Fail,
}

impl Finding {
    fn ok(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { grade: Grade::Ok, subject: subject.into(), found: found.into(), mend: None }
    }

    fn warn(subject: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { grade: Grade::Warn, mend: Some(mend.into()), ..Self::ok(subject, found) }
    }

    fn fail(subject: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { grade: Grade::Fail, mend: Some(mend.into()), ..Self::ok(subject, found) }
    }

    /// Something that could not be done at all.
    fn of(subject: &str, error: &Error) -> Self {
        let found = std::iter::once(&error.message).chain(&error.causes).map(String::as_str);
        let mut found = found.collect::<Vec<_>>().join(": ");
        for line in error.diagnostics.iter().flat_map(|diagnostics| diagnostics.lines()) {
            found.push('\n');
            found.push_str(line);
        }
        Self { grade: Grade::Fail, mend: error.hint.clone(), ..Self::ok(subject, found) }
    }
}

/// Looks at everything; what can't be looked at because of something else is left out.
pub(crate) async fn examine(context: &Context) -> Vec<Finding> {
    let settings = match context.settings() {
        Ok(settings) => settings,
        Err(error) => {
            let mend = "mend the file; the rest is looked at when it can be read";
            return vec![Finding { mend: Some(mend.to_owned()), ..Finding::of("configuration", &error) }];
        }
    };
    let mut findings = vec![configuration(&settings)];
    findings.extend(disk::examine(&settings.state_dir));
    findings.extend(journal(&settings).await);
    match Workshop::open(&settings).await {
        Ok(workshop) => {
            findings.extend(plugins::examine(&settings, &workshop));
            findings.push(runbooks(&settings, &workshop));
            if workshop.host.plugins().iter().any(|facts| facts.name == "vm") {
                findings.extend(vm::examine().await);
            }
        }
        Err(error) => findings.push(Finding::of("plugins", &error.into())),
    }
    findings
}

fn configuration(settings: &Settings) -> Finding {
    match &settings.path {
        Some(path) => Finding::ok("configuration", path.display().to_string()),
        None => Finding::warn(
            "configuration",
            format!("no {} here: the defaults are used, so plugins may reach nothing", Settings::FILE_NAME),
            "write one, or name it with --config",
        ),
    }
}

/// Who holds the journal, and whether it opens.
async fn journal(settings: &Settings) -> Option<Finding> {
    if !settings.state_dir.is_dir() {
        return None;
    }
    if !settings.has_journal() {
        return Some(Finding::ok("journal", "there is none yet: the first run makes it"));
    }
    match Client::connect(&settings.socket()).await {
        Ok(Some(client)) => {
            return Some(match client.status().await {
                Ok(status) => {
                    let what = if status.serves { "serves it" } else { "has it and answers here while it lasts" };
                    Finding::ok("journal", format!("`{}` {what} (pid {})", status.command, status.pid))
                }
                Err(error) => Finding::of("journal", &Error::from(error)),
            });
        }
        Ok(None) => {}
        Err(error) => return Some(Finding::of("journal", &Error::from(error))),
    }
    let folder = settings.state_dir.clone();
    let options = journal::Options { holder: "runwright doctor".to_owned(), ..journal::Options::default() };
    let opened = tokio::task::spawn_blocking(move || {
        let journal = SledJournal::open_with(&folder, &options)?;
        let unfinished = journal::Journal::runs(&journal, &journal::Query::unfinished())?;
        Ok::<_, journal::Error>(unfinished.len())
    });
    Some(match opened.await {
        Ok(Ok(0)) => Finding::ok("journal", "it opens; no engine holds it"),
        Ok(Ok(unfinished)) => Finding::warn(
            "journal",
            format!("it opens, and no engine goes on with {} that is not over", count(unfinished, "run")),
            "start `runwright serve`, or see `runwright runs list --unfinished`",
        ),
        Ok(Err(error @ journal::Error::Locked { .. })) => {
            let error = Error::from(error);
            Finding::warn("journal", error.message, error.hint.unwrap_or_default())
        }
        Ok(Err(error)) => Finding::of("journal", &Error::from(error)),
        Err(error) => Finding::fail("journal", error.to_string(), "this is a defect; please report it"),
    })
}

/// Whether the runbooks of the watched folder can be used.
fn runbooks(settings: &Settings, workshop: &Workshop) -> Finding {
    let folder = settings.runbooks.display().to_string();
    if !settings.runbooks.is_dir() {
        return Finding::warn("runbooks", format!("there is no folder {folder}"), "make it, or set runbooks");
    }
    let mut library = daemon::Library::new(&settings.runbooks);
    library.scan(&workshop.catalog(), &workshop.scripts, false);
    let (good, bad) = (library.runbooks().len(), library.problems().len());
    match bad {
        0 => Finding::ok("runbooks", format!("{} in {folder}", count(good, "runbook"))),
        _ => Finding::fail(
            "runbooks",
            format!("{} of {folder} can't be used, {good} can", count(bad, "file")),
            format!("`runwright check {folder}` shows what is wrong"),
        ),
    }
}
