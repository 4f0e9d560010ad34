//! `restart`: a power cycle, of whatever state the VM is in.
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

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Outcome, Preview, Result, Verdict, log};
use serde::{Deserialize, Serialize};

use crate::{
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
    /// Its QEMU did not answer, was killed, and it got another.
    Replaced,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Restarted>> {
    let vm = Vm::find(&input.vm, context)?;
    let mark = Mark::new("restart", context);
    let how = match Qemu::find(&vm)? {
        Qemu::Answers(mut qmp) => {
            log::info!("resetting {}", vm.name);
            // The first command may not have arrived; `verify` tells.
            reset(&mut qmp, &mark).map_err(|fault| fault.unknown("reset"))?;
            How::Reset
        }
        Qemu::Absent => {
            process::launch(&vm, &mark)?;
            How::Started
        }
        Qemu::Silent => {
            process::end(&vm, Qemu::Silent)?;
            process::launch(&vm, &mark).map_err(runwright_sdk::Error::after_effect)?;
            How::Replaced
        }
    };
    Ok(Outcome::changed(Restarted { how }))
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
        Qemu::Silent => return Ok(Verdict::cannot_tell(format!("the QEMU of {} does not answer", vm.name))),
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
