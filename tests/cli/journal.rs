//! `runwright journal`

use std::fs;

use crate::support::Project;

fn ran() -> Project {
    let project = Project::new();
    project.write("one.yaml", "name: one\nsteps:\n  - id: a\n    script: 1 + 1\n");
    assert_eq!(project.call(&["run", "one.yaml"]).exit, Some(0));
    project
}

#[test]
fn a_sound_journal_is_sound() {
    let project = ran();
    insta::assert_snapshot!(project.call(&["journal", "verify"]).shown(), @r"
    exit 0
    read 1 run, 4 records, 0 alarms, 1048576 bytes of log
    everything is what was written
    ");
    let report = project.call(&["journal", "verify", "-o", "json"]).json();
    assert_eq!((report["runs"].as_u64(), report["records"].as_u64()), (Some(1), Some(4)));
}

#[test]
fn an_export_has_one_line_for_each_thing() {
    let project = ran();
    let out = project.call(&["journal", "export"]).out;
    let kinds: Vec<&str> = out.lines().map(|line| line.split('"').nth(1).expect("a kind")).collect();
    assert_eq!(kinds, ["runwright-export", "source", "run", "record", "record", "record", "record", "end"]);
    assert_eq!(project.call(&["journal", "export", "--to", "backup.jsonl"]).exit, Some(0));
    assert_eq!(fs::read_to_string(project.path("backup.jsonl")).expect("it is there"), out);
    assert!(!project.path("backup.jsonl.part").exists());
}

#[test]
fn a_journal_that_is_not_there_is_not_made() {
    let project = Project::with_plugins(&[]);
    insta::assert_snapshot!(project.call(&["journal", "verify", "--state-dir", "none"]).shown(), @r"
    exit 3
    --- standard error
    error: could not open the journal: there is no folder none
      hint: give its folder with --state-dir
    ");
    assert!(!project.path("none").exists());
    insta::assert_snapshot!(project.call(&["journal", "export", "--to", "none/backup.jsonl"]).shown(), @r"
    exit 3
    --- standard error
    error: could not export the journal
      cause: none/backup.jsonl could not be written
      cause: No such file or directory (os error 2)
    ");
}
