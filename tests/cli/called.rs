//! Runbooks that are steps of another one.

use crate::support::Project;

const PATCH: &str = r#"
name: patch
description: Patches one machine
inputs:
  vm: { type: string }
  level: { type: integer, default: 1 }
steps:
  - { id: drain, uses: fixture/append, with: { file: FOLDER/effects, line: "drain ${{ inputs.vm }}" } }
  - { id: apply, uses: fixture/append-blind, with: { file: FOLDER/effects, line: "apply ${{ inputs.level }}" } }
outputs: { patched: "${{ inputs.vm }}" }
"#;

const FLEET: &str = r#"
name: fleet
inputs: { vms: { type: list, default: [web1, web2] } }
steps:
  - id: all
    for-each: "${{ inputs.vms }}"
    as: vm
    steps:
      - { id: one, runbook: patch, with: { vm: "${{ vm }}" } }
outputs: { last: "${{ steps.all.output[1].one.patched }}" }
"#;

fn project() -> Project {
    let project = Project::new();
    project.write("runbooks/patch.yaml", PATCH);
    project.write("runbooks/fleet.yaml", FLEET);
    project
}

/// The last word of each line that a step wrote.
fn effects(project: &Project) -> Vec<String> {
    let last = |line: &String| line.rsplit(' ').next().unwrap_or_default().to_owned();
    project.lines("effects").iter().map(last).collect()
}

#[test]
fn a_plan_and_a_run_show_what_the_other_one_does() {
    let project = project();
    insta::assert_snapshot!(project.call(&["check", "runbooks"]).shown(), @r"
    exit 0
    ok runbooks/fleet.yaml
    ok runbooks/patch.yaml
    ");
    insta::assert_snapshot!(project.call(&["plan", "fleet"]).shown(), @r#"
    exit 0
    plan of fleet; nothing is started
    inputs
      vms = ["web1","web2"]
    steps
      all            for-each  (read)
          ["web1","web2"]
          for each as `vm`, 1 at once; 0 may fail
      all/one        runbook  (read)
          vm = (known when it starts)
          level = 1
          what the runbook patch says
      all/one/drain  fixture/append  (unsafe, undo, verify)
          file = FOLDER/effects
          line = (known when it starts)
          after a crash in it: the plugin is asked whether it happened
      all/one/apply  fixture/append-blind  (unsafe)
          file = FOLDER/effects
          line = apply 1
          after a crash in it: a person must say what became of it
    plugins
      fixture 0.1.0 (DIGEST)
        may use files: FOLDER (read and write)
    risks
      can't be taken back by a rollback:   all/one/apply
      needs a person after a crash in it:  all/one/apply
    "#);
    insta::assert_snapshot!(project.call(&["run", "fleet"]).shown(), @r"
    exit 0
    run RUN of fleet, started by USER
    all: started
    all/1: started
    all/1/one: started
    all/1/one/drain: started
    all/1/one/drain: succeeded in TIME
    all/1/one/apply: started
    all/1/one/apply: succeeded in TIME
    all/1/one: succeeded in TIME
    all/1: succeeded in TIME
    all/2: started
    all/2/one: started
    all/2/one/drain: started
    all/2/one/drain: succeeded in TIME
    all/2/one/apply: started
    all/2/one/apply: succeeded in TIME
    all/2/one: succeeded in TIME
    all/2: succeeded in TIME
    all: succeeded in TIME
    run RUN succeeded in TIME
      last  web2
    ");
    assert_eq!(effects(&project), ["web1", "1", "web2", "1"]);
}

#[test]
fn a_file_calls_what_is_in_the_folder_of_runbooks() {
    let project = project();
    project.write("alone.yaml", "name: alone\nsteps:\n  - { id: a, runbook: patch, with: { vm: db1 } }\n");
    assert!(project.call(&["check", "alone.yaml"]).shown().starts_with("exit 0"));
    assert!(project.call(&["run", "alone.yaml"]).shown().starts_with("exit 0"));
    project.write("wrong.yaml", "name: wrong\nsteps:\n  - { id: a, runbook: pach, with: { vm: db1 } }\n");
    insta::assert_snapshot!(project.call(&["run", "wrong.yaml"]).shown(), @r"
    exit 3
    --- standard error
    error: there is no runbook `pach` [unknown-runbook]
     --> wrong.yaml:3:23
      |
    3 |   - { id: a, runbook: pach, with: { vm: db1 } }
      |                       ^^^^
      = help: did you mean `patch`?

    wrong.yaml: 1 error

    error: could not run wrong.yaml
      cause: wrong.yaml is not a runbook that can run: 1 problem found
    ");
}

/// A runbook whose second step happens without saying so, and one that calls it.
fn stuck() -> Project {
    let project = Project::new();
    let append = "uses: fixture/append, with: { file: FOLDER/effects, line: ";
    let first = format!("{{ id: first, {append}one }} }}");
    let blind = "uses: fixture/append-blind, with: { file: FOLDER/effects, line: two, fail: unknown }";
    let steps = format!("  - {first}\n  - {{ id: apply, {blind}, undo: {{ {append}back }} }} }}\n");
    project.write("runbooks/stuck.yaml", &format!("name: stuck\nsteps:\n{steps}"));
    project.write("around.yaml", "name: around\nsteps:\n  - { id: fix, runbook: stuck }\n");
    assert_eq!(project.call(&["run", "around.yaml"]).exit, Some(4));
    project
}

#[test]
fn a_blocked_step_of_it_is_told_by_its_path_and_each_answer_works() {
    insta::assert_snapshot!(stuck().call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    around, started DATE by USER
      · fix          running  TIME
        ✓ fix/first  succeeded  TIME
        ? fix/apply  unknown  TIME  nobody knows whether it happened: fixture/append-blind as asked
    run RUN blocked: a person must decide
      fix/apply: nobody knows whether it happened: fixture/append-blind as asked
      look at it, then say what became of it with one of:
        runwright settle RUN fix/apply done    # it happened; --output gives later steps its output
        runwright settle RUN fix/apply failed  # it did not, or not in full
        runwright settle RUN fix/apply retry   # it did not: try again
        runwright settle RUN fix/apply undo    # take back whatever it did, and what came before it
    ");
    let ends = [("done", "succeeded"), ("failed", "failed"), ("retry", "blocked"), ("undo", "rolled-back")];
    for (answer, end) in ends {
        let project = stuck();
        let settled = project.call(&["settle", "latest", "fix/apply", answer]);
        let view = project.call(&["runs", "show", "latest", "-o", "json"]).json();
        assert_eq!(view["outcome"], end, "{answer}: {settled:?}");
        let expected: &[&str] = match answer {
            "retry" => &["one", "two", "two"],
            // The first step's undo writes a line of its own.
            "undo" => &["one", "two", "back", "one"],
            _ => &["one", "two"],
        };
        assert_eq!(effects(&project), expected, "{answer}");
    }
}

#[test]
fn what_calls_a_runbook_is_read_again_when_that_changes_and_keeps_the_last_good_one() {
    let project = project();
    let _served = project.serve();
    let runs_until = |word: &str| {
        for _ in 0..100 {
            assert_eq!(project.call(&["run", "fleet"]).exit, Some(0));
            if effects(&project).iter().any(|effect| effect == word) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{word} was not done");
    };
    runs_until("web2");
    project.write("runbooks/patch.yaml", &PATCH.replace("apply ${{ inputs.level }}", "second"));
    runs_until("second");
    project.write("runbooks/patch.yaml", &PATCH.replace("name: patch", "name: patch\nstep: []"));
    let status = || project.call(&["status"]).shown();
    for _ in 0..100 {
        if status().contains("unknown key `step`") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(status().contains("unknown key `step`"), "{}", status());
    assert_eq!(project.call(&["run", "fleet"]).exit, Some(0), "the last good version is called still");
}

#[test]
fn a_caller_that_is_half_written_is_not_used_because_what_it_calls_has_changed() {
    use std::io::Write;
    let project = project();
    let caller = "name: caller\nsteps:\n  - { id: one, runbook: patch, with: { vm: db1 } }\n";
    let rest = "  - { id: last, uses: fixture/append, with: { file: FOLDER/effects, line: last } }\n";
    project.write("runbooks/caller.yaml", &format!("{caller}{rest}"));
    let _served = project.serve();
    let runs_until = |word: &str| {
        for _ in 0..100 {
            let before = effects(&project).len();
            assert_eq!(project.call(&["run", "caller"]).exit, Some(0));
            let done = &effects(&project)[before..];
            assert_eq!(done.last().map(String::as_str), Some("last"), "half of the caller ran");
            if done.iter().any(|effect| effect == word) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{word} was not done");
    };
    runs_until("db1");
    let mut writer = std::fs::File::create(project.path("runbooks/caller.yaml")).expect("a file");
    writer.write_all(caller.as_bytes()).expect("half of it");
    project.write("runbooks/patch.yaml", &PATCH.replace("apply ${{ inputs.level }}", "second"));
    runs_until("second");
}

#[test]
fn what_is_no_name_of_a_secret_is_refused_and_not_shown_where_another_runbook_is_given_it() {
    let project = Project::new();
    project.write("runbooks/inner.yaml", "name: inner\ninputs: { key: { type: secret } }\nsteps: []\n");
    let inputs = "inputs: { key: { type: string, default: Hunter2pass } }";
    let step = "{ id: a, runbook: inner, with: { key: \"${{ inputs.key }}\" } }";
    project.write("runbooks/outer.yaml", &format!("name: outer\n{inputs}\nsteps: [{step}]\n"));
    insta::assert_snapshot!(project.call(&["run", "outer"]).shown(), @r"
    exit 1
    run RUN of outer, started by USER
    a: failed before it started: `with` does not fit: the input `key`: no plugin is granted a secret of this name
    run RUN failed in TIME: a: `with` does not fit: the input `key`: no plugin is granted a secret of this name
    ");
    let planned = project.call(&["plan", "outer"]);
    assert!(
        planned.exit == Some(3) && planned.out.contains("step a: the input `key`: no plugin is granted"),
        "{planned:?}"
    );
    let view = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert!(!view["steps"].to_string().contains("Hunter2pass"), "{view:#}");
}
