//! Commands in a folder where nothing was run yet: those that only look leave it as it is.

use std::fs;

use crate::support::Project;

/// What is in a folder, and in its folders.
fn names(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        found.push(entry.path().display().to_string());
        if entry.path().is_dir() {
            found.extend(names(&entry.path()));
        }
    }
    found.sort();
    found
}

const LOOKS: [&[&str]; 13] = [
    &["status"],
    &["runs", "list"],
    &["runs", "show", "latest"],
    &["runs", "watch", "latest"],
    &["runs", "cancel", "latest"],
    &["runs", "resume", "latest"],
    &["settle", "latest", "a", "done"],
    &["journal", "verify"],
    &["journal", "export"],
    &["doctor"],
    &["plugin", "list"],
    &["check", "good.yaml"],
    &["plan", "good.yaml"],
];

#[test]
fn what_only_looks_makes_nothing() {
    let project = Project::with_plugins(&["hello"]);
    project.write("good.yaml", "name: good\nsteps:\n  - { id: a, uses: hello/greet, with: { name: x } }\n");
    for state in ["there, and empty", "not there"] {
        fs::remove_dir_all(project.path("state")).expect("it is there");
        if state != "not there" {
            fs::create_dir(project.path("state")).expect("a folder");
        }
        let before = names(project.folder());
        for words in LOOKS {
            let ran = project.call(words);
            assert_ne!(ran.exit, Some(70), "{ran:?}");
            assert_eq!(names(project.folder()), before, "{words:?} with a state directory that is {state}");
        }
    }
    assert_eq!(project.call(&["run", "good.yaml"]).exit, Some(0));
}

#[test]
fn that_there_is_no_journal_is_said() {
    let project = Project::new();
    insta::assert_snapshot!(project.call(&["runs", "list"]).shown(), @r"
    exit 0
    no runs
    there is no journal in state yet: the first run makes it
    ");
    insta::assert_snapshot!(project.call(&["journal", "verify"]).shown(), @r"
    exit 0
    read 0 runs, 0 records, 0 alarms, 0 bytes of log
    everything is what was written
    --- standard error
    there is no journal in state yet: the first run makes it
    ");
    let exported = project.call(&["journal", "export"]);
    assert_eq!((exported.exit, exported.out.lines().count()), (Some(0), 2), "{exported:?}");
    assert_eq!(project.call(&["runs", "list", "-o", "json"]).json()["runs"], serde_json::json!([]));
    project.write("one.yaml", "name: one\nsteps: [{ id: a, script: 1 + 1 }]\n");
    assert_eq!(project.call(&["run", "one.yaml"]).exit, Some(0));
    assert!(!project.call(&["status"]).out.contains("no journal"));
}

#[test]
fn output_that_can_not_be_written_is_no_success() {
    let project = Project::new();
    for words in [&["runs", "list", "-o", "json"][..], &["status"], &["completions", "bash"]] {
        let mut command = project.command(words);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let ran = command.stdout(full).output().expect("runwright starts");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(70), "{words:?}: {told}");
        assert!(told.contains("could not write to standard output: No space left"), "{told}");
    }
}
