//! Programs that run to their end within a call.

use std::io;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::process::{PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::spawner::{kill_group, spawn};
use super::{Order, Process, Unrun, reaper, rustix_pid};

/// How long output is read on after a program ended: what it left in the pipes is there at once; a process of its own
/// that keeps them open is killed after this.
const DRAIN: Duration = Duration::from_millis(200);

/// What a program gave.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    /// Some output was left out.
    pub(crate) truncated: bool,
}

/// One of a program's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Out,
    Err,
}

/// Runs the program to its end with `input` on its standard input, and keeps `bytes_max` of each output; `hear` is given
/// all of it, while it comes. Nothing of its process group is left when this returns or is dropped.
///
/// `started` is told which process it is, while it runs already; if it fails, the program is killed.
pub(crate) async fn run(
    order: &Order,
    input: &[u8],
    bytes_max: usize,
    hear: impl Fn(Channel, &[u8]),
    started: impl AsyncFnOnce(Process) -> io::Result<()>,
) -> Result<Output, Unrun> {
    let mut command = order.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = spawn(command).await.map_err(Unrun::NotStarted)?;
    watched(child, input, bytes_max, hear, started).await.map_err(Unrun::Unwatched)
}

async fn watched(
    child: Child,
    input: &[u8],
    bytes_max: usize,
    hear: impl Fn(Channel, &[u8]),
    started: impl AsyncFnOnce(Process) -> io::Result<()>,
) -> io::Result<Output> {
    let mut group = Group::new(child)?;
    let process = Process::of(group.id())?;
    let told = async { started(process).await };
    let ran = group.run(input, bytes_max, hear);
    tokio::try_join!(told, ran).map(|((), output)| output)
}

/// A child with its process group, of which nothing outlives this value.
struct Group {
    child: Option<Child>,
    ended: AsyncFd<OwnedFd>,
}

impl Group {
    fn new(child: Child) -> io::Result<Self> {
        let opened = rustix_pid(child.id())
            .ok_or_else(|| io::Error::other("its process id is odd"))
            .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::NONBLOCK)?))
            .and_then(watch);
        match opened {
            Ok(ended) => Ok(Self { child: Some(child), ended }),
            Err(error) => {
                end(child);
                Err(error)
            }
        }
    }

    fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    async fn run(&mut self, input: &[u8], bytes_max: usize, hear: impl Fn(Channel, &[u8])) -> io::Result<Output> {
        let child = self.child.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let stdin = child.stdin.take().map(ChildStdin::from_std).transpose()?;
        let stdout = child.stdout.take().map(ChildStdout::from_std).transpose()?;
        let stderr = child.stderr.take().map(ChildStderr::from_std).transpose()?;
        let (mut out, mut err) = (Capture::new(bytes_max), Capture::new(bytes_max));
        {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // A program need not read all of its input.
                    stdin.write_all(input).await.ok();
                }
            };
            let streams = async {
                let out = out.read(stdout, |bytes| hear(Channel::Out, bytes));
                tokio::join!(feed, out, err.read(stderr, |bytes| hear(Channel::Err, bytes)))
            };
            tokio::pin!(streams);
            tokio::select! {
                _ = &mut streams => exit(&self.ended).await?,
                ended = exit(&self.ended) => { ended?; timeout(DRAIN, streams).await.ok(); }
            }
        }
        // Not waited for yet, so its group's id is still its own.
        kill_group(self.id());
        let mut child = self.child.take().ok_or(io::ErrorKind::NotFound)?;
        let status = child.wait()?;
        let truncated = out.truncated || err.truncated;
        Ok(Output { status, out: out.bytes, err: err.bytes, truncated })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            end(child);
        }
    }
}

/// Waits until the process has ended: then its pidfd is readable, and stays so (pidfd_open(2)).
async fn exit(pidfd: &AsyncFd<OwnedFd>) -> io::Result<()> {
    pidfd.readable().await?.retain_ready();
    Ok(())
}

fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(unsafe_code, reason = "tokio watches a descriptor that is not its own on its owner's word only")]
    // SAFETY: the owned descriptor is open and stays the same until the `AsyncFd`, which owns it, is dropped.
    let watched = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    Ok(watched?)
}

fn end(child: Child) {
    kill_group(child.id());
    reaper::reap(child);
}

/// The beginning of a stream.
struct Capture {
    bytes: Vec<u8>,
    bytes_max: usize,
    truncated: bool,
}

impl Capture {
    fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max, truncated: false }
    }

    /// Reads to the end, also what is not kept: a program must not hang because it says too much.
    async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>, hear: impl Fn(&[u8])) {
        let Some(mut stream) = stream else { return };
        let mut chunk = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            hear(&chunk[..read]);
            let kept = read.min(self.bytes_max - self.bytes.len());
            self.bytes.extend_from_slice(&chunk[..kept]);
            self.truncated |= kept < read;
        }
    }
}
