//! Disk images, by `qemu-img`.

use std::time::Duration;

use runwright_sdk::{
    Error, Result,
    exec::{Command, Output},
};
use serde::Deserialize;

use crate::inventory::{Format, Image, Vm};

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

/// What `qemu-img info` says of an image.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info {
    format: String,
    /// Bytes that a guest sees.
    virtual_size: u64,
    #[serde(default)]
    backing_filename_format: Option<String>,
    #[serde(default)]
    snapshots: Vec<Snapshot>,
}

/// A golden image that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Golden {
    path: String,
    format: Format,
    /// Bytes that a guest sees.
    size: u64,
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

/// Opens a golden image: its format is what the inventory says, else what the image itself says. Its name says nothing.
pub(crate) fn golden(vm: &Vm, image: &Image) -> Result<Golden> {
    let path = image.path();
    let refused = |what: String| Error::permanent(what).code("vm.image");
    let said = image.format().map(Format::as_str);
    let words = ["info", "--output=json", "--force-share"].into_iter();
    let words: Vec<_> = words.chain(said.iter().flat_map(|format| ["-f", *format])).chain([path]).collect();
    let info = parse(&succeed(vm, &words)?.stdout)?;
    let Some(format) = Format::of(&info.format) else {
        let message = format!("the image {path} is {}; a golden image is qcow2 or raw: convert it", info.format);
        return Err(refused(message));
    };
    if info.virtual_size == 0 {
        return Err(refused(format!("the image {path} is empty")));
    }
    Ok(Golden { path: path.to_owned(), format, size: info.virtual_size })
}

/// Makes a new image at `path` on top of `golden`, which is only read, and looks whether it can be opened as such.
pub(crate) fn overlay(vm: &Vm, golden: &Golden, path: &str) -> Result<()> {
    let format = golden.format.as_str();
    succeed(vm, &["create", "-q", "-f", "qcow2", "-F", format, "-b", &golden.path, path])?;
    // All of the chain is opened, with the formats that are written in it.
    let output = succeed(vm, &["info", "--output=json", "--backing-chain", "-f", "qcow2", path])?;
    fits(&output.stdout, golden)
        .map_err(|what| Error::permanent(format!("the new disk {path} can't be used: {what}")).code("vm.image"))
}

/// What is wrong with the chain of a new disk, as `qemu-img info` shows it.
fn fits(json: &[u8], golden: &Golden) -> std::result::Result<(), String> {
    let chain: Vec<Info> = serde_json::from_slice(json).map_err(|error| format!("qemu-img info: {error}"))?;
    let [new, base, ..] = chain.as_slice() else { return Err(format!("it is not on top of {}", golden.path)) };
    let format = golden.format.as_str();
    if base.format != format || new.backing_filename_format.as_deref() != Some(format) {
        return Err(format!("its golden image is {format}, and it takes it for {}", base.format));
    }
    if new.virtual_size != golden.size {
        return Err(format!("it has {} bytes, and its golden image {}", new.virtual_size, golden.size));
    }
    Ok(())
}

/// The snapshots inside of the disk, which may be in use.
pub(crate) fn snapshots(vm: &Vm) -> Result<Vec<Snapshot>> {
    let output = succeed(vm, &["info", "--output=json", "--force-share", &vm.disk])?;
    Ok(parse(&output.stdout)?.snapshots)
}

fn parse(json: &[u8]) -> Result<Info> {
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
        let snapshots = parse(json).unwrap().snapshots;
        assert_eq!(snapshots[0], Snapshot { name: "before".into(), vm_state_size: 56_000_000 });
        assert_eq!(snapshots[1].vm_state_size, 0);
        assert_eq!(parse(br#"{"format": "qcow2", "virtual-size": 1}"#).unwrap().snapshots, []);
    }

    #[test]
    fn a_new_disk_must_be_what_was_asked_for() {
        let golden = Golden { path: "/i/g.img".into(), format: Format::Qcow2, size: 1024 };
        let chain = |size: u64, format: &str| {
            let json = format!(
                r#"[{{"format": "qcow2", "virtual-size": {size}, "backing-filename-format": "{format}"}},
                    {{"format": "{format}", "virtual-size": 1024}}]"#
            );
            fits(json.as_bytes(), &golden)
        };
        assert_eq!(chain(1024, "qcow2"), Ok(()));
        assert_eq!(chain(1024, "raw").unwrap_err(), "its golden image is qcow2, and it takes it for raw");
        assert_eq!(chain(512, "qcow2").unwrap_err(), "it has 512 bytes, and its golden image 1024");
        assert!(fits(br#"[{"format": "qcow2", "virtual-size": 1024}]"#, &golden).is_err());
    }

    #[test]
    fn damage_is_read_from_check() {
        let fine: Check = serde_json::from_str(r#"{"image-end-offset": 1, "check-errors": 0}"#).unwrap();
        assert!(!fine.is_damaged());
        let damaged: Check = serde_json::from_str(r#"{"corruptions": 2, "check-errors": 0}"#).unwrap();
        assert!(damaged.is_damaged());
    }
}
