//! `files.wasm`: over granted folders only, whole or not at all, and back.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use runwright_core::{FailureKind, Outcome, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, happened};
use crate::support::Project;

const GRANTS: &str = r#"
files = [{ path = "FOLDER", write = true }]
exec = [
  { program = "/usr/bin/cp", args = ["--attributes-only", "--preserve=mode,ownership", "--", "FOLDER/*", "FOLDER/.runwright-*"] },
  { program = "/usr/bin/chmod", args = ["*", "--", "FOLDER/.runwright-*"] },
]
"#;

fn bench() -> Bench {
    let bench = Bench::new("files");
    bench.grant(GRANTS);
    bench
}

fn mode(bench: &Bench, name: &str) -> u32 {
    fs::metadata(bench.path(name)).unwrap().permissions().mode() & 0o7777
}

/// What lies in the folder.
fn names(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_written_and_put_back_as_it_was() {
    let bench = bench();
    fs::write(bench.path("app.conf"), "a = 1\nb = 2\nc = 3\n").unwrap();
    fs::set_permissions(bench.path("app.conf"), PermissionsExt::from_mode(0o640)).unwrap();
    let input = json!({"path": bench.text("app.conf"), "text": "a = 1\nb = 3\nc = 3\n"});

    let plan = bench.plan("write", &input);
    let change = &plan.changes[0];
    assert_eq!(change.summary, "from line 2: 1 line become 1");
    assert_eq!((change.before.as_deref(), change.after.as_deref()), (Some("b = 2\n"), Some("b = 3\n")));
    assert_eq!(bench.verify("write", &input), Verdict::NotHappened);

    let first = bench.run("write", &input);
    assert!(first.changed && first.output["undoable"] == true);
    assert_eq!(fs::read_to_string(bench.path("app.conf")).unwrap(), "a = 1\nb = 3\nc = 3\n");
    assert_eq!(mode(&bench, "app.conf"), 0o640, "its mode stays");
    assert_eq!(names(&bench), ["app.conf"], "nothing lies about");
    happened(bench.verify("write", &input));

    // The answer was lost: another attempt must not take the new content for the old one.
    assert_eq!(bench.run("write", &input), first);
    for _ in 0..2 {
        bench.undone("write", &input, None);
        assert_eq!(fs::read_to_string(bench.path("app.conf")).unwrap(), "a = 1\nb = 2\nc = 3\n");
        assert_eq!(mode(&bench, "app.conf"), 0o640);
    }
}

#[test]
fn a_new_file_gets_its_mode_and_goes_away_again() {
    let mut bench = bench();
    let input = json!({"path": bench.text("new"), "base64": "/w==", "mode": "0600"});
    let wrote = bench.run("write", &input);
    assert_eq!((fs::read(bench.path("new")).unwrap(), mode(&bench, "new")), (vec![0xff], 0o600));
    assert_eq!(bench.run("read", &json!({"path": bench.text("new")})).output["base64"], "/w==");
    assert!(bench.undone("write", &input, Some(&wrote)).changed);
    assert_eq!(names(&bench), [] as [&str; 0]);

    bench.next_step();
    bench.run("write", &input);
    fs::write(bench.path("new"), "by hand").unwrap();
    match bench.undo("write", &input, None) {
        Outcome::Failed(failure) => assert_eq!(failure.code.as_deref(), Some("files.changed"), "{failure:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_to_string(bench.path("new")).unwrap(), "by hand");
}

#[test]
fn what_is_too_large_to_keep_is_said_before_and_after() {
    let mut bench = bench();
    let large = "x".repeat(250_000);
    fs::write(bench.path("large"), &large).unwrap();
    let input = json!({"path": bench.text("large"), "text": "small"});
    assert!(bench.plan("write", &input).changes[0].summary.ends_with("too large to be kept for undo"));
    let wrote = bench.run("write", &input);
    assert_eq!(wrote.output["undoable"], false);
    assert!(bench.log().contains("undo can't bring it back"), "{}", bench.log());
    match bench.undo("write", &input, Some(&wrote)) {
        Outcome::Failed(failure) => assert!(failure.message.contains("restore them by hand"), "{failure:?}"),
        other => panic!("{other:?}"),
    }

    bench.next_step();
    fs::write(bench.path("large"), &large[..240_000]).unwrap();
    bench.run("write", &input);
    bench.undone("write", &input, None);
    assert_eq!(fs::read_to_string(bench.path("large")).unwrap().len(), 240_000, "what fits comes back whole");
}

#[test]
fn a_removed_file_comes_back() {
    let mut bench = bench();
    let input = json!({"path": bench.text("old.log")});
    assert_eq!(bench.run("remove", &input).output, json!({"existed": false, "bytes": 0, "undoable": true}));

    bench.next_step();
    fs::write(bench.path("old.log"), "line\n").unwrap();
    assert_eq!(bench.plan("remove", &input).changes[0].summary, "a file of 5 bytes; undo brings it back");
    let removed = bench.run("remove", &input);
    assert!(removed.changed && names(&bench).is_empty());
    assert!(bench.run("remove", &input).changed, "an attempt that is repeated knows that it was there");
    happened(bench.verify("remove", &input));
    for _ in 0..2 {
        bench.undone("remove", &input, Some(&removed));
        assert_eq!(fs::read_to_string(bench.path("old.log")).unwrap(), "line\n");
    }

    bench.next_step();
    fs::create_dir(bench.path("folder")).unwrap();
    fs::write(bench.path("folder/x"), "").unwrap();
    let folder = json!({"path": bench.text("folder")});
    assert_eq!(bench.fail("remove", &folder).kind, FailureKind::Permanent, "it is not empty");
    fs::remove_file(bench.path("folder/x")).unwrap();
    bench.run("remove", &folder);
    bench.undone("remove", &folder, None);
    assert!(bench.path("folder").is_dir());
}

#[test]
fn files_are_found_read_and_summed() {
    let bench = bench();
    fs::write(bench.path("a.log"), "first\nlast\n").unwrap();
    fs::write(bench.path("b.txt"), "").unwrap();
    let listed = bench.run("list", &json!({"path": bench.text("").trim_end_matches('/'), "pattern": "*.log"})).output;
    assert_eq!((&listed["count"], &listed["files"][0]["path"]), (&json!(1), &json!(bench.text("a.log"))), "{listed}");
    let end = bench.run("read", &json!({"path": bench.text("a.log"), "from": "end", "max-bytes": 5})).output;
    assert_eq!(end, json!({"text": "last\n", "base64": null, "bytes": 11, "truncated": true}));
    let sum = json!({"path": bench.text("b.txt"), "expect": "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"});
    assert_eq!(bench.run("checksum", &sum).output["bytes"], 0);
    let other = json!({"path": bench.text("a.log"), "expect": sum["expect"]});
    assert_eq!(bench.fail("checksum", &other).code.as_deref(), Some("files.checksum"));
    let there = bench.run("exists", &json!({"path": bench.text("a.log")})).output;
    assert_eq!((&there["exists"], &there["kind"]), (&json!(true), &json!("file")));
    assert_eq!(bench.run("exists", &json!({"path": bench.text("c")})).output["exists"], false);
}

fn denied(bench: &Bench, action: &str, input: &Value) -> String {
    let failure = bench.fail(action, input);
    assert_eq!(failure.kind, FailureKind::Denied, "{failure:?}");
    failure.message
}

#[test]
fn nothing_is_reached_that_is_not_granted() {
    let bench = bench();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let path = |path: &str| json!({"path": path});
    let message = denied(&bench, "read", &path(secret.to_str().unwrap()));
    assert!(message.contains("add under [plugin.files.grants]: files = [{ path = "), "{message}");
    symlink(&secret, bench.path("link")).unwrap();
    symlink(outside.path(), bench.path("out")).unwrap();
    for name in ["link", "out/secret"] {
        assert!(matches!(bench.attempt("read", &path(&bench.text(name))), Outcome::Failed(_)), "{name}");
        let write = json!({"path": bench.text(name), "text": "x", "attributes": "fresh"});
        assert!(matches!(bench.attempt("write", &write), Outcome::Failed(_)), "{name}");
    }
    let climbing = path(&format!("{}/../x", bench.text("in")));
    assert_eq!(bench.fail("read", &climbing).kind, FailureKind::InvalidInput);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");

    bench.grant("files = [{ path = 'FOLDER' }]");
    let write = json!({"path": bench.text("new"), "text": "x"});
    assert!(denied(&bench, "write", &write).contains("write = true"));
}

#[test]
fn a_file_whose_mode_cannot_be_kept_is_left_as_it_is() {
    let mut bench = bench();
    fs::write(bench.path("app.conf"), "old").unwrap();
    bench.grant("files = [{ path = 'FOLDER', write = true }]");
    let mut input = json!({"path": bench.text("app.conf"), "text": "new"});
    let message = denied(&bench, "write", &input);
    assert!(message.contains("nothing was changed; `attributes: fresh`"), "{message}");
    assert!(message.contains("exec = [{ program = \"/usr/bin/cp\""), "{message}");
    assert_eq!(fs::read_to_string(bench.path("app.conf")).unwrap(), "old");
    assert_eq!(names(&bench), ["app.conf"]);
    bench.next_step();
    input["attributes"] = json!("fresh");
    bench.run("write", &input);
    assert_eq!(fs::read_to_string(bench.path("app.conf")).unwrap(), "new");
}

/// A project whose runbook changes two files and then fails.
fn failing() -> Project {
    let project = Project::with_plugins(&["files"]);
    let folder = project.folder().display().to_string();
    let grants = GRANTS.replace("FOLDER", &format!("{folder}/data"));
    project.write("runwright.toml", &format!("state-dir = \"state\"\n[plugin.files.grants]{grants}"));
    fs::create_dir(project.path("data")).unwrap();
    project.write("data/kept", "old\n");
    project.write("data/gone", "here\n");
    project.write(
        "change.yaml",
        "name: change\non-failure: rollback\nsteps:\n  \
         - { id: write, uses: files/write, with: { path: FOLDER/data/kept, text: new } }\n  \
         - { id: remove, uses: files/remove, with: { path: FOLDER/data/gone } }\n  \
         - { id: make, uses: files/write, with: { path: FOLDER/data/made, text: made } }\n  \
         - { id: fail, uses: files/read, with: { path: FOLDER/data/none } }\n",
    );
    project
}

fn assert_as_before(project: &Project, when: &str) {
    assert_eq!(
        (project.lines("data/kept"), project.lines("data/gone")),
        (vec!["old".into()], vec!["here".into()]),
        "{when}"
    );
    assert_eq!(fs::read_dir(project.path("data")).unwrap().count(), 2, "{when}: nothing lies about");
}

#[test]
fn a_run_that_fails_puts_the_files_back() {
    let project = failing();
    let ran = project.call(&["run", "change.yaml"]);
    assert_eq!(ran.exit, Some(5), "rolled back: {ran:?}");
    assert_as_before(&project, "at the end");
}

#[test]
fn a_run_that_is_killed_anywhere_puts_the_files_back() {
    let killed_at = |at: &str| {
        let project = failing();
        let killed = project.command(&["run", "change.yaml"]).env("RUNWRIGHT_KILL_AT", at).output().unwrap();
        if killed.status.code().is_some() {
            assert_eq!(killed.status.code(), Some(5), "there is no such record: {killed:?}");
            return false;
        }
        let show = || project.call(&["runs", "show", "latest", "-o", "json"]);
        if show().exit == Some(0) {
            let resumed = project.call(&["runs", "resume", "latest"]);
            assert_eq!(show().json()["outcome"], "rolled-back", "{at}: {resumed:?}");
        }
        assert_as_before(&project, at);
        true
    };
    let records = (1..100).find(|nth| !killed_at(&format!("before:{nth}"))).unwrap();
    assert!(records > 20, "{records} records");
    for nth in 1..records {
        assert!(killed_at(&format!("after:{nth}")));
    }
}
