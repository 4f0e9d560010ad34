//! The whole process, as a person or a script starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A folder with a plugin and two runbooks.
pub(crate) struct Project(PathBuf);

impl Project {
    pub(crate) fn new(folder: &Path) -> Self {
        let folder = folder.join("project");
        fs::create_dir_all(folder.join("plugins")).unwrap();
        fs::copy(crate::world::fixture(), folder.join("plugins/fixture.wasm")).unwrap();
        // A runbook has one step at least; this one is skipped.
        let empty = "name: empty\nsteps:\n  - { id: nothing, if: \"false\", script: \"0\" }\n";
        fs::write(folder.join("empty.yaml"), empty).unwrap();
        fs::write(folder.join("tiny.yaml"), "name: tiny\nsteps:\n  - { id: one, uses: fixture/empty }\n").unwrap();
        Self(folder)
    }

    /// Times a run of the empty runbook by an engine that was never here.
    pub(crate) fn cold(&self) -> Duration {
        let _ = fs::remove_dir_all(self.0.join(".runwright"));
        self.time(&["run", "empty.yaml"])
    }

    /// Times a command, which must succeed.
    pub(crate) fn time(&self, arguments: &[&str]) -> Duration {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runwright"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null()).stdout(Stdio::null());
        let began = Instant::now();
        let status = command.status().unwrap();
        let took = began.elapsed();
        assert!(status.success(), "runwright {}: {status}", arguments.join(" "));
        took
    }
}
