//! `start`: gives a VM a QEMU, if it has none.
//!
//! QEMU outlives the engine, and no VM gets two. Before a start its socket and the lock of its disk are asked; after
//! a crash `verify` asks the socket again.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict};
use serde::{Deserialize, Serialize};

use crate::{
    inventory::Vm,
    qemu::{
        mark::Mark,
        process::{self, Qemu},
    },
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    vm: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Started {
    /// Whether it ran before.
    #[schemars(example = false)]
    already: bool,
    /// QEMU's run state.
    #[schemars(example = &"running")]
    state: String,
}

/// What undo needs to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct Undo {
    started: bool,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Started>> {
    let vm = Vm::find(&input.vm, context)?;
    match Qemu::find(&vm)? {
        Qemu::Answers(mut qmp) => {
            let state = qmp.status().map_err(|fault| fault.harmless("QMP"))?;
            Outcome::unchanged(Started { already: true, state }).with_undo(Undo { started: false })
        }
        Qemu::Stopped => Err(stopped(&vm)),
        Qemu::Held(why) => Err(process::held(&vm, &why)),
        Qemu::Absent => {
            let mut qmp = process::launch(&vm, &Mark::new("start", context))?;
            let state = qmp.status().map_err(|fault| fault.unknown("QMP"))?;
            Outcome::changed(Started { already: false, state }).with_undo(Undo { started: true })
        }
    }
}

/// A QEMU that was stopped by a signal is no case for `start`.
fn stopped(vm: &Vm) -> Error {
    let message = format!("the QEMU of {} was stopped by a signal; vm/restart ends it and starts another", vm.name);
    Error::permanent(message).code("vm.qemu-stopped")
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Started>> {
    let vm = Vm::find(&input.vm, context)?;
    // A QEMU that was started a moment before the engine died may not listen yet.
    match Qemu::find_late(&vm)? {
        Qemu::Absent => Ok(Verdict::NotHappened),
        Qemu::Stopped | Qemu::Held(_) => Ok(Verdict::cannot_tell(format!("the QEMU of {} does not answer", vm.name))),
        Qemu::Answers(mut qmp) => {
            let ask = |fault: crate::qemu::wire::Fault| fault.harmless("QMP");
            let started = Mark::new("start", context).is_on(&mut qmp).map_err(ask)?;
            let state = qmp.status().map_err(ask)?;
            let output = Started { already: !started, state };
            let outcome = if started { Outcome::changed(output) } else { Outcome::unchanged(output) };
            Ok(Verdict::Happened(outcome.with_undo(Undo { started })?))
        }
    }
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let vm = Vm::find(&input.vm, context)?;
    let change = Change::new(ChangeKind::Execute, &vm.name, "start QEMU unless it runs");
    Ok(Preview::new(format!("starts {} unless it runs", vm.name)).change(change))
}

/// Without data the start failed on its way: what it left is ended.
pub(crate) fn undo(input: Input, data: Option<Undo>, context: &Context) -> Result<Outcome<Undo>> {
    let vm = Vm::find(&input.vm, context)?;
    if data.is_some_and(|data| !data.started) {
        return Ok(Outcome::unchanged(Undo { started: false }));
    }
    let ended = process::end(&vm, Qemu::find(&vm)?)?;
    let output = Undo { started: false };
    Ok(if ended == process::Ended::Already { Outcome::unchanged(output) } else { Outcome::changed(output) })
}
