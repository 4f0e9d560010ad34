//! `package.wasm` against a real apt: in a copy of a small Debian, with an archive of hand-made packages, offline.
//!
//! `rw-b` 2 needs `rw-a` 2 and the new `rw-c`; `rw-bad` 2 can't be configured; `rw-slow` takes long, the first time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use runwright_core::{FailureKind, Outcome, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, happened};
use super::service::{as_root, debian, root};

/// A system of this test's own; it is gone with it.
struct System {
    folder: PathBuf,
}

/// Name, version, what it depends on, and what its `postinst` does.
const PACKAGES: [(&str, &str, &str, &str); 9] = [
    ("rw-a", "1", "", "true"),
    ("rw-a", "2", "", "true"),
    ("rw-b", "1", "rw-a", "true"),
    ("rw-b", "2", "rw-a (>= 2), rw-c", "true"),
    ("rw-c", "2", "", "true"),
    ("rw-bad", "1", "", "true"),
    ("rw-bad", "2", "", "echo 'no, says the script' >&2; exit 1"),
    ("rw-held", "1", "", "true"),
    ("rw-slow", "1", "", "[ -e /tmp/once ] || { touch /tmp/once; exec sleep 1234; }"),
];

pub(super) fn succeed(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

impl System {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("rw").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let system = Self { folder };
        let root = system.root();
        succeed(as_root(&["/usr/bin/cp", "-a", debian().to_str().unwrap(), root.to_str().unwrap()]).output().unwrap());
        let archive = system.folder.join("archive");
        for (name, version, depends, postinst) in PACKAGES {
            make(&archive, name, version, depends, postinst);
        }
        succeed(as_root(&["/usr/bin/cp", "-a", archive.to_str().unwrap(), root.to_str().unwrap()]).output().unwrap());
        system.put("/etc/apt/sources.list", "deb [trusted=yes] file:/archive ./\n");
        system.offer(&|_| true);
        system.call("/usr/bin/apt-get -y -qq install rw-a=1 rw-b=1 rw-bad=1 rw-held=1");
        system.call("/usr/bin/apt-mark auto rw-a");
        system
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    fn via(&self) -> Vec<String> {
        let chroot = ["/usr/sbin/chroot".to_owned(), self.root().to_str().unwrap().to_owned()];
        root().into_iter().chain(chroot).collect()
    }

    fn call(&self, line: &str) -> String {
        let via = self.via();
        succeed(Command::new(&via[0]).args(&via[1..]).args(line.split(' ')).output().unwrap())
    }

    fn put(&self, path: &str, text: &str) {
        let file = self.folder.join("put");
        fs::write(&file, text).unwrap();
        let to = format!("{}{path}", self.root().display());
        succeed(as_root(&["/usr/bin/cp", file.to_str().unwrap(), &to]).output().unwrap());
    }

    /// Lets the archive have the packages `NAME_VERSION` that are wanted.
    fn offer(&self, wanted: &dyn Fn(&str) -> bool) {
        let mut index = String::new();
        for (name, version, ..) in PACKAGES.iter().filter(|(name, version, ..)| wanted(&format!("{name}_{version}"))) {
            let file = self.folder.join("archive").join(format!("{name}_{version}.deb"));
            let control = succeed(Command::new("dpkg-deb").args(["--field", file.to_str().unwrap()]).output().unwrap());
            let sum = succeed(Command::new("sha256sum").arg(&file).output().unwrap());
            let sum = sum.split(' ').next().unwrap();
            let bytes = fs::metadata(&file).unwrap().len();
            index += &format!("{}Filename: ./{name}_{version}.deb\nSize: {bytes}\nSHA256: {sum}\n\n", control);
        }
        self.put("/archive/Packages", &index);
        self.call("/usr/bin/apt-get -qq update");
    }

    /// `NAME=VERSION` of those packages of the test that are installed.
    fn versions(&self) -> String {
        let shown = self.call("/usr/bin/dpkg-query -W -f ${Package}=${Version}=${db:Status-Abbrev}\\n rw-*");
        let installed = shown.lines().filter_map(|line| line.strip_suffix("=ii "));
        installed.collect::<Vec<_>>().join(" ")
    }

    fn bench(&self) -> Bench {
        let bench = Bench::new("package").config(json!({"via": self.via()}));
        let via = self.via();
        let line = |words: &[&str], plan: bool| {
            let words = via[1..].iter().map(String::as_str).chain(words.iter().copied());
            let words = words.map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
            format!("{{ program = {:?}, args = [{words}], in-plan = {plan} }}", via[0])
        };
        let lines = [
            line(&["/usr/bin/apt-get", "--simulate", "**"], true),
            line(&["/usr/bin/apt-cache", "madison", "**"], true),
            line(&["/usr/bin/apt-mark", "showhold", "**"], true),
            line(&["/usr/bin/apt-mark", "**"], false),
            line(&["/usr/bin/dpkg-query", "--show", "**"], true),
            line(&["/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "/usr/bin/apt-get", "**"], false),
            line(&["/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "/usr/bin/dpkg", "**"], false),
            line(&["/usr/bin/test", "-e", "/run/reboot-required"], true),
            line(&["/usr/bin/uname", "-r"], true),
        ];
        bench.grant(&format!("exec = [{}]", lines.join(", ")));
        bench
    }
}

fn make(archive: &Path, name: &str, version: &str, depends: &str, postinst: &str) {
    let tree = archive.join("tree");
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    let depends = if depends.is_empty() { String::new() } else { format!("Depends: {depends}\n") };
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a test <test@example.org>\n{depends}Description: {name}\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    fs::write(tree.join("DEBIAN/postinst"), format!("#!/bin/sh\n{postinst}\n")).unwrap();
    succeed(Command::new("chmod").args(["-R", "755"]).arg(&tree).output().unwrap());
    let file = archive.join(format!("{name}_{version}.deb"));
    let build = ["--root-owner-group", "--build"];
    succeed(Command::new("dpkg-deb").args(build).args([&tree, &file]).output().unwrap());
    fs::remove_dir_all(&tree).unwrap();
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = as_root(&["/usr/bin/rm", "-rf", "--one-file-system", self.folder.to_str().unwrap()]).status();
    }
}

pub(super) fn names(changed: &Value) -> String {
    let one = |up: &Value| {
        format!(
            "{}:{}>{}",
            up["name"].as_str().unwrap(),
            up["from"].as_str().unwrap_or("-"),
            up["to"].as_str().unwrap()
        )
    };
    changed.as_array().unwrap().iter().map(one).collect::<Vec<_>>().join(" ")
}

const BEFORE: &str = "rw-a=1 rw-b=1 rw-bad=1 rw-held=1";

#[test]
fn packages_are_upgraded_in_order_and_go_back_to_what_they_were() {
    let system = System::new();
    let mut bench = system.bench();
    let input = json!({"packages": ["rw-b"]});
    assert_eq!(system.versions(), BEFORE);

    let plan = bench.plan("apply", &input);
    assert_eq!(plan.summary, "changes 3 packages and removes 0");
    assert_eq!(bench.verify("apply", &input), Verdict::NotHappened);
    assert_eq!(system.versions(), BEFORE, "a plan changes nothing");

    let applied = bench.run("apply", &input);
    let order = names(&applied.output["changed"]);
    assert!(order.find("rw-a:1>2").unwrap() < order.find("rw-b:1>2").unwrap(), "b needs a: {order}");
    assert!(order.find("rw-c:->2").unwrap() < order.find("rw-b:1>2").unwrap(), "b needs c: {order}");
    assert_eq!(system.versions(), "rw-a=2 rw-b=2 rw-bad=1 rw-c=2 rw-held=1");
    assert_eq!(system.call("/usr/bin/apt-mark showauto rw-a rw-b"), "rw-a\n", "nobody asked for it now either");
    happened(bench.verify("apply", &input));
    assert_eq!(bench.run("apply", &input).output, applied.output, "an attempt that is repeated answers the same");
    bench.run("installed", &json!({"packages": ["rw-a=2", "rw-b=2"]}));
    let other = bench.fail("installed", &json!({"packages": ["rw-a=1", "rw-none=1"]}));
    assert_eq!(other.message, "rw-a is at 2, not 1; rw-none is not installed");

    for _ in 0..2 {
        bench.undone("apply", &input, None);
        assert_eq!(system.versions(), BEFORE);
    }
    assert_eq!(system.call("/usr/bin/apt-mark showauto rw-a rw-b"), "rw-a\n");

    bench.next_step();
    let applied = bench.run("apply", &input);
    // The archive forgets the old versions, as archives do.
    system.offer(&|package| package.ends_with("_2"));
    match bench.undo("apply", &input, Some(&applied)) {
        Outcome::Failed(failure) => {
            assert_eq!((failure.kind, failure.code.as_deref()), (FailureKind::Permanent, Some("package.gone")));
            assert!(failure.message.contains("rw-a=1, rw-b=1"), "{failure:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(system.versions(), "rw-a=2 rw-b=2 rw-bad=1 rw-c=2 rw-held=1", "all or nothing");
}

#[test]
fn a_package_that_breaks_is_told_and_taken_back() {
    let system = System::new();
    let mut bench = system.bench();
    let input = json!({"packages": ["rw-bad"]});
    let failed = bench.fail("apply", &input);
    assert_eq!(failed.kind, FailureKind::Partial, "{failed:?}");
    assert!(failed.message.contains("rw-bad"), "{failed:?}");
    assert_eq!(bench.verify("apply", &input), Verdict::NotHappened, "it is there, but not configured");
    bench.undone("apply", &input, None);
    assert_eq!(system.versions(), BEFORE);

    bench.next_step();
    for (input, kind) in [
        (json!({"packages": ["rw-none"], "install": true}), FailureKind::Permanent),
        (json!({"packages": ["rw-a=9"]}), FailureKind::Permanent),
        (json!({"packages": ["-y"]}), FailureKind::InvalidInput),
        (json!({}), FailureKind::InvalidInput),
        (json!({"packages": ["rw-a"], "all": true}), FailureKind::InvalidInput),
    ] {
        let failed = bench.fail("apply", &input);
        assert_eq!(failed.kind, kind, "{input}: {failed:?}");
    }
    let unchanged = bench.run("apply", &json!({"packages": ["rw-c"]}));
    assert!(!unchanged.changed, "what is not there is not installed unless it is said: {unchanged:?}");
    assert_eq!(system.versions(), BEFORE);
}

#[test]
fn what_is_pending_is_listed_and_what_is_held_stays() {
    let system = System::new();
    let mut bench = system.bench();
    bench.run("refresh", &json!({}));
    let pending = bench.run("pending", &json!({})).output;
    let order = names(&pending["packages"]);
    assert_eq!(pending["count"], 4, "{pending}");
    assert!(order.find("rw-a:1>2").unwrap() < order.find("rw-b:1>2").unwrap(), "{order}");
    assert_eq!(bench.run("pending", &json!({"security-only": true})).output["count"], 0);

    let hold = json!({"packages": ["rw-b", "rw-bad"]});
    system.call("/usr/bin/apt-mark hold rw-bad");
    assert_eq!(bench.plan("hold", &hold).changes.len(), 1, "one is held already");
    let held = bench.run("hold", &hold);
    assert_eq!(held.output, json!({"changed": ["rw-b"]}));
    assert_eq!(bench.run("hold", &hold), held, "an attempt that is repeated answers the same");
    happened(bench.verify("hold", &hold));
    let pending = bench.run("pending", &json!({})).output;
    assert_eq!((names(&pending["packages"]), &pending["kept-back"]), ("rw-a:1>2".into(), &json!(["rw-b", "rw-bad"])));
    let applied = bench.run("apply", &json!({"all": true}));
    assert_eq!(names(&applied.output["changed"]), "rw-a:1>2");
    for _ in 0..2 {
        bench.undone("hold", &hold, None);
        assert_eq!(system.call("/usr/bin/apt-mark showhold"), "rw-bad\n", "it was held before");
    }

    bench.next_step();
    let unhold = json!({"packages": ["rw-bad"]});
    let unheld = bench.run("unhold", &unhold);
    assert_eq!(system.call("/usr/bin/apt-mark showhold"), "");
    bench.undone("unhold", &unhold, Some(&unheld));
    assert_eq!(system.call("/usr/bin/apt-mark showhold"), "rw-bad\n");

    assert_eq!(bench.run("reboot-needed", &json!({})).output, json!({"needed": false, "reasons": []}));
    system.put("/run/reboot-required", "");
    assert_eq!(bench.run("reboot-needed", &json!({})).output["needed"], true);
    bench.grant("");
    let denied = bench.fail("pending", &json!({}));
    assert!(denied.kind == FailureKind::Denied && denied.message.contains("apt-get"), "{denied:?}");
}

#[test]
fn an_interrupted_upgrade_is_brought_to_its_end() {
    let system = System::new();
    let bench = system.bench();
    let input = json!({"packages": ["rw-slow", "rw-b"], "install": true});
    let once = system.root().join("tmp/once");
    let lost = bench.cut_off("apply", &input, || once.exists());
    assert!(lost.contains("was killed") && once.exists(), "it was in the middle of it: {lost}");
    let sleeping = Command::new("pgrep").args(["-f", "^sleep 1234$"]).status().unwrap();
    assert!(!sleeping.success(), "what apt had started is gone with it");
    assert!(!system.versions().contains("rw-slow"), "it is not configured: {}", system.versions());
    assert_eq!(bench.verify("apply", &input), Verdict::NotHappened);
    bench.run("apply", &input);
    assert_eq!(system.versions(), "rw-a=2 rw-b=2 rw-bad=1 rw-c=2 rw-held=1 rw-slow=1");
    bench.undone("apply", &input, None);
    assert_eq!(system.versions(), BEFORE);
}

/// A program in the place of apt or dnf, that answers each call by what `script` does with `$*`.
fn stranger(folder: &Path, script: &str) -> Bench {
    use std::os::unix::fs::PermissionsExt;

    let file = folder.join("stranger");
    fs::write(&file, format!("#!/bin/sh\n{script}\nexit 0\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let bench = Bench::new("package").config(json!({"via": [file]}));
    bench.grant(&format!("exec = [{{ program = {:?}, args = [\"**\"], in-plan = true }}]", file.to_str().unwrap()));
    bench
}

#[test]
fn a_stranger_that_says_welcome_is_no_package_manager() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let welcome = "Bienvenue sur le serveur; tout va bien";
    let script = format!("case \"$*\" in *--version*) echo 4.14.0;; *) echo '{welcome}';; esac");
    for manager in ["apt", "dnf"] {
        for action in ["pending", "apply", "refresh", "hold", "unhold", "installed", "reboot-needed"] {
            let mut input = json!({"manager": manager});
            if ["apply", "hold", "unhold", "installed"].contains(&action) {
                input["packages"] = json!(["bash"]);
            }
            let failed = stranger(folder.path(), &script).fail(action, &input);
            assert_eq!(failed.code.as_deref(), Some("package.misread"), "{manager} {action}: {failed:?}");
            assert!(failed.message.contains(welcome), "{manager} {action}: {failed:?}");
        }
    }
    // Silence of a program that should have done something.
    let failed = stranger(folder.path(), "").fail("hold", &json!({"packages": ["bash"]}));
    assert_eq!((failed.kind, failed.code.as_deref()), (FailureKind::Partial, Some("package.not-marked")), "{failed:?}");
    let held = "case \"$*\" in *showhold*) echo bash;; esac";
    let failed = stranger(folder.path(), held).fail("unhold", &json!({"packages": ["bash"]}));
    assert!(failed.message.contains("bash is still held"), "{failed:?}");
}

#[test]
fn a_dnf_that_warns_before_its_version_is_known() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let script = "case \"$*\" in *--version*) printf 'Unable to detect release version (use --releasever)\\n4.14.0\\n';; \
                  *) echo 'Nothing to do.';; esac";
    let pending = stranger(folder.path(), script).run("pending", &json!({"manager": "dnf"})).output;
    assert_eq!(pending["count"], 0);
}
