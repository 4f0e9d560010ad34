//! `wait-healthy`: waits until a VM does its work, and not longer than there is hope.

use std::time::{Duration, Instant};

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, Outcome, Result, Span, clock, log};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    diagnose::{Console, RunState},
    health::Health,
    inventory::Vm,
    qemu::{agent, process::Qemu},
};

/// How often the person who watches hears something.
const SAY_EVERY: Duration = Duration::from_secs(5);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    vm: String,
    /// How long to wait at most.
    #[serde(default = "a_minute", rename = "for")]
    #[schemars(example = serde_json::json!("60s"))]
    time: Span,
    /// How often to look.
    #[serde(default = "half_a_second")]
    #[schemars(example = serde_json::json!("500ms"))]
    every: Span,
}

fn a_minute() -> Span {
    Span::seconds(60)
}

fn half_a_second() -> Span {
    Span::millis(500)
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Healthy {
    /// How long it took, in milliseconds.
    #[schemars(example = 2500)]
    waited_ms: u64,
    /// The status of the health check; null: the inventory has none, and the guest agent answered.
    #[schemars(example = 200)]
    health_status: Option<u16>,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Healthy>> {
    let vm = Vm::find(&input.vm, context)?;
    let begin = Instant::now();
    let (time, every) = (Duration::from(input.time), Duration::from(input.every).max(Duration::from_millis(50)));
    let mut said = Duration::ZERO;
    loop {
        hopeless(&vm)?;
        let health = probe(&vm)?;
        let waited = begin.elapsed();
        if let Some(health_status) = health.good() {
            let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            return Ok(Outcome::unchanged(Healthy { waited_ms, health_status }));
        }
        if waited >= time {
            return Err(not_healthy(&vm, input.time, &health.0));
        }
        if waited >= said + SAY_EVERY {
            said = waited;
            let percent = waited.as_millis() * 100 / time.as_millis().max(1);
            log::progress(u8::try_from(percent).ok(), &format!("{} s: {}", waited.as_secs(), health.0));
        }
        clock::sleep(every.min(time.saturating_sub(waited)).max(Duration::from_millis(10)))?;
    }
}

fn not_healthy(vm: &Vm, time: Span, health: &Health) -> Error {
    if *health == Health::Unchecked {
        let message = format!(
            "nothing tells whether {} is healthy: the inventory has no `health` for it, and within {time} no guest agent \
             answered",
            vm.name
        );
        return Error::permanent(message).code("vm.health-unknown");
    }
    if let Health::Unknown(_) = health {
        let message = format!("nothing tells whether {} is healthy: after {time} {health}", vm.name);
        return Error::permanent(message).code("vm.health-unknown");
    }
    if health.is_elsewhere() {
        let message = format!(
            "nothing tells whether {} is healthy: something in it answers, but after {time} {health}; mend `health` in the \
             inventory",
            vm.name
        );
        return Error::permanent(message).code("vm.health-address-wrong");
    }
    Error::transient(format!("{} is not healthy after {time}: {health}", vm.name)).code("vm.not-healthy")
}

/// One look at the health, or at the guest agent where no health check is known.
struct Look(Health, bool);

impl Look {
    /// The status if all is well.
    fn good(&self) -> Option<Option<u16>> {
        match self.0 {
            Health::Status(status) if self.0.is_good() => Some(Some(status)),
            Health::Unchecked if self.1 => Some(None),
            _ => None,
        }
    }
}

fn probe(vm: &Vm) -> Result<Look> {
    let health = Health::probe(vm)?;
    let agent = health == Health::Unchecked && agent::ping(vm, Duration::from_secs(2)).is_ok();
    Ok(Look(health, agent))
}

/// Fails when waiting cannot help: without a QEMU, after a panic, while it stands still. A QEMU that does not answer
/// may only be busy.
fn hopeless(vm: &Vm) -> Result<()> {
    let gone = || Error::permanent(format!("{} has no QEMU process", vm.name)).code("vm.process-dead");
    let mut qmp = match Qemu::find(vm)? {
        Qemu::Absent => return Err(gone()),
        Qemu::Stopped | Qemu::Held(_) => return Ok(()),
        Qemu::Answers(qmp) => qmp,
    };
    let Ok(state) = qmp.status() else {
        return Ok(());
    };
    match RunState::of(&state) {
        RunState::Panicked => Err(panicked(vm)),
        RunState::Paused | RunState::Over | RunState::NoRoom => {
            Err(Error::permanent(format!("{} stands still ({state})", vm.name)).code("vm.halted"))
        }
        RunState::Running | RunState::Moving | RunState::New => Ok(()),
    }
}

fn panicked(vm: &Vm) -> Error {
    let console = Console::read(&vm.file("console.log")).unwrap_or_default();
    let reason = console.disk_sign.or(console.panic).map(|reason| format!(": {reason}")).unwrap_or_default();
    Error::permanent(format!("{} panicked{reason}", vm.name))
        .code("vm.guest-panicked")
        .details(json!({"console": console.tail}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::tests::context;

    #[test]
    fn a_fault_of_the_check_is_told_apart_from_a_guest_that_is_not_healthy() {
        let vm = Vm::find("web1", &context()).unwrap();
        let code = |health| not_healthy(&vm, Span::seconds(60), &health).code_text().map(str::to_owned).unwrap();
        assert_eq!(code(Health::Unknown("invalid peer certificate".into())), "vm.health-unknown");
        assert_eq!(code(Health::Status(404)), "vm.health-address-wrong");
        assert_eq!(code(Health::Status(503)), "vm.not-healthy");
        assert_eq!(code(Health::NoAnswer("no answer in time".into())), "vm.not-healthy");
        // These words keep `runbooks/recover-vm.yaml` from reprovisioning.
        let is_blind =
            |health| not_healthy(&vm, Span::seconds(60), &health).to_string().contains("nothing tells whether");
        assert!(is_blind(Health::Unchecked) && is_blind(Health::Unknown("x".into())) && is_blind(Health::Status(404)));
        assert!(!is_blind(Health::Status(503)) && !is_blind(Health::NoAnswer("x".into())));
    }
}
