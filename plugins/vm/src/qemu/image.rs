//! Disk images, by `qemu-img`.

use std::time::Duration;

use runwright_sdk::{
    Error, Result,
    exec::{Command, Output},
};
use serde::Deserialize;

use crate::inventory::Vm;

const TIMEOUT: Duration = Duration::from_secs(120);

/// What `qemu-img check` found.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Check {
    /// Clusters that are damaged.
    #[serde(default)]
    pub(crate) corruptions: u64,
    /// Errors on the way.
    #[serde(default)]
    pub(crate) check_errors: u64,
}

impl Check {
    pub(crate) fn is_damaged(&self) -> bool {
        self.corruptions > 0 || self.check_errors > 0
    }
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    snapshots: Vec<Snapshot>,
}

/// A snapshot inside of an image.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Snapshot {
    /// Its name.
    pub(crate) name: String,
    /// Bytes of memory and device state: 0 for one that was taken while the VM was off.
    #[serde(default)]
    pub(crate) vm_state_size: u64,
}

fn run(vm: &Vm, args: &[&str]) -> Result<Output> {
    let command = Command::new(&vm.qemu_img).args(args.iter().copied()).timeout(TIMEOUT);
    command.run().map_err(|error| Error::from(error).context(format!("qemu-img {}", args[0])))
}

fn succeed(vm: &Vm, args: &[&str]) -> Result<Output> {
    let output = run(vm, args)?;
    if output.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::permanent(format!("qemu-img {}: {text}", args[0])).code("vm.qemu-img"))
}

/// Whether some process has the disk open for writing: QEMU locks its images.
pub(crate) fn is_locked(vm: &Vm) -> Result<bool> {
    let output = run(vm, &["info", "--output=json", &vm.disk])?;
    Ok(!output.success() && String::from_utf8_lossy(&output.stderr).contains("lock"))
}

/// Looks for damage; the disk may be in use. None: it can't be read at all.
pub(crate) fn check(vm: &Vm) -> Result<Option<Check>> {
    let output = run(vm, &["check", "--output=json", "--force-share", &vm.disk])?;
    Ok(serde_json::from_slice(&output.stdout).ok())
}

/// Makes a new image at `path` on top of `golden`, which is only read.
pub(crate) fn overlay(vm: &Vm, golden: &str, path: &str) -> Result<()> {
    let format = if golden.ends_with(".raw") || golden.ends_with(".img") { "raw" } else { "qcow2" };
    succeed(vm, &["create", "-q", "-f", "qcow2", "-F", format, "-b", golden, path]).map(drop)
}

/// The snapshots inside of the disk, which may be in use.
pub(crate) fn snapshots(vm: &Vm) -> Result<Vec<Snapshot>> {
    let output = succeed(vm, &["info", "--output=json", "--force-share", &vm.disk])?;
    parse(&output.stdout)
}

fn parse(json: &[u8]) -> Result<Vec<Snapshot>> {
    let info: Info = serde_json::from_slice(json)
        .map_err(|error| Error::permanent(format!("qemu-img info answered what is not expected: {error}")))?;
    Ok(info.snapshots)
}

/// Takes, applies or deletes (`-c`, `-a`, `-d`) a snapshot of a disk that is not in use.
pub(crate) fn snapshot(vm: &Vm, option: &str, name: &str) -> Result<()> {
    succeed(vm, &["snapshot", "-q", option, name, &vm.disk]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_read_from_info() {
        let json = br#"{"format": "qcow2", "snapshots": [
            {"id": "1", "name": "before", "vm-state-size": 56000000, "date-sec": 1},
            {"id": "2", "name": "off", "vm-state-size": 0}]}"#;
        let snapshots = parse(json).unwrap();
        assert_eq!(snapshots[0], Snapshot { name: "before".into(), vm_state_size: 56_000_000 });
        assert_eq!(snapshots[1].vm_state_size, 0);
        assert_eq!(parse(br#"{"format": "qcow2"}"#).unwrap(), []);
    }

    #[test]
    fn damage_is_read_from_check() {
        let fine: Check = serde_json::from_str(r#"{"image-end-offset": 1, "check-errors": 0}"#).unwrap();
        assert!(!fine.is_damaged());
        let damaged: Check = serde_json::from_str(r#"{"corruptions": 2, "check-errors": 0}"#).unwrap();
        assert!(damaged.is_damaged());
    }
}
