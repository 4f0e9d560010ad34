//! `reprovision`: a new disk from a golden image. The failed one is kept aside.
//!
//! # After a crash
//!
//! The new disk is made first, under a name of its own, and opened: as long as that fails the VM keeps what it has. Then the
//! step notes where the failed disk will lie: beside the disk, under the idempotency key, never over another file. From the
//! note and from what lies where, a later attempt goes on with what is left to do; and a QEMU that was started on the new disk
//! has the attempt's mark, so [`verify`] knows.

mod disk;
mod undo;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, checkpoint, log};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    inventory::{Image, Vm},
    qemu::{
        golden,
        mark::Mark,
        process::{self, Qemu},
        wire::Fault,
    },
};

pub(crate) use undo::undo;

const NOTE: &str = "reprovision";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    vm: String,
    /// The golden image's name in the inventory; without it, or empty: the VM's own.
    #[schemars(example = &"golden")]
    image: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Reprovisioned {
    /// The golden image.
    #[schemars(example = &"/images/web.qcow2")]
    image: String,
    /// The new disk.
    #[schemars(example = &"/vms/web1/disk.qcow2")]
    disk: String,
    /// Where the failed disk lies now; null: there was none.
    #[schemars(example = &"/vms/web1/disk.qcow2.failed-key-1")]
    quarantine: Option<String>,
}

/// What the step noted before it did anything; undo gets the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The attempt that began.
    attempt: u32,
    /// Where the failed disk goes; none: there is no disk.
    quarantine: Option<String>,
    /// Whether the VM had a QEMU.
    ran: bool,
    /// All is done.
    done: bool,
}

impl Note {
    /// Whether the failed disk lies where it is kept, if there was one.
    fn is_moved(&self) -> bool {
        self.quarantine.as_ref().is_none_or(|quarantine| disk::exists(quarantine))
    }
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Reprovisioned>> {
    let vm = Vm::find(&input.vm, context)?;
    let image = vm.golden(input.image.as_deref())?;
    // Cut off: what is left is done now. A finished step that runs again is meant to.
    let begun = checkpoint::get::<Note>(NOTE)?.filter(|note| !note.done);
    let ready = ready(&vm, image, begun.as_ref(), context);
    let Ready { mut note, found, new } = if begun.is_some() { ready.map_err(Error::after_effect)? } else { ready? };
    checkpoint::set(NOTE, &note)?;
    act(&vm, found, new.as_deref(), &note, context)?;
    note.done = true;
    checkpoint::set(NOTE, &note).map_err(Error::after_effect)?;
    answer(&vm, image, note)
}

/// What an attempt has before it touches anything of the VM.
struct Ready {
    note: Note,
    /// The VM's QEMU, which may be ended.
    found: Qemu,
    /// The new disk, whole, under a name of its own; none: an attempt that was cut off had put it in its place.
    new: Option<String>,
}

/// An image that can't be opened must not cost the VM its disk, nor a full disk of the host, another VM that needs its disk, a
/// person who paused it, or a migration. One that was `begun` is brought to its end.
fn ready(vm: &Vm, image: &Image, begun: Option<&Note>, context: &Context) -> Result<Ready> {
    let golden = golden::golden(vm, image)?;
    golden::must_be_nobody_elses(vm)?;
    process::may_launch(vm)?;
    let mut found = Qemu::find(vm)?;
    if begun.is_none() || matches!(found, Qemu::Held(_)) {
        found.may_end(vm)?;
    }
    let note = match begun {
        Some(note) => note.clone(),
        None => Note {
            attempt: context.attempt(),
            quarantine: disk::quarantine(vm, context)?,
            ran: !matches!(found, Qemu::Absent),
            done: false,
        },
    };
    if !note.is_moved() {
        process::must_be_free(vm, &found)?;
    }
    let is_replaced = note.is_moved() && disk::exists(&vm.disk);
    let new = if is_replaced { None } else { Some(disk::build(vm, &golden, context)?) };
    Ok(Ready { note, found, new })
}

fn act(vm: &Vm, found: Qemu, new: Option<&str>, note: &Note, context: &Context) -> Result<()> {
    if let Some(quarantine) = note.quarantine.as_deref().filter(|_| !note.is_moved()) {
        log::progress(10, "ending QEMU");
        process::end(vm, found)?;
        log::info!("keeping the failed disk of {} as {quarantine}", vm.name);
        disk::rename(&vm.disk, quarantine).map_err(Error::after_effect)?;
    }
    if let Some(new) = new {
        disk::rename(new, &vm.disk).map_err(Error::after_effect)?;
    }
    let mark = Mark::new("reprovision", context);
    match Qemu::find(vm).map_err(Error::after_effect)? {
        Qemu::Answers(mut qmp) => mark.set(&mut qmp).map_err(|fault| fault.unknown("QMP")),
        Qemu::Stopped | Qemu::Held(_) => {
            Err(Error::unknown_outcome(format!("the QEMU of {} does not answer", vm.name)))
        }
        Qemu::Absent => {
            log::progress(70, "starting QEMU on the new disk");
            process::launch(vm, &mark).map(drop).map_err(Error::after_effect)
        }
    }
}

fn answer(vm: &Vm, golden: &Image, note: Note) -> Result<Outcome<Reprovisioned>> {
    let (image, disk, quarantine) = (golden.path().into(), vm.disk.clone(), note.quarantine.clone());
    Outcome::changed(Reprovisioned { image, disk, quarantine }).with_undo(note)
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Reprovisioned>> {
    let vm = Vm::find(&input.vm, context)?;
    let golden = vm.golden(input.image.as_deref())?;
    let Some(note) = checkpoint::get::<Note>(NOTE)? else {
        return Ok(Verdict::NotHappened);
    };
    let happened = note.done && note.attempt == context.attempt() || is_up(&vm, &note, context)?;
    Ok(if happened { Verdict::Happened(answer(&vm, golden, note)?) } else { Verdict::NotHappened })
}

/// Whether the VM runs on the disk that this attempt made.
fn is_up(vm: &Vm, note: &Note, context: &Context) -> Result<bool> {
    if !note.is_moved() {
        return Ok(false);
    }
    match Qemu::find_late(vm)? {
        Qemu::Answers(mut qmp) => {
            let mark = Mark::new("reprovision", context);
            mark.is_on(&mut qmp).map_err(|fault: Fault| fault.harmless("QMP"))
        }
        _ => Ok(false),
    }
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let vm = Vm::find(&input.vm, context)?;
    let golden = vm.golden(input.image.as_deref())?.path();
    let preview = Preview::new(format!("gives {} a new disk from {golden}", vm.name))
        .change(Change::new(ChangeKind::Update, &vm.disk, "kept aside under another name"))
        .change(Change::new(ChangeKind::Create, &vm.disk, format!("a new disk from {golden}")))
        .change(Change::new(ChangeKind::Execute, &vm.name, "QEMU ends and starts again"));
    Ok(preview.output(json!({"image": golden, "disk": vm.disk})))
}

#[cfg(test)]
mod tests;
