//! Programs that outlive the engine.
//!
//! Such a program must be in the journal before it does anything: an engine that dies between its start and the note
//! about it would start it twice. So the child waits at a gate between fork and exec. It tells its pid, the pid is made
//! durable, the gate opens, and only then does it become the program. If the engine dies before, the gate closes and the
//! child ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use rustix::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{getpid, setsid};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::oneshot;

use super::{Order, Process, reaper};

const OPEN: u8 = b'o';
const SHUT: u8 = b's';

/// Starts the program in a session of its own, with nothing on its standard streams. It runs when this returns, and
/// `note` of it was durable before its first instruction.
pub(crate) async fn start(order: &Order, note: impl AsyncFnOnce(Process) -> Result<(), String>) -> io::Result<Process> {
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC)?;
    let (wait, gate) = pipe_with(PipeFlags::CLOEXEC)?;
    let gate = Gate { way: Some(Arc::new(gate)) };
    let mut command = order.command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    hold(&mut command, tell, wait, &gate);
    let (answer, spawned) = oneshot::channel();
    // `spawn` returns when the child has become the program, so it needs a thread to wait in; a short one of its own,
    // because a runtime that ends waits for its blocking threads.
    thread::Builder::new().name("starter".to_owned()).spawn(move || {
        let spawned = command.spawn();
        drop(command);
        answer.send(spawned.map(reaper::reap)).ok();
    })?;

    let mut pid = [0; 4];
    let mut told = Receiver::from_owned_fd(told)?;
    if told.read_exact(&mut pid).await.is_ok() {
        let process = Process::of(u32::from_ne_bytes(pid))?;
        note(process).await.map_err(io::Error::other)?;
        gate.open()?;
        spawned.await.map_err(io::Error::other)??;
        return Ok(process);
    }
    // The child never came to its gate: it could not even be forked.
    spawned.await.map_err(io::Error::other)??;
    Err(io::Error::other("it did not tell its process id"))
}

/// The way to a waiting child: dropped without [`open`](Self::open), it sends the child away.
struct Gate {
    way: Option<Arc<OwnedFd>>,
}

impl Gate {
    fn open(mut self) -> io::Result<()> {
        match self.way.take() {
            Some(way) => Ok(rustix::io::write(way, &[OPEN]).map(|_| ())?),
            None => Ok(()),
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(way) = &self.way {
            rustix::io::write(way, &[SHUT]).ok();
        }
    }
}

/// Lets `command`'s child wait between fork and exec.
fn hold(command: &mut Command, tell: OwnedFd, wait: OwnedFd, gate: &Gate) {
    // The engine keeps its end open until `spawn` has returned, so that this number is no other file's in the child.
    let own_end = gate.way.clone();
    let own = own_end.as_ref().map_or(-1, |way| way.as_raw_fd());
    let held = move || {
        let _kept = &own_end;
        pass(own, tell.as_fd(), wait.as_fd())
    };
    #[expect(unsafe_code, reason = "a child can only be held back between fork and exec")]
    // SAFETY: `pass` makes system calls only; it takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(held);
    }
}

/// Runs in the child: a session of its own, tell the pid, wait for the gate.
fn pass(own_end: RawFd, tell: impl AsFd, wait: impl AsFd) -> io::Result<()> {
    setsid()?;
    #[expect(unsafe_code, reason = "the child's copy of the gate must close, or it would never see the engine die")]
    // SAFETY: the number is the child's inherited copy of the engine's end, which nothing in the child uses.
    unsafe {
        rustix::io::close(own_end);
    }
    rustix::io::write(tell, &getpid().as_raw_nonzero().get().to_ne_bytes())?;
    let mut answer = [0];
    loop {
        match rustix::io::read(&wait, &mut answer) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(1) if answer == [OPEN] => return Ok(()),
            _ => return Err(io::ErrorKind::Interrupted.into()),
        }
    }
}
