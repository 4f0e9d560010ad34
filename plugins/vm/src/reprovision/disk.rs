//! The files of a reprovisioning, all in the folder of the disk, so that moving one is one step.

use std::{fs, io::ErrorKind, path::Path};

use runwright_sdk::{Context, Error, Result};

use crate::{
    inventory::Vm,
    qemu::{
        golden::{self, Golden},
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

/// The name that a new disk has until it takes the place of the old one.
fn new(vm: &Vm, context: &Context) -> String {
    format!("{}.new-{}", vm.disk, plain(context.key()))
}

/// Makes a new disk under a name of its own, and gives that. Where it can't be made and opened, nothing of it is left.
pub(super) fn build(vm: &Vm, golden: &Golden, context: &Context) -> Result<String> {
    let new = new(vm, context);
    remove(&new)?;
    match golden::overlay(vm, golden, &new) {
        Ok(()) => Ok(new),
        Err(error) => {
            // What failed is the more important of both.
            let _ = remove(&new);
            Err(error)
        }
    }
}

/// Removes a new disk that never took the old one's place.
pub(super) fn remove_new(vm: &Vm, context: &Context) -> Result<()> {
    remove(&new(vm, context))
}

fn remove(path: &str) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::permanent(format!("could not remove {path}: {error}")))
        }
        _ => Ok(()),
    }
}
