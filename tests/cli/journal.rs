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
    there is no journal in state yet: the first run makes it
    error: could not export the journal
      cause: none/backup.jsonl could not be written
      cause: No such file or directory (os error 2)
    ");
}

#[test]
fn an_export_is_imported_into_an_empty_folder_only() {
    let project = ran();
    let out = project.call(&["journal", "export"]).out;
    let imported = project.call_with(&["journal", "import", "-", "--state-dir", "restored"], &out);
    assert_eq!(imported.exit, Some(0), "{imported:?}");
    assert!(imported.out.starts_with("imported 1 run, 4 records, 0 alarms"), "{imported:?}");
    assert_eq!(project.call(&["journal", "export", "--state-dir", "restored"]).out, out);
    let again = project.call_with(&["journal", "import", "-", "--state-dir", "restored"], &out);
    assert_eq!(again.exit, Some(3));
    assert!(again.err.contains("there is a journal in"), "{again:?}");
    let changed = out.replacen("succeeded", "failed", 1);
    let refused = project.call_with(&["journal", "import", "-", "--state-dir", "other"], &changed);
    assert_eq!(refused.exit, Some(3));
    assert!(refused.err.contains("of the export"), "{refused:?}");
}

#[test]
fn a_flipped_byte_is_named_by_run_and_record_and_repaired() {
    let project = ran();
    let run =
        project.call(&["runs", "list", "-o", "json"]).json()["runs"][0]["run"].as_str().expect("an id").to_owned();
    let log = project.path("state/log/000001.log");
    let mut bytes = fs::read(&log).expect("a log");
    let at = bytes.windows(9).position(|some| some == b"\"started\"").expect("the second record");
    bytes[at] ^= 1;
    fs::write(&log, bytes).expect("it is written");
    let verify = project.call(&["journal", "verify"]);
    assert_eq!(verify.exit, Some(1));
    assert!(verify.out.contains(&format!("run {run}, record ")), "{verify:?}");
    let dry = project.call(&["journal", "repair", "--dry-run"]);
    assert!(dry.out.contains("the log would be rebuilt"), "{dry:?}");
    let repair = project.call(&["journal", "repair"]);
    assert_eq!(repair.exit, Some(1), "neither copy has it: {repair:?}");
    assert!(repair.out.contains("these runs stay blocked"), "{repair:?}");
    let list = project.call(&["runs", "list", "-o", "json"]).json();
    assert_eq!(list["runs"][0]["status"], "blocked");
    assert_eq!(project.call(&["journal", "abandon", &run]).exit, Some(2), "without a reason");
    insta::assert_snapshot!(project.call(&["journal", "abandon", &run, "--reason", "I looked"]).shown(), @r"
    exit 0
    gave up run RUN, of which record 1 is damaged: neither log nor store has it
    ");
    insta::assert_snapshot!(project.call(&["runs", "list"]).shown(), @r"
    exit 0
    no runs
    ");
    assert_eq!(project.call(&["journal", "verify"]).exit, Some(0));
    let export = project.call(&["journal", "export"]).out;
    assert!(export.lines().any(|line| line.contains("I looked") && line.contains(&run)), "{export}");
}

#[test]
fn a_whole_run_is_not_given_up() {
    let given_up = ran().call(&["journal", "abandon", "latest", "--reason", "no"]).shown();
    insta::assert_snapshot!(given_up, @r"
    exit 3
    --- standard error
    error: could not give up run latest
      cause: run RUN is not damaged
      hint: `runwright runs cancel RUN` ends it
    ");
}

#[test]
fn runs_that_are_over_are_forgotten() {
    let project = ran();
    for dry in [true, false] {
        let mut words = vec!["journal", "prune", "--older-than", "0h"];
        words.extend(dry.then_some("--dry-run"));
        let pruned = project.call(&words).out;
        let did = if dry { "would forget" } else { "forgot" };
        assert_eq!(pruned, format!("{did} 1 run with 4 records, and 0 alarms\n"));
    }
    assert_eq!(project.call(&["runs", "list", "-o", "json"]).json()["runs"], serde_json::json!([]));
    assert_eq!(project.call(&["journal", "compact"]).exit, Some(0));
    assert_eq!(project.call(&["journal", "verify"]).exit, Some(0));
    assert_eq!(project.call(&["journal", "prune", "--older-than", "soon"]).exit, Some(2));
}
