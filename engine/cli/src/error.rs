//! What a command says when it could not do its work.

use runwright_core::Value;
use serde_json::json;

use crate::exit;
use crate::screen::{Tone, paint};

/// Why a command could not do its work: what, why, what helps, and the exit code.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// A lowercase sentence that begins with "could not", where that fits.
    pub message: String,
    /// What lies behind it, outermost first.
    pub causes: Vec<String>,
    /// What helps.
    pub hint: Option<String>,
    /// The exit code, one of [`exit`].
    pub exit: u8,
    /// What is wrong with a runbook, rendered with its source lines.
    pub diagnostics: Option<String>,
}

impl Error {
    /// An error with this message.
    pub(crate) fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None, exit, diagnostics: None }
    }

    /// An error with this message and everything that lies behind `cause`.
    pub(crate) fn because(exit: u8, message: impl Into<String>, cause: &dyn std::error::Error) -> Self {
        Self { causes: chain(cause), ..Self::new(exit, message) }
    }

    /// The same with a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same as the reason why `what` could not be done.
    pub(crate) fn during(mut self, what: &str) -> Self {
        let own = std::mem::replace(&mut self.message, format!("could not {what}"));
        self.causes.insert(0, own);
        self
    }

    /// The form for people.
    pub(crate) fn to_text(&self, color: bool) -> String {
        let mut text = String::new();
        if let Some(diagnostics) = &self.diagnostics {
            text.push_str(diagnostics.trim_end());
            text.push_str("\n\n");
        }
        text.push_str(&format!("{} {}", paint(color, Tone::Bad, "error:"), self.message));
        for cause in &self.causes {
            text.push_str(&format!("\n  cause: {}", cause.trim_end().replace('\n', "\n         ")));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n  {} {}", paint(color, Tone::Good, "hint:"), hint.replace('\n', "\n        ")));
        }
        text
    }

    /// The form for programs.
    pub(crate) fn to_json(&self) -> Value {
        let message = std::iter::once(&self.message).chain(&self.causes).map(String::as_str);
        let message = message.collect::<Vec<_>>().join(": ");
        let mut error = json!({ "message": message, "hint": self.hint, "exit": self.exit });
        if let Some(diagnostics) = &self.diagnostics {
            error["diagnostics"] = json!(diagnostics);
        }
        json!({ "error": error })
    }
}

impl From<daemon::Error> for Error {
    fn from(error: daemon::Error) -> Self {
        use daemon::Error as Daemon;
        let exit = exit_of(&error);
        let mut causes = chain(&error);
        let message = causes.remove(0);
        let mut own = Self { causes, ..Self::new(exit, message) };
        own.hint = error.hint().or_else(|| hint_of(&error));
        own.diagnostics = match error {
            Daemon::Remote { rendered, .. } => rendered,
            Daemon::Runbook { text, diagnostics, .. } | Daemon::Settings { text, diagnostics, .. } => {
                Some(lang::render(&diagnostics, &text))
            }
            _ => None,
        };
        own
    }
}

impl From<journal::Error> for Error {
    fn from(error: journal::Error) -> Self {
        daemon::Error::from(error).into()
    }
}

/// The message of `error` and of all that lies behind it, each once.
fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let message = error.to_string();
        if messages.last().is_none_or(|last| !last.contains(&message)) {
            messages.push(message);
        }
        next = error.source();
    }
    messages
}

fn exit_of(error: &daemon::Error) -> u8 {
    use daemon::Error as Daemon;
    match error {
        Daemon::Journal(error) | Daemon::Driver(driver::Error::Journal(error)) => exit_of_journal(error),
        Daemon::Driver(driver::Error::Stopped | driver::Error::Internal(_)) => exit::INTERNAL,
        Daemon::Connection(_) | Daemon::Internal(_) => exit::INTERNAL,
        Daemon::Remote { status: 500.., .. } => exit::INTERNAL,
        _ => exit::INVALID,
    }
}

fn exit_of_journal(error: &journal::Error) -> u8 {
    use journal::Error as Journal;
    match error {
        Journal::Locked { .. } | Journal::NewerFormat { .. } | Journal::Network { .. } => exit::INVALID,
        _ => exit::INTERNAL,
    }
}

fn hint_of(error: &daemon::Error) -> Option<String> {
    use daemon::Error as Daemon;
    let hint = match error {
        Daemon::Journal(error) | Daemon::Driver(driver::Error::Journal(error)) => return hint_of_journal(error),
        Daemon::NoRunbook { hint: None, .. } => {
            "give the path of a file, or put the runbook into the watched folder; `runwright status` shows those there"
        }
        Daemon::AmbiguousRun(_) => "`runwright runs list` shows the ids",
        Daemon::Driver(driver::Error::NoSuchAction(_)) => "`runwright plugin list` shows the actions that there are",
        Daemon::Driver(driver::Error::PluginGone { .. }) => {
            "put that version of the plugin back, or cancel the run with `runwright runs cancel`"
        }
        Daemon::Driver(driver::Error::Busy { holder, .. }) => {
            return Some(format!(
                "`runwright runs show {holder}` says what it waits for: settle that if a person must decide, go on with it by \
                 `runs resume`, or end it by `runs cancel`"
            ));
        }
        Daemon::Connection(_) => {
            "try again: what answered here may have ended just now; `runwright doctor` looks at what serves here"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn hint_of_journal(error: &journal::Error) -> Option<String> {
    use journal::Error as Journal;
    let hint = match error {
        Journal::Locked { .. } => {
            "this needs the journal for itself: end that first (Ctrl-C, or SIGTERM to its pid), or use another state \
             directory with --state-dir"
        }
        Journal::Network { .. } => "give a folder on a local disk with --state-dir, or as state-dir in runwright.toml",
        Journal::Damaged { .. } => "`runwright journal verify` shows all damage; other runs go on",
        Journal::Full(_) => "make room and try again: nothing is lost",
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked() -> Error {
        let (path, pid, holder) = ("state".into(), Some(7), "runwright serve".to_owned());
        Error::from(journal::Error::Locked { path, pid, holder }).during("start the run")
    }

    #[test]
    fn text_has_what_why_and_what_helps() {
        let text = locked().to_text(false);
        let expected =
            "error: could not start the run\n  cause: state is in use by runwright serve (pid 7)\n  hint: this needs";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn json_has_the_same_in_one_object() {
        let error = locked().to_json();
        assert_eq!(error["error"]["message"], "could not start the run: state is in use by runwright serve (pid 7)");
        assert_eq!(error["error"]["exit"], exit::INVALID);
        assert!(error["error"]["hint"].is_string());
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let source = std::io::Error::other("it broke");
        let error = daemon::Error::Io { what: "read", path: "x".into(), source };
        assert_eq!(Error::from(error).causes, Vec::<String>::new());
    }
}
