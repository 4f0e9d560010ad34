//! Processes that outlived the engine which started them.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long a killed process may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Ends the process with this pid and start time (field 22 of `/proc/PID/stat`, in clock ticks since boot), with its
/// process group, and waits until it is gone. A process that is gone already, or another one with the same pid, is left
/// alone. True if one was ended.
///
/// The journal names processes that an attempt in flight had started; they are ended before anyone asks whether the
/// attempt happened, so that it can't happen while the question is asked.
pub(crate) fn end(pid: u32, started: u64) -> bool {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    if start_time(pid) != Some(started) {
        return false;
    }
    // Children run in groups of their own, led by themselves. One that left its group is still killed by its pid.
    let _ = kill_process_group(raw, Signal::KILL);
    let _ = kill_process(raw, Signal::KILL);
    let deadline = Instant::now() + GONE_WITHIN;
    while start_time(pid) == Some(started) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// When the process started, if it lives (one that is dead and only waits for its parent does not).
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may hold anything, also parentheses: fields are counted behind the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_the_very_process_is_ended() {
        let mut child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let pid = child.id();
        let started = start_time(pid).unwrap();
        assert!(!end(pid, started + 1), "another process with this pid is left alone");
        assert_eq!(start_time(pid), Some(started));
        assert!(end(pid, started));
        assert!(!child.wait().unwrap().success());
        assert!(!end(pid, started), "it is gone");
    }
}
