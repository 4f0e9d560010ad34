//! The one thread that starts children which must die with the engine.
//!
//! Linux sends the parent-death signal when the *thread* that forked ends (prctl(2), PR_SET_PDEATHSIG). Tokio's blocking
//! threads end when they have been idle, so children are started by a thread that lives as long as the process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;

use rustix::process::{Pid, Signal, getpid, getppid, kill_process_group, set_parent_process_death_signal};
use tokio::sync::oneshot;

use super::{reaper, rustix_pid};

struct Job {
    command: Command,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Starts `command` in a process group of its own. It is killed when the engine dies, however it dies.
///
/// When the caller no longer waits, the child is killed.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Option<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let work = move || waiting.iter().for_each(perform);
        thread::Builder::new().name("spawner".to_owned()).spawn(work).ok().map(|_| jobs)
    });
    let gone = || io::Error::other("the thread that starts programs is not there");
    let (answer, child) = oneshot::channel();
    spawner.as_ref().ok_or_else(gone)?.send(Job { command, answer }).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}

fn perform(Job { mut command, answer }: Job) {
    command.process_group(0);
    let engine = getpid();
    #[expect(unsafe_code, reason = "the parent-death signal can only be set between fork and exec")]
    // SAFETY: `bind_to` makes two system calls and touches no memory that another thread could have locked.
    unsafe {
        command.pre_exec(move || bind_to(engine));
    }
    if let Err(Ok(unwanted)) = answer.send(command.spawn()) {
        kill_group(unwanted.id());
        reaper::reap(unwanted);
    }
}

/// Runs in the child: it dies with `engine`, also when `engine` died a moment ago.
fn bind_to(engine: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() == Some(engine) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
}

/// Kills the process group that `leader`, which nobody has waited for yet, leads.
pub(super) fn kill_group(leader: u32) {
    if let Some(leader) = rustix_pid(leader) {
        // An error says that nobody is left in it.
        kill_process_group(leader, Signal::KILL).ok();
    }
}
