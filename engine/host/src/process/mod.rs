//! Programs on the engine's host: children that die with the engine, and ones that outlive it.
//!
//! **Invariant:** no shell, nothing of the engine's environment, no descriptor of the engine but the three standard ones;
//! and no zombie stays.

mod attached;
mod detached;
mod program;
mod reaper;
mod signal;
mod spawner;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::{fs, io};

use rustix::fd::{AsRawFd, OwnedFd};

pub(crate) use attached::{Channel, Output, run};
pub(crate) use detached::start;
pub(crate) use signal::signal_name;

/// A program to run, already allowed.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// All of its environment.
    pub(crate) env: Vec<(String, String)>,
    /// The working folder; without one it is `/`.
    pub(crate) cwd: Option<Arc<OwnedFd>>,
}

impl Order {
    /// Why it can't be run without a shell.
    pub(crate) fn check(&self) -> io::Result<()> {
        program::check(&self.program)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // The child's own copy of the descriptor: it closes when the child becomes the program.
        let cwd = self.cwd.as_ref().map_or_else(|| "/".to_owned(), |cwd| format!("/proc/self/fd/{}", cwd.as_raw_fd()));
        command.args(&self.args).env_clear().envs(self.env.iter().cloned()).current_dir(cwd);
        command
    }
}

/// Why a program did not run to its end.
#[derive(Debug)]
pub(crate) enum Unrun {
    /// It was never started: nothing happened.
    NotStarted(io::Error),
    /// It was started, could not be watched, and was killed.
    Unwatched(io::Error),
}

/// One process: a pid is used again, together with its start it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Clock ticks since boot at which it was started.
    pub(crate) started: u64,
}

impl Process {
    /// The process that has this pid now: field 22 of `/proc/PID/stat` (proc(5)).
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let odd = || io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is odd"));
        // The second field, the name in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').ok_or_else(odd)?;
        let started = fields.split_ascii_whitespace().nth(19).and_then(|field| field.parse().ok()).ok_or_else(odd)?;
        Ok(Self { pid, started })
    }
}

fn rustix_pid(pid: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)
}
