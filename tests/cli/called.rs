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
    insta::assert_snapshot!(project.call(&["check", "runbooks"]).shown(), @"");
    insta::assert_snapshot!(project.call(&["plan", "fleet"]).shown(), @"");
    insta::assert_snapshot!(project.call(&["run", "fleet"]).shown(), @"");
    assert_eq!(effects(&project), ["web1", "1", "web2", "1"]);
}

#[test]
fn a_file_calls_what_is_in_the_folder_of_runbooks() {
    let project = project();
    project.write("alone.yaml", "name: alone\nsteps:\n  - { id: a, runbook: patch, with: { vm: db1 } }\n");
    assert!(project.call(&["check", "alone.yaml"]).shown().starts_with("exit 0"));
    assert!(project.call(&["run", "alone.yaml"]).shown().starts_with("exit 0"));
    project.write("wrong.yaml", "name: wrong\nsteps:\n  - { id: a, runbook: pach, with: { vm: db1 } }\n");
    insta::assert_snapshot!(project.call(&["run", "wrong.yaml"]).shown(), @"");
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
    insta::assert_snapshot!(stuck().call(&["runs", "show", "latest"]).shown(), @"");
    let ends = [("done", "succeeded"), ("failed", "failed"), ("retry", "blocked"), ("undo", "rolled-back")];
    for (answer, end) in ends {
        let project = stuck();
        let settled = project.call(&["settle", "latest", "fix/apply", answer]);
        let view = project.call(&["runs", "show", "latest", "-o", "json"]).json();
        assert_eq!(view["outcome"], end, "{answer}: {settled:?}");
        let expected: &[&str] = match answer {
            "retry" => &["one", "two", "two"],
            "undo" => &["two", "back"],
            _ => &["one", "two"],
        };
        assert_eq!(effects(&project), expected, "{answer}");
    }
}
