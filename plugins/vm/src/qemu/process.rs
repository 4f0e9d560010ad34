//! A VM's QEMU process: is it there, start it, end it.

use std::time::{Duration, Instant};

use runwright_sdk::exec::{Command, Output};
use runwright_sdk::{Error, Result, clock, log};

use super::{command, image, mark::Mark, qmp::Qmp, wire::Fault};
use crate::{diagnose::RunState, inventory::Vm};

/// How long a started QEMU may take to answer.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end.
const END: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(100);

/// The VM's QEMU, as its socket shows it. The process table is not asked: a pid may linger or be another's.
pub(crate) enum Qemu {
    /// Nobody listens: there is none.
    Absent,
    /// Its sockets are open but it does not answer: its process was stopped by a signal.
    Stopped,
    /// Its sockets are open and its process is not stopped, but neither monitor greets: somebody else holds both, or it
    /// hangs. From outside nobody can tell which, so nothing is done to it; what could not be found out is said.
    Held(String),
    /// It answers.
    Answers(Qmp),
}

impl Qemu {
    /// Asks the VM's socket.
    pub(crate) fn find(vm: &Vm) -> Result<Self> {
        let mut qmp = match Qmp::connect(vm) {
            Ok(qmp) => qmp,
            Err(Fault::Absent | Fault::Closed) => return Ok(Self::Absent),
            Err(Fault::Silent) => return Self::silent(vm),
            Err(fault) => return Err(fault.harmless("QMP")),
        };
        match qmp.name() {
            Ok(name) if name == vm.name => Ok(Self::Answers(qmp)),
            Ok(name) => {
                let message = format!("{} is the socket of the VM {name:?}", vm.file("qmp.sock"));
                Err(Error::permanent(message).code("vm.other"))
            }
            Err(Fault::Absent | Fault::Closed) => Ok(Self::Absent),
            Err(Fault::Silent) => Self::silent(vm),
            Err(fault) => Err(fault.harmless("QMP")),
        }
    }

    /// Which of both a QEMU is that does not answer: the process table says whether it was stopped (proc(5): state T; `t` is a
    /// process that somebody traces).
    fn silent(vm: &Vm) -> Result<Self> {
        let output = match select(vm, "/usr/bin/pgrep", &["--runstates", "T"]) {
            Ok(output) => output,
            Err(error) => return Ok(Self::Held(format!("whether its process was stopped can't be seen: {error}"))),
        };
        Ok(match output.status {
            Some(0) => Self::Stopped,
            // pgrep(1): 1 says that no process fits.
            Some(1) => Self::Held("its process was not stopped by a signal".into()),
            _ => Self::Held(format!("pgrep: {}", String::from_utf8_lossy(&output.stderr).trim())),
        })
    }

    /// The same after an attempt to start one may have been cut off: gives it the time to open its socket.
    pub(crate) fn find_late(vm: &Vm) -> Result<Self> {
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            match Self::find(vm)? {
                Self::Absent if Instant::now() < deadline => clock::sleep(STEP)?,
                found => return Ok(found),
            }
        }
    }
}

impl Qemu {
    /// Refuses where ending it would cost what only waiting, room on a disk, or a person can give back.
    pub(crate) fn may_end(&mut self, vm: &Vm) -> Result<()> {
        match self {
            Self::Answers(qmp) => {
                let state = qmp.status().map_err(|fault| fault.harmless("QMP"))?;
                RunState::of(&state).may_end(vm, &state)
            }
            Self::Held(why) => Err(held(vm, why)),
            Self::Absent | Self::Stopped => Ok(()),
        }
    }
}

/// Starts a QEMU for the VM, which has none, and waits until it answers. It outlives the engine. Nothing
/// happened when this is `transient`, `permanent` or `denied`.
pub(crate) fn launch(vm: &Vm, mark: &Mark) -> Result<Qmp> {
    if image::is_locked(vm)? {
        let message = format!("another process has {} open", vm.disk);
        return Err(Error::transient(message).code("vm.disk-in-use"));
    }
    let started = Command::new(&vm.qemu).args(command::arguments(vm, mark)).start()?;
    log::info!("started QEMU for {} (pid {})", vm.name, started.pid);
    let deadline = Instant::now() + START;
    loop {
        if let Qemu::Answers(qmp) = Qemu::find(vm).map_err(Error::after_effect)? {
            return Ok(qmp);
        }
        if Instant::now() > deadline {
            let message = format!("QEMU was started for {} but does not answer; it may have ended at once", vm.name);
            return Err(Error::partial(message).code("vm.not-started"));
        }
        clock::sleep(STEP).map_err(Error::after_effect)?;
    }
}

/// Ends the VM's QEMU, by `quit` if it answers. Fails with what the failure of an action is that has acted.
pub(crate) fn end(vm: &Vm, found: Qemu) -> Result<Ended> {
    let ended = match found {
        Qemu::Absent => return Ok(Ended::Already),
        // It may go away before it answers.
        Qemu::Answers(mut qmp) => match qmp.tell("quit") {
            Ok(()) | Err(Fault::Closed | Fault::Silent) => Ended::Quit,
            Err(fault) => return Err(fault.harmless("QMP")),
        },
        Qemu::Stopped => kill(vm, &["--runstates", "T"])?,
        Qemu::Held(why) => return Err(held(vm, &why)),
    };
    if wait_until_gone(vm, ended, END).map_err(Error::after_effect)? {
        return Ok(ended);
    }
    kill(vm, &[]).map_err(Error::after_effect)?;
    if wait_until_gone(vm, Ended::Killed, END).map_err(Error::after_effect)? {
        return Ok(Ended::Killed);
    }
    Err(Error::partial(format!("the QEMU of {} does not end", vm.name)).code("vm.does-not-end"))
}

/// Nothing may be done to a QEMU that lives and is somebody else's to speak to.
pub(crate) fn held(vm: &Vm, why: &str) -> Error {
    let message = format!(
        "the QEMU of {} does not greet on its monitors: somebody else holds both, or it hangs ({why}); close the other \
         connections to {} and {}, or end QEMU by hand",
        vm.name,
        vm.file("qmp.sock"),
        vm.file("events.sock")
    );
    Error::permanent(message).code("vm.monitor-held")
}

/// How a QEMU ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// There was none.
    Already,
    /// When it was told to.
    Quit,
    /// By SIGKILL, because it was stopped by a signal, or did not end.
    Killed,
}

/// Kills the process of the pid file, if its command line ends as this VM's does and it is in the `state`, if one is given.
fn kill(vm: &Vm, state: &[&str]) -> Result<Ended> {
    log::warn!("QEMU of {} does not answer: killing it", vm.name);
    let options: Vec<_> = state.iter().chain(&["--signal", "KILL"]).copied().collect();
    let output = select(vm, "/usr/bin/pkill", &options)?;
    match output.status {
        Some(0) => Ok(Ended::Killed),
        status => {
            let text = String::from_utf8_lossy(&output.stderr);
            let message = format!("pkill found no QEMU of {} to kill (status {status:?}) {}", vm.name, text.trim());
            Err(Error::permanent(message).code("vm.not-killed"))
        }
    }
}

/// Runs pgrep or pkill for the process of the pid file, if its command line ends as this VM's does.
fn select(vm: &Vm, program: &str, options: &[&str]) -> Result<Output> {
    let file = vm.file("qemu.pid");
    // Without the dash, so that a granted `*` fits it.
    let pattern = format!("pidfile {}$", escape(&file));
    let which = ["--pidfile", &file, "--full", "--", &pattern];
    Ok(Command::new(program).args(options.iter().chain(&which).copied()).run()?)
}

/// The path as an extended regular expression.
fn escape(path: &str) -> String {
    let mut escaped = String::new();
    for c in path.chars() {
        if r".[]{}()\*+?^$|".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Waits until the socket, the lock of the disk and the pid file are gone: then another may start.
pub(crate) fn wait_until_gone(vm: &Vm, ended: Ended, time: Duration) -> Result<bool> {
    let deadline = Instant::now() + time;
    let pid_file = vm.file("qemu.pid");
    loop {
        let absent = matches!(Qemu::find(vm)?, Qemu::Absent);
        // A killed process leaves its pid file behind.
        let left = ended != Ended::Killed && std::fs::exists(&pid_file).unwrap_or(false);
        if absent && !left && !image::is_locked(vm)? {
            // The process is in its last system call; its port is free a moment later.
            clock::sleep(STEP)?;
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        clock::sleep(STEP)?;
    }
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn a_path_is_matched_as_it_is() {
        assert_eq!(escape("/vm/a.b+c(d)/qemu.pid"), r"/vm/a\.b\+c\(d\)/qemu\.pid");
    }
}
