//! `exec`: granted programs with granted arguments, without a shell.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runwright_core::Note;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};

use super::quoted;
use super::unix::{path_problem, resolved_fits};
use crate::bindings::exec::{self, Command, ExecError, Output, Process as Started};
use crate::ending::End;
use crate::grants::ExecGrant;
use crate::pattern::arguments_fit;
use crate::process::{self, Order, Process};
use crate::state::State;

/// Arguments and environment of one program.
const ARGS_MAX: usize = 1024;
/// Bytes of them together.
const ARG_BYTES_MAX: usize = 128 * 1024;
/// What every program gets.
const PLAIN_ENV: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

/// What is wrong with the grant, if anything is.
pub(crate) fn problem(grant: &ExecGrant) -> Option<String> {
    let program = grant.program.display();
    if !grant.program.is_absolute() || grant.program.file_name().is_none() {
        return Some(format!("the granted program {program} must be an absolute path"));
    }
    let early = grant.args.iter().rev().skip(1).any(|pattern| pattern == "**");
    if early {
        return Some(format!("`**` must be the last of the granted arguments of {program}"));
    }
    grant.cwd.iter().find_map(|cwd| path_problem(&format!("the working folder of {program}"), cwd))
}

/// Is `program`, as the plugin calls it, the granted one? A bare name is, if the granted file is called so. Links in the
/// folder are resolved, but not the file itself: `/bin/ls` and `/bin/rm` may be links to one binary.
fn same_program(granted: &Path, program: &str) -> bool {
    if !program.contains('/') {
        return granted.file_name().is_some_and(|name| name == program);
    }
    let place = |path: &Path| {
        let folder = path.parent()?.canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    let program = Path::new(program);
    program.is_absolute()
        && (granted == program || place(granted).is_some_and(|granted| place(program) == Some(granted)))
}

/// A working folder, held so that nobody can swap it for another between its check and its use.
struct Folder {
    held: OwnedFd,
    /// Where it really is.
    real: PathBuf,
}

impl Folder {
    fn open(path: &str) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = rustix::fs::open(path, flags, Mode::empty())?;
        let real = std::fs::read_link(format!("/proc/self/fd/{}", held.as_raw_fd()))?;
        Ok(Self { held, real })
    }
}

/// Does the grant allow the command's arguments and environment, and its folder, if there is one?
fn allows(grant: &ExecGrant, command: &Command, folder: Option<&Folder>) -> bool {
    let env = command.env.iter().all(|(name, _)| grant.env.contains(name));
    let cwd = command.cwd.is_none()
        || folder.is_some_and(|folder| grant.cwd.iter().any(|pattern| resolved_fits(pattern, &folder.real)));
    same_program(&grant.program, &command.program) && arguments_fit(&grant.args, &command.args) && env && cwd
}

/// The line that would allow this command and nothing else.
fn line(command: &Command, detached: bool) -> String {
    let list = |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
    let program =
        if command.program.contains('/') { command.program.clone() } else { format!("/…/{}", command.program) };
    let mut line = format!("exec = [{{ program = {}, args = [{}]", quoted(&program), list(&mut command.args.iter()));
    if !command.env.is_empty() {
        line += &format!(", env = [{}]", list(&mut command.env.iter().map(|(name, _)| name)));
    }
    if let Some(cwd) = &command.cwd {
        line += &format!(", cwd = [{}]", quoted(cwd));
    }
    line + if detached { ", detached = true }]" } else { " }]" }
}

impl State {
    fn order(&mut self, command: &Command, detached: bool) -> Result<Order, ExecError> {
        let texts = || command.args.iter().chain(command.env.iter().flat_map(|(name, value)| [name, value]));
        if texts().count() > ARGS_MAX || texts().map(String::len).sum::<usize>() > ARG_BYTES_MAX {
            return Err(ExecError::Failed(format!(
                "a program gets at most {ARGS_MAX} arguments of {ARG_BYTES_MAX} bytes"
            )));
        }
        if let Some((place, name)) = self.secret_in(command) {
            return Err(ExecError::Denied(self.refusals.refuse(format!(
                "{place} of the program {} holds the secret {name}, which everyone on this host could read there: give it \
                 by environment or input",
                quoted(&command.program)
            ))));
        }
        let what = || format!("{} with these arguments", quoted(&command.program));
        // One that is not there is refused like one that is not granted.
        let folder = command.cwd.as_deref().filter(|cwd| cwd.starts_with('/')).and_then(|cwd| Folder::open(cwd).ok());
        let fits = |grant: &&ExecGrant| allows(grant, command, folder.as_ref()) && (grant.detached || !detached);
        let mut grants = self.grants.exec.iter().filter(fits);
        let Some(first) = grants.next() else {
            let detached_text = if detached { " and outliving the engine" } else { "" };
            let denied = self.deny(&format!("the program {}{detached_text}", what()), &line(command, detached));
            return Err(ExecError::Denied(denied));
        };
        let grant = if self.read_only { grants.chain([first]).find(|grant| grant.in_plan) } else { Some(first) };
        let Some(grant) = grant.filter(|_| !(self.read_only && detached)).cloned() else {
            let help = (!detached).then_some("in-plan = true");
            return Err(ExecError::Denied(self.deny_in_plan(&format!("the program {}", what()), help)));
        };
        Ok(Order {
            program: grant.program,
            args: command.args.clone(),
            env: environment(&grant.env, &command.env),
            cwd: folder.map(|folder| Arc::new(folder.held)),
        })
    }

    /// Where the command shows a secret to everyone on the host, and the secret's name.
    fn secret_in(&self, command: &Command) -> Option<(String, Arc<str>)> {
        let args = command.args.iter().enumerate().map(|(at, arg)| (format!("argument {}", at + 1), arg));
        let names = command.env.iter().map(|(name, _)| ("the name of a variable".to_owned(), name));
        let cwd = command.cwd.iter().map(|cwd| ("the working folder".to_owned(), cwd));
        let program = std::iter::once(("the path".to_owned(), &command.program));
        let mut places = program.chain(args).chain(names).chain(cwd);
        places.find_map(|(place, text)| Some((place, self.tainted.found(text)?)))
    }

    fn child(process: Process, order: &Order, detached: bool) -> Note {
        let program = order.program.display().to_string();
        Note::Child { pid: process.pid, started: process.started, program, detached }
    }

    async fn run_program(&mut self, command: Command) -> Result<Output, ExecError> {
        let order = self.order(&command, false)?;
        let notes = &self.notes;
        let note = async |process| notes.note(Self::child(process, &order, false)).await.map_err(io::Error::other);
        let running = process::run(&order, &command.input, self.limits.body_bytes, note);
        let timeout = command.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let process::Output { status, out, err, truncated } = match self.ending.within(timeout, running).await {
            Ok(output) => output?,
            Err(End::Deadline | End::Timeout | End::Cancelled) => return Err(ExecError::TimedOut),
        };
        Ok(Output { status: status.code(), out, err, truncated })
    }

    async fn start_program(&mut self, command: Command) -> Result<Started, ExecError> {
        if !command.input.is_empty() || command.timeout_ms.is_some() {
            let why = "a program that outlives the engine has no input and no time-out";
            return Err(ExecError::Failed(why.to_owned()));
        }
        let order = self.order(&command, true)?;
        let notes = &self.notes;
        let note = async |process| notes.note(Self::child(process, &order, true)).await;
        match self.ending.within(None, process::start(&order, note)).await {
            Ok(started) => Ok(started.map(|Process { pid, started }| Started { pid, started })?),
            Err(End::Deadline | End::Timeout | End::Cancelled) => Err(ExecError::TimedOut),
        }
    }
}

/// The plain variables, then the named ones: the engine's, then the plugin's.
fn environment(named: &[String], own: &[(String, String)]) -> Vec<(String, String)> {
    let plain = PLAIN_ENV.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let engine = named.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
    plain.into_iter().chain(engine).chain(own.iter().cloned()).collect()
}

impl From<io::Error> for ExecError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl exec::Host for State {
    async fn run(&mut self, command: Command) -> wasmtime::Result<Result<Output, ExecError>> {
        Ok(self.run_program(command).await)
    }

    async fn start(&mut self, command: Command) -> wasmtime::Result<Result<Started, ExecError>> {
        Ok(self.start_program(command).await)
    }
}

#[cfg(test)]
mod tests;
