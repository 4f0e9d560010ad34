//! Runbooks that are trees: groups, steps side by side, and fleets in waves.

use crate::support::Project;

const FLEET: &str = r#"
name: fleet
inputs:
  bad: { type: string, default: "" }
steps:
  - id: look
    parallel:
      - { id: disk, uses: fixture/echo, with: { value: 1 } }
      - { id: load, steps: [{ id: now, uses: fixture/echo, with: { value: 2 } }] }
    at-once: 1
  - id: fleet
    for-each: [web1, web2, web3, web4]
    as: vm
    waves: [1, 100%]
    on-failure: rollback-wave
    steps:
      - { id: drain, uses: fixture/append, with: { file: FOLDER/effects, line: "${{ vm }}" } }
      - id: patch
        if: vm == inputs.bad
        uses: fixture/append
        with: { file: FOLDER/effects, line: no, fail: permanent }
    between:
      - { id: bake, wait: 1ms }
outputs:
  drained: "${{ steps.fleet.output[3].drain.line }}"
"#;

fn project() -> Project {
    let project = Project::new();
    project.write("fleet.yaml", FLEET);
    project
}

#[test]
fn a_plan_shows_what_is_in_steps() {
    insta::assert_snapshot!(project().call(&["plan", "fleet.yaml"]).shown(), @"");
}

#[test]
fn a_fleet_is_followed_item_by_item() {
    let project = project();
    insta::assert_snapshot!(project.call(&["run", "fleet.yaml"]).shown(), @"");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @"");
}

#[test]
fn a_bad_item_takes_its_wave_back_and_the_canary_stays() {
    let project = project();
    insta::assert_snapshot!(project.call(&["run", "fleet.yaml", "-i", "bad=web3"]).shown(), @"");
    let effects = project.lines("effects");
    assert!(effects.iter().all(|line| !line.contains("web4")), "{effects:?}");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @"");
}

#[test]
fn of_many_items_those_are_shown_that_went_wrong() {
    let project = Project::new();
    project.write(
        "many.yaml",
        "name: many\ninputs: { all: { type: list } }\nsteps:\n  - id: fleet\n    for-each: \"${{ inputs.all }}\"\n    as: n\n    at-once: 8\n    \
         max-failures: 5%\n    steps:\n      - { id: a, if: n == 7 || n == 33, uses: fixture/append, \
         with: { file: FOLDER/effects, line: x, fail: permanent } }\n",
    );
    let all: Vec<u32> = (0..60).collect();
    insta::assert_snapshot!(project.call(&["run", "many.yaml", "-i", &format!("all:={all:?}")]).shown().lines().last().unwrap_or_default(), @"");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @"");
}

#[test]
fn a_run_that_blocks_deep_in_a_tree_says_where_and_what_to_do() {
    for (verdict, end) in [("done", 0), ("failed", 1), ("retry", 4)] {
        let project = Project::new();
        project.write(
            "deep.yaml",
            "name: deep\nsteps:\n  - id: fleet\n    for-each: [a, b]\n    as: vm\n    steps:\n      - id: fix\n        script: 'act(\"fixture/echo\", \
             #{ value: 1 }); act(\"fixture/append-blind\", #{ file: \"FOLDER/effects\", line: \"x\", fail: \"unknown\", times: 9 })'\n",
        );
        let blocked = project.call(&["run", "deep.yaml"]);
        if verdict == "done" {
            insta::assert_snapshot!(blocked.shown(), @"");
            insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @"");
        }
        let settled = project.call(&["settle", "latest", "fleet/1/fix/2", verdict, "--reason", "I looked"]);
        let again = project.call(&["runs", "show", "latest", "-o", "json"]).json();
        let asked = again["steps"][0]["steps"][1]["steps"][0]["steps"][1]["id"].clone();
        match verdict {
            "done" => {
                assert_eq!((asked.as_str(), settled.exit), (Some("fleet/2/fix/2"), Some(4)), "the next item asks")
            }
            "failed" => assert_eq!(settled.exit, Some(end), "{settled:?}"),
            _ => assert_eq!(settled.exit, Some(end), "{settled:?}"),
        }
    }
}
