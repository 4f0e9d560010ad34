//! Exit codes: what a script can rely on.

use runwright_core::RunStatus;

/// The run succeeded, or the command did what it should.
pub const SUCCEEDED: u8 = 0;
/// The run failed; `doctor`, `journal verify` or `status --require-engine` found something that is wrong; an alarm could not
/// start what it calls for.
pub const FAILED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// A runbook, an input, a name or the configuration is wrong. Nothing was started.
pub const INVALID: u8 = 3;
/// The run is blocked: a person must decide, with `runwright approve` or `runwright settle`.
pub const BLOCKED: u8 = 4;
/// The run failed and what it did was taken back.
pub const ROLLED_BACK: u8 = 5;
/// The run was cancelled.
pub const CANCELLED: u8 = 6;
/// Only a part of what was sent was taken, for example because one alert of many can't be read, or one step of many can't be
/// settled so.
pub const PARTLY: u8 = 7;
/// Something that should not be so: the disk, the network, or a defect.
pub const INTERNAL: u8 = 70;
/// The run is not over, but this command or its engine was ended; the run can be resumed.
pub const LEFT: u8 = 75;

/// The list for `runwright --help`.
pub(crate) const HELP: &str = "\
Exit codes:
   0  the run succeeded, or the command did what it should
   1  the run failed, a check found something wrong, or an alarm could not start what it calls for
   2  the command line is wrong
   3  a runbook, an input, a name or the configuration is wrong; nothing was started
   4  the run is blocked: a person must decide, with `runwright approve` or `settle`
   5  the run was rolled back
   6  the run was cancelled
   7  only a part of what was sent was taken
  70  something that should not be so: the disk, the network, or a defect
  75  the run is not over, but this command was ended; the run can be resumed";

/// The exit code of a command that followed a run until it stood here.
pub const fn of(status: RunStatus) -> u8 {
    match status {
        RunStatus::Succeeded => SUCCEEDED,
        RunStatus::Failed => FAILED,
        RunStatus::Blocked => BLOCKED,
        RunStatus::RolledBack => ROLLED_BACK,
        RunStatus::Cancelled => CANCELLED,
        RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::RollingBack => LEFT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_has_every_code_once() {
        let codes = [SUCCEEDED, FAILED, USAGE, INVALID, BLOCKED, ROLLED_BACK, CANCELLED, PARTLY, INTERNAL, LEFT];
        let listed: Vec<u8> = HELP.lines().skip(1).map(|line| line[..4].trim().parse().unwrap()).collect();
        assert_eq!(listed, codes);
    }

    #[test]
    fn a_run_that_is_over_never_looks_left() {
        for status in RunStatus::ALL {
            let resumable = !status.is_finished() && status != RunStatus::Blocked;
            assert_eq!(of(status) == LEFT, resumable, "{status:?}");
        }
    }
}
