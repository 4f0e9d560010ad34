//! `package.wasm` against a real dnf 4: in a copy of a small Debian that has it, with an archive of hand-made packages,
//! offline. `rw-b` 2 needs `rw-a` 2 and the new `rw-c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use runwright_core::{FailureKind, Outcome, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, happened};
use super::package::{names, succeed};
use super::service::{as_root, root};

/// A system of this test's own; it is gone with it.
struct System {
    folder: PathBuf,
}

const PACKAGES: [(&str, &str, &str); 5] = [
    ("rw-a", "1", ""),
    ("rw-a", "2", ""),
    ("rw-b", "1", "Requires: rw-a"),
    ("rw-b", "2", "Requires: rw-a >= 2, rw-c"),
    ("rw-c", "2", ""),
];

const BEFORE: &str = "rw-a-1-1 rw-b-1-1";

impl System {
    fn new() -> Self {
        let debian = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/dnf");
        assert!(debian.is_dir(), "there is no {}: run tests/setup", debian.display());
        let folder = tempfile::Builder::new().prefix("rw").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let system = Self { folder };
        let root = system.root();
        succeed(as_root(&["/usr/bin/cp", "-a", debian.to_str().unwrap(), root.to_str().unwrap()]).output().unwrap());
        system.put("/etc/dnf/vars/releasever", "12\n");
        // Debian's dnf would keep every package in an archive of its own, which wants to be signed.
        system.put("/etc/dnf/plugins/local.conf", "[main]\nenabled = 0\n");
        system.put("/etc/yum.repos.d/rw.repo", "[rw]\nname = rw\nbaseurl = file:///archive\ngpgcheck = 0\n");
        for (name, version, requires) in PACKAGES {
            let spec = format!(
                "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: {name}\nLicense: MIT\nBuildArch: noarch\n{requires}\n%description\n{name}\n%files\n"
            );
            system.put("/tmp/spec", &spec);
            system.call("/usr/bin/rpmbuild --quiet -bb --define=_topdir\u{a0}/tmp/build --define=_rpmdir\u{a0}/archive /tmp/spec");
        }
        system.call("/usr/bin/createrepo_c -q /archive");
        system.call("/usr/bin/dnf -y -q install rw-a-1-1 rw-b-1-1");
        system
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    fn via(&self) -> Vec<String> {
        let chroot = ["/usr/sbin/chroot".to_owned(), self.root().to_str().unwrap().to_owned()];
        root().into_iter().chain(chroot).collect()
    }

    /// Calls a program in it; a no-break space is a space within a word.
    fn call(&self, line: &str) -> String {
        let via = self.via();
        let words = line.split(' ').map(|word| word.replace('\u{a0}', " "));
        succeed(Command::new(&via[0]).args(&via[1..]).args(words).output().unwrap())
    }

    fn put(&self, path: &str, text: &str) {
        let file = self.folder.join("put");
        fs::write(&file, text).unwrap();
        let to = format!("{}{path}", self.root().display());
        succeed(as_root(&["/usr/bin/install", "-D", "-m", "644", file.to_str().unwrap(), &to]).output().unwrap());
    }

    fn versions(&self) -> String {
        let mut all: Vec<_> = self.call("/usr/bin/rpm -qa --qf %{NAME}-%{EVR}\\n").lines().map(str::to_owned).collect();
        all.sort();
        all.join(" ")
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
            line(&["/usr/bin/rpm", "--query", "**"], true),
            line(&["/usr/bin/dnf", "--version"], true),
            line(&["/usr/bin/dnf", "--assumeno", "**"], true),
            line(&["/usr/bin/dnf", "--quiet", "repoquery", "**"], true),
            line(&["/usr/bin/dnf", "--quiet", "versionlock", "list"], true),
            line(&["/usr/bin/dnf", "--assumeyes", "**"], false),
            line(&["/usr/bin/dnf", "--quiet", "versionlock", "*", "**"], false),
        ];
        bench.grant(&format!("exec = [{}]", lines.join(", ")));
        bench
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = as_root(&["/usr/bin/rm", "-rf", "--one-file-system", self.folder.to_str().unwrap()]).status();
    }
}

fn input(packages: &[&str]) -> Value {
    json!({"packages": packages, "manager": "dnf"})
}

#[test]
fn packages_are_upgraded_held_and_brought_back() {
    let system = System::new();
    let mut bench = system.bench();
    assert_eq!(system.versions(), BEFORE);
    bench.run("refresh", &json!({"manager": "dnf"}));
    let pending = bench.run("pending", &json!({"manager": "dnf"})).output;
    assert_eq!(names(&pending["packages"]), "rw-a:1-1>2-1 rw-b:1-1>2-1 rw-c:->2-1", "{pending}");

    let b = input(&["rw-b"]);
    assert_eq!(bench.plan("apply", &b).summary, "changes 3 packages and removes 0");
    assert_eq!(bench.verify("apply", &b), Verdict::NotHappened);
    assert_eq!(system.versions(), BEFORE, "a plan changes nothing");
    let applied = bench.run("apply", &b);
    assert_eq!(system.versions(), "rw-a-2-1 rw-b-2-1 rw-c-2-1");
    happened(bench.verify("apply", &b));
    assert_eq!(bench.run("apply", &b).output, applied.output, "an attempt that is repeated answers the same");
    bench.run("installed", &input(&["rw-b=2-1"]));
    assert_eq!(bench.fail("installed", &input(&["rw-b=1-1"])).code.as_deref(), Some("package.other-version"));
    for _ in 0..2 {
        bench.undone("apply", &b, None);
        assert_eq!(system.versions(), BEFORE);
    }

    bench.next_step();
    let held = bench.run("hold", &b);
    assert_eq!((system.call("/usr/bin/dnf -q versionlock list").trim(), held.changed), ("rw-b-0:1-1.*", true));
    happened(bench.verify("hold", &b));
    bench.next_step();
    assert!(!bench.run("apply", &b).changed, "it is held");
    assert!(!bench.run("hold", &b).changed, "it is held already");
    bench.next_step();
    let unheld = bench.run("unhold", &b);
    assert_eq!(system.call("/usr/bin/dnf -q versionlock list"), "");
    bench.undone("unhold", &b, Some(&unheld));
    assert_eq!(system.call("/usr/bin/dnf -q versionlock list").trim(), "rw-b-0:1-1.*");
    system.call("/usr/bin/dnf -q versionlock delete rw-b");

    bench.next_step();
    let unknown = bench.fail("apply", &json!({"packages": ["rw-none"], "install": true, "manager": "dnf"}));
    assert_eq!(
        (unknown.kind, unknown.code.as_deref()),
        (FailureKind::Permanent, Some("package.not-found")),
        "{unknown:?}"
    );
    let applied = bench.run("apply", &b);
    // The archive forgets the old versions, as archives do.
    succeed(
        as_root(&[
            "/usr/bin/find",
            system.root().join("archive").to_str().unwrap(),
            "-name",
            "*-1-1.noarch.rpm",
            "-delete",
        ])
        .output()
        .unwrap(),
    );
    system.call("/usr/bin/createrepo_c -q /archive");
    bench.run("refresh", &json!({"manager": "dnf"}));
    match bench.undo("apply", &b, Some(&applied)) {
        Outcome::Failed(failure) => assert_eq!(failure.code.as_deref(), Some("package.gone"), "{failure:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(system.versions(), "rw-a-2-1 rw-b-2-1 rw-c-2-1", "all or nothing");
}
