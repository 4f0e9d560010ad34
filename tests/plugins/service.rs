//! `service.wasm` against a real systemd, booted in namespaces of its own from a small Debian.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use runwright_core::{FailureKind, Outcome, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, happened};

/// A system with systemd as its process 1; it ends with the test.
pub(super) struct Guest {
    child: Child,
    init: String,
}

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The small Debian that `tests/tools` makes.
pub(super) fn debian() -> PathBuf {
    let folder = tree().join("target/tools/debian");
    assert!(folder.is_dir(), "there is no {}: run tests/setup", folder.display());
    folder
}

/// What a command needs in front of it to be run as root.
pub(super) fn root() -> Vec<String> {
    let own = rustix::process::geteuid().is_root();
    if own { Vec::new() } else { ["/usr/bin/sudo", "-n"].map(Into::into).into() }
}

/// A command line with `words` behind what makes it root.
pub(super) fn as_root(words: &[&str]) -> Command {
    let mut line = root();
    line.extend(words.iter().map(|word| (*word).to_owned()));
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]);
    command
}

const WEB: &str = "[Unit]\nDescription=a web server\n[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n\
                   [Install]\nWantedBy=multi-user.target\n";
const BREAKS: &str = "[Service]\nType=oneshot\nExecStart=/bin/false\n";
const RESTLESS: &str = "[Service]\nExecStart=/bin/sleep 0.3\nRestart=always\nRestartSec=100ms\nStartLimitBurst=1000\n";

impl Guest {
    pub(super) fn boot() -> Self {
        let script = tree().join("tests/plugins/boot-systemd");
        let mut child = as_root(&[script.to_str().unwrap(), debian().to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut init = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut init).unwrap();
        let guest = Self { child, init: init.trim().to_owned() };
        assert!(!guest.init.is_empty(), "systemd did not boot");
        for (name, text) in [("web", WEB), ("breaks", BREAKS), ("restless", RESTLESS)] {
            guest.write(&format!("/etc/systemd/system/{name}.service"), text);
        }
        guest.systemctl("daemon-reload");
        guest
    }

    /// What leads into it.
    pub(super) fn via(&self) -> Vec<String> {
        let enter = ["/usr/bin/nsenter", "--target", &self.init, "--all", "--root", "--wd"];
        root().into_iter().chain(enter.map(Into::into)).collect()
    }

    fn command(&self, words: &[&str]) -> Command {
        let line = self.via();
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).args(words);
        command
    }

    fn write(&self, path: &str, text: &str) {
        let mut child =
            self.command(&["/usr/bin/tee", path]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// What systemctl itself says.
    pub(super) fn systemctl(&self, verb: &str) -> String {
        let words: Vec<_> = ["/usr/bin/systemctl"].into_iter().chain(verb.split(' ')).collect();
        let output = self.command(&words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn bench(&self) -> Bench {
        let bench = Bench::new("service").config(json!({"via": self.via()}));
        let via = self.via();
        let args = |verb: &[&str]| {
            let words = via[1..].iter().map(String::as_str).chain(["/usr/bin/systemctl"]).chain(verb.iter().copied());
            words.map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
        };
        bench.grant(&format!(
            "exec = [{{ program = {:?}, args = [{}], in-plan = true }}, {{ program = {:?}, args = [{}] }}]",
            via[0],
            args(&["show", "**"]),
            via[0],
            args(&["*", "--", "*"]),
        ));
        bench
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Its end is the end of its standard input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn web() -> Value {
    json!({"unit": "web"})
}

#[test]
fn a_unit_is_started_and_stopped_and_brought_back_to_what_it_was() {
    let guest = Guest::boot();
    let mut bench = guest.bench();
    assert_eq!(bench.run("status", &web()).output["active"], "inactive");
    assert_eq!(bench.plan("start", &web()).changes[0].summary, "start; it is inactive now");
    assert_eq!(bench.verify("start", &web()), Verdict::NotHappened);
    let started = bench.run("start", &web());
    assert_eq!((started.changed, &started.output["sub"]), (true, &json!("running")), "{started:?}");
    assert_eq!(guest.systemctl("is-active web"), "active");
    assert_eq!(bench.run("start", &web()).undo_data, started.undo_data, "an attempt that is repeated knows it was off");
    assert!(happened(bench.verify("start", &web())).changed);
    for _ in 0..2 {
        bench.undone("start", &web(), None);
        assert_eq!(guest.systemctl("is-active web"), "inactive");
    }

    guest.systemctl("start web");
    bench.next_step();
    let already = bench.run("start", &web());
    assert!(!already.changed);
    bench.undone("start", &web(), Some(&already));
    assert_eq!(guest.systemctl("is-active web"), "active", "it ran before, so it runs on");

    bench.next_step();
    let stopped = bench.run("stop", &web());
    assert_eq!(guest.systemctl("is-active web"), "inactive");
    happened(bench.verify("stop", &web()));
    bench.undone("stop", &web(), Some(&stopped));
    assert_eq!(guest.systemctl("is-active web"), "active");
}

#[test]
fn a_restart_is_known_by_its_invocation() {
    let guest = Guest::boot();
    let mut bench = guest.bench();
    guest.systemctl("start web");
    assert_eq!(bench.verify("restart", &web()), Verdict::NotHappened);
    let before = bench.run("status", &web()).output;
    let restarted = bench.run("restart", &web());
    assert_ne!((&restarted.output["pid"], &restarted.output["invocation"]), (&before["pid"], &before["invocation"]));
    happened(bench.verify("restart", &web()));
    assert!(bench.run("reload", &web()).changed);

    bench.next_step();
    let failed = bench.fail("start", &json!({"unit": "breaks.service"}));
    assert_eq!((failed.kind, failed.code.as_deref()), (FailureKind::Partial, Some("service.failed")));
    assert!(failed.message.contains("the unit is failed, exit-code"), "{failed:?}");
    let reload = bench.fail("reload", &json!({"unit": "breaks"}));
    assert_eq!(reload.code.as_deref(), Some("service.no-reload"), "{reload:?}");
    let unknown = bench.fail("restart", &json!({"unit": "nothing"}));
    assert_eq!((unknown.kind, unknown.code.as_deref()), (FailureKind::Permanent, Some("service.not-found")));
    assert_eq!(bench.run("status", &json!({"unit": "nothing"})).output["load"], "not-found");
}

#[test]
fn a_unit_is_enabled_and_disabled_and_back() {
    let guest = Guest::boot();
    let mut bench = guest.bench();
    let plan = bench.plan("enable", &web());
    assert_eq!(
        (plan.changes[0].before.as_deref(), plan.changes[0].after.as_deref()),
        (Some("disabled"), Some("enabled"))
    );
    let enabled = bench.run("enable", &web());
    assert!(enabled.changed && guest.systemctl("is-enabled web") == "enabled");
    assert_eq!(bench.run("enable", &web()), enabled, "an attempt that is repeated answers the same");
    happened(bench.verify("enable", &web()));
    bench.undone("enable", &web(), None);
    assert_eq!(guest.systemctl("is-enabled web"), "disabled");

    bench.next_step();
    let already = bench.run("disable", &web());
    assert!(!already.changed);
    bench.undone("disable", &web(), Some(&already));
    assert_eq!(guest.systemctl("is-enabled web"), "disabled");
    let fixed = bench.fail("enable", &json!({"unit": "breaks"}));
    assert_eq!(fixed.code.as_deref(), Some("service.not-installable"), "{fixed:?}");
}

#[test]
fn what_stays_active_is_told_from_what_does_not() {
    let guest = Guest::boot();
    let mut bench = guest.bench();
    guest.systemctl("start web restless");
    assert_eq!(bench.run("wait-active", &json!({"unit": "web", "for": "1s"})).output["active"], "active");
    let restless = json!({"unit": "restless", "for": "2s", "within": "3s"});
    let failed = bench.fail("wait-active", &restless);
    assert_eq!((failed.kind, failed.code.as_deref()), (FailureKind::Transient, Some("service.not-active")));
    guest.systemctl("start breaks");
    bench.next_step();
    let hopeless = bench.fail("wait-active", &json!({"unit": "breaks", "within": "1h"}));
    assert_eq!(hopeless.kind, FailureKind::Permanent, "{hopeless:?}");

    // Without a grant nothing is run, and a plan says what it can.
    bench.grant("");
    assert_eq!(bench.plan("stop", &web()).changes[0].summary, "stop, unless that is done already");
    let denied = bench.fail("stop", &web());
    assert_eq!(denied.kind, FailureKind::Denied);
    assert!(denied.message.contains("\"/usr/bin/systemctl\", \"show\""), "{denied:?}");
    for unit in ["-H", "*", "a;reboot"] {
        assert!(
            matches!(bench.attempt("stop", &json!({"unit": unit})), Outcome::Failed(failure) if failure.kind == FailureKind::InvalidInput)
        );
    }
}

#[test]
fn a_unit_that_crashes_again_and_again_is_stopped() {
    let guest = Guest::boot();
    let loops = "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=1h\n";
    guest.write("/etc/systemd/system/loops.service", loops);
    guest.systemctl("daemon-reload");
    guest.systemctl("start --no-block loops");
    let bench = guest.bench();
    let unit = json!({"unit": "loops"});
    let waiting = || guest.systemctl("show --property SubState loops") == "SubState=auto-restart";
    for _ in 0..100 {
        if waiting() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(waiting(), "it waits to be started again");
    assert_eq!(bench.verify("stop", &unit), Verdict::NotHappened);
    assert_eq!(bench.plan("stop", &unit).changes[0].summary, "stop; it is activating now");
    let stopped = bench.run("stop", &unit);
    assert!(stopped.changed && stopped.output["active"] != "activating", "{stopped:?}");
    assert!(["inactive", "failed"].contains(&guest.systemctl("is-active loops").as_str()));
}

/// A program in systemctl's place: for each verb `show` prints the properties of `state`, and nothing else does anything.
fn does_nothing(folder: &Path, state: &str) -> Bench {
    use std::os::unix::fs::PermissionsExt;

    let file = folder.join("does-nothing");
    std::fs::write(&file, format!("#!/bin/sh\n[ \"$2\" = show ] && printf '{state}'\nexit 0\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bench = Bench::new("service").config(json!({"via": [file]}));
    bench.grant(&format!("exec = [{{ program = {:?}, args = [\"**\"] }}]", file.to_str().unwrap()));
    bench
}

#[test]
fn what_systemctl_did_not_do_is_no_success() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let active = "Id=web.service\\nLoadState=loaded\\nActiveState=active\\nSubState=running\\nUnitFileState=enabled\\n\
                  Result=success\\nInvocationID=abc\\nCanReload=yes\\n";
    for (action, now) in [
        ("stop", "the unit is active (running), enabled"),
        ("disable", "the unit is active (running), enabled"),
        ("restart", "it runs on as before"),
    ] {
        let failed = does_nothing(folder.path(), active).fail(action, &web());
        assert_eq!((failed.kind, failed.code.as_deref()), (FailureKind::Partial, Some("service.other-state")));
        assert!(failed.message.contains(now), "{action}: {failed:?}");
    }
    let odd = "Id=web.service\\nLoadState=loaded\\nActiveState=frobnicated\\nSubState=x\\nUnitFileState=disabled\\n";
    for (action, now) in [("start", "frobnicated (x)"), ("stop", "frobnicated (x)"), ("enable", "disabled")] {
        let failed = does_nothing(folder.path(), odd).fail(action, &web());
        assert_eq!(failed.code.as_deref(), Some("service.other-state"), "{failed:?}");
        assert!(failed.message.contains(now), "{action}: {failed:?}");
    }
}
