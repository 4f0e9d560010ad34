//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::{Error, exit};

/// Somebody wants this command to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager or a shutdown.
    Terminate,
}

/// Signals that no longer end the process by themselves.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Stream,
    terminate: Stream,
}

impl Signals {
    /// From now on, signals come out of [`Signals::next`].
    pub(crate) fn listen() -> Result<Self, Error> {
        let open =
            |kind| signal(kind).map_err(|error| Error::because(exit::INTERNAL, "could not listen for signals", &error));
        Ok(Self { interrupt: open(SignalKind::interrupt())?, terminate: open(SignalKind::terminate())? })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            else => std::future::pending().await,
        }
    }
}
