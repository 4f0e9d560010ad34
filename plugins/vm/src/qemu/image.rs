//! Disk images, by `qemu-img`.

use std::{
    fs,
    io::Read,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use runwright_sdk::{
    Error, ErrorKind, Result,
    exec::{Command, Output},
};
use serde::Deserialize;
use serde_json::Value;

use super::content;
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
    #[serde(default)]
    filename: String,
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

/// Formats that QEMU knows by their first bytes: who calls such a file raw is mistaken.
const NOT_RAW: [&str; 7] = ["qcow2", "qcow", "qed", "vmdk", "vdi", "vhdx", "vpc"];

impl Info {
    /// Whether both are the same disk on top of a golden image, as far as that shows: a link can't always be followed.
    fn is_twin(&self, other: &Self) -> bool {
        let traits = |info: &Self| (info.virtual_size, info.actual_size, info.backing_filename.clone());
        self.backing_filename.is_some()
            && traits(self) == traits(other)
            && self.format_specific == other.format_specific
    }

    /// Why no disk is made on top of this image, or of one below it.
    fn misfit(&self) -> Option<String> {
        let data_file = self.format_specific.pointer("/data/data-file").and_then(Value::as_str);
        let encrypt = self.format_specific.pointer("/data/encrypt");
        match data_file {
            Some(file) => Some(format!("its data lies in another file, {file}: convert it")),
            None if self.encrypted || encrypt.is_some() => Some("it is encrypted: convert it".into()),
            None => None,
        }
    }
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

fn open(vm: &Vm, path: &str) -> Result<Disk> {
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

/// Opens a golden image: its format is what the inventory says, else what the image itself says. Its name says nothing.
pub(crate) fn golden(vm: &Vm, image: &Image) -> Result<Golden> {
    let path = image.path();
    let refused = |what: String| Error::permanent(format!("the image {path} can't be used: {what}")).code("vm.image");
    let own = resolved(&vm.disk);
    if resolved(path) == own {
        return Err(refused(format!("it is the disk of {} itself", vm.name)));
    }
    let chain = info(vm, path, image.format())?;
    let [top, ..] = chain.as_slice() else { return Err(refused("qemu-img says nothing of it".into())) };
    if chain.iter().any(|layer| resolved(&layer.filename) == own) {
        return Err(refused(format!("it lies on top of the disk of {}", vm.name)));
    }
    // A disk that is gone or broken is no reason against a new one.
    let disk = info(vm, &vm.disk, None).unwrap_or_default();
    if let Some(disk) = disk.first().filter(|disk| chain.iter().any(|layer| layer.is_twin(disk))) {
        return Err(refused(format!("it is, or is the same as, the disk of {}, {}", vm.name, disk.filename)));
    }
    if open(vm, path)? == Disk::Locked {
        return Err(refused("some process has it open for writing".into()));
    }
    let Some(format) = Format::of(&top.format) else {
        return Err(refused(format!("it is {}, and a golden image is qcow2 or raw: convert it", top.format)));
    };
    if let Some(what) = chain.iter().find_map(Info::misfit) {
        return Err(refused(what));
    }
    if top.virtual_size == 0 {
        return Err(refused("it is empty".into()));
    }
    match (format, image.format()) {
        (Format::Raw, None) => {
            if let Some(what) = no_disk(path, top.virtual_size)? {
                return Err(refused(what));
            }
        }
        (Format::Raw, Some(_)) => {
            let probed = info(vm, path, None)?;
            if let Some(is) = probed.first().map(|top| top.format.as_str()).filter(|is| NOT_RAW.contains(is)) {
                return Err(refused(format!("the inventory says that it is raw, and it is {is}")));
            }
        }
        (Format::Qcow2, _) => {}
    }
    Ok(Golden { path: path.to_owned(), format, size: top.virtual_size })
}

/// What `qemu-img info` says of an image and of all below it, the top first.
fn info(vm: &Vm, path: &str, format: Option<Format>) -> Result<Vec<Info>> {
    let words = ["info", "--output=json", "--force-share", "--backing-chain"].into_iter();
    let format = format.map(|format| ["-f", format.as_str()]).into_iter().flatten();
    let words: Vec<_> = words.chain(format).chain([path]).collect();
    let output = succeed(vm, &words)?.stdout;
    serde_json::from_slice(&output)
        .map_err(|error| Error::permanent(format!("qemu-img info answered what is not expected: {error}")))
}

/// Why the file is no raw image of a disk. QEMU takes any file for one, so it is looked into.
fn no_disk(path: &str, size: u64) -> Result<Option<String>> {
    let read = || {
        let file = fs::File::open(path)?;
        let metadata = file.metadata()?;
        // A block device has no length of its own.
        let bytes = if metadata.is_file() { metadata.len() } else { size };
        let mut head = Vec::new();
        file.take(content::HEAD_BYTES).read_to_end(&mut head)?;
        std::io::Result::Ok(content::no_disk(&head, bytes))
    };
    read().map_err(|error| {
        let message = format!(
            "the image {path} has no format that QEMU knows by its first bytes, and whether it is a raw disk can't be seen: \
             {error}; grant its folder as `files`, or say `format: raw` in the inventory"
        );
        Error::denied(message).code("vm.files")
    })
}

/// The path without `.` and `..`, and where its last part is a link that can be read, what that leads to.
fn resolved(path: &str) -> PathBuf {
    /// Links on the way, at most: Linux follows no more than 40 (path_resolution(7)).
    const LINKS_MAX: usize = 40;
    let mut path = plain(Path::new(path));
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else { break };
        path = plain(&path.parent().unwrap_or(Path::new("/")).join(target));
    }
    path
}

fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
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

    fn vm(folder: &Path) -> Vm {
        let mut vm = Vm::find("web1", &crate::inventory::tests::context()).unwrap();
        vm.disk = format!("{}/disk.qcow2", folder.display());
        vm.qemu_img = "/usr/bin/qemu-img".into();
        vm
    }

    fn call(words: &[&str]) {
        let output = std::process::Command::new("/usr/bin/qemu-img").args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
    }

    #[test]
    fn only_a_disk_becomes_a_golden_image() {
        let folder = crate::qemu::fake::folder("golden");
        let vm = vm(&folder);
        let path = |name: &str| format!("{}/{name}", folder.display());
        let at = |name: &str| Image::Path(path(name));
        let raw = |name: &str| Image::Formatted { path: path(name), format: Format::Raw };
        let mut disk = vec![0; 1 << 20];
        disk[510..512].copy_from_slice(b"\x55\xaa");
        for (name, bytes) in [
            ("mbr.qcow2", disk.as_slice()),
            ("text.img", b"hello, world\n"),
            ("gz.img", b"\x1f\x8b\x08"),
            ("odd", &[0; 1000]),
        ] {
            fs::write(path(name), bytes).unwrap();
        }
        call(&["create", "-q", "-f", "qcow2", &path("base.img"), "1M"]);
        call(&["create", "-q", "-f", "vmdk", &path("vmdk.img"), "1M"]);
        let data = format!("data_file={},data_file_raw=on", path("data.raw"));
        call(&["create", "-q", "-f", "qcow2", "-o", &data, &path("data.qcow2"), "1M"]);
        call(&["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &path("data.qcow2"), &path("over.qcow2")]);
        call(&["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &path("base.img"), &vm.disk]);
        call(&["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &vm.disk, &path("upon.qcow2")]);
        std::os::unix::fs::symlink("disk.qcow2", path("link.qcow2")).unwrap();
        // As a link that the plugin can't follow.
        fs::hard_link(&vm.disk, path("hard.qcow2")).unwrap();

        assert_eq!(golden(&vm, &at("mbr.qcow2")).unwrap().format, Format::Raw);
        assert_eq!(golden(&vm, &at("base.img")).unwrap().format, Format::Qcow2);
        // The operator says so: a raw image may hold anything.
        assert_eq!(golden(&vm, &raw("odd")).unwrap().format, Format::Raw);
        for (image, why) in [
            (at("text.img"), "it has 13 bytes"),
            (at("odd"), "it has 1000 bytes"),
            (at("gz.img"), "it is a gzip file"),
            (at("vmdk.img"), "it is vmdk"),
            (at("data.qcow2"), "its data lies in another file"),
            (at("over.qcow2"), "its data lies in another file"),
            (at("disk.qcow2"), "it is the disk of web1 itself"),
            (at("./x/../disk.qcow2"), "it is the disk of web1 itself"),
            (at("link.qcow2"), "it is the disk of web1 itself"),
            (at("hard.qcow2"), "it is, or is the same as, the disk of web1"),
            (at("upon.qcow2"), "it lies on top of the disk of web1"),
            (raw("base.img"), "the inventory says that it is raw, and it is qcow2"),
            (raw("vmdk.img"), "the inventory says that it is raw, and it is vmdk"),
        ] {
            let error = golden(&vm, &image).unwrap_err();
            assert_eq!(error.code_text(), Some("vm.image"), "{error}");
            assert!(error.to_string().contains(why), "{why}: {error}");
        }
        crate::qemu::fake::remove(folder);
    }

    #[test]
    fn an_encrypted_image_is_refused() {
        let info = |more: &str| parse(format!(r#"{{"format": "qcow2", "virtual-size": 1{more}}}"#).as_bytes()).unwrap();
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
