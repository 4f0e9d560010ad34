//! `exec`: granted programs with granted arguments, without a shell.

mod usable;

use std::io;
use std::os::unix::process::ExitStatusExt;
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
use crate::pattern::{arguments_fit, arguments_problem, is_open};
use crate::process::{self, Channel, Order, Process, Unrun};
use crate::said::Source;
use crate::state::State;
use usable::unusable;

/// What every program gets.
const PLAIN_ENV: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

/// What is wrong with the grant, if anything is.
pub(crate) fn problem(grant: &ExecGrant) -> Option<String> {
    let program = grant.program.display();
    if !grant.program.is_absolute() || grant.program.file_name().is_none() {
        return Some(format!("the granted program {program} must be an absolute path"));
    }
    if let Some(wrong) = arguments_problem(&grant.args) {
        return Some(format!("of the granted arguments of {program}: {wrong}"));
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

/// Would the grant allow the command if its folder were there?
fn would_allow(grant: &ExecGrant, command: &Command, cwd: &str) -> bool {
    let plain = cwd.starts_with('/') && !cwd.split('/').any(|part| matches!(part, "." | ".."));
    let folder = Command { cwd: None, ..command.clone() };
    plain && allows(grant, &folder, None) && grant.cwd.iter().any(|pattern| resolved_fits(pattern, Path::new(cwd)))
}

/// What is said where the line that would allow a command allows more than that.
fn caution(command: &Command) -> &'static str {
    let open = command.args.iter().any(|arg| is_open(arg));
    if open { " (`*` and a last `...` in it stand for any text: this grants more than was asked for)" } else { "" }
}

/// The line that would allow this command and nothing else, unless [`caution`] says so.
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
    /// What is to be run, and whether it may change something.
    fn order(&mut self, command: &Command, detached: bool) -> Result<(Order, bool), ExecError> {
        if let Some(why) = unusable(command) {
            let why = format!("the program {} can't be run: {why}", quoted(&command.program));
            return Err(ExecError::Denied(self.refusals.invalid(&why)));
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
            if let Some(cwd) = command.cwd.as_deref().filter(|_| folder.is_none())
                && self.grants.exec.iter().any(|grant| would_allow(grant, command, cwd))
            {
                let why = format!(
                    "the program {} can't be run in {}: there is no such folder",
                    quoted(&command.program),
                    quoted(cwd)
                );
                return Err(ExecError::Denied(self.refusals.invalid(&why)));
            }
            let detached_text = if detached { " and outliving the engine" } else { "" };
            let line = format!("{}{}", line(command, detached), caution(command));
            let denied = self.deny(&format!("the program {}{detached_text}", what()), &line);
            return Err(ExecError::Denied(denied));
        };
        let grant = if self.read_only { grants.chain([first]).find(|grant| grant.in_plan) } else { Some(first) };
        let Some(grant) = grant.filter(|_| !(self.read_only && detached)).cloned() else {
            let help = (!detached).then_some("in-plan = true");
            return Err(ExecError::Denied(self.deny_in_plan(&format!("the program {}", what()), help)));
        };
        let order = Order {
            program: grant.program,
            args: command.args.clone(),
            env: environment(&grant.env, &command.env),
            cwd: folder.map(|folder| Arc::new(folder.held)),
        };
        Ok((order, !grant.in_plan))
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
        let (order, acts) = self.order(&command, false)?;
        order.check().map_err(|error| self.not_started(&order, &error))?;
        let (notes, log) = (&self.notes, &self.log);
        let note = async |process| notes.note(Self::child(process, &order, false)).await.map_err(io::Error::other);
        let out = if acts { Source::ProgramOut } else { Source::Answer };
        let source = |channel| if channel == Channel::Out { out } else { Source::ProgramErr };
        let hear = |channel, bytes: &[u8]| log.bytes(source(channel), bytes);
        let running = process::run(&order, &command.input, self.limits.body_bytes, hear, note);
        let timeout = command.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let ran = self.ending.within(timeout, running).await;
        [Channel::Out, Channel::Err].into_iter().for_each(|channel| log.end(source(channel)));
        if acts && !matches!(ran, Ok(Err(Unrun::NotStarted(_))) | Err(End::Unbegun)) {
            self.refusals.acts();
        }
        let process::Output { status, out, err, truncated } = match ran {
            Ok(Ok(output)) => output,
            Ok(Err(Unrun::NotStarted(error))) => return Err(self.not_started(&order, &error)),
            Ok(Err(Unrun::Unwatched(error))) => return Err(ExecError::Failed(error.to_string())),
            Err(End::Unbegun) => return Err(self.too_late()),
            Err(End::Cancelled) => return Err(ExecError::Failed("cancelled: it was killed".to_owned())),
            Err(End::Deadline | End::Timeout) => return Err(ExecError::TimedOut),
        };
        self.refusals.explain(
            status.signal().map(|signal| format!("the program was killed by {}", process::signal_name(signal))),
        );
        Ok(Output { status: status.code(), out, err, truncated })
    }

    fn too_late(&self) -> ExecError {
        ExecError::Failed(format!("not started: {}", self.refusals.late("the program was started")))
    }

    /// What the plugin is told of a program that never was: what can't work is wrong input, the rest may work later.
    fn not_started(&self, order: &Order, error: &io::Error) -> ExecError {
        use io::ErrorKind::{
            ArgumentListTooLong, InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
        };
        let program = order.program.display();
        match error.kind() {
            NotFound => ExecError::NotFound,
            ArgumentListTooLong | InvalidFilename | InvalidInput | IsADirectory | NotADirectory | PermissionDenied => {
                ExecError::Denied(self.refusals.invalid(&format!("the program {program} can't be run: {error}")))
            }
            _ => ExecError::Failed(format!("not started: {error}")),
        }
    }

    async fn start_program(&mut self, command: Command) -> Result<Started, ExecError> {
        if !command.input.is_empty() || command.timeout_ms.is_some() {
            let why = "a program that outlives the engine has no input and no time-out";
            return Err(ExecError::Denied(self.refusals.invalid(why)));
        }
        let (order, _) = self.order(&command, true)?;
        order.check().map_err(|error| self.not_started(&order, &error))?;
        let notes = &self.notes;
        let note = async |process| notes.note(Self::child(process, &order, true)).await;
        match self.ending.within(None, process::start(&order, note)).await {
            Ok(Ok(Process { pid, started })) => {
                self.refusals.acts();
                Ok(Started { pid, started })
            }
            // It waits until it is noted: without that it never becomes the program.
            Ok(Err(error)) => Err(self.not_started(&order, &error)),
            Err(End::Unbegun) => Err(self.too_late()),
            Err(End::Deadline | End::Timeout | End::Cancelled) => {
                self.refusals.acts();
                Err(ExecError::TimedOut)
            }
        }
    }
}

/// The plain variables, then the named ones: the engine's, then the plugin's.
fn environment(named: &[String], own: &[(String, String)]) -> Vec<(String, String)> {
    let plain = PLAIN_ENV.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let engine = named.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
    plain.into_iter().chain(engine).chain(own.iter().cloned()).collect()
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
