//! `reprovision`: a new disk from a golden image. The failed one is kept aside.
//!
//! # After a crash
//!
//! Before anything is done, the step notes where the failed disk will lie: beside the disk, under the idempotency
//! key, never over another file. From the note and from what lies where, a later attempt goes on with what is
//! left to do; and a QEMU that was started on the new disk has the attempt's mark, so [`verify`] knows.

mod disk;
mod undo;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, checkpoint, log};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    inventory::{Image, Vm},
    qemu::{
        image::{self, Golden},
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

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Reprovisioned>> {
    let vm = Vm::find(&input.vm, context)?;
    let golden = vm.golden(input.image.as_deref())?;
    // Cut off: what is left is done now. A finished step that runs again is meant to.
    let begun = checkpoint::get::<Note>(NOTE)?.filter(|note| !note.done);
    let ready = ready(&vm, golden, begun.is_some());
    let (opened, found) = if begun.is_some() { ready.map_err(Error::after_effect)? } else { ready? };
    let mut note = match begun {
        Some(note) => note,
        None => Note {
            attempt: context.attempt(),
            quarantine: disk::quarantine(&vm, context)?,
            ran: !matches!(found, Qemu::Absent),
            done: false,
        },
    };
    checkpoint::set(NOTE, &note)?;
    act(&vm, &opened, found, &note, context)?;
    note.done = true;
    checkpoint::set(NOTE, &note).map_err(Error::after_effect)?;
    answer(&vm, golden, note)
}

/// The golden image, opened, and the VM's QEMU, which may be ended: an image that can't be opened must not cost the VM its
/// disk, nor a full disk of the host, a person who paused it, or a migration. One that was `begun` is brought to its end.
fn ready(vm: &Vm, golden: &Image, begun: bool) -> Result<(Golden, Qemu)> {
    let opened = image::golden(vm, golden)?;
    process::may_launch(vm)?;
    let mut found = Qemu::find(vm)?;
    if !begun || matches!(found, Qemu::Held(_)) {
        found.may_end(vm)?;
    }
    Ok((opened, found))
}

fn act(vm: &Vm, golden: &Golden, found: Qemu, note: &Note, context: &Context) -> Result<()> {
    let moved = note.quarantine.as_ref().is_none_or(|quarantine| disk::exists(quarantine));
    if let Some(quarantine) = note.quarantine.as_deref().filter(|_| !moved) {
        log::progress(10, "ending QEMU");
        process::end(vm, found)?;
        log::info!("keeping the failed disk of {} as {quarantine}", vm.name);
        disk::rename(&vm.disk, quarantine).map_err(Error::after_effect)?;
    }
    if !disk::exists(&vm.disk) {
        log::progress(40, "making the new disk");
        disk::make(vm, golden, context).map_err(Error::after_effect)?;
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
    if note.quarantine.as_ref().is_some_and(|quarantine| !disk::exists(quarantine)) {
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
