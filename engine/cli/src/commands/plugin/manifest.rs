//! `runwright-plugin.toml`: how a plugin's project is built.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use host::Kind;
use serde::Deserialize;

use crate::{Error, exit};

/// The name of the file in a plugin's project.
pub(super) const FILE_NAME: &str = "runwright-plugin.toml";

/// How a plugin's project is built.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Manifest {
    /// What the plugin calls itself.
    pub(super) name: String,
    /// The version that it tells.
    pub(super) version: String,
    /// For people.
    #[serde(default)]
    pub(super) language: String,
    #[serde(default)]
    pub(super) abi: Abi,
    /// The world in `wit/` that it is built for: a module that does not know its type gets the type of this.
    #[serde(default)]
    pub(super) world: Option<String>,
    pub(super) build: Build,
}

/// How the engine calls the plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Abi {
    #[default]
    Component,
    Command,
}

impl From<Abi> for Kind {
    fn from(abi: Abi) -> Self {
        match abi {
            Abi::Component => Self::Component,
            Abi::Command => Self::Command,
        }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Component => "component",
            Self::Command => "command",
        })
    }
}

/// What makes the plugin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Build {
    /// Programs with their arguments, run in this order in the project's folder, without a shell.
    pub(super) commands: Vec<Vec<String>>,
    /// The file that they leave.
    pub(super) output: PathBuf,
    /// The programs that they need.
    #[serde(default)]
    pub(super) tools: Vec<Tool>,
}

/// A program that building needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Tool {
    pub(super) program: String,
    /// How to get it, for people.
    pub(super) install: String,
}

impl Manifest {
    /// The manifest of the project in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let what = format!("could not read {}", path.display());
            let error = Error::because(exit::INVALID, what, &error);
            error.hint("`runwright plugin new` makes a project; give its folder, or call this in it")
        })?;
        let wrong = |what: &dyn fmt::Display| {
            Error::new(exit::INVALID, format!("{} is wrong: {}", path.display(), what.to_string().trim_end()))
        };
        let manifest = Self::parse(&text).map_err(|error| wrong(&error))?;
        match manifest.problem() {
            Some(problem) => Err(wrong(&problem)),
            None => Ok(manifest),
        }
    }

    /// What this text says, unchecked.
    pub(super) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    fn problem(&self) -> Option<String> {
        if runwright_core::ActionName::new(&self.name, "x").is_err() {
            return Some(format!("name: {:?} has something else in it than a-z, 0-9, - and _", self.name));
        }
        if self.build.commands.iter().any(Vec::is_empty) {
            return Some("build.commands: a command is an argument list with at least a program in it".to_owned());
        }
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        (!self.build.output.components().all(inside))
            .then(|| "build.output: it must be a path within the project's folder".to_owned())
    }

    /// The tools that are not there.
    pub(super) fn missing(&self, folder: &Path) -> Vec<&Tool> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        self.build.tools.iter().filter(|tool| !is_there(&tool.program, folder, &path)).collect()
    }
}

fn is_there(program: &str, folder: &Path, path: &OsStr) -> bool {
    if program.contains('/') {
        return folder.join(program).is_file();
    }
    std::env::split_paths(path).any(|place| place.join(program).is_file())
}
