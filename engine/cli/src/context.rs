//! What every command is given.

use std::path::Path;

use daemon::{Access, Settings};
use host::Limits;

use crate::Error;
use crate::args::Global;
use crate::follow::hand_over;
use crate::screen::Screen;

/// What every command is given: the options that all share, and the screen.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) screen: Screen,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        let screen = Screen::new(global.format, global.color);
        Self { global, screen }
    }

    /// The configuration, with what the command line says otherwise.
    pub(crate) fn settings(&self) -> Result<Settings, Error> {
        let mut settings = Settings::load(self.global.config.as_deref())?;
        if let Some(state_dir) = &self.global.state_dir {
            state_dir.clone_into(&mut settings.state_dir);
        }
        Ok(settings)
    }

    /// The bounds of the configuration; the usual ones where it can't be read, for commands that need no engine.
    pub(crate) fn limits(&self) -> Limits {
        self.settings().map_or_else(|_| Limits::default(), |settings| settings.limits)
    }

    /// The engine that has the state directory, or one of its own, for `command` to look at something.
    pub(crate) async fn access(&self, command: &str) -> Result<Access, Error> {
        opened(Access::look(&self.settings()?, command).await)
    }

    /// The same, for `command` to go on with a run; with `detach` only one that serves.
    pub(crate) async fn access_to_go_on(&self, command: &str, detach: bool) -> Result<Access, Error> {
        match detach {
            true => hand_over::serving(self, command).await,
            false => opened(Access::go_on(&self.settings()?, command).await),
        }
    }

    /// The same, for `command` to start a run; with `detach` only one that serves.
    pub(crate) async fn access_to_start(&self, command: &str, detach: bool) -> Result<Access, Error> {
        match detach {
            true => hand_over::serving(self, command).await,
            false => opened(Access::start(&self.settings()?, command).await),
        }
    }

    /// Why there is nothing to show, if that is because there is no journal.
    pub(crate) fn no_journal(&self) -> Result<Option<String>, Error> {
        let settings = self.settings()?;
        let folder = settings.state_dir.display();
        Ok((!settings.has_journal()).then(|| format!("there is no journal in {folder} yet: the first run makes it")))
    }

    /// Who calls this.
    pub(crate) fn who(&self) -> String {
        daemon::person::name()
    }

    /// How this program is called so that it finds the same engine, for commands that people copy.
    pub(crate) fn itself(&self) -> String {
        let mut words = "runwright".to_owned();
        let options = [("--config", &self.global.config), ("--state-dir", &self.global.state_dir)];
        for (option, path) in options {
            if let Some(path) = path {
                words.push_str(&format!(" {option} {}", quoted(path)));
            }
        }
        words
    }
}

fn opened(access: Result<Access, daemon::Error>) -> Result<Access, Error> {
    access.map_err(|error| {
        let is_locked = matches!(error, daemon::Error::Journal(journal::Error::Locked { .. }));
        let error = Error::from(error).during("open the journal");
        match is_locked {
            true => error.hint(
                "it answers nobody: it is a command on the journal itself, or begins or ends just now; wait until it ends, or \
                 end it by its pid",
            ),
            false => error,
        }
    })
}

/// The path as a word for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:=".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
