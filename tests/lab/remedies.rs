//! What `recover-vm` finds of a real VM, and what it does about it: only what helps.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Fault, Lab, script};

const RECOVER: [&str; 6] = ["run", "runbooks/recover-vm.yaml", "-i", "vm=web1", "-o", "json"];

const REPROVISION: &str = r#"
name: reprovision
inputs: { image: { type: string } }
steps:
  - { id: new, uses: vm/reprovision, with: { vm: web1, image: "${{ inputs.image }}" } }
  - { id: test, uses: vm/wait-healthy, with: { vm: web1, for: 90s }, timeout: 2m }
"#;

/// A lab with the plugin.
fn lab() -> Lab {
    let lab = Lab::new();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist/vm.wasm");
    fs::copy(&built, lab.folder().join("plugins/vm.wasm")).expect("no vm.wasm: run `make plugins`");
    lab
}

fn ran(mut command: Command) -> Value {
    let output = command.output().expect("runwright starts");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// What was found first, how the run ended, and what fixed it.
fn told(run: &Value) -> [&str; 3] {
    let places = ["/steps/0/output/finding", "/outcome", "/outputs/fixed_by"];
    places.map(|place| run.pointer(place).and_then(Value::as_str).unwrap_or("none"))
}

/// Gives the VM a new disk from this image of its inventory, and waits until it is healthy.
fn reprovision(lab: &Lab, image: &str) {
    let file = lab.folder().join("reprovision.yaml");
    fs::write(&file, REPROVISION).expect("it is written");
    let image = format!("image={image}");
    let run = ran(lab.runwright(&["run", file.to_str().expect("UTF-8"), "-i", &image, "-o", "json"]));
    assert_eq!(run["outcome"], "succeeded", "{run:#}");
    assert_eq!(lab.status("web1").health, "200");
}

/// Changes the lab's inventory.
fn change_inventory(lab: &Lab, change: impl FnOnce(&str) -> String) {
    let file = lab.folder().join("inventory.yaml");
    let text = fs::read_to_string(&file).expect("it was made");
    let changed = change(&text);
    assert_ne!(changed, text);
    fs::write(&file, changed).expect("it is written");
}

fn call(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {words:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{what} did not happen");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_only_a_person_can_judge_is_left_alone() {
    let lab = lab();
    lab.start("web1");
    let pid = lab.pid("web1");

    let hold = |name: &str| {
        let mut monitor = UnixStream::connect(lab.folder().join("web1").join(name)).expect("it listens");
        monitor.read_exact(&mut [0; 8]).expect("it greets");
        monitor
    };
    let held = ["qmp.sock", "events.sock"].map(hold);
    assert_eq!(told(&ran(lab.runwright(&RECOVER))), ["healthy", "succeeded", "nothing"]);
    drop(held);

    lab.break_with(Fault::Agent, "web1");
    assert_eq!(told(&ran(lab.runwright(&RECOVER))), ["healthy", "succeeded", "nothing"]);

    lab.break_with(Fault::Pause, "web1");
    let run = ran(lab.runwright(&RECOVER));
    assert_eq!(told(&run), ["paused", "failed", "none"], "{run:#}");
    assert!(run["error"]["message"].as_str().expect("a reason").contains("it is left alone"), "{run:#}");
    assert_eq!((lab.status("web1").qmp.as_str(), lab.pid("web1")), ("paused", pid));
    // Its QEMU answers nobody, as when somebody holds its monitors; but it was stopped by a signal.
    lab.break_with(Fault::Stun, "web1");
    let run = ran(lab.runwright(&RECOVER));
    assert_eq!(told(&run), ["qemu-stopped", "succeeded", "restart"], "{run:#}");
    assert_ne!(lab.pid("web1"), pid);
}

#[test]
fn an_image_is_what_it_is_and_not_what_it_is_called() {
    let lab = lab();
    let path = |name: &str| lab.folder().join(name).to_str().expect("UTF-8").to_owned();
    let inventory = fs::read_to_string(path("inventory.yaml")).expect("it was made");
    let golden = inventory.lines().find_map(|line| line.trim().strip_prefix("golden: ")).expect("an image").to_owned();
    fs::copy(&golden, path("golden.img")).expect("a copy");
    call("/usr/bin/qemu-img", &["convert", "-O", "raw", &golden, &path("raw.qcow2")]);
    fs::write(path("text.img"), "").expect("it is written");
    fs::write(path("packed.img"), [b"\x1f\x8b\x08".as_slice(), &[0; 1021]].concat()).expect("it is written");
    let more = format!(
        "images:\n      img: {}\n      odd: {}\n      empty: {}\n      packed: {}\n      own: {}\n",
        path("golden.img"),
        path("raw.qcow2"),
        path("text.img"),
        path("packed.img"),
        path("web1/disk.qcow2")
    );
    change_inventory(&lab, |text| text.replace("images:\n", &more));
    let size = |path: &str| {
        let info: Value =
            serde_json::from_str(&call("/usr/bin/qemu-img", &["info", "--output=json", "-U", path])).unwrap();
        info["virtual-size"].as_u64().expect("a size")
    };
    for image in ["img", "odd"] {
        reprovision(&lab, image);
        assert_eq!(size(&path("web1/disk.qcow2")), size(&golden), "{image}");
    }
    // What can't be an image costs the VM nothing.
    let pid = lab.pid("web1");
    let file = path("reprovision.yaml");
    for image in ["empty", "packed", "own"] {
        let run = ran(lab.runwright(&["run", &file, "-i", &format!("image={image}"), "-o", "json"]));
        assert_eq!((&run["outcome"], &run["error"]["code"]), (&json!("failed"), &json!("vm.image")), "{run:#}");
        assert_eq!((lab.pid("web1"), lab.status("web1").health.as_str()), (pid, "200"));
    }
}

/// A file system of a few MiB, gone with the test.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    fn mount(folder: PathBuf) -> Self {
        let image = folder.with_extension("ext4");
        let (image, at) = (image.to_str().expect("UTF-8"), folder.to_str().expect("UTF-8"));
        fs::create_dir(&folder).expect("a folder");
        fs::File::create(image).and_then(|file| file.set_len(48 << 20)).expect("a file");
        call("/usr/sbin/mke2fs", &["-q", "-F", "-t", "ext4", image]);
        call("/usr/bin/mount", &["-o", "loop", image, at]);
        Self { folder }
    }

    /// Leaves no byte free.
    fn fill(&self) {
        let filler = self.folder.join("filler");
        // It ends when nothing fits any more.
        let _ = Command::new("/usr/bin/dd")
            .args(["if=/dev/zero", "bs=64k", "conv=fsync"])
            .arg(format!("of={}", filler.display()))
            .output();
        let _ = Command::new("/usr/bin/dd")
            .args(["if=/dev/zero", "bs=512", "conv=fsync"])
            .arg(format!("of={}.more", filler.display()))
            .output();
    }

    fn make_room(&self) {
        for name in ["filler", "filler.more"] {
            fs::remove_file(self.folder.join(name)).expect("it was made");
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a QEMU may still have its disk there.
        let _ = Command::new("/usr/bin/umount").arg("--lazy").arg(&self.folder).status();
    }
}

#[test]
fn a_full_disk_of_the_host_costs_a_vm_nothing() {
    let lab = lab();
    let disk = SmallDisk::mount(lab.folder().join("small"));
    change_inventory(&lab, |text| text.replace("/web1/disk.qcow2", "/small/disk.qcow2"));
    reprovision(&lab, "golden");
    let pid = lab.pid("web1");
    disk.fill();
    let agent = lab.folder().join("web1/agent.sock");
    let write = "dd if=/dev/urandom of=/srv/data bs=64k count=64; sync";
    // Its agent may still be on its way.
    wait_until("the guest writes", || {
        script("qmp.py").arg("start").arg(&agent).arg(write).status().is_ok_and(|status| status.success())
    });
    wait_until("the guest stands still", || lab.status("web1").qmp == "io-error");

    let recovering = lab.runwright(&RECOVER).stdout(Stdio::piped()).spawn().expect("runwright starts");
    wait_until("an attempt without room", || {
        let shown = lab.runwright(&["runs", "show", "latest", "-o", "json"]).output().expect("it runs");
        let run: Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
        let steps = run["steps"].as_array().cloned().unwrap_or_default();
        steps.iter().any(|step| step["id"] == "resume" && step["error"]["code"] == "vm.no-room")
    });
    disk.make_room();
    let output = recovering.wait_with_output().expect("a child");
    let run: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(told(&run), ["no-room", "succeeded", "resume"], "{run:#}");
    assert_eq!((lab.pid("web1"), lab.status("web1").health.as_str()), (pid, "200"));
    lab.stop("web1");
}
