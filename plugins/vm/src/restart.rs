//! `restart`: a power cycle of a VM that runs or has come to its end.
//!
//! What somebody else is at work on is left alone: a guest that a person paused or that migrates, a full disk, a monitor
//! that somebody holds.
//!
//! # After a crash
//!
//! A running QEMU is stopped, reset, marked, and only then goes on; so [`verify`] knows:
//!
//! | the QEMU | the attempt |
//! |---|---|
//! | has the mark and went on | happened |
//! | has the mark and stands before its first instruction (`prelaunch`) | did not: it is reset again, and the guest boots once |
//! | has no mark | did not: either nothing was done, or the guest still stands still |
//! | is not there | did not: starting it is what a restart does then |
//! | does not answer | cannot be told |
//!
//! A note says that the attempt began, since the guest that it stopped itself looks like one that a person paused.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, checkpoint, log};
use serde::{Deserialize, Serialize};

use crate::{
    diagnose::RunState,
    inventory::Vm,
    qemu::{
        mark::Mark,
        process::{self, Qemu},
        qmp::Qmp,
        wire::Fault,
    },
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    vm: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Restarted {
    /// What it took.
    how: How,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// Its QEMU was reset.
    Reset,
    /// It had no QEMU and got one.
    Started,
    /// Its QEMU was stopped by a signal, was killed, and it got another.
    Replaced,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Restarted>> {
    let vm = Vm::find(&input.vm, context)?;
    let mark = Mark::new("restart", context);
    let how = match Qemu::find(&vm)? {
        Qemu::Answers(mut qmp) => {
            may_reset(&vm, &mut qmp)?;
            log::info!("resetting {}", vm.name);
            // The first command may not have arrived; `verify` tells.
            reset(&mut qmp, &mark).map_err(|fault| fault.unknown("reset"))?;
            How::Reset
        }
        Qemu::Absent => {
            process::launch(&vm, &mark)?;
            How::Started
        }
        Qemu::Stopped => {
            process::may_launch(&vm)?;
            process::end(&vm, Qemu::Stopped)?;
            process::launch(&vm, &mark).map_err(Error::after_effect)?;
            How::Replaced
        }
        Qemu::Held(why) => return Err(process::held(&vm, &why)),
    };
    Ok(Outcome::changed(Restarted { how }))
}

/// The note that a reset began.
const BEGUN: &str = "reset";

/// Refuses a power cycle where it would cost what only waiting, room on a disk, or a person can give back.
fn may_reset(vm: &Vm, qmp: &mut Qmp) -> Result<()> {
    let state = qmp.status().map_err(|fault| fault.harmless("QMP"))?;
    // The states in which a reset that was cut off leaves the guest.
    if matches!(state.as_str(), "paused" | "prelaunch") && checkpoint::get(BEGUN)?.unwrap_or(false) {
        return Ok(());
    }
    RunState::of(&state).may_end(vm, &state)?;
    checkpoint::set(BEGUN, &true)
}

fn reset(qmp: &mut Qmp, mark: &Mark) -> std::result::Result<(), Fault> {
    qmp.tell("stop")?;
    qmp.tell("system_reset")?;
    qmp.wait_for("prelaunch")?;
    mark.set(qmp)?;
    qmp.tell("cont")
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Restarted>> {
    let vm = Vm::find(&input.vm, context)?;
    let mut qmp = match Qemu::find_late(&vm)? {
        Qemu::Absent => return Ok(Verdict::NotHappened),
        Qemu::Stopped | Qemu::Held(_) => {
            return Ok(Verdict::cannot_tell(format!("the QEMU of {} does not answer", vm.name)));
        }
        Qemu::Answers(qmp) => qmp,
    };
    let ask = |fault: Fault| fault.harmless("QMP");
    let marked = Mark::new("restart", context).is_on(&mut qmp).map_err(ask)?;
    let went_on = qmp.status().map_err(ask)? != "prelaunch";
    Ok(if marked && went_on {
        Verdict::Happened(Outcome::changed(Restarted { how: How::Reset }))
    } else {
        Verdict::NotHappened
    })
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let vm = Vm::find(&input.vm, context)?;
    let change = Change::new(ChangeKind::Execute, &vm.name, "power cycle; the guest loses what it did not save");
    Ok(Preview::new(format!("restarts {}", vm.name)).change(change))
}
