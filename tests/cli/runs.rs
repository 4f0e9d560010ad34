//! `runwright runs`

use serde_json::json;

use crate::support::Project;

const ONE: &str = r#"
name: one
inputs:
  who: { type: string, default: world }
steps:
  - id: hello
    uses: hello/greet
    with: { name: "${{ inputs.who }}" }
  - id: fail
    uses: fixture/append
    with: { file: FOLDER/effects, line: x, fail: permanent }
    on-failure: continue
outputs:
  text: "${{ steps.hello.output.text }}"
"#;

fn ran() -> Project {
    let project = Project::new();
    project.write("one.yaml", ONE);
    assert_eq!(project.call(&["run", "one.yaml"]).exit, Some(0));
    project
}

#[test]
fn a_list_has_the_newest_first_and_can_be_narrowed() {
    let project = ran();
    insta::assert_snapshot!(project.call(&["runs", "list"]).shown(), @r"
    exit 0
    RUN                         RUNBOOK  STATUS     STARTED               FOR  BY  INPUTS
    RUN  one      succeeded  DATE  TIME  USER  who=world
    ");
    project.write("other.yaml", "name: other\nsteps:\n  - id: a\n    script: '1'\n");
    project.call(&["run", "other.yaml"]);
    let names = |words: &[&str]| {
        let listed = project.call(words).json();
        let names = listed["runs"].as_array().expect("a list").iter().map(|run| run["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&["runs", "list", "-o", "json"]), ["other", "one"]);
    assert_eq!(names(&["runs", "list", "-o", "json", "--limit", "1"]), ["other"]);
    assert_eq!(project.call(&["runs", "list", "-o", "json", "--limit", "1"]).json()["more"], json!(true));
    assert_eq!(project.call(&["runs", "list", "-o", "json", "--limit", "2"]).json()["more"], json!(false));
    let short = project.call(&["runs", "list", "--limit", "1"]).out;
    assert!(short.ends_with("there are more than these 1: --limit shows more of them\n"), "{short}");
    let exits = ["0", "1", "999", "1000"].map(|limit| project.call(&["runs", "list", "--limit", limit]).exit);
    assert_eq!(exits, [Some(2), Some(0), Some(0), Some(2)]);
    assert_eq!(names(&["runs", "list", "-o", "json", "--runbook", "one"]), ["one"]);
    assert_eq!(names(&["runs", "list", "-o", "json", "--status", "failed"]), Vec::<String>::new());
    assert_eq!(names(&["runs", "list", "-o", "json", "--unfinished"]), Vec::<String>::new());
    insta::assert_snapshot!(project.call(&["runs", "list", "--status", "over"]).shown(), @r"
    exit 2
    --- standard error
    error: invalid value 'over' for '--status <STATUS>': it is one of queued, running, waiting, blocked, rolling-back, succeeded, failed, cancelled, rolled-back

    For more information, try '--help'.
    ");
}

#[test]
fn a_run_is_shown_with_its_steps_and_outputs() {
    let project = ran();
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    one, started DATE by USER
      who = world
      ✓ hello  succeeded  TIME
      ✗ fail   failed  TIME  as asked
    run RUN succeeded in TIME
      text  Hello, world!
    ");
    let shown = project.call(&["runs", "show", "latest", "--history", "-o", "json"]).json();
    assert_eq!((&shown["status"], &shown["outcome"]), (&json!("succeeded"), &json!("succeeded")));
    assert_eq!(shown["outputs"], json!({"text": "Hello, world!"}));
    let types: Vec<_> = shown["history"].as_array().expect("a list").iter().map(|it| &it["event"]["type"]).collect();
    assert_eq!(types, ["created", "started", "ended", "started", "ended", "finished"]);
}

#[test]
fn a_run_is_found_by_a_part_of_its_id() {
    let project = ran();
    let id = project.call(&["runs", "show", "latest", "-o", "json"]).json()["run"].clone();
    let id = id.as_str().expect("an id");
    for part in [id, &id[..20], &id[20..]] {
        assert_eq!(project.call(&["runs", "show", part, "-o", "json"]).json()["run"], id);
    }
    insta::assert_snapshot!(project.call(&["runs", "show", "zzzz"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not show run zzzz
      cause: there is no run "zzzz"; `runwright runs list` shows those that there are
    "#);
}

#[test]
fn watching_a_run_that_is_over_tells_all_of_it() {
    let project = ran();
    insta::assert_snapshot!(project.call(&["runs", "watch", "latest"]).shown(), @r"
    exit 0
    run RUN of one, started by USER
    hello: started
    hello: succeeded in TIME
    fail: started
    fail: failed in TIME: as asked
    run RUN succeeded in TIME
      text  Hello, world!
    ");
    let told = project.call(&["runs", "watch", "latest", "-o", "json"]);
    let types: Vec<_> = told.out.lines().map(|line| line.split('"').nth(3).expect("a type").to_owned()).collect();
    assert_eq!(types, ["runbook", "record", "record", "record", "record", "record", "record"]);
}

#[test]
fn a_run_that_is_over_is_neither_resumed_nor_cancelled() {
    let project = ran();
    insta::assert_snapshot!(project.call(&["runs", "resume", "latest"]).shown(), @r"
    exit 3
    --- standard error
    error: could not resume run latest
      cause: run RUN is over: it is succeeded
    ");
    insta::assert_snapshot!(project.call(&["runs", "cancel", "latest"]).shown(), @r"
    exit 3
    --- standard error
    error: could not cancel run latest
      cause: run RUN is over: it is succeeded
    ");
}

const UNDONE: &str = r#"
name: undone
steps:
  - { id: first, uses: fixture/append, with: { file: FOLDER/effects, line: first } }
  - { id: second, uses: fixture/append-blind, with: { file: FOLDER/effects, line: second } }
  - { id: third, uses: fixture/append, with: { file: FOLDER/effects, line: third } }
  - { id: pause, wait: "${{ inputs.ms }}ms" }
inputs: { ms: { type: integer, default: 1 } }
"#;

#[test]
fn a_run_that_is_over_can_be_rolled_back_once() {
    let project = Project::new();
    project.write("undone.yaml", UNDONE);
    assert_eq!(project.call(&["run", "undone.yaml"]).exit, Some(0));
    insta::assert_snapshot!(project.call(&["runs", "rollback", "latest", "--reason", "wrong VM"]).shown(), @r"
    exit 5
    can't be taken back, and stays as it is: second
    run RUN of undone, started by USER
    so far: first succeeded, second succeeded, third succeeded, pause succeeded
    rollback asked for by USER (wrong VM)
    rolling back
    third: undoing
    third: undone
    first: undoing
    first: undone
    run RUN rolled back in part after TIME
      not taken back: second
    ");
    insta::assert_snapshot!(project.call(&["runs", "rollback", "latest"]).shown(), @r"
    exit 3
    --- standard error
    error: could not roll back run latest
      cause: the run was rolled back already
    ");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    undone, started DATE by USER
      ms = 1
      ✓ first   undone  TIME
      ✓ second  succeeded  TIME
      ✓ third   undone  TIME
      ✓ pause   succeeded  TIME
    run RUN rolled back in part after TIME
      not taken back: second
    what people decided
        11  DATE  rollback asked for by USER (wrong VM)
        11  DATE  rolling back
    ");
}

#[test]
fn a_run_that_is_cancelled_with_rollback_takes_back_what_it_did() {
    let project = Project::new();
    project.write("undone.yaml", UNDONE);
    let serve = project.start(&["serve"]);
    let serve = serve.wait_until("serving", || project.path("state/api.sock").exists());
    assert_eq!(project.call(&["run", "undone.yaml", "-i", "ms=600000", "--detach"]).exit, Some(0));
    let shown = || project.call(&["runs", "show", "latest", "-o", "json"]).json();
    let _serve = serve.wait_until("its pause", || shown()["steps"][3]["attempts"] == 1);
    insta::assert_snapshot!(project.call(&["runs", "cancel", "latest", "--rollback", "--reason", "not now"]).shown(), @r"
    exit 5
    can't be taken back, and stays as it is: second
    run RUN of undone, started by USER
    so far: first succeeded, second succeeded, third succeeded, pause running
    cancelled, with all that was done, by USER (not now)
    pause: failed in TIME: cancelled while it waited
    rolling back
    third: undoing
    third: undone
    first: undoing
    first: undone
    run RUN rolled back in part after TIME
      not taken back: second
    ");
    assert_eq!(project.call(&["runs", "watch", "latest"]).exit, Some(5));
    assert_eq!(project.lines("effects").len(), 5, "what can be undone was");
}
