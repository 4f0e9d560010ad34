use std::{fs, path::PathBuf};

use runwright_sdk::ErrorKind;
use serde_json::Value;

use super::*;
use crate::qemu::fake::{self, Fake};

/// A folder with a golden image, the disk of `web1` on top of it, and an image tool that does as the script says and is then
/// the real one.
struct Site {
    folder: PathBuf,
    vms: Value,
}

impl Site {
    fn new(name: &str, tool: &str) -> Self {
        Self::of(fake::folder(name), tool)
    }

    fn of(folder: PathBuf, tool: &str) -> Self {
        let path = |name: &str| folder.join(name).display().to_string();
        fake::image(&path("golden.qcow2"), None);
        fake::image(&path("disk.qcow2"), Some(&path("golden.qcow2")));
        fake::script(path("qemu-img"), &format!("{tool}\nexec /usr/bin/qemu-img \"$@\""));
        fake::script(path("qemu"), &format!("touch {}", path("ran")));
        let vm = json!({"disk": path("disk.qcow2"), "memory": 64, "sockets": folder, "image": path("golden.qcow2"),
            "qemu-img": path("qemu-img"), "qemu": path("qemu")});
        Self { vms: json!({"web1": vm}), folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Another VM with this disk.
    fn with(mut self, name: &str, disk: &str) -> Self {
        self.vms[name] = json!({"disk": self.path(disk), "memory": 64, "sockets": self.path(name)});
        self
    }

    fn context(&self) -> Context {
        Context::new("run", "step", "key").with_config(json!({"vms": self.vms}).to_string())
    }

    /// The error of a reprovisioning that leaves all as it was.
    fn refused(&self) -> Error {
        let list = || {
            let names = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        let before = (list(), fs::read(self.path("disk.qcow2")).unwrap());
        let error = run(Input { vm: "web1".into(), image: None }, &self.context()).err().expect("it is refused");
        assert_eq!((list(), fs::read(self.path("disk.qcow2")).unwrap()), before, "{error}");
        assert_eq!(checkpoint::get::<Note>(NOTE).unwrap(), None, "nothing was begun");
        error
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_disk_that_another_vm_needs_stays_where_it_is() {
    let site = Site::new("reprovision-shared", "");
    std::os::unix::fs::symlink(".", site.path("again")).unwrap();
    fake::image(&site.path("upon.qcow2"), Some(&site.path("disk.qcow2")));
    fake::image(&site.path("top.qcow2"), Some(&site.path("upon.qcow2")));
    let site = site.with("web2", "top.qcow2").with("gone", "nosuch.qcow2");
    let error = site.refused();
    assert_eq!((error.kind(), error.code_text()), (ErrorKind::Permanent, Some("vm.disk-shared")), "{error}");
    assert!(error.to_string().contains("top.qcow2, the disk of web2, lies on top of it; "), "{error}");
    // Under another name it is the same disk.
    let error = site.with("web2", "again/./disk.qcow2").refused();
    assert!(error.to_string().contains("in the inventory it is the disk of web2 too"), "{error}");
}

#[test]
fn a_disk_that_another_process_has_open_stays_where_it_is() {
    let is_asked = r#"case "$*" in "info --output=json "*/disk.qcow2)"#;
    let fails = "echo 'qemu-img: x: Failed to get shared \"write\" lock' >&2; exit 1;; esac";
    let error = Site::new("reprovision-open", &format!("{is_asked} {fails}")).refused();
    assert_eq!((error.kind(), error.code_text()), (ErrorKind::Transient, Some("vm.disk-in-use")), "{error}");
}

#[test]
fn a_new_disk_is_whole_before_the_old_one_is_touched() {
    let no_room = "[ $1 != create ] || { echo 'No space left on device' >&2; exit 1; }";
    // It says that it did it.
    let small = r#"[ $1 != create ] || { shift; exec /usr/bin/qemu-img create "$@" 512K; }"#;
    let nothing = r#"[ $1 != create ] || { shift 8; : >"$1"; exit 0; }"#;
    for (tool, why) in [
        (no_room, "No space left on device"),
        (small, "it has 524288 bytes, and its golden image 1048576"),
        (nothing, "Image is not in qcow2 format"),
    ] {
        let fake = Fake::new("reprovision-build", "running", true);
        let site = Site::of(fake.folder().to_owned(), tool);
        let error = site.refused();
        assert_eq!(error.kind(), ErrorKind::Permanent, "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(fake.told(), [""; 0], "its QEMU goes on");
    }
}

#[test]
fn a_golden_image_whose_own_base_is_missing_costs_nothing() {
    let site = Site::new("reprovision-base", "");
    fs::rename(site.path("golden.qcow2"), site.path("base.qcow2")).unwrap();
    fake::image(&site.path("golden.qcow2"), Some(&site.path("base.qcow2")));
    fs::remove_file(site.path("base.qcow2")).unwrap();
    let error = site.refused();
    assert_eq!((error.kind(), error.code_text()), (ErrorKind::Permanent, Some("vm.qemu-img")), "{error}");
}

#[test]
fn what_a_crash_left_of_a_swap_is_brought_to_its_end() {
    let crashed = |moved: bool, replaced: bool| {
        let mut site = Site::new("reprovision-crash", "");
        site.vms["web1"]["qemu"] = site.path("nosuch").into();
        let quarantine = site.path("disk.qcow2.failed-key-1");
        let note = Note { attempt: 1, quarantine: Some(quarantine.clone()), ran: false, done: false };
        checkpoint::set(NOTE, &note).unwrap();
        fake::image(&site.path("disk.qcow2.new-key"), Some(&site.path("golden.qcow2")));
        let old = fs::read(site.path("disk.qcow2")).unwrap();
        if moved {
            fs::rename(site.path("disk.qcow2"), &quarantine).unwrap();
        }
        if replaced {
            fs::rename(site.path("disk.qcow2.new-key"), site.path("disk.qcow2")).unwrap();
        }
        // All is done up to the start of QEMU, which is not there.
        let error = run(Input { vm: "web1".into(), image: None }, &site.context()).err().expect("no QEMU");
        assert!(error.to_string().contains("no such program"), "{error}");
        assert_eq!(fs::read(&quarantine).unwrap(), old);
        assert!(disk::exists(&site.path("disk.qcow2")) && !disk::exists(&site.path("disk.qcow2.new-key")));
        checkpoint::remove(NOTE).unwrap();
    };
    crashed(false, false);
    crashed(true, false);
    crashed(true, true);
}
