//! `snapshot`: keeps a VM's disk under a name, and its memory too if it runs.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, checkpoint, log};
use serde::{Deserialize, Serialize};

use crate::{
    inventory::Vm,
    qemu::{
        image,
        mark::plain,
        process::{Qemu, held},
        snapshot,
    },
};

/// The note that this step makes the snapshot: a later attempt that finds it knows whose it is.
const MINE: &str = "mine";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    pub(crate) vm: String,
    /// The snapshot's name.
    #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9._-]*$"), length(max = 64))]
    #[schemars(example = &"before-patch")]
    pub(crate) name: String,
}

impl Input {
    /// Checks the name: to QEMU a number would be the id of another snapshot, and a dash an option.
    pub(crate) fn check(&self) -> Result<()> {
        let starts = self.name.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = self.name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if starts && plain && self.name.len() <= 64 {
            return Ok(());
        }
        let message =
            format!("{:?} is no name for a snapshot: a letter, then letters, digits, `.`, `_`, `-`", self.name);
        Err(Error::invalid_input(message).code("vm.snapshot-name"))
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Taken {
    /// The snapshot's name.
    #[schemars(example = &"before-patch")]
    name: String,
    /// Whether it was there before.
    #[schemars(example = false)]
    already: bool,
    /// Whether it has the memory of the running VM.
    #[schemars(example = true)]
    memory: bool,
}

/// What undo needs to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct Undo {
    mine: bool,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Taken>> {
    input.check()?;
    let vm = Vm::find(&input.vm, context)?;
    let mine = checkpoint::get(MINE)?.unwrap_or(false);
    let mut found = Qemu::find(&vm)?;
    // An earlier attempt's snapshot may still be in the making: that is no "already".
    if let Some(there) = find(&vm, &mut found, &input.name)?
        && !mine
    {
        let output = Taken { name: input.name, already: true, memory: there.vm_state_size > 0 };
        return Outcome::unchanged(output).with_undo(Undo { mine });
    }
    checkpoint::set(MINE, &true)?;
    let memory = take(&vm, &mut found, &input.name, &format!("runwright-{}", plain(context.key())))?;
    Outcome::changed(Taken { name: input.name, already: false, memory }).with_undo(Undo { mine: true })
}

/// Takes the snapshot, or waits for the job of an earlier attempt; says whether it has the memory.
fn take(vm: &Vm, found: &mut Qemu, name: &str, job: &str) -> Result<bool> {
    if let Qemu::Answers(qmp) = found
        && (snapshot::is_known(qmp, job)? || !snapshot::list(qmp)?.iter().any(|there| there.name == name))
    {
        log::info!("saving disk and memory of {} as {name}", vm.name);
        snapshot::save(qmp, job, name)?;
    }
    match find(vm, found, name)? {
        Some(there) => Ok(there.vm_state_size > 0),
        None => image::snapshot(vm, "-c", name).map(|()| false),
    }
}

/// The snapshot of this name.
pub(crate) fn find(vm: &Vm, found: &mut Qemu, name: &str) -> Result<Option<image::Snapshot>> {
    let all = match found {
        Qemu::Stopped => {
            let message = format!("the QEMU of {} was stopped by a signal", vm.name);
            return Err(Error::transient(message).code("vm.qemu-stopped"));
        }
        Qemu::Held(why) => return Err(held(vm, why)),
        Qemu::Answers(qmp) => snapshot::list(qmp)?,
        Qemu::Absent => image::snapshots(vm)?,
    };
    Ok(all.into_iter().find(|snapshot| snapshot.name == name))
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    input.check()?;
    let vm = Vm::find(&input.vm, context)?;
    let change = Change::new(ChangeKind::Create, format!("{}@{}", vm.name, input.name), "a snapshot");
    Ok(Preview::new(format!("takes the snapshot {} of {}", input.name, vm.name)).change(change))
}

/// Deletes it, if the step made it.
pub(crate) fn undo(input: Input, data: Option<Undo>, context: &Context) -> Result<Outcome<Undo>> {
    input.check()?;
    let vm = Vm::find(&input.vm, context)?;
    let mine = match data {
        Some(data) => data.mine,
        None => checkpoint::get(MINE)?.unwrap_or(false),
    };
    let mut found = Qemu::find(&vm)?;
    if !mine || find(&vm, &mut found, &input.name)?.is_none() {
        return Ok(Outcome::unchanged(Undo { mine: false }));
    }
    match found {
        Qemu::Answers(mut qmp) => {
            snapshot::delete(&mut qmp, &format!("runwright-{}", plain(context.key())), &input.name)?;
        }
        _ => image::snapshot(&vm, "-d", &input.name)?,
    }
    Ok(Outcome::changed(Undo { mine: false }))
}

#[cfg(test)]
mod tests {
    use super::Input;

    #[test]
    fn a_name_is_no_option_and_no_number() {
        let is_name = |name: &str| Input { vm: "web1".into(), name: name.into() }.check().is_ok();
        assert!(is_name("before-patch") && is_name("a.1_b"));
        for name in ["", "-l", "1", "a b", "a,b", "a/b", &"a".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
