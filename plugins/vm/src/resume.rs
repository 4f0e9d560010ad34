//! `resume`: lets a VM go on that stands still because a write did not fit on the host's disk.

use std::time::{Duration, Instant};

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, clock, log};
use serde::{Deserialize, Serialize};

use crate::{
    diagnose::RunState,
    inventory::Vm,
    qemu::process::{self, Qemu},
};

/// How long the guest must go on before it counts as helped: without room its next write stops it again.
const STEADY: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(250);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    vm: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Resumed {
    /// Whether it ran already.
    #[schemars(example = false)]
    already: bool,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Resumed>> {
    let vm = Vm::find(&input.vm, context)?;
    let ask = |fault: crate::qemu::wire::Fault| fault.harmless("QMP");
    let mut qmp = match Qemu::find(&vm)? {
        Qemu::Answers(qmp) => qmp,
        Qemu::Held(why) => return Err(process::held(&vm, &why)),
        Qemu::Absent => return Err(other(&vm, "absent")),
        Qemu::Stopped => return Err(other(&vm, "stopped")),
    };
    let state = qmp.status().map_err(ask)?;
    match RunState::of(&state) {
        RunState::Running => return Ok(Outcome::unchanged(Resumed { already: true })),
        RunState::NoRoom => {}
        _ => return Err(other(&vm, &state)),
    }
    log::info!("letting {} go on", vm.name);
    qmp.tell("cont").map_err(ask)?;
    let steady = Instant::now() + STEADY;
    while Instant::now() < steady {
        clock::sleep(STEP)?;
        if RunState::of(&qmp.status().map_err(ask)?) == RunState::NoRoom {
            let message = format!("{} stands still again: make room on the disk under {}", vm.name, vm.disk);
            return Err(Error::transient(message).code("vm.no-room"));
        }
    }
    Ok(Outcome::changed(Resumed { already: false }))
}

fn other(vm: &Vm, state: &str) -> Error {
    let message = format!("{} is {state}: `resume` is for a VM that stands still because of a full disk", vm.name);
    Error::permanent(message).code("vm.hands-off")
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let vm = Vm::find(&input.vm, context)?;
    let change = Change::new(ChangeKind::Execute, &vm.name, "goes on where a full disk stopped it");
    Ok(Preview::new(format!("lets {} go on", vm.name)).change(change))
}
