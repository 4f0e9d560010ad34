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
    insta::assert_snapshot!(project().call(&["plan", "fleet.yaml"]).shown(), @r#"
    exit 0
    plan of fleet; nothing is started
    inputs
      bad =
    steps
      look                parallel  (read)
          1 side by side
      look/disk           fixture/echo  (read)
          value = 1
      look/load           steps  (read)
      look/load/now       fixture/echo  (read)
          value = 2
      fleet               for-each  (read)
          ["web1","web2","web3","web4"]
          for each as `vm`, 1 at once; 0 may fail
          waves end at 1, 100%
          if it fails, the items of its last wave are rolled back
      fleet/drain         fixture/append  (unsafe, undo, verify)
          file = FOLDER/effects
          line = (known when it starts)
          after a crash in it: the plugin is asked whether it happened
      fleet/patch         fixture/append  (unsafe, undo, verify)
          if vm == inputs.bad: (known when it starts)
          file = FOLDER/effects
          line = no
          fail = permanent
          after a crash in it: the plugin is asked whether it happened
      fleet/between/bake  wait  (read)
      TIME
    plugins
      fixture 0.1.0 (DIGEST)
        may use files: FOLDER (read and write)
    "#);
}

#[test]
fn a_fleet_is_followed_item_by_item() {
    let project = project();
    insta::assert_snapshot!(project.call(&["run", "fleet.yaml"]).shown(), @r"
    exit 0
    run RUN of fleet, started by USER
    look: started
    look/disk: started
    look/disk: succeeded in TIME
    look/load: started
    look/load/now: started
    look/load/now: succeeded in TIME
    look/load: succeeded in TIME
    look: succeeded in TIME
    fleet: started
    fleet/1: started
    fleet/1/drain: started
    fleet/1/drain: succeeded in TIME
    fleet/1/patch: skipped: its `if` is false
    fleet/1: succeeded in TIME
    fleet/between/1: started
    fleet/between/1/bake: waits for TIME
    fleet/between/1/bake: succeeded in TIME
    fleet/between/1: succeeded in TIME
    fleet/2: started
    fleet/2/drain: started
    fleet/2/drain: succeeded in TIME
    fleet/2/patch: skipped: its `if` is false
    fleet/2: succeeded in TIME
    fleet/3: started
    fleet/3/drain: started
    fleet/3/drain: succeeded in TIME
    fleet/3/patch: skipped: its `if` is false
    fleet/3: succeeded in TIME
    fleet/4: started
    fleet/4/drain: started
    fleet/4/drain: succeeded in TIME
    fleet/4/patch: skipped: its `if` is false
    fleet/4: succeeded in TIME
    fleet: succeeded in TIME
    run RUN succeeded in TIME
      drained  KEY run 1 web4
    ");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    fleet, started DATE by USER
      bad =
      ✓ look                      succeeded  TIME
        ✓ look/disk               succeeded  TIME
        ✓ look/load               succeeded  TIME
          ✓ look/load/now         succeeded  TIME
      ✓ fleet                     succeeded  TIME
        ✓ fleet/1                 succeeded  TIME
          ✓ fleet/1/drain         succeeded  TIME
          - fleet/1/patch         skipped
        ✓ fleet/between/1         succeeded  TIME
          ✓ fleet/between/1/bake  succeeded  TIME
        ✓ fleet/2                 succeeded  TIME
          ✓ fleet/2/drain         succeeded  TIME
          - fleet/2/patch         skipped
        ✓ fleet/3                 succeeded  TIME
          ✓ fleet/3/drain         succeeded  TIME
          - fleet/3/patch         skipped
        ✓ fleet/4                 succeeded  TIME
          ✓ fleet/4/drain         succeeded  TIME
          - fleet/4/patch         skipped
    run RUN succeeded in TIME
      drained  KEY run 1 web4
    ");
}

#[test]
fn a_bad_item_takes_its_wave_back_and_the_canary_stays() {
    let project = project();
    insta::assert_snapshot!(project.call(&["run", "fleet.yaml", "-i", "bad=web3"]).shown(), @r"
    exit 1
    run RUN of fleet, started by USER
    look: started
    look/disk: started
    look/disk: succeeded in TIME
    look/load: started
    look/load/now: started
    look/load/now: succeeded in TIME
    look/load: succeeded in TIME
    look: succeeded in TIME
    fleet: started
    fleet/1: started
    fleet/1/drain: started
    fleet/1/drain: succeeded in TIME
    fleet/1/patch: skipped: its `if` is false
    fleet/1: succeeded in TIME
    fleet/between/1: started
    fleet/between/1/bake: waits for TIME
    fleet/between/1/bake: succeeded in TIME
    fleet/between/1: succeeded in TIME
    fleet/2: started
    fleet/2/drain: started
    fleet/2/drain: succeeded in TIME
    fleet/2/patch: skipped: its `if` is false
    fleet/2: succeeded in TIME
    fleet/3: started
    fleet/3/drain: started
    fleet/3/drain: succeeded in TIME
    fleet/3/patch: started
    fleet/3/patch: failed in TIME: as asked
    fleet/3: failed in TIME: fleet/3/patch: as asked
    fleet/3: undoing
    fleet/3/drain: undoing
    fleet/3/drain: undone
    fleet/3: undone
    fleet/2: undoing
    fleet/2/drain: undoing
    fleet/2/drain: undone
    fleet/2: undone
    fleet: failed in TIME: fleet/3/patch: as asked
    fleet/4: skipped: the run ended before it
    run RUN failed in TIME: fleet/3/patch: as asked
    ");
    let effects = project.lines("effects");
    assert!(effects.iter().all(|line| !line.contains("web4")), "{effects:?}");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    fleet, started DATE by USER
      bad = web3
      ✓ look                      succeeded  TIME
        ✓ look/disk               succeeded  TIME
        ✓ look/load               succeeded  TIME
          ✓ look/load/now         succeeded  TIME
      ✗ fleet                     failed  TIME  fleet/3/patch: as asked
        ✓ fleet/1                 succeeded  TIME
          ✓ fleet/1/drain         succeeded  TIME
          - fleet/1/patch         skipped
        ✓ fleet/between/1         succeeded  TIME
          ✓ fleet/between/1/bake  succeeded  TIME
        ✓ fleet/2                 undone  TIME
          ✓ fleet/2/drain         undone  TIME
          - fleet/2/patch         skipped
        ✓ fleet/3                 undone  TIME  fleet/3/patch: as asked
          ✓ fleet/3/drain         undone  TIME
          ✗ fleet/3/patch         failed  TIME  as asked
        - fleet/4                 skipped
    run RUN failed in TIME: fleet/3/patch: as asked
    ");
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
    insta::assert_snapshot!(project.call(&["run", "many.yaml", "-i", &format!("all:={all:?}")]).shown().lines().last().unwrap_or_default(), @"run RUN succeeded in TIME");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    many, started DATE by USER
      all = [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59]
      ✓ fleet           succeeded  TIME
        ✗ fleet/8       failed  TIME  fleet/8/a: as asked
          ✗ fleet/8/a   failed  TIME  as asked
        ✗ fleet/34      failed  TIME  fleet/34/a: as asked
          ✗ fleet/34/a  failed  TIME  as asked
        - …             58 succeeded
    run RUN succeeded in TIME
    ");
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
            insta::assert_snapshot!(blocked.shown(), @r"
            exit 4
            run RUN of deep, started by USER
            fleet: started
            fleet/1: started
            fleet/1/fix: started
            fleet/1/fix/1: started
            fleet/1/fix/1: succeeded in TIME
            fleet/1/fix/2: started
            fleet/1/fix/2: nobody knows whether it happened: fixture/append-blind as asked
            run RUN blocked: a person must decide
              fleet/1/fix/2: nobody knows whether it happened: fixture/append-blind as asked
              look at it, then say what became of it with one of:
                runwright settle RUN fleet/1/fix/2 done    # it happened; --output gives later steps its output
                runwright settle RUN fleet/1/fix/2 failed  # it did not, or not in full
                runwright settle RUN fleet/1/fix/2 retry   # it did not: try again
            ");
            insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
            exit 0
            deep, started DATE by USER
              · fleet                running  TIME  0/2 done
                · fleet/1            running  TIME
                  · fleet/1/fix      running  TIME  waits for a person to say what became of its call fleet/1/fix/2
                    ✓ fleet/1/fix/1  succeeded  TIME
                    ? fleet/1/fix/2  unknown  TIME  nobody knows whether it happened: fixture/append-blind as asked
                · fleet/2            pending
            run RUN blocked: a person must decide
              fleet/1/fix/2: nobody knows whether it happened: fixture/append-blind as asked
              look at it, then say what became of it with one of:
                runwright settle RUN fleet/1/fix/2 done    # it happened; --output gives later steps its output
                runwright settle RUN fleet/1/fix/2 failed  # it did not, or not in full
                runwright settle RUN fleet/1/fix/2 retry   # it did not: try again
            ");
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

/// A for-each of 25, of which the 13th fails.
const MANY: &str = r#"
name: many
inputs: { all: { type: list } }
steps:
  - id: fleet
    for-each: "${{ inputs.all }}"
    as: n
    waves: [5]
    max-failures: 1
    steps:
      - { id: drain, uses: fixture/append, with: { file: FOLDER/effects, line: "vm ${{ n }}" } }
      - id: patch
        if: n == 13
        uses: fixture/append
        with: { file: FOLDER/effects, line: x, fail: permanent }
    between:
      - { id: bake, wait: 1ms }
  - id: fix
    script: |
      for n in 1..=45 { act("fixture/echo", #{ value: n }); }
"#;

#[test]
fn many_are_counted_while_a_run_goes_on_and_what_failed_is_shown() {
    let project = Project::new();
    project.write("many.yaml", MANY);
    let all: Vec<u32> = (1..=25).collect();
    let shown = project.call(&["run", "many.yaml", "-i", &format!("all:={all:?}")]).shown();
    let (shown, calls): (Vec<&str>, Vec<&str>) = shown.lines().partition(|line| !line.starts_with("fix/"));
    insta::assert_snapshot!(shown.join("\n"), @r"
    exit 0
    run RUN of many, started by USER
    fleet: started
    fleet: 3/25 done, wave 1 of 2
    fleet/between/1: started
    fleet/between/1/bake: waits for TIME
    fleet/between/1/bake: succeeded in TIME
    fleet/between/1: succeeded in TIME
    fleet: 8/25 done, wave 2 of 2
    fleet: 11/25 done, wave 2 of 2
    fleet/13/patch: failed in TIME: as asked
    fleet/13: failed in TIME: fleet/13/patch: as asked
    fleet: 14/25 done, 1 failed, wave 2 of 2
    fleet: 17/25 done, 1 failed, wave 2 of 2
    fleet: 20/25 done, 1 failed, wave 2 of 2
    fleet: 23/25 done, 1 failed, wave 2 of 2
    fleet: 25/25 done, 1 failed, wave 2 of 2
    fleet: succeeded in TIME
    fix: started
    fix: 40 calls done
    fix: succeeded in TIME
    run RUN succeeded in TIME
    ");
    assert_eq!((calls.len(), calls.last()), (40, Some(&"fix/20: succeeded in TIME")), "from then on they are counted");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    many, started DATE by USER
      all = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]
      ✓ fleet               succeeded  TIME
        ✗ fleet/13          failed  TIME  fleet/13/patch: as asked
          ✓ fleet/13/drain  succeeded  TIME
          ✗ fleet/13/patch  failed  TIME  as asked
        - …                 24 succeeded
      ✓ fix                 succeeded  TIME
        - …                 45 succeeded
    run RUN succeeded in TIME
    ");
}

/// 25 branches, of which one asks, and a for-each of which one item does.
const ASKING: &str = r#"
name: asking
inputs: { all: { type: list } }
steps:
  - id: both
    parallel:
      - id: fleet
        for-each: "${{ inputs.all }}"
        as: n
        at-once: 25
        steps:
          - { id: a, if: n == 13, uses: fixture/append-blind, with: { file: FOLDER/effects, line: x, fail: unknown } }
          - { id: b, if: n > 13, wait: 1h }
      - id: side
        parallel:
BRANCHES
"#;

#[test]
fn of_many_at_work_the_one_that_asks_is_always_shown() {
    let project = Project::new();
    let branch = |n: u32| {
        match n {
        25 => "          - { id: s25, uses: fixture/append-blind, with: { file: FOLDER/effects, line: x, fail: unknown } }".to_owned(),
        n => format!("          - {{ id: s{n}, wait: 1h }}"),
    }
    };
    let branches: Vec<String> = (1..=25).map(branch).collect();
    project.write("asking.yaml", &ASKING.replace("BRANCHES", &branches.join("\n")));
    let serve = project.start(&["serve"]);
    let serve = serve.wait_until("serving", || project.path("state/api.sock").exists());
    let all: Vec<u32> = (1..=25).collect();
    assert_eq!(project.call(&["run", "asking.yaml", "-i", &format!("all:={all:?}"), "--detach"]).exit, Some(0));
    let shown = || project.call(&["runs", "show", "latest"]).shown();
    let asks = |shown: &str, path: &str| shown.lines().any(|line| line.trim_start().starts_with(&format!("? {path} ")));
    let _serve = serve.wait_until("both ask", || {
        let shown = shown();
        asks(&shown, "both/fleet/13/a") && asks(&shown, "both/side/s25")
    });
    let shown = shown();
    assert!(shown.contains("both/fleet/13 ") && shown.contains("12/25 done") && shown.contains("1/25 done"), "{shown}");
    assert!(shown.lines().count() < 70, "others are counted: {shown}");
}
