//! Rolling back what can't all be taken back.

use serde_json::json;

use crate::support::Project;

/// Removes files and keeps nothing of them.
const CLEAN: &str = r#"
name: clean-logs
lock: clean-logs
steps:
  - id: clean
    script: |
      for n in 1..=4 {
        act("files/remove", #{ path: `FOLDER/logs/${n}.log`, "keep-previous": false });
      }
"#;

/// A run that removed four files, and succeeded.
fn cleaned() -> Project {
    let project = Project::with_plugins(&["files"]);
    let grants = format!("[plugin.files.grants]\nfiles = [{{ path = {:?}, write = true }}]\n", project.folder());
    project.write("runwright.toml", &format!("state-dir = \"state\"\ngrace = 2\n{grants}"));
    project.write("clean.yaml", CLEAN);
    std::fs::create_dir(project.path("logs")).expect("a folder");
    (1..=4).for_each(|n| project.write(&format!("logs/{n}.log"), "old"));
    let ran = project.call(&["run", "clean.yaml"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    project
}

#[test]
fn what_may_not_come_back_is_said_before_and_one_settlement_is_enough() {
    let project = cleaned();
    insta::assert_snapshot!(project.call(&["runs", "rollback", "latest"]).shown(), @r"
    exit 4
    destroyed something that may not come back: clean (4 calls)
    run RUN of clean-logs, started by USER
    so far: clean succeeded
    rollback asked for by USER
    rolling back
    clean/4: undoing
    clean/4: undo failed: the 3 bytes that were there before are not kept: the step says so; restore them by hand
    run RUN blocked: a person must decide
      clean: not all that its script did could be taken back
        clean/4: it could not be taken back: the 3 bytes that were there before are not kept: the step says so; restore them by hand
      look at it, then say what became of it with one of:
        runwright settle RUN clean done    # all of it is taken back
        runwright settle RUN clean failed  # leave all of it as it is
        runwright settle RUN clean retry   # try to take it back again
      or decide about one call alone, `clean/4` in the place of `clean`:
      the calls before it are taken back after that
    ");
    let busy = project.call(&["run", "clean.yaml"]);
    assert!(busy.err.contains("settle that if a person must decide"), "{busy:?}");
    let cancelled = project.call(&["runs", "cancel", "latest"]);
    let why = "cause: the run is rolling back already; it waits for a person to say what became of the undo of clean/4";
    assert!(cancelled.err.contains(why), "{cancelled:?}");
    insta::assert_snapshot!(project.call(&["settle", "latest", "clean", "failed", "--reason", "they were old"]).shown(), @r"
    exit 5
    run RUN of clean-logs, started by USER
    so far: clean succeeded
    clean: settled as failed by USER (they were old): all that its script did stays as it is
    run RUN not rolled back, because nothing could be taken back, after TIME
      not taken back: clean (4 calls)
    ");
    let shown = project.call(&["runs", "show", "latest"]).shown();
    assert!(shown.contains("✗ clean      undo-failed") && !shown.contains("✓"), "{shown}");
    let view = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!(view["not-undoable"], json!(["clean/1", "clean/2", "clean/3", "clean/4"]));
    let again = project.call(&["run", "clean.yaml"]);
    assert_eq!(again.exit, Some(0), "the lock is free: {again:?}");
}

#[test]
fn what_a_person_put_back_is_taken_back() {
    let project = cleaned();
    assert_eq!(project.call(&["runs", "rollback", "latest"]).exit, Some(4));
    let settled = project.call(&["settle", "latest", "clean", "done"]);
    assert!(settled.out.contains("all that its script did is taken back"), "{settled:?}");
    let shown = project.call(&["runs", "show", "latest"]).shown();
    assert!(shown.contains("✓ clean      undone") && !shown.contains("restore them by hand"), "{shown}");
    assert!(shown.contains("rolled back after") && !shown.contains("not taken back"), "{shown}");
}

const TELL: &str = r#"
name: tell
steps:
  - { id: probe, uses: fixture/append, with: { file: FOLDER/effects, line: p, fail: permanent }, on-failure: continue }
  - { id: check, uses: fixture/append, with: { file: FOLDER/effects, line: c, fail: partial } }
  - { id: hook, uses: fixture/deny, with: {}, always: true, on-failure: continue }
  - { id: mail, uses: fixture/append, with: { file: FOLDER/effects, line: m, fail: permanent }, always: true }
"#;

#[test]
fn the_failure_that_decided_is_in_the_last_line_and_the_others_follow() {
    let project = Project::new();
    project.write(
        "tell.yaml",
        &TELL.replace("fixture/deny, with: {}", "fixture/append, with: { file: FOLDER/no/x, line: h }"),
    );
    let ran = project.call(&["run", "tell.yaml"]);
    let end = ran.shown().lines().skip_while(|line| !line.starts_with("run RUN failed")).collect::<Vec<_>>().join("\n");
    assert!(
        end.starts_with("run RUN failed in TIME: check: as asked\n  also failed: probe (as asked), hook ("),
        "{ran:?}"
    );
    let view = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!((&view["failed-at"], &view["error"]["message"]), (&json!("check"), &json!("as asked")));
}

const BLIND: &str = r#"
name: blind
inputs: { all: { type: list } }
steps:
  - id: fleet
    for-each: "${{ inputs.all }}"
    steps:
      - { id: a, uses: fixture/append-blind, with: { file: FOLDER/effects, line: x } }
"#;

#[test]
fn many_that_did_not_come_back_are_counted() {
    let project = Project::new();
    project.write("blind.yaml", BLIND);
    let plan = project.call(&["plan", "blind.yaml", "-i", "all:=[1, 2]", "-o", "json"]).json();
    assert_eq!(plan["not-undoable"], json!(["fleet/a"]));
    assert_eq!(project.call(&["run", "blind.yaml", "-i", "all:=[1, 2, 3, 4, 5, 6, 7]"]).exit, Some(0));
    let named = "7 steps: fleet/1/a, fleet/2/a, fleet/3/a, fleet/4/a, fleet/5/a and 2 more";
    let rolled = project.call(&["runs", "rollback", "latest"]);
    assert_eq!(rolled.exit, Some(5), "nothing came back: {rolled:?}");
    assert!(rolled.out.starts_with(&format!("can't be taken back, and stays as it is: {named}\n")), "{rolled:?}");
    for said in [rolled, project.call(&["runs", "show", "latest"])] {
        let end = said.shown();
        assert!(end.contains("not rolled back, because nothing could be taken back, after TIME"), "{end}");
        assert!(end.contains(&format!("\n  not taken back: {named}\n")), "{end}");
    }
    let view = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!((&view["status"], &view["taken-back"]), (&json!("rolled-back"), &json!("nothing")));
}

/// A group that is taken back as a whole, though nothing in it can be.
const COVERED: &str = r#"
name: covered
on-failure: rollback
steps:
  - id: group
    steps:
      - { id: a, uses: fixture/append-blind, with: { file: FOLDER/effects, line: a } }
    undo: { uses: fixture/append, with: { file: FOLDER/effects, line: removed } }
  - { id: b, uses: fixture/append, with: { file: FOLDER/effects, line: b, fail: permanent } }
"#;

#[test]
fn what_something_around_it_takes_back_is_not_said_to_stay() {
    let project = Project::new();
    project.write("covered.yaml", COVERED);
    let plan = project.call(&["plan", "covered.yaml", "-o", "json"]).json();
    assert!(plan.get("not-undoable").is_none(), "{plan}");
    let ran = project.call(&["run", "covered.yaml", "-o", "json"]);
    assert_eq!((ran.exit, &ran.json()["taken-back"]), (Some(5), &json!("all")), "{ran:?}");
}
