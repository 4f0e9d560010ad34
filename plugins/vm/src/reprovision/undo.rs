//! Takes a reprovisioning back: the failed disk comes back; the new one is kept aside.

use runwright_sdk::{Context, Error, Outcome, Result, checkpoint, log};
use serde::Serialize;

use super::{Input, NOTE, Note, disk};
use crate::{
    inventory::Vm,
    qemu::{
        mark::Mark,
        process::{self, Qemu},
    },
};

#[derive(Serialize)]
pub(crate) struct Undone {
    /// The disk that is back.
    disk: String,
    /// Whether the VM runs, as it did before.
    running: bool,
}

/// Without data the step failed on its way, and its note says how far it came at most.
pub(crate) fn undo(input: Input, data: Option<Note>, context: &Context) -> Result<Outcome<Undone>> {
    let vm = Vm::find(&input.vm, context)?;
    let note = match data {
        Some(note) => Some(note),
        None => checkpoint::get::<Note>(NOTE)?,
    };
    let Some(Note { quarantine: Some(quarantine), ran, .. }) = note else {
        // Nothing was begun, or there was no disk to bring back.
        return Ok(Outcome::unchanged(Undone { disk: vm.disk, running: false }));
    };
    if disk::exists(&quarantine) {
        bring_back(&vm, &quarantine)?;
    }
    disk::remove_new(&vm, context)?;
    if ran && matches!(Qemu::find(&vm)?, Qemu::Absent) {
        process::launch(&vm, &Mark::new("undo", context))?;
    }
    Ok(Outcome::changed(Undone { disk: vm.disk, running: ran }))
}

/// A crash between the two moves leaves no disk, and the next attempt makes the second.
fn bring_back(vm: &Vm, quarantine: &str) -> Result<()> {
    let mut found = Qemu::find(vm)?;
    found.may_end(vm)?;
    process::must_be_free(vm, &found)?;
    process::end(vm, found)?;
    if disk::exists(&vm.disk) {
        let replaced = format!("{quarantine}-replaced");
        log::info!("keeping the new disk of {} as {replaced}", vm.name);
        disk::rename(&vm.disk, &replaced)?;
    }
    disk::rename(quarantine, &vm.disk).map_err(Error::after_effect)
}
