//! What every command is given.

use std::path::Path;

use daemon::{Access, Settings};
use host::Limits;

use crate::args::Global;
use crate::screen::Screen;
use crate::{Error, person};

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

    /// The engine that serves, or one of its own that holds the state directory for `purpose`.
    pub(crate) async fn access(&self, purpose: &str) -> Result<Access, Error> {
        let settings = self.settings()?;
        Access::open(&settings, purpose).await.map_err(|error| Error::from(error).during("open the journal"))
    }

    /// Who calls this.
    pub(crate) fn who(&self) -> String {
        person::name()
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

/// The path as a word for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:=".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
