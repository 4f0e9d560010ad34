//! From what was seen to what it means: a pure function.

use runwright_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

use super::observe::{Observation, Process};
use crate::health::Health;

/// What is the matter with a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Finding {
    /// It runs and does its work.
    Healthy,
    /// There is no QEMU.
    ProcessDead,
    /// QEMU is there but does not answer: it was stopped by a signal, or hangs.
    QemuStopped,
    /// Somebody paused it.
    Paused,
    /// QEMU stands still for a reason of its own: an I/O error, an internal error, a shutdown.
    Halted,
    /// Its kernel panicked.
    GuestPanicked,
    /// It panicked because it cannot boot from its disk, or the disk's image is damaged.
    DiskUnbootable,
    /// It runs, but neither the guest agent nor the health check answers: it hangs, or has not booted yet.
    GuestHung,
    /// The health check is good or missing, but the guest agent does not answer.
    AgentSilent,
    /// The guest lives, but its health check fails.
    HealthFailing,
}

/// What is most likely to help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Remedy {
    /// Nothing is wrong.
    None,
    /// vm/start
    Start,
    /// vm/restart
    Restart,
    /// vm/reprovision
    Reprovision,
}

impl Finding {
    /// What the observation means.
    pub(crate) fn of(seen: &Observation) -> Self {
        let damaged = seen.disk.as_ref().is_some_and(|disk| disk.is_damaged());
        let unbootable = seen.console.as_ref().is_some_and(|console| console.disk_sign.is_some());
        match &seen.process {
            Process::Silent => Self::QemuStopped,
            Process::Absent if damaged => Self::DiskUnbootable,
            Process::Absent => Self::ProcessDead,
            Process::Answers(status) => match status.as_str() {
                "running" => Self::of_running(seen),
                "guest-panicked" if damaged || unbootable => Self::DiskUnbootable,
                "guest-panicked" => Self::GuestPanicked,
                _ if damaged => Self::DiskUnbootable,
                "paused" | "prelaunch" | "suspended" | "restore-vm" => Self::Paused,
                _ => Self::Halted,
            },
        }
    }

    fn of_running(seen: &Observation) -> Self {
        let agent = seen.agent.unwrap_or(false);
        match &seen.health {
            Some(health) if health.is_good() => {
                if agent {
                    Self::Healthy
                } else {
                    Self::AgentSilent
                }
            }
            None | Some(Health::Unchecked) => {
                if agent {
                    Self::Healthy
                } else {
                    Self::AgentSilent
                }
            }
            // An answer of any status comes from a guest that lives.
            Some(Health::Status(_)) => Self::HealthFailing,
            Some(_) if agent => Self::HealthFailing,
            Some(_) => Self::GuestHung,
        }
    }

    /// What is most likely to help.
    pub(crate) fn remedy(self) -> Remedy {
        match self {
            Self::Healthy => Remedy::None,
            Self::ProcessDead => Remedy::Start,
            Self::DiskUnbootable => Remedy::Reprovision,
            _ => Remedy::Restart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::console::Console, *};
    use crate::qemu::image::Check;

    fn seen(process: Process) -> Observation {
        Observation { process, agent: None, health: None, disk: None, console: None }
    }

    fn status(status: &str) -> Observation {
        seen(Process::Answers(status.into()))
    }

    fn running(agent: bool, health: Health) -> Finding {
        Finding::of(&Observation { agent: Some(agent), health: Some(health), ..status("running") })
    }

    #[test]
    fn the_process_comes_first() {
        assert_eq!(Finding::of(&seen(Process::Absent)), Finding::ProcessDead);
        assert_eq!(Finding::of(&seen(Process::Silent)), Finding::QemuStopped);
    }

    #[test]
    fn every_run_state_means_something() {
        for (state, finding) in [
            ("guest-panicked", Finding::GuestPanicked),
            ("paused", Finding::Paused),
            ("prelaunch", Finding::Paused),
            ("io-error", Finding::Halted),
            ("internal-error", Finding::Halted),
            ("shutdown", Finding::Halted),
            ("some-new-state", Finding::Halted),
        ] {
            assert_eq!(Finding::of(&status(state)), finding, "{state}");
        }
    }

    #[test]
    fn a_running_guest_is_judged_by_agent_and_health() {
        let no_answer = || Health::NoAnswer("no answer in time".into());
        assert_eq!(running(true, Health::Status(200)), Finding::Healthy);
        assert_eq!(running(false, Health::Status(204)), Finding::AgentSilent);
        assert_eq!(running(true, Health::Status(503)), Finding::HealthFailing);
        assert_eq!(running(false, Health::Status(503)), Finding::HealthFailing);
        assert_eq!(running(true, no_answer()), Finding::HealthFailing);
        assert_eq!(running(false, no_answer()), Finding::GuestHung);
        assert_eq!(running(true, Health::Unchecked), Finding::Healthy);
        assert_eq!(running(false, Health::Unchecked), Finding::AgentSilent);
    }

    #[test]
    fn a_panic_over_the_disk_needs_a_new_disk() {
        let console = Console { disk_sign: Some("root disk unusable".into()), ..Console::default() };
        let panicked = Observation { console: Some(console), ..status("guest-panicked") };
        assert_eq!(Finding::of(&panicked), Finding::DiskUnbootable);
        assert_eq!(Finding::of(&panicked).remedy(), Remedy::Reprovision);
    }

    #[test]
    fn a_damaged_image_needs_a_new_disk() {
        let disk = Check { corruptions: 3, check_errors: 0 };
        for process in [Process::Absent, Process::Answers("io-error".into())] {
            let damaged = Observation { disk: Some(disk.clone()), ..seen(process) };
            assert_eq!(Finding::of(&damaged), Finding::DiskUnbootable);
        }
    }
}
