//! A VM's QEMU process: is it there, start it, end it.

use std::time::{Duration, Instant};

use runwright_sdk::exec::{Command, Output};
use runwright_sdk::{Error, Result, clock, log};

use super::{command, image, mark::Mark, qmp::Qmp, wire::Fault};
use crate::{diagnose::RunState, inventory::Vm};

/// How long a started QEMU may take to answer.
const START: Duration = Duration::from_secs(20);
/// Whose sockets are not there and whose disk is free after this time has ended: it is asked why.
const ENDED: Duration = Duration::from_secs(5);
/// How long a QEMU that ends at once takes for that.
const LAST_WORDS: Duration = Duration::from_secs(3);
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

/// Refuses where a QEMU would end at once over a file that it can't open: before another is ended for it. The disk, which may
/// be about to be replaced, is looked at by [`launch`].
pub(crate) fn may_launch(vm: &Vm) -> Result<()> {
    for (key, path) in [("kernel", &vm.kernel), ("initrd", &vm.initrd)] {
        let Some(path) = path else { continue };
        if let Some(why) = image::unreadable(vm, path)? {
            let message = format!("{}: its `{key}` can't be used: {why}", vm.name);
            return Err(Error::permanent(message).code("vm.not-started"));
        }
    }
    Ok(())
}

/// Starts a QEMU for the VM, which has none, and waits until it answers. It outlives the engine. Nothing
/// happened when this is `transient`, `permanent` or `denied`.
pub(crate) fn launch(vm: &Vm, mark: &Mark) -> Result<Qmp> {
    may_launch(vm)?;
    match image::disk(vm)? {
        image::Disk::Free => start(vm, mark, ENDED),
        image::Disk::Locked => Err(in_use(vm)),
        image::Disk::Unusable(why) => {
            let message = format!("{}: its disk can't be used: {why}", vm.name);
            Err(Error::permanent(message).code("vm.not-started"))
        }
    }
}

/// Refuses where another process than the VM's own QEMU, which was not found, has the disk: it would go on writing to it
/// wherever it is moved.
pub(crate) fn must_be_free(vm: &Vm, found: &Qemu) -> Result<()> {
    match found {
        Qemu::Absent if image::is_locked(vm)? => Err(in_use(vm)),
        _ => Ok(()),
    }
}

fn in_use(vm: &Vm) -> Error {
    Error::transient(format!("another process has {} open", vm.disk)).code("vm.disk-in-use")
}

fn start(vm: &Vm, mark: &Mark, ended: Duration) -> Result<Qmp> {
    let arguments = command::arguments(vm, mark);
    let started = Command::new(&vm.qemu).args(arguments.iter()).start()?;
    log::info!("started QEMU for {} (pid {})", vm.name, started.pid);
    let begin = Instant::now();
    let deadline = begin + START;
    let mut asked = false;
    loop {
        let found = Qemu::find(vm).map_err(Error::after_effect)?;
        if let Qemu::Answers(qmp) = found {
            return Ok(qmp);
        }
        let looks_ended = matches!(found, Qemu::Absent) && !asked && begin.elapsed() >= ended;
        if looks_ended && !image::is_locked(vm).map_err(Error::after_effect)? {
            asked = true;
            if let Some(line) = last_words(vm, &arguments) {
                let message = format!("the QEMU of {} ended at once: {line}", vm.name);
                return Err(Error::permanent(message).code("vm.not-started"));
            }
        }
        if Instant::now() > deadline {
            let message = format!("QEMU was started for {} but does not answer; it may have ended at once", vm.name);
            return Err(Error::partial(message).code("vm.not-started"));
        }
        clock::sleep(STEP).map_err(Error::after_effect)?;
    }
}

/// The last line that a QEMU says which ends at once. What a started program says is not kept, so it is run once more, with
/// its guest standing still; one that does not end is killed. None: it does not end so, or the first one is still there.
fn last_words(vm: &Vm, arguments: &[String]) -> Option<String> {
    let words = std::iter::once("-S").chain(arguments.iter().map(String::as_str));
    let output = Command::new(&vm.qemu).args(words).timeout(LAST_WORDS).run().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    let first_lives = line.contains(" lock") || !matches!(Qemu::find(vm), Ok(Qemu::Absent));
    (!output.success() && !first_lives).then(|| line.chars().filter(|c| !c.is_control()).take(300).collect())
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
    use std::fs;

    use runwright_sdk::{Context, ErrorKind};

    use super::*;
    use crate::qemu::fake;

    /// A VM in a folder of its own, with a disk, and this shell script for a QEMU.
    fn vm(name: &str, script: &str) -> Vm {
        let folder = fake::folder(name);
        let path = |name: &str| format!("{}/{name}", folder.display());
        let mut vm = Vm::find("web1", &crate::inventory::tests::context()).unwrap();
        (vm.disk, vm.sockets, vm.qemu) = (path("disk.qcow2"), path(""), path("qemu"));
        (vm.kernel, vm.initrd) = (Some(path("kernel")), None);
        fake::script(&vm.qemu, script);
        fs::write(path("kernel"), "kernel").unwrap();
        fake::image(&vm.disk, None);
        vm
    }

    fn refused(vm: &Vm) -> String {
        let error = launch(vm, &Mark::new("start", &Context::new("r", "s", "k"))).err().expect("it can't start");
        assert_eq!((error.kind(), error.code_text()), (ErrorKind::Permanent, Some("vm.not-started")), "{error}");
        assert!(!fs::exists(vm.file("ran")).unwrap(), "it was not even started");
        error.to_string()
    }

    #[test]
    fn a_file_that_is_not_there_is_known_before_the_start() {
        let mut vm = vm("launch", "touch $(dirname $0)/ran");
        vm.kernel = Some(vm.file("nosuch"));
        let text = refused(&vm);
        assert!(text.starts_with("web1: its `kernel` can't be used: ") && text.ends_with("No such file or directory"));
        vm.kernel = None;
        vm.disk = vm.file("block/disk.qcow2");
        // The `lock` in its path is no lock.
        assert!(refused(&vm).starts_with("web1: its disk can't be used: "));
        fake::remove(&vm.sockets);
    }

    #[test]
    fn what_a_qemu_said_that_ended_at_once_stands_in_the_error() {
        let vm =
            vm("last-words", "echo 'warning: x' >&2; echo 'qemu: Could not set up host forwarding rule' >&2; exit 1");
        let mark = Mark::new("start", &Context::new("r", "s", "k"));
        let error = start(&vm, &mark, Duration::ZERO).err().expect("it ended");
        let expected = "the QEMU of web1 ended at once: qemu: Could not set up host forwarding rule";
        assert_eq!((error.to_string().as_str(), error.code_text()), (expected, Some("vm.not-started")));
        fake::remove(&vm.sockets);
    }

    #[test]
    fn a_path_is_matched_as_it_is() {
        assert_eq!(escape("/vm/a.b+c(d)/qemu.pid"), r"/vm/a\.b\+c\(d\)/qemu\.pid");
    }
}
