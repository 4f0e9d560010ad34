//! Ctrl-C, SIGTERM and SIGHUP.

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::{Error, exit};

/// Somebody wants this command to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager or a shutdown.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
}

/// Signals that no longer end the process by themselves.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Stream,
    terminate: Stream,
    /// None: it was ignored when this process began, as under nohup, and stays so.
    hangup: Option<Stream>,
}

impl Signals {
    /// From now on, signals come out of [`Signals::next`].
    pub(crate) fn listen() -> Result<Self, Error> {
        let open =
            |kind| signal(kind).map_err(|error| Error::because(exit::INTERNAL, "could not listen for signals", &error));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kind = SignalKind::hangup();
        let hangup = if is_ignored(&status, kind) { None } else { Some(open(kind)?) };
        Ok(Self { interrupt: open(SignalKind::interrupt())?, terminate: open(SignalKind::terminate())?, hangup })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = hangup => Signal::Hangup,
            else => std::future::pending().await,
        }
    }
}

/// Whether a signal is ignored, by the lines of proc_pid_status(5): `SigIgn` is a mask in hexadecimal digits.
fn is_ignored(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_stands_in_a_mask() {
        let is_ignored = |mask: &str| is_ignored(&format!("Name:\tx\nSigIgn:\t{mask}\n"), SignalKind::hangup());
        assert!(is_ignored("0000000000000001") && is_ignored("0000000000001001"));
        assert!(!is_ignored("0000000000001000") && !is_ignored("") && !is_ignored("x"));
    }
}
