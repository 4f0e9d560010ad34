//! Which runbook a command is about: a file, or a name.

use std::path::Path;

use daemon::view::RunbookRef;
use host::{regular, shown};

use crate::{Error, exit};

/// Where a runbook comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The folder of runbooks, by this name.
    Name(String),
    /// This file, with at most one byte more than a runbook may have.
    File {
        /// Its path as it was given.
        file: String,
        /// What is in it.
        bytes: Vec<u8>,
    },
}

impl Source {
    /// What `text` means: the path of a file if it looks like one or is one, else a name.
    pub(crate) fn find(text: &str) -> Result<Self, Error> {
        let is_path = text.contains('/') || text.ends_with(".yaml") || text.ends_with(".yml");
        if !is_path && !Path::new(text).is_file() {
            return Ok(Self::Name(text.to_owned()));
        }
        Ok(Self::File { file: text.to_owned(), bytes: read(Path::new(text))? })
    }

    /// How an engine that may be another process is told.
    pub(crate) fn into_ref(self) -> Result<RunbookRef, Error> {
        match self {
            Self::Name(name) => Ok(RunbookRef::Name(name)),
            Self::File { file, bytes } => match String::from_utf8(bytes) {
                Ok(text) => Ok(RunbookRef::Text { file, text }),
                Err(error) => {
                    // It can't be sent as text, and what is wrong with it is told best where the bytes are.
                    let bytes = error.into_bytes();
                    let scripts = script::Engine::new(script::Limits::default());
                    let diagnostics = lang::parse(&file, &bytes, None, &scripts).diagnostics;
                    Err(daemon::Error::Runbook { file, text: bytes, diagnostics }.into())
                }
            },
        }
    }
}

/// What is in the file, up to one byte more than a runbook may have.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let read = regular::read_beginning(file, lang::limits::FILE_BYTES);
    read.map_err(|error| Error::because(exit::INVALID, format!("could not read {}", shown(file)), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        assert_eq!(Source::find("recover-vm"), Ok(Source::Name("recover-vm".to_owned())));
        for path in ["none/recover-vm", "none.yaml", "none.yml"] {
            let error = Source::find(path).unwrap_err();
            assert_eq!((error.exit, error.message), (exit::INVALID, format!("could not read {path}")));
        }
    }
}
