//! `runwright settle`: a person says what became of a step.

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
        runwright settle RUN create undo    # take back whatever it did, and what came before it
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
    create: started
    create: nobody knows whether it happened: fixture/append-blind as asked
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
    create: started
    create: nobody knows whether it happened: fixture/append-blind as asked
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
      cause: settled does not fit step "after", which is pending
    "#);
    insta::assert_snapshot!(project.call(&["settle", "latest", "create", "undo"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not settle step create of run latest
      cause: settled as undo does not fit step "create", which has no undo to run
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
