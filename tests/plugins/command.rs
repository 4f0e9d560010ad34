//! A program as a plugin, through the whole engine.

use crate::support::Project;

#[test]
fn a_program_runs_as_a_step_and_its_log_is_the_step_s() {
    let project = Project::with_plugins(&["command-fixture"]);
    let grants = "[plugin.command-fixture.grants]\nfiles = [{ path = 'FOLDER', write = true }]\n";
    project.write("runwright.toml", &format!("state-dir = 'state'\n{grants}"));
    project.write(
        "r.yaml",
        "name: r\nsteps:\n  - { id: say, uses: command-fixture/echo, with: { value: 1, exit: 3 } }\n  \
         - { id: keep, uses: command-fixture/write, with: { file: FOLDER/kept, line: x } }\n  \
         - { id: stop, uses: command-fixture/misbehave, with: { how: silent } }\non-failure: rollback\n",
    );
    let ran = project.call(&["run", "r.yaml"]);
    // What goes over the wire is shown by the fixture for other tests.
    let shown = ran.shown();
    let shown: Vec<&str> = shown.lines().filter(|line| !line.contains(" | re")).collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    exit 5
    run RUN of r, started by USER
    say: started
    say | warn: echoing
    say: succeeded in TIME
    keep: started
    keep: succeeded in TIME
    stop: started
    stop: failed in TIME: command-fixture/misbehave ended with exit status 0 and wrote no response to its standard output
    rolling back
    keep: undoing
    keep: undone
    run RUN rolled back after TIME: stop: command-fixture/misbehave ended with exit status 0 and wrote no response to its standard output
    ");
    assert!(!project.path("kept").exists(), "what it did was taken back");
}

#[test]
fn nobody_guesses_what_became_of_a_program_that_did_not_answer() {
    let project = Project::with_plugins(&["command-fixture"]);
    let error = "{ kind: unknown-outcome, message: the line broke }";
    project.write(
        "r.yaml",
        &format!("name: r\nsteps:\n  - {{ id: act, uses: command-fixture/fail, with: {{ error: {error} }} }}\n"),
    );
    let ran = project.call(&["run", "r.yaml", "-o", "json"]);
    assert_eq!(ran.exit, Some(4), "an unsafe action is not run again: {ran:?}");
    assert!(ran.out.contains("the line broke"), "{ran:?}");
}
