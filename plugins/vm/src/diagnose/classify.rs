//! From what was seen to what it means: a pure function.

use runwright_sdk::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

use super::observe::{Observation, Process};
use super::run_state::RunState;
use crate::health::Health;

/// What is the matter with a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Finding {
    /// It runs and does its work.
    Healthy,
    /// There is no QEMU.
    ProcessDead,
    /// QEMU's process was stopped by a signal.
    QemuStopped,
    /// QEMU lives, but greets on neither monitor: somebody else holds both, or it hangs.
    MonitorHeld,
    /// A person paused it, or it sleeps.
    Paused,
    /// It is being migrated, saved or loaded.
    Moving,
    /// A write of the guest did not fit on the host's disk: make room, then `vm/resume`.
    NoRoom,
    /// The guest came to its end: a shutdown, an internal error, its watchdog.
    Halted,
    /// Its kernel panicked.
    GuestPanicked,
    /// It panicked because it cannot boot from its disk, or the disk's image is damaged.
    DiskUnbootable,
    /// It runs, but neither the guest agent nor the health check answers: it hangs, or has not booted yet.
    GuestHung,
    /// It runs, but nothing tells whether it is healthy: there is no health check, and no guest agent answers; or the check
    /// itself failed (its name, its certificate, its protocol).
    HealthUnknown,
    /// Something answers at the health check's address, but neither 2xx nor 5xx: the address is not that of a health check.
    HealthAddressWrong,
    /// The guest lives, but its health check answers 5xx, or nobody takes its connections.
    HealthFailing,
    /// QEMU is in a state that this version does not know.
    StateUnknown,
}

/// What is most likely to help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Remedy {
    /// Nothing is wrong, or nothing that this plugin does would help: see the finding.
    None,
    /// vm/start
    Start,
    /// vm/restart
    Restart,
    /// Room on the host's disk, then vm/resume
    Resume,
    /// vm/reprovision
    Reprovision,
}

impl Finding {
    /// What the observation means.
    pub(crate) fn of(seen: &Observation) -> Self {
        let damaged = seen.disk.as_ref().is_some_and(|disk| disk.is_damaged());
        let unbootable = seen.console.as_ref().is_some_and(|console| console.disk_sign.is_some());
        let is_good = seen.health.as_ref().is_some_and(Health::is_good);
        match &seen.process {
            Process::Stopped => Self::QemuStopped,
            Process::Held if is_good => Self::Healthy,
            Process::Held => Self::MonitorHeld,
            Process::Absent if damaged => Self::DiskUnbootable,
            Process::Absent => Self::ProcessDead,
            Process::Answers(status) => match RunState::of(status) {
                RunState::Running => Self::of_running(seen),
                RunState::Panicked if damaged || unbootable => Self::DiskUnbootable,
                RunState::Panicked => Self::GuestPanicked,
                RunState::Over if damaged => Self::DiskUnbootable,
                RunState::Over => Self::Halted,
                RunState::NoRoom => Self::NoRoom,
                RunState::Paused => Self::Paused,
                RunState::Moving => Self::Moving,
                RunState::New => Self::StateUnknown,
            },
        }
    }

    /// The health check counts before the guest agent, which a guest need not have.
    fn of_running(seen: &Observation) -> Self {
        let agent = seen.agent.unwrap_or(false);
        match &seen.health {
            Some(health) if health.is_good() => Self::Healthy,
            None | Some(Health::Unchecked) if agent => Self::Healthy,
            None | Some(Health::Unchecked) => Self::HealthUnknown,
            // What failed is the check, not the guest: no reason for a power cycle.
            Some(Health::Unknown(_)) => Self::HealthUnknown,
            Some(health) if health.is_elsewhere() => Self::HealthAddressWrong,
            // An answer of any status comes from a guest that lives.
            Some(Health::Status(_)) => Self::HealthFailing,
            Some(Health::NoAnswer(_)) if agent => Self::HealthFailing,
            Some(Health::NoAnswer(_)) => Self::GuestHung,
        }
    }

    /// What is most likely to help.
    pub(crate) fn remedy(self) -> Remedy {
        match self {
            Self::ProcessDead => Remedy::Start,
            Self::DiskUnbootable => Remedy::Reprovision,
            Self::NoRoom => Remedy::Resume,
            Self::QemuStopped | Self::Halted | Self::GuestPanicked | Self::GuestHung | Self::HealthFailing => {
                Remedy::Restart
            }
            Self::Healthy
            | Self::MonitorHeld
            | Self::Paused
            | Self::Moving
            | Self::HealthUnknown
            | Self::HealthAddressWrong
            | Self::StateUnknown => Remedy::None,
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
        assert_eq!(Finding::of(&seen(Process::Stopped)), Finding::QemuStopped);
    }

    #[test]
    fn a_monitor_that_somebody_holds_is_no_reason_for_anything() {
        let held = |agent, health| Finding::of(&Observation { agent, health, ..seen(Process::Held) });
        assert_eq!(held(Some(false), Some(Health::Status(200))), Finding::Healthy);
        for finding in [
            held(None, None),
            held(Some(true), Some(Health::Unchecked)),
            held(Some(false), Some(Health::Status(503))),
            held(Some(false), Some(Health::NoAnswer("no answer in time".into()))),
        ] {
            assert_eq!((finding, finding.remedy()), (Finding::MonitorHeld, Remedy::None));
        }
    }

    #[test]
    fn every_run_state_means_something_and_only_what_is_over_is_power_cycled() {
        for (state, finding, remedy) in [
            ("shutdown", Finding::Halted, Remedy::Restart),
            ("internal-error", Finding::Halted, Remedy::Restart),
            ("watchdog", Finding::Halted, Remedy::Restart),
            ("guest-panicked", Finding::GuestPanicked, Remedy::Restart),
            ("io-error", Finding::NoRoom, Remedy::Resume),
            ("paused", Finding::Paused, Remedy::None),
            ("debug", Finding::Paused, Remedy::None),
            ("suspended", Finding::Paused, Remedy::None),
            ("prelaunch", Finding::Moving, Remedy::None),
            ("inmigrate", Finding::Moving, Remedy::None),
            ("postmigrate", Finding::Moving, Remedy::None),
            ("finish-migrate", Finding::Moving, Remedy::None),
            ("save-vm", Finding::Moving, Remedy::None),
            ("restore-vm", Finding::Moving, Remedy::None),
            ("colo", Finding::Moving, Remedy::None),
            ("some-new-state", Finding::StateUnknown, Remedy::None),
        ] {
            let found = Finding::of(&status(state));
            assert_eq!((found, found.remedy()), (finding, remedy), "{state}");
        }
    }

    #[test]
    fn a_running_guest_is_judged_by_its_health_and_else_by_its_agent() {
        let no_answer = || Health::NoAnswer("no answer in time".into());
        assert_eq!(running(true, Health::Status(200)), Finding::Healthy);
        assert_eq!(running(false, Health::Status(204)), Finding::Healthy);
        assert_eq!(running(true, Health::Status(503)), Finding::HealthFailing);
        assert_eq!(running(false, Health::Status(503)), Finding::HealthFailing);
        assert_eq!(running(true, no_answer()), Finding::HealthFailing);
        assert_eq!(running(false, no_answer()), Finding::GuestHung);
        assert_eq!(running(true, Health::Unchecked), Finding::Healthy);
        assert_eq!(running(false, Health::Unchecked), Finding::HealthUnknown);
        assert_eq!(Finding::HealthUnknown.remedy(), Remedy::None);
    }

    #[test]
    fn a_fault_of_the_health_check_is_no_reason_for_a_power_cycle() {
        for agent in [true, false] {
            let certificate = Health::Unknown("invalid peer certificate: UnknownIssuer".into());
            assert_eq!(running(agent, certificate), Finding::HealthUnknown);
            for status in [301, 404, 429] {
                let found = running(agent, Health::Status(status));
                assert_eq!((found, found.remedy()), (Finding::HealthAddressWrong, Remedy::None), "{status}");
            }
        }
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
        for process in [Process::Absent, Process::Answers("internal-error".into())] {
            let damaged = Observation { disk: Some(disk.clone()), ..seen(process) };
            assert_eq!(Finding::of(&damaged), Finding::DiskUnbootable);
        }
    }
}
