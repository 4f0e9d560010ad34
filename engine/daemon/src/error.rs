//! Why the engine could not do something.

use std::io;
use std::path::PathBuf;

use host::shown;
use lang::Diagnostic;
use runwright_core::Failure;

/// Why the engine could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step asks for the approval of people with a role that this one does not have.
    #[error("{who} may not approve step {step:?}: it asks for the role {role:?}, {}", lacks(*.is_known))]
    MayNotApprove {
        /// Who tried.
        who: String,
        /// The step.
        step: String,
        /// The role.
        role: String,
        /// Whether anybody has it.
        is_known: bool,
    },
    /// A file of the configuration has errors.
    #[error("{} can't be used: {} found", shown(path), count(diagnostics.len()))]
    Settings {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: Vec<u8>,
        /// Everything that is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
    /// A file or directory can't be read or written.
    #[error("could not {what} {}: {source}", shown(path))]
    Io {
        /// What could not be done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The runbook has errors.
    #[error("{file} is not a runbook that can run: {} found", count(diagnostics.len()))]
    Runbook {
        /// Its file, as diagnostics name it.
        file: String,
        /// Its text.
        text: Vec<u8>,
        /// Everything that is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
    /// No runbook has this name.
    #[error("there is no runbook {name:?}{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    NoRunbook {
        /// The name.
        name: String,
        /// What might help.
        hint: Option<String>,
    },
    /// Several files define the runbook, and none of them was in use before.
    #[error(
        "the runbook {name:?} is defined by {} files: {}; rename or remove all but one",
        files.len(),
        files.iter().map(|file| shown(file)).collect::<Vec<_>>().join(", ")
    )]
    Contested {
        /// The name.
        name: String,
        /// The files.
        files: Vec<PathBuf>,
    },
    /// The inputs don't fit the runbook.
    #[error("{}", problems.join("\n"))]
    Inputs {
        /// Everything that is wrong with them.
        problems: Vec<String>,
        /// Those that are missing.
        missing: Vec<String>,
    },
    /// An alarm can't be understood.
    #[error(transparent)]
    Alarm(#[from] trigger::Error),
    /// An alarm is not in the list of those that could not start.
    #[error("no alarm {0:?} is in the list of those that could not start; `runwright alarm list` shows it")]
    NoAlarm(String),
    /// What was sent is larger than what is read.
    #[error("it is larger than {} KiB", bytes_max / 1024)]
    TooLarge {
        /// The bytes that are read at most.
        bytes_max: usize,
    },
    /// The engine has too much to do at the moment.
    #[error("the engine is busy: {0}; try again in a moment")]
    Overloaded(&'static str),
    /// The API has nothing there, or the request is not one.
    #[error("{message}")]
    Request {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        message: String,
    },
    /// No run fits what was asked for.
    #[error("there is no run {0:?}; `runwright runs list` shows those that there are")]
    NoRun(String),
    /// The run has no such step.
    #[error("{0}")]
    NoStep(String),
    /// No step that waits for a person fits the pattern.
    #[error("no step that waits for a person fits {pattern:?}{}", waiting(open))]
    NothingToSettle {
        /// The pattern.
        pattern: String,
        /// The steps that wait for one.
        open: Vec<String>,
    },
    /// Several runs fit what was asked for.
    #[error("several runs fit {0:?}; give more of the id")]
    AmbiguousRun(String),
    /// A plugin could not be pulled.
    #[error("could not pull {plugin}: {what}")]
    Pull {
        /// What was asked for.
        plugin: String,
        /// Why not.
        what: String,
    },
    /// The driver refused.
    #[error(transparent)]
    Driver(#[from] driver::Error),
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The plugin host refused.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The serving engine answered with an error.
    #[error("{message}")]
    Remote {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
        /// Diagnostics of a runbook, rendered.
        rendered: Option<String>,
        /// What helps.
        hint: Option<String>,
    },
    /// Alarms were sent to an engine that belongs to one command.
    #[error("no engine serves this state directory: `{command}` answers here only while it lasts")]
    NotServing {
        /// The command.
        command: String,
    },
    /// The serving engine could not be talked to.
    #[error("could not talk to the engine that serves here: {0}")]
    Connection(String),
    /// Something in the journal has a form that can't be.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Steps that an error names, at most.
const NAMED_MAX: usize = 20;

fn waiting(open: &[String]) -> String {
    let more = open.len().saturating_sub(NAMED_MAX);
    match open.len() {
        0 => "; none of this run does".to_owned(),
        _ if more > 0 => format!("; those that do: {} and {more} more", open[..NAMED_MAX].join(", ")),
        _ => format!("; those that do: {}", open.join(", ")),
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Inputs { problems: vec![failure.message], missing: Vec::new() }
    }
}

impl Error {
    /// What helps against it, where that is known here and not only by whoever shows it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Remote { hint, .. } => hint.clone(),
            Self::MayNotApprove { role, is_known: false, .. } => {
                Some(format!("add it to `[roles]` in runwright.toml, for example {role} = [\"alice\", \"@oncall\"]"))
            }
            Self::NotServing { .. } => Some("start one with `runwright serve`".to_owned()),
            Self::Inputs { missing, .. } if !missing.is_empty() => {
                let given: Vec<String> = missing.iter().map(|name| format!("-i {name}=…")).collect();
                Some(format!("give {} with {}", if missing.len() == 1 { "it" } else { "them" }, given.join(" ")))
            }
            _ => None,
        }
    }

    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { what, path: path.into(), source }
    }
}

const fn lacks(is_known: bool) -> &'static str {
    if is_known { "which they do not have" } else { "which nobody has" }
}
