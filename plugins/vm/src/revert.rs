//! `revert`: puts a VM back to a snapshot.
//!
//! # After a crash
//!
//! A running VM stands still from before the load until it is marked; so, as with `restart`, a mark and a guest that
//! went on mean that it happened. Without that the load is done again: a guest that stood still lost nothing. For a
//! VM that is off, a note is left first; if somebody started it since, it cannot be told whether before or after.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, checkpoint, log};
use serde::Serialize;

use crate::{
    inventory::Vm,
    qemu::{
        image,
        mark::{Mark, plain},
        process::Qemu,
        qmp::Qmp,
        snapshot,
        wire::Fault,
    },
    snapshot::{Input, find},
};

/// The note that the VM was off.
const OFF: &str = "off";

#[derive(Serialize, JsonSchema)]
pub(crate) struct Reverted {
    /// The snapshot's name.
    #[schemars(example = &"before-patch")]
    name: String,
    /// Whether it runs now.
    #[schemars(example = true)]
    running: bool,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Reverted>> {
    input.check()?;
    let vm = Vm::find(&input.vm, context)?;
    let mut found = Qemu::find(&vm)?;
    let Some(there) = find(&vm, &mut found, &input.name)? else {
        let message = format!("{} has no snapshot {}", vm.name, input.name);
        return Err(Error::permanent(message).code("vm.no-snapshot"));
    };
    let running = match found {
        Qemu::Answers(mut qmp) => {
            if there.vm_state_size == 0 {
                let message = format!("the snapshot {} has no memory in it: stop {} first", input.name, vm.name);
                return Err(Error::permanent(message).code("vm.snapshot-without-memory"));
            }
            log::info!("putting {} back to {}", vm.name, input.name);
            load(&mut qmp, &input.name, context)?;
            true
        }
        _ => {
            checkpoint::set(OFF, &true)?;
            image::snapshot(&vm, "-a", &input.name)?;
            false
        }
    };
    Ok(Outcome::changed(Reverted { name: input.name, running }))
}

fn load(qmp: &mut Qmp, name: &str, context: &Context) -> Result<()> {
    let unknown = |fault: Fault| fault.unknown("QMP");
    qmp.tell("stop").map_err(unknown)?;
    // A job of an earlier attempt is its own: what it loaded may be older than what came since.
    let job = format!("runwright-{}-{}", plain(context.key()), context.attempt());
    if let Err(error) = snapshot::load(qmp, &job, name) {
        // The guest is as it was, if nothing was loaded.
        qmp.tell("cont").map_err(unknown)?;
        return Err(error.after_effect());
    }
    Mark::new("revert", context).set(qmp).map_err(unknown)?;
    qmp.tell("cont").map_err(unknown)
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Reverted>> {
    let vm = Vm::find(&input.vm, context)?;
    let was_off = checkpoint::get(OFF)?.unwrap_or(false);
    let mut qmp = match Qemu::find_late(&vm)? {
        Qemu::Absent => return Ok(Verdict::NotHappened),
        Qemu::Stopped | Qemu::Held(_) => {
            return Ok(Verdict::cannot_tell(format!("the QEMU of {} does not answer", vm.name)));
        }
        Qemu::Answers(_) if was_off => {
            return Ok(Verdict::cannot_tell(format!("{} was off, and somebody started it since", vm.name)));
        }
        Qemu::Answers(qmp) => qmp,
    };
    let ask = |fault: Fault| fault.harmless("QMP");
    let marked = Mark::new("revert", context).is_on(&mut qmp).map_err(ask)?;
    let went_on = qmp.status().map_err(ask)? != "paused";
    Ok(if marked && went_on {
        Verdict::Happened(Outcome::changed(Reverted { name: input.name, running: true }))
    } else {
        Verdict::NotHappened
    })
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    input.check()?;
    let vm = Vm::find(&input.vm, context)?;
    let what = format!("back to the snapshot {}; what came since is lost", input.name);
    Ok(Preview::new(format!("puts {} {what}", vm.name)).change(Change::new(ChangeKind::Update, &vm.name, what)))
}
