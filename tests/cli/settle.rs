//! `runwright settle`: a person says what became of a step.

use serde_json::json;

use crate::support::{Project, Ran};

/// Its first step happens without saying so.
const LOST: &str = r#"
name: lost
steps:
  - id: create
    uses: fixture/append-blind
    with: { file: FOLDER/effects, line: created, fail: unknown }
  - id: after
    script: steps.create.output ?? "nothing"
outputs:
  after: "${{ steps.after.output }}"
"#;

fn blocked() -> (Project, Ran) {
    let project = Project::new();
    project.write("lost.yaml", LOST);
    let ran = project.call(&["run", "lost.yaml"]);
    (project, ran)
}

#[test]
fn a_blocked_run_shows_the_commands_that_settle_it() {
    let (project, ran) = blocked();
    insta::assert_snapshot!(ran.shown(), @r"
    exit 4
    run RUN of lost, started by USER
    create: started
    create: nobody knows whether it happened: fixture/append-blind as asked
    run RUN blocked: a person must decide
      create: nobody knows whether it happened: fixture/append-blind as asked
      look at it, then say what became of it with one of:
        runwright settle RUN create done    # it happened; --output gives later steps its output
        runwright settle RUN create failed  # it did not, or not in full
        runwright settle RUN create retry   # it did not: try again
    ");
    let shown = project.call(&["runs", "show", "latest"]);
    let command = shown.out.lines().find(|line| line.contains(" done ")).expect("a command").trim();
    let words: Vec<&str> = command.split("  #").next().unwrap_or_default().split_whitespace().skip(1).collect();
    assert_eq!(project.call(&words).exit, Some(0), "{words:?}");
}

#[test]
fn done_gives_later_steps_its_output() {
    let (project, _) = blocked();
    let words = ["settle", "latest", "create", "done", "--output", "\"made\"", "--reason", "it is there"];
    insta::assert_snapshot!(project.call(&words).shown(), @r"
    exit 0
    run RUN of lost, started by USER
    so far: create unknown
    create: settled as done by USER (it is there): succeeded in TIME
    after: started
    after: succeeded in TIME
    run RUN succeeded in TIME
      after  made
    ");
}

#[test]
fn failed_ends_the_run_and_its_exit_code_says_so() {
    let (project, _) = blocked();
    insta::assert_snapshot!(project.call(&["settle", "latest", "create", "failed"]).shown(), @r"
    exit 1
    run RUN of lost, started by USER
    so far: create unknown
    create: settled as failed by USER
    after: skipped: the run ended before it
    run RUN failed in TIME: create: USER settled it as failed
    ");
}

#[test]
fn what_can_not_be_settled_is_refused() {
    let (project, _) = blocked();
    insta::assert_snapshot!(project.call(&["settle", "latest", "after", "done"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not settle step after of run latest
      cause: step "after" has not begun, so there is nothing to settle about it; it waits for a person to say what became of create
    "#);
    insta::assert_snapshot!(project.call(&["settle", "latest", "crate", "done"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not settle step crate of run latest
      cause: there is no step "crate" in this run (its steps: create, after); did you mean "create"?
    "#);
    insta::assert_snapshot!(project.call(&["settle", "latest", "create", "undo"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not settle step create of run latest
      cause: step "create" has no undo that could run: settle it as done, failed or retry
    "#);
    insta::assert_snapshot!(project.call(&["settle", "latest", "create", "retry", "--output", "1"]).shown(), @r"
    exit 2
    --- standard error
    error: could not settle the step: --output goes with `done` only
    ");
    insta::assert_snapshot!(project.call(&["settle", "nothing", "create", "done"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not settle step create of run nothing
      cause: there is no run "nothing"; `runwright runs list` shows those that there are
    "#);
}

/// A step that may be half done, with an undo of its own, behind one whose action has its own.
const HALF: &str = r#"
name: half
steps:
  - { id: first, uses: fixture/append, with: { file: FOLDER/effects, line: first } }
  - id: create
    uses: fixture/append-blind
    with: { file: FOLDER/effects, line: created, fail: unknown }
    undo: { uses: fixture/append, with: { file: FOLDER/effects, line: removed } }
"#;

#[test]
fn undo_takes_back_the_step_and_what_came_before_it() {
    let project = Project::new();
    project.write("half.yaml", HALF);
    assert_eq!(project.call(&["run", "half.yaml"]).exit, Some(4));
    insta::assert_snapshot!(project.call(&["status"]).shown().lines().take(4).collect::<Vec<_>>().join("\n"), @r"
    exit 0
    no engine serves; start one with `runwright serve`
    runs that wait for a person: `runwright runs show RUN` has the commands
      RUN  half  blocked  DATE
    ");
    let settled = project.call(&["settle", "latest", "create", "undo", "--reason", "half of it is there"]);
    insta::assert_snapshot!(settled.shown(), @r"
    exit 5
    run RUN of half, started by USER
    so far: first succeeded, create unknown
    create: settled as undo by USER (half of it is there)
    rolling back
    create: undoing
    create: undone
    first: undoing
    first: undone
    run RUN rolled back after TIME: create: USER settled it as undo: half of it is there
    ");
    let acts: Vec<_> =
        project.lines("effects").iter().map(|line| line.splitn(4, ' ').nth(3).unwrap_or_default().to_owned()).collect();
    assert_eq!(acts, ["first", "created", "removed", "undo first"]);
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    half, started DATE by USER
      ✓ first   undone  TIME
      ✓ create  undone  TIME  USER settled it as undo: half of it is there
    run RUN rolled back after TIME: create: USER settled it as undo: half of it is there
    what people decided
         6  DATE  create: settled as undo by USER (half of it is there)
         6  DATE  rolling back
    ");
}

#[test]
fn retry_tries_again_and_the_whole_story_can_be_read_afterwards() {
    let (project, _) = blocked();
    let settled = project.call(&["settle", "latest", "create", "retry", "--reason", "it is not there"]);
    assert_eq!(settled.exit, Some(4), "it does not say again: {settled:?}");
    assert_eq!(project.call(&["settle", "latest", "create", "done", "--output", "7"]).exit, Some(0));
    insta::assert_snapshot!(project.call(&["runs", "show", "latest", "--history"]).shown(), @r"
    exit 0
    lost, started DATE by USER
      ✓ create  succeeded  TIME  2 attempts
      ✓ after   succeeded  TIME
    run RUN succeeded in TIME
      after  7
    what happened
         1  DATE  run RUN of lost, started by USER
         2  DATE  create: started
         3  DATE  create: nobody knows whether it happened: fixture/append-blind as asked
         4  DATE  create: settled as retry by USER (it is not there); trying again
         5  DATE  create: started, attempt 2
         6  DATE  create: nobody knows whether it happened: fixture/append-blind as asked
         7  DATE  create: settled as done by USER: succeeded in TIME after 2 attempts
         8  DATE  after: started
         9  DATE  after: succeeded in TIME
    ");
    let shown = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    let decisions = shown["decisions"].as_array().expect("a list");
    let whys: Vec<_> =
        decisions.iter().map(|it| (&it["event"]["settlement"]["type"], &it["event"]["by"]["why"])).collect();
    assert_eq!(serde_json::json!(whys), serde_json::json!([["retry", "it is not there"], ["done", null]]));
}

/// Three steps side by side that happened without saying so; only the last can be taken back.
const THREE: &str = r#"
name: three
steps:
  - id: clean
    parallel:
      - { id: a, uses: fixture/append-blind, with: { file: FOLDER/effects, line: a, fail: unknown } }
      - { id: b, uses: fixture/append-blind, with: { file: FOLDER/effects, line: b, fail: unknown } }
      - id: c
        uses: fixture/append-blind
        with: { file: FOLDER/effects, line: c, fail: unknown }
        undo: { uses: fixture/append, with: { file: FOLDER/effects, line: removed } }
"#;

fn three() -> Project {
    let project = Project::new();
    project.write("three.yaml", THREE);
    assert_eq!(project.call(&["run", "three.yaml"]).exit, Some(4));
    project
}

/// How many decisions the journal has of the last run.
fn decisions(project: &Project) -> usize {
    let shown = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    shown["decisions"].as_array().map_or(0, Vec::len)
}

#[test]
fn one_settle_may_take_many() {
    let project = three();
    insta::assert_snapshot!(project.call(&["settle", "latest", "claen/*", "failed"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not settle step claen/* of run latest
      cause: no step that waits for a person fits "claen/*"; those that do: clean/a, clean/b, clean/c
    "#);
    let refused = project.call(&["settle", "latest", "*/a", "undo"]);
    assert_eq!((refused.exit, decisions(&project)), (Some(3), 0), "{refused:?}");
    let settled = project.call(&["settle", "latest", "clean/*", "done", "--reason", "I looked"]);
    assert_eq!((settled.exit, decisions(&project)), (Some(0), 3), "each is a record of its own: {settled:?}");
    assert!(settled.out.starts_with("settled 3 steps as done: clean/a, clean/b, clean/c\n"), "{settled:?}");
    for step in ["clean/a", "clean/b", "clean/c"] {
        assert!(settled.out.contains(&format!("{step}: settled as done by")), "{step}: {settled:?}");
    }
    let none = project.call(&["settle", "latest", "**", "done"]);
    assert!(none.err.contains("none of this run does"), "{none:?}");
}

#[test]
fn where_some_can_not_be_settled_so_the_others_are_and_the_exit_code_says_so() {
    let project = three();
    let partly = project.call(&["settle", "latest", "**", "undo", "-o", "json"]);
    assert_eq!(partly.exit, Some(7), "{partly:?}");
    let (shown, error) = (partly.json(), partly.error());
    let refused: Vec<_> = shown["refused"].as_array().expect("a list").iter().map(|it| &it["step"]).collect();
    assert_eq!((&shown["settled"], refused), (&json!(["clean/c"]), vec![&json!("clean/a"), &json!("clean/b")]));
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with("could not settle 2 steps of run latest that fit: clean/a: step \"clean/a\" has no undo"),
        "{message}"
    );
    assert_eq!(shown["status"], "blocked", "two of them are still asked about");
    let settled = project.call(&["settle", "latest", "clean/*", "failed"]);
    assert_eq!(settled.exit, Some(5), "{settled:?}");
    assert!(
        settled.out.contains("rolled back in part") && settled.out.contains("not taken back: clean/a, clean/b"),
        "{settled:?}"
    );
    let view = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!((&view["taken-back"], &view["not-undoable"]), (&json!("part"), &json!(["clean/a", "clean/b"])));
}

#[test]
fn an_engine_that_serves_settles_many_for_one_request() {
    let project = three();
    let serve = project.start(&["serve"]);
    let _serve = serve.wait_until("serving", || project.path("state/api.sock").exists());
    let settled = project.call(&["settle", "latest", "clean/*", "failed", "--detach"]);
    assert!(settled.out.starts_with("settled 3 steps as failed: clean/a, clean/b, clean/c\n"), "{settled:?}");
    assert_eq!((project.call(&["runs", "watch", "latest"]).exit, decisions(&project)), (Some(1), 3));
}
