//! Golden images, and the disks that are made on top of them.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::{Component, Path, PathBuf},
};

use runwright_sdk::{Error, Result};

use super::{
    content,
    image::{self, Disk, Info},
};
use crate::inventory::{Format, Image, Vm};

/// Formats that QEMU knows by their first bytes: who calls such a file raw is mistaken.
const NOT_RAW: [&str; 7] = ["qcow2", "qcow", "qed", "vmdk", "vdi", "vhdx", "vpc"];

/// A golden image that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Golden {
    path: String,
    format: Format,
    /// Bytes that a guest sees.
    size: u64,
}

/// Opens a golden image: its format is what the inventory says, else what the image itself says. Its name says nothing.
pub(crate) fn golden(vm: &Vm, image: &Image) -> Result<Golden> {
    let path = image.path();
    let refused = |what: String| Error::permanent(format!("the image {path} can't be used: {what}")).code("vm.image");
    let disk_of = |file: &Path| vm.disks().find(|(_, disk)| resolved(disk) == file).map(|(name, _)| name);
    if let Some(name) = disk_of(&resolved(path)) {
        return Err(refused(format!("it is the disk of {name} itself")));
    }
    let chain = image::info(vm, path, image.format())?;
    let [top, ..] = chain.as_slice() else { return Err(refused("qemu-img says nothing of it".into())) };
    if let Some(name) = chain.iter().find_map(|layer| disk_of(&resolved(&layer.filename))) {
        return Err(refused(format!("it lies on top of the disk of {name}")));
    }
    // A disk that is gone or broken is no reason against a new one.
    let disk = image::info(vm, &vm.disk, None).unwrap_or_default();
    if let Some(disk) = disk.first().filter(|disk| chain.iter().any(|layer| layer.is_twin(disk))) {
        return Err(refused(format!("it is, or is the same as, the disk of {}, {}", vm.name, disk.filename)));
    }
    if image::open(vm, path)? == Disk::Locked {
        return Err(refused("some process has it open for writing".into()));
    }
    if let Some(what) = chain.iter().find_map(Info::misfit) {
        return Err(refused(what));
    }
    let format = format(vm, image, top)?.map_err(refused)?;
    Ok(Golden { path: path.to_owned(), format, size: top.virtual_size })
}

/// The format of an image of which QEMU says this; or what is wrong with it.
fn format(vm: &Vm, image: &Image, top: &Info) -> Result<std::result::Result<Format, String>> {
    let path = image.path();
    let Some(format) = Format::of(&top.format) else {
        return Ok(Err(format!("it is {}, and a golden image is qcow2 or raw: convert it", top.format)));
    };
    let wrong = match (format, image.format()) {
        _ if top.virtual_size == 0 => Some("it is empty".into()),
        (Format::Raw, None) => no_disk(path, top.virtual_size)?,
        (Format::Raw, Some(_)) => {
            let probed = image::info(vm, path, None)?;
            let is = probed.first().map(|top| top.format.as_str()).filter(|is| NOT_RAW.contains(is));
            is.map(|is| format!("the inventory says that it is raw, and it is {is}"))
        }
        (Format::Qcow2, _) => None,
    };
    Ok(wrong.map_or(Ok(format), Err))
}

/// Refuses where another VM of the inventory would lose its disk, or what that lies on, with the disk of this one. One whose
/// own disk is gone or broken has nothing to lose.
pub(crate) fn must_be_nobody_elses(vm: &Vm) -> Result<()> {
    let own = resolved(&vm.disk);
    let refused = |what: String| {
        let message = format!("{} can't be replaced: {what}; give each VM a disk of its own", vm.disk);
        Err(Error::permanent(message).code("vm.disk-shared"))
    };
    for (name, disk) in vm.disks().filter(|(name, _)| *name != vm.name) {
        if resolved(disk) == own {
            return refused(format!("in the inventory it is the disk of {name} too"));
        }
        let chain: BTreeSet<_> = image::layers(vm, disk)?.iter().map(|layer| resolved(&layer.filename)).collect();
        if chain.contains(&own) {
            return refused(format!("{disk}, the disk of {name}, lies on top of it"));
        }
    }
    Ok(())
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

/// The path without `.` and `..`, and without links as far as they can be read: a folder of it may be out of sight.
fn resolved(path: &str) -> PathBuf {
    /// Links on the way, at most: Linux follows no more than 40 (path_resolution(7)).
    const LINKS_MAX: usize = 40;
    let mut links = 0;
    let mut resolved = PathBuf::from("/");
    let mut rest = PathBuf::from(path);
    while let Some(part) = rest.components().next() {
        let after: PathBuf = rest.components().skip(1).collect();
        let next = resolved.join(part);
        rest = match fs::read_link(&next) {
            Ok(target) if matches!(part, Component::Normal(_)) && links < LINKS_MAX => {
                links += 1;
                target.join(after)
            }
            _ => {
                match part {
                    Component::CurDir => {}
                    Component::ParentDir => drop(resolved.pop()),
                    // An absolute path begins again at the root.
                    _ => resolved = next,
                }
                after
            }
        };
    }
    resolved
}

/// Makes a new image at `path` on top of `golden`, which is only read, and looks whether it can be opened as such.
pub(crate) fn overlay(vm: &Vm, golden: &Golden, path: &str) -> Result<()> {
    let format = golden.format.as_str();
    image::succeed(vm, &["create", "-q", "-f", "qcow2", "-F", format, "-b", &golden.path, path])?;
    // All of the chain is opened, with the formats that are written in it.
    let output = image::succeed(vm, &["info", "--output=json", "--backing-chain", "-f", "qcow2", path])?;
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use runwright_sdk::Context;
    use serde_json::json;

    use super::*;
    use crate::qemu::fake;

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
    fn only_a_disk_becomes_a_golden_image() {
        let folder = fake::folder("golden");
        let path = |name: &str| format!("{}/{name}", folder.display());
        let vm = |name: &str| json!({"disk": path(&format!("{name}.qcow2")), "memory": 1, "sockets": folder});
        let vms = json!({"vms": {"web1": vm("disk"), "web2": vm("other")}}).to_string();
        let vm = Vm::find("web1", &Context::new("r", "s", "k").with_config(vms)).unwrap();
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
        fake::image(&path("base.img"), None);
        fake::qemu_img(&["create", "-q", "-f", "vmdk", &path("vmdk.img"), "1M"]);
        let data = format!("data_file={},data_file_raw=on", path("data.raw"));
        fake::qemu_img(&["create", "-q", "-f", "qcow2", "-o", &data, &path("data.qcow2"), "1M"]);
        for (name, base) in [
            ("over", "data.qcow2"),
            ("disk", "base.img"),
            ("upon", "disk.qcow2"),
            ("other", "base.img"),
            ("upon2", "other.qcow2"),
        ] {
            fake::image(&path(&format!("{name}.qcow2")), Some(&path(base)));
        }
        symlink("disk.qcow2", path("link.qcow2")).unwrap();
        symlink(".", path("sub")).unwrap();
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
            (at("sub/sub/disk.qcow2"), "it is the disk of web1 itself"),
            (at("other.qcow2"), "it is the disk of web2 itself"),
            (at("upon2.qcow2"), "it lies on top of the disk of web2"),
            (at("hard.qcow2"), "it is, or is the same as, the disk of web1"),
            (at("upon.qcow2"), "it lies on top of the disk of web1"),
            (raw("base.img"), "the inventory says that it is raw, and it is qcow2"),
            (raw("vmdk.img"), "the inventory says that it is raw, and it is vmdk"),
        ] {
            let error = golden(&vm, &image).unwrap_err();
            assert_eq!(error.code_text(), Some("vm.image"), "{error}");
            assert!(error.to_string().contains(why), "{why}: {error}");
        }
        fake::remove(folder);
    }
}
