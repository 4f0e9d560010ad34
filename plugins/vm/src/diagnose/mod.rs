//! `diagnose`: what is the matter with a VM?

mod classify;
mod console;
mod observe;
mod run_state;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Outcome, Result, Span, log};
use serde::{Deserialize, Serialize};

pub(crate) use classify::{Finding, Remedy};
pub(crate) use console::Console;
use observe::{Observation, Process};
pub(crate) use run_state::RunState;

use crate::{health::Health, inventory::Vm};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    vm: String,
    /// How long the guest agent may take to answer.
    #[serde(default = "three_seconds")]
    #[schemars(example = serde_json::json!("3s"))]
    patience: Span,
    /// A golden image that the VM may be rebuilt from later: that the inventory has it is known now, and not after a restart.
    /// Empty: the VM's own, if it has one.
    #[schemars(example = &"golden")]
    image: Option<String>,
}

fn three_seconds() -> Span {
    Span::seconds(3)
}

/// What is the matter with the VM.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Diagnosis {
    /// What is the matter.
    finding: Finding,
    /// One sentence for people.
    #[schemars(example = &"web1 panicked: its root disk does not mount")]
    summary: String,
    /// What is most likely to help.
    remedy: Remedy,
    /// QEMU's run state (running, paused, guest-panicked, …), `absent` without a QEMU, `stopped` if a signal stopped it,
    /// `held` if it lives and greets nobody.
    #[schemars(example = &"guest-panicked")]
    state: String,
    /// Whether the guest agent answers; null: it was not asked.
    #[schemars(example = false)]
    agent: Option<bool>,
    /// The status of the health check; null: no answer, or it was not asked.
    #[schemars(example = 200)]
    health_status: Option<u16>,
    /// Why the health check has no status; null: it has one, or it was not asked.
    #[schemars(example = &"no answer in time")]
    health_error: Option<String>,
    /// Why the guest panicked.
    #[schemars(example = &"VFS: Unable to mount root fs")]
    panic: Option<String>,
    /// Damaged clusters of the disk's image; null: it was not checked.
    #[schemars(example = 0)]
    disk_corruptions: Option<u64>,
    /// The console's last lines, where they matter.
    console: Vec<String>,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Diagnosis>> {
    let vm = Vm::find(&input.vm, context)?;
    match input.image.as_deref() {
        Some("") => {
            // It may do without: a restart mostly helps.
            if let Err(error) = vm.golden(None) {
                log::warn!("{} can't be rebuilt: {error}", vm.name);
            }
        }
        Some(image) => drop(vm.golden(Some(image))?),
        None => {}
    }
    let seen = Observation::of(&vm, input.patience.into())?;
    Ok(Outcome::unchanged(diagnosis(&vm.name, seen)))
}

fn diagnosis(vm: &str, seen: Observation) -> Diagnosis {
    let finding = Finding::of(&seen);
    let summary = summary(vm, finding, &seen);
    let state = state(&seen).to_owned();
    let console = seen.console.unwrap_or_default();
    Diagnosis {
        finding,
        summary,
        remedy: finding.remedy(),
        state,
        agent: seen.agent,
        health_status: match seen.health {
            Some(Health::Status(status)) => Some(status),
            _ => None,
        },
        health_error: match seen.health {
            Some(Health::NoAnswer(why) | Health::Unknown(why)) => Some(why),
            _ => None,
        },
        panic: console.panic.filter(|_| matches!(finding, Finding::GuestPanicked | Finding::DiskUnbootable)),
        disk_corruptions: seen.disk.map(|disk| disk.corruptions),
        console: console.tail,
    }
}

fn state(seen: &Observation) -> &str {
    match &seen.process {
        Process::Absent => "absent",
        Process::Stopped => "stopped",
        Process::Held => "held",
        Process::Answers(status) => status,
    }
}

fn summary(vm: &str, finding: Finding, seen: &Observation) -> String {
    let console = seen.console.as_ref();
    let what = match finding {
        Finding::Healthy if seen.process == Process::Held => {
            "is healthy; both monitors of its QEMU are held by somebody else".into()
        }
        Finding::Healthy => "runs and is healthy".into(),
        Finding::ProcessDead => "has no QEMU process".into(),
        Finding::QemuStopped => "has a QEMU that was stopped by a signal".into(),
        Finding::MonitorHeld => {
            "has a QEMU that lives but greets nobody: somebody else holds both monitors, or it hangs".into()
        }
        Finding::Paused => format!("is {}: somebody paused it, or it sleeps", state(seen)),
        Finding::Moving => format!("is {}: it is being migrated, saved or loaded, or was never let go", state(seen)),
        Finding::NoRoom => "stands still, because the host's disk has no room for what it writes".into(),
        Finding::Halted => format!("stands still ({})", state(seen)),
        Finding::StateUnknown => format!("is in the state {}, which this version does not know", state(seen)),
        Finding::GuestPanicked => match console.and_then(|console| console.panic.as_ref()) {
            Some(reason) => format!("panicked: {reason}"),
            None => "panicked".into(),
        },
        Finding::DiskUnbootable => match console.and_then(|console| console.disk_sign.as_ref()) {
            Some(sign) => format!("cannot boot from its disk: {sign}"),
            None => "has a damaged disk image".into(),
        },
        Finding::GuestHung => match &seen.health {
            Some(health) => format!("hangs or has not booted yet: no guest agent answers, and {health}"),
            None => "hangs or has not booted yet: neither guest agent nor health check answers".into(),
        },
        Finding::HealthUnknown => match &seen.health {
            Some(health @ Health::Unknown(_)) => format!("runs, but nothing tells whether it is healthy: {health}"),
            _ => "runs, but nothing tells whether it is healthy: it has no health check, and no guest agent answers"
                .into(),
        },
        Finding::HealthAddressWrong => match &seen.health {
            Some(health) => format!("runs, and something in it answers, but {health}: mend `health` in the inventory"),
            None => "runs, but the address of its health check is wrong".into(),
        },
        Finding::HealthFailing => match &seen.health {
            Some(health) => format!("is not healthy: {health}"),
            None => "is not healthy".into(),
        },
    };
    format!("{vm} {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnosis_says_what_was_seen() {
        let console = Console::parse("root disk unusable: x\n[1.0] Kernel panic - not syncing: sysrq triggered crash");
        let seen = Observation {
            process: Process::Answers("guest-panicked".into()),
            agent: None,
            health: None,
            disk: None,
            console: Some(console),
        };
        let diagnosis = diagnosis("web1", seen);
        assert_eq!(diagnosis.summary, "web1 cannot boot from its disk: root disk unusable: x");
        assert_eq!(diagnosis.panic.as_deref(), Some("sysrq triggered crash"));
        assert_eq!(diagnosis.state, "guest-panicked");
        assert_eq!(diagnosis.console.len(), 2);
    }

    #[test]
    fn an_image_that_the_inventory_lacks_is_known_before_anything_is_done() {
        let context = crate::inventory::tests::context();
        let input = Input { vm: "web1".into(), patience: three_seconds(), image: Some("nosuch".into()) };
        let error = run(input, &context).err().expect("no such image");
        assert_eq!(error.code_text(), Some("vm.no-image"));
        for image in [None, Some(String::new())] {
            let input = Input { vm: "web1".into(), patience: three_seconds(), image };
            assert!(run(input, &context).is_ok());
        }
    }

    fn running(health: Health) -> Diagnosis {
        let process = Process::Answers("running".into());
        diagnosis("web1", Observation { process, agent: Some(false), health: Some(health), disk: None, console: None })
    }

    #[test]
    fn a_diagnosis_says_why_the_health_check_says_nothing() {
        let found = running(Health::Unknown("no answer: invalid peer certificate: UnknownIssuer".into()));
        assert_eq!((found.finding, found.remedy), (Finding::HealthUnknown, Remedy::None));
        assert_eq!(found.health_error.as_deref(), Some("no answer: invalid peer certificate: UnknownIssuer"));
        assert!(found.summary.contains("UnknownIssuer"), "{}", found.summary);
        let found = running(Health::Status(404));
        assert!(found.summary.contains("the health check answered 404: mend `health`"), "{}", found.summary);
        let found = running(Health::NoAnswer("no answer in time".into()));
        assert!(found.summary.ends_with("the health check got no answer in time"), "{}", found.summary);
    }
}
