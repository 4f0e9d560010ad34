//! Disk images, by `qemu-img`.

use std::time::Duration;

use runwright_sdk::{
    Error, ErrorKind, Result,
    exec::{Command, Output},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::inventory::{Format, Vm};

const TIMEOUT: Duration = Duration::from_secs(120);

/// Asks of an image, which may be in use, and of all below it.
const CHAIN: [&str; 4] = ["info", "--output=json", "--force-share", "--backing-chain"];

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

/// What `qemu-img info` says of an image.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Info {
    pub(super) format: String,
    /// Bytes that a guest sees.
    pub(super) virtual_size: u64,
    #[serde(default)]
    pub(super) backing_filename_format: Option<String>,
    #[serde(default)]
    snapshots: Vec<Snapshot>,
    #[serde(default)]
    pub(super) filename: String,
    #[serde(default)]
    backing_filename: Option<String>,
    /// Bytes on the host's disk.
    #[serde(default)]
    actual_size: u64,
    #[serde(default)]
    encrypted: bool,
    /// Of the format: for qcow2 its `data` names an external data file.
    #[serde(default)]
    format_specific: Value,
}

impl Info {
    /// Whether both are the same disk on top of a golden image, as far as that shows: a link can't always be followed.
    pub(super) fn is_twin(&self, other: &Self) -> bool {
        let traits = |info: &Self| (info.virtual_size, info.actual_size, info.backing_filename.clone());
        self.backing_filename.is_some()
            && traits(self) == traits(other)
            && self.format_specific == other.format_specific
    }

    /// Why no disk is made on top of this image, or of one below it.
    pub(super) fn misfit(&self) -> Option<String> {
        let data_file = self.format_specific.pointer("/data/data-file").and_then(Value::as_str);
        let encrypt = self.format_specific.pointer("/data/encrypt");
        match data_file {
            Some(file) => Some(format!("its data lies in another file, {file}: convert it")),
            None if self.encrypted || encrypt.is_some() => Some("it is encrypted: convert it".into()),
            None => None,
        }
    }
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

pub(super) fn succeed(vm: &Vm, args: &[&str]) -> Result<Output> {
    let output = run(vm, args)?;
    if output.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::permanent(format!("qemu-img {}: {text}", args[0])).code("vm.qemu-img"))
}

/// Whether some process has the disk open for writing: QEMU locks its images.
pub(crate) fn is_locked(vm: &Vm) -> Result<bool> {
    Ok(disk(vm)? == Disk::Locked)
}

/// How the disk can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disk {
    /// Nobody has it.
    Free,
    /// Some process has it open for writing.
    Locked,
    /// It can't be opened, and why.
    Unusable(String),
}

/// Opens the disk as a QEMU would that does not share it.
pub(crate) fn disk(vm: &Vm) -> Result<Disk> {
    open(vm, &vm.disk)
}

pub(super) fn open(vm: &Vm, path: &str) -> Result<Disk> {
    let output = run(vm, &["info", "--output=json", path])?;
    Ok(match unopened(&output) {
        None => Disk::Free,
        // `raw_check_lock_bytes` in QEMU's block/file-posix.c; a path may have a `lock` in it.
        Some(why) if why.contains("Failed to get") && why.contains("lock") => Disk::Locked,
        Some(why) => Disk::Unusable(why),
    })
}

/// Why a file that QEMU is to read can't be opened. The image tool is asked, which runs where QEMU does: the plugin itself may
/// not see the file. None: it can be, or the tool may not be asked.
pub(crate) fn unreadable(vm: &Vm, path: &str) -> Result<Option<String>> {
    match run(vm, &["info", "--output=json", "--force-share", "-f", "raw", path]) {
        Ok(output) => Ok(unopened(&output)),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(None),
        Err(error) => Err(error),
    }
}

fn unopened(output: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    (!output.success()).then(|| text.trim().trim_start_matches("qemu-img: ").to_owned())
}

/// Looks for damage; the disk may be in use. None: it can't be read at all.
pub(crate) fn check(vm: &Vm) -> Result<Option<Check>> {
    let output = run(vm, &["check", "--output=json", "--force-share", &vm.disk])?;
    Ok(serde_json::from_slice(&output.stdout).ok())
}

/// What `qemu-img info` says of an image and of all below it, the top first.
pub(super) fn info(vm: &Vm, path: &str, format: Option<Format>) -> Result<Vec<Info>> {
    let format = format.map(|format| ["-f", format.as_str()]).into_iter().flatten();
    let words: Vec<_> = CHAIN.into_iter().chain(format).chain([path]).collect();
    parse(&succeed(vm, &words)?.stdout)
}

/// The same of an image that may be gone or broken, of which there is nothing to say then.
pub(super) fn layers(vm: &Vm, path: &str) -> Result<Vec<Info>> {
    let output = run(vm, &[&CHAIN, [path].as_slice()].concat())?;
    if output.success() { parse(&output.stdout) } else { Ok(Vec::new()) }
}

/// The snapshots inside of the disk, which may be in use.
pub(crate) fn snapshots(vm: &Vm) -> Result<Vec<Snapshot>> {
    let output = succeed(vm, &["info", "--output=json", "--force-share", &vm.disk])?;
    parse(&output.stdout).map(|info: Info| info.snapshots)
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json)
        .map_err(|error| Error::permanent(format!("qemu-img info answered what is not expected: {error}")))
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
        let json = br#"{"format": "qcow2", "virtual-size": 1, "snapshots": [
            {"id": "1", "name": "before", "vm-state-size": 56000000, "date-sec": 1},
            {"id": "2", "name": "off", "vm-state-size": 0}]}"#;
        let snapshots = parse::<Info>(json).unwrap().snapshots;
        assert_eq!(snapshots[0], Snapshot { name: "before".into(), vm_state_size: 56_000_000 });
        assert_eq!(snapshots[1].vm_state_size, 0);
        assert_eq!(parse::<Info>(br#"{"format": "qcow2", "virtual-size": 1}"#).unwrap().snapshots, []);
    }

    #[test]
    fn an_encrypted_image_is_refused() {
        let info = |more: &str| {
            parse::<Info>(format!(r#"{{"format": "qcow2", "virtual-size": 1{more}}}"#).as_bytes()).unwrap()
        };
        assert_eq!(info("").misfit(), None);
        for more in [r#", "encrypted": true"#, r#", "format-specific": {"data": {"encrypt": {"format": "luks"}}}"#] {
            assert_eq!(info(more).misfit().unwrap(), "it is encrypted: convert it");
        }
    }

    #[test]
    fn damage_is_read_from_check() {
        let fine: Check = serde_json::from_str(r#"{"image-end-offset": 1, "check-errors": 0}"#).unwrap();
        assert!(!fine.is_damaged());
        let damaged: Check = serde_json::from_str(r#"{"corruptions": 2, "check-errors": 0}"#).unwrap();
        assert!(damaged.is_damaged());
    }
}
