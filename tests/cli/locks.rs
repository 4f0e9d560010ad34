//! Locks of steps, and runs that wait for their turn.

use std::time::Duration;

use crate::support::Project;

/// A runbook that holds the lock of a machine while people are asked, and one that needs it.
fn project() -> Project {
    let project = Project::new();
    let append = "uses: fixture/append, with: { file: FOLDER/effects, line: ";
    project.write(
        "runbooks/gate.yaml",
        &format!(
            "name: gate\nmax-parallel: 1\nsteps:\n  - id: hold\n    lock: vm/web1\n    steps:\n      - {{ id: go, approve: Go? }}\n      \
             - {{ id: act, {append}gate }} }}\n"
        ),
    );
    let step = format!("{{ id: patch, lock: \"vm/${{{{ inputs.vm }}}}\", {append}patch }} }}");
    let inputs = "inputs: { vm: { type: string, default: web1 } }";
    project.write("runbooks/patch.yaml", &format!("name: patch\n{inputs}\nsteps:\n  - {step}\n"));
    project
}

/// What the command shows, once that has this text.
fn shows(project: &Project, words: &[&str], text: &str) -> String {
    for _ in 0..200 {
        let shown = project.call(words).shown();
        if shown.contains(text) {
            return shown;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{text:?} did not come: {}", project.call(words).shown())
}

/// The run that the command started.
fn started(project: &Project, words: &[&str]) -> String {
    let ran = project.call(words);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    ran.json()["run"].as_str().expect("a run").to_owned()
}

#[test]
fn a_step_waits_for_a_lock_and_a_run_for_its_turn_and_both_are_told() {
    let project = project();
    let _served = project.start(&["serve"]).wait_until("serving", || project.path("state/api.sock").exists());
    let gate = started(&project, &["run", "gate", "--detach", "-o", "json"]);
    shows(&project, &["runs", "show", &gate], "blocked");
    let patch = started(&project, &["run", "patch", "--detach", "-o", "json"]);
    let waits = shows(&project, &["runs", "show", &patch], "waits for the lock");
    insta::assert_snapshot!(waits, @r"
    exit 0
    patch, started DATE by USER
      vm = web1
      · patch  running  TIME  waits for the lock vm/web1, which run RUN holds
    run RUN waiting
    ");
    let second = started(&project, &["run", "gate", "--detach", "-o", "json"]);
    insta::assert_snapshot!(shows(&project, &["runs", "show", &second], "queued"), @r"
    exit 0
    gate, started DATE by USER
      · hold  pending
    run RUN queued
      it waits for its turn among the runs of gate
    ");
    assert_eq!(project.call(&["approve", &gate, "hold/go", "yes"]).exit, Some(0));
    shows(&project, &["runs", "show", &patch], "succeeded");
    shows(&project, &["runs", "show", &second], "blocked");
    let last: Vec<_> =
        project.lines("effects").iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(last, ["gate", "patch"]);
    assert_eq!(project.call(&["runs", "cancel", &second]).exit, Some(0));
}

#[test]
fn a_plan_shows_what_is_held_and_how_many_runs_are_at_work() {
    let project = project();
    let (gate, patch) = (project.call(&["plan", "gate"]).out, project.call(&["plan", "patch"]).out);
    assert!(gate.contains("at most 1 run of it at work at once"), "{gate}");
    assert!(gate.contains("holds the lock vm/web1 while it is at work"), "{gate}");
    assert!(patch.contains("holds the lock vm/web1 while it is at work"), "{patch}");
}

#[test]
fn wrong_locks_are_told_where_they_stand() {
    let project = Project::new();
    let steps = "  - { id: a, lock: \"\", wait: 1s }\n  - { id: b, lock: { key: k, on-busy: skip }, wait: 1s }\n  - { id: c, lock: \"${{ nope }}\", wait: 1s }\n";
    project.write("wrong.yaml", &format!("name: wrong\nmax-parallel: 0\nsteps:\n{steps}"));
    insta::assert_snapshot!(project.call(&["check", "wrong.yaml"]).shown(), @r#"
    exit 3
    error: expected a whole number from 1 to 1000, found 0 [bad-value]
     --> wrong.yaml:2:15
      |
    2 | max-parallel: 0
      |               ^

    error: the lock's key is empty [bad-value]
     --> wrong.yaml:4:20
      |
    4 |   - { id: a, lock: "", wait: 1s }
      |                    ^^
      = help: of all runs and steps with one key, one at a time goes on

    error: the lock of a step is only its key: a step waits for its turn [wrong-type]
     --> wrong.yaml:5:20
      |
    5 |   - { id: b, lock: { key: k, on-busy: skip }, wait: 1s }
      |                    ^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: write `lock: "vm/${{ inputs.vm }}"`

    error: there is no `nope` here [unknown-name]
     --> wrong.yaml:6:25
      |
    6 |   - { id: c, lock: "${{ nope }}", wait: 1s }
      |                         ^^^^
      = help: there are: inputs, steps, run

    wrong.yaml: 4 errors
    1 of 1 file can't be used
    "#);
}

#[test]
fn a_command_of_its_own_does_not_wait_for_what_nobody_gives_back() {
    let project = project();
    assert_eq!(project.call(&["run", "gate"]).exit, Some(4));
    let (second, patch) = (project.call(&["run", "gate"]), project.call(&["run", "patch"]));
    insta::assert_snapshot!(second.shown(), @r"
    exit 75
    run RUN of gate, started by USER
    it waits for its turn among the runs of gate; nothing here goes on with that: `runs list` shows what is unfinished
    --- standard error
    error: run RUN is not over
      hint: go on with it with `runwright runs resume RUN`
    ");
    insta::assert_snapshot!(patch.shown(), @r"
    exit 75
    run RUN of patch, started by USER
    patch: waits for the lock vm/web1
    it waits for the lock vm/web1, which run RUN holds; nothing here goes on with that: `runs list` shows what is unfinished
    --- standard error
    error: run RUN is not over
      hint: go on with it with `runwright runs resume RUN`
    ");
}
