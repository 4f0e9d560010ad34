//! What can be seen of a VM from outside.

use std::time::Duration;

use runwright_sdk::{Result, log};

use super::console::Console;
use super::run_state::RunState;
use crate::{
    health::Health,
    inventory::Vm,
    qemu::{
        agent,
        image::{self, Check},
        process::Qemu,
        wire::Fault,
    },
};

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Observation {
    pub(crate) process: Process,
    /// Whether the guest agent answered; none: it was not asked.
    pub(crate) agent: Option<bool>,
    /// None: it was not asked.
    pub(crate) health: Option<Health>,
    /// What the image tool says of the disk; none: it was not asked, or could not say.
    pub(crate) disk: Option<Check>,
    pub(crate) console: Option<Console>,
}

/// QEMU itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Process {
    /// Nobody listens on its socket.
    Absent,
    /// It listens, and was stopped by a signal.
    Stopped,
    /// It listens and was not stopped, but greets nobody.
    Held,
    /// It answers, and this is its run state.
    Answers(String),
}

impl Observation {
    /// Looks at everything that can tell something in the state that the VM is in.
    pub(crate) fn of(vm: &Vm, patience: Duration) -> Result<Self> {
        let process = match Qemu::find(vm)? {
            Qemu::Absent => Process::Absent,
            Qemu::Stopped => Process::Stopped,
            Qemu::Held(why) => {
                log::warn!("neither monitor of {} greets: {why}", vm.name);
                Process::Held
            }
            Qemu::Answers(mut qmp) => match qmp.status() {
                Ok(status) => Process::Answers(status),
                // It greeted a moment ago: somebody keeps it busy.
                Err(Fault::Silent) => Process::Held,
                Err(_) => Process::Absent,
            },
        };
        let mut seen = Self { process, agent: None, health: None, disk: None, console: None };
        let is_running = matches!(&seen.process, Process::Answers(status) if RunState::of(status) == RunState::Running);
        match &seen.process {
            // The guest behind a monitor that somebody holds can still be asked.
            _ if is_running || seen.process == Process::Held => {
                let health = Health::probe(vm)?;
                // A good answer says that user space lives; the agent is then worth one short question.
                let patience = if health.is_good() { patience.min(Duration::from_secs(1)) } else { patience };
                seen.agent = Some(is_agent_up(vm, patience)?);
                seen.health = Some(health);
            }
            Process::Stopped => {}
            _ => {
                seen.console = Console::read(&vm.file("console.log"));
                seen.disk = image::check(vm).unwrap_or_else(|error| {
                    log::warn!("the disk was not checked: {error}");
                    None
                });
            }
        }
        Ok(seen)
    }
}

fn is_agent_up(vm: &Vm, patience: Duration) -> Result<bool> {
    match agent::ping(vm, patience) {
        Ok(()) => Ok(true),
        Err(fault @ Fault::Denied(_)) => Err(fault.harmless("guest agent")),
        Err(_) => Ok(false),
    }
}
