//! The files of a reprovisioning, all in the folder of the disk, so that moving one is one step.

use std::{fs, path::Path};

use runwright_sdk::{Context, Error, Result};

use crate::{
    inventory::Vm,
    qemu::{
        image::{self, Golden},
        mark::plain,
    },
};

/// Disks that are kept aside for one key, at most.
const KEPT_MAX: u32 = 100;

/// Where the disk can be kept, if there is one: a name that nothing has.
pub(super) fn quarantine(vm: &Vm, context: &Context) -> Result<Option<String>> {
    if !exists(&vm.disk) {
        folder(vm)?;
        return Ok(None);
    }
    let names = (1..=KEPT_MAX).map(|number| format!("{}.failed-{}-{number}", vm.disk, plain(context.key())));
    let free = names.into_iter().find(|name| !exists(name));
    free.map(Some).ok_or_else(|| Error::permanent(format!("{KEPT_MAX} failed disks lie beside {}", vm.disk)))
}

/// Fails where the folder can't be seen: "not there" would otherwise mean "not granted".
fn folder(vm: &Vm) -> Result<()> {
    let folder = Path::new(&vm.disk).parent().unwrap_or(Path::new("/"));
    fs::metadata(folder).map(drop).map_err(|error| {
        let message = format!("the folder {} can't be reached: {error}; is it granted as `files`?", folder.display());
        Error::denied(message).code("vm.files")
    })
}

/// Whether the file is there.
pub(super) fn exists(path: &str) -> bool {
    fs::exists(path).unwrap_or(false)
}

/// Gives the file another name. Never over another file.
pub(super) fn rename(from: &str, to: &str) -> Result<()> {
    if exists(to) {
        return Err(Error::permanent(format!("{to} is there already")).code("vm.file-exists"));
    }
    fs::rename(from, to)
        .map_err(|error| Error::permanent(format!("could not move {from} to {to}: {error}")).code("vm.not-moved"))
}

/// Makes a new disk. Under another name first: a disk with the right name is a whole one.
pub(super) fn make(vm: &Vm, golden: &Golden, context: &Context) -> Result<()> {
    let new = format!("{}.new-{}", vm.disk, plain(context.key()));
    if exists(&new) {
        fs::remove_file(&new).map_err(|error| Error::permanent(format!("could not remove {new}: {error}")))?;
    }
    image::overlay(vm, golden, &new)?;
    rename(&new, &vm.disk)
}
