//! `runwright plan`

use serde_json::json;

use crate::support::Project;

const RUNBOOK: &str = r#"
name: careful
description: Changes things, carefully.
inputs:
  who:  { type: string }
  wipe: { type: boolean, default: false }
steps:
  - id: look
    uses: hello/greet
    with: { name: "${{ inputs.who }}" }
  - id: write
    uses: fixture/append
    with: { file: FOLDER/effects, line: "${{ steps.look.output.text }}" }
    timeout: 20s
    retry: { attempts: 3, delay: 2s }
    on-failure: rollback
  - id: wipe
    if: inputs.wipe
    uses: fixture/append-blind
    with: { file: FOLDER/effects, line: wiped }
  - id: repair
    if: "!steps.write.succeeded"
    uses: fixture/append-blind
    with: { file: FOLDER/effects, line: "wiped: ${{ steps.wipe.ran }}" }
    on-failure: continue
  - id: sum
    script: inputs.who.len()
    always: true
outputs:
  sum: "${{ steps.sum.output }}"
"#;

fn project() -> Project {
    let project = Project::new();
    project.write("runbooks/careful.yaml", RUNBOOK);
    project
}

#[test]
fn a_plan_shows_what_is_known_and_what_is_not() {
    let project = project();
    insta::assert_snapshot!(project.call(&["plan", "careful", "-i", "who=Ada"]).shown(), @r#"
    exit 0
    plan of careful; nothing is started
      Changes things, carefully.
    inputs
      who = Ada
      wipe = false
    steps
      look    hello/greet  (read)
          name = Ada
      write   fixture/append  (unsafe, undo, verify)
          file = FOLDER/effects
          line = (known after look)
          timeout 20s
          up to 3 attempts, 2s before the second
          if it fails, the run is rolled back
          after a crash in it: the plugin is asked whether it happened
      wipe    fixture/append-blind  (unsafe)
          if inputs.wipe: false: it does not run
      repair  fixture/append-blind  (unsafe)
          if !steps.write.succeeded: (known after write)
          file = FOLDER/effects
          line = wiped: false
          if it fails, and was not refused, the run goes on
          after a crash in it: a person must say what became of it
      sum     script  (read, always)
    plugins
      fixture 0.1.0 (DIGEST)
        may use files: FOLDER (read and write)
      hello 0.1.0 (DIGEST)
    risks
      can't be taken back by a rollback:   repair
      needs a person after a crash in it:  repair
    "#);
    assert_eq!(project.lines("effects").len(), 0);
    assert_eq!(project.call(&["runs", "list", "-o", "json"]).json(), json!({"runs": [], "more": false}));
}

#[test]
fn json_marks_what_is_unknown() {
    let plan = project().call(&["plan", "runbooks/careful.yaml", "-i", "who=Ada", "-o", "json"]).json();
    let step = |place: usize| &plan["steps"][place];
    assert_eq!(step(0)["input"], json!({"name": "Ada"}));
    assert_eq!(step(1)["input"]["line"], json!({"unknown": true, "after": ["look"]}));
    assert_eq!((&step(2)["runs"], &step(3)["runs"]), (&json!(false), &json!({"unknown": true, "after": ["write"]})));
    assert_eq!(step(3)["input"]["line"], "wiped: false");
    assert_eq!(step(1)["after-crash"], "verify");
    assert_eq!(plan["plugins"][0]["name"], "fixture");
}

#[test]
fn inputs_that_can_not_fit_are_an_error() {
    let project = project();
    insta::assert_snapshot!(project.call(&["plan", "careful"]).shown(), @r"
    exit 3
    --- standard error
    error: could not plan careful
      cause: the input `who` is missing
      hint: give it with -i who=…
    ");
    let text = "name: n\ninputs:\n  n: { type: integer }\nsteps:\n  - id: a\n    uses: fixture/sleep\n    with: { ms: '${{ inputs.n - 5 }}' }\n";
    project.write("negative.yaml", text);
    let ran = project.call(&["plan", "negative.yaml", "-i", "n=1"]);
    assert_eq!(ran.exit, Some(3), "{ran:?}");
    assert!(ran.out.contains("problems\n  step a:"), "{}", ran.out);
}

#[test]
fn a_capability_without_a_grant_is_told_with_the_line_to_add() {
    let project = Project::with_plugins(&["http"]);
    let text = "name: probe\nsteps:\n  - id: get\n    uses: http/get\n    with: { url: 'http://127.0.0.1/' }\n";
    project.write("probe.yaml", text);
    insta::assert_snapshot!(project.call(&["plan", "probe.yaml"]).shown(), @r#"
    exit 0
    plan of probe; nothing is started
    steps
      get  http/get  (read)
          url = http://127.0.0.1/
    plugins
      http 0.1.0 (DIGEST)
        asks for http, not granted; where a step needs it, add to runwright.toml:
          [plugin.http.grants]
          http = [{ method = "GET", url = "https://HOST/*" }]
    "#);
}

#[test]
fn a_plan_shows_waits_scripts_undo_and_the_lock() {
    let project = Project::new();
    project.write(
        "kinds.yaml",
        r#"
name: kinds
inputs: { vm: { type: string, default: web1 } }
lock: { key: "vm/${{ inputs.vm }}", on-busy: skip }
steps:
  - { id: pause, wait: 5m }
  - id: make
    uses: fixture/append-blind
    with: { file: FOLDER/effects, line: made }
    undo: { uses: fixture/append, with: { file: FOLDER/effects, line: removed } }
  - { id: script, script: 'act("fixture/append", #{ file: "FOLDER/effects", line: "s" })' }
  - { id: poll, wait-until: { uses: fixture/echo, with: { value: 1 }, if: output.attempt > 0, every: 1s, timeout: 5s } }
  - { id: cut, uses: fixture/append-blind, with: { file: FOLDER/effects, line: cut }, point-of-no-return: true }
"#,
    );
    let shown = project.call(&["plan", "kinds.yaml"]).shown();
    let (before, after) = shown.split_once("plugins\n").expect("plugins");
    insta::assert_snapshot!(before, @r"
    exit 0
    plan of kinds; nothing is started
    inputs
      vm = web1
    lock
      vm/web1, one run at a time: it is not started while another holds it
    steps
      pause   wait  (read)
          5m
      make    fixture/append-blind  (unsafe, undo)
          file = FOLDER/effects
          line = made
          undone by fixture/append
          after a crash in it: a person must say what became of it
      script  script  (unsafe, undo)
          may call fixture/append, each call a step of its own
          after a crash in it: it goes on in its middle
      poll    fixture/echo  (read)
          value = 1
          called again and again until output.attempt > 0
          timeout 5s
      cut     fixture/append-blind  (unsafe, point of no return)
          file = FOLDER/effects
          line = cut
          after a crash in it: a person must say what became of it
    ");
    insta::assert_snapshot!(after.split_once("risks\n").expect("risks").1, @r"
    can't be taken back by a rollback:   cut
    forbids rolling back past it:        cut
    needs a person after a crash in it:  make, cut
    ");
}

#[test]
fn a_run_that_others_call_dry_is_a_plan() {
    let project = Project::with_plugins(&["hello"]);
    project.write("one.yaml", "name: one\nsteps:\n  - { id: a, uses: hello/greet, with: { name: x } }\n");
    let planned = project.call(&["plan", "one.yaml"]).shown();
    for option in ["--plan", "--dry-run", "--check"] {
        assert_eq!(project.call(&["run", "one.yaml", option]).shown(), planned, "{option}");
    }
}

#[test]
fn all_inputs_that_are_missing_are_told_with_how_to_give_them() {
    let project = Project::with_plugins(&["hello"]);
    let inputs = "inputs:\n  vm: { type: string, description: The VM to heal }\n  n: { type: integer }\n  m: { type: integer, default: 1 }\n";
    project.write("two.yaml", &format!("name: two\n{inputs}steps:\n  - {{ id: a, script: '1' }}\n"));
    insta::assert_snapshot!(project.call(&["plan", "two.yaml"]).shown(), @r"
    exit 3
    --- standard error
    error: could not plan two.yaml
      cause: the input `n` is missing
             the input `vm` is missing; it is: The VM to heal
      hint: give them with -i vm=… -i n=…
    ");
    insta::assert_snapshot!(project.call(&["run", "two.yaml", "-i", "n=1"]).shown(), @r"
    exit 3
    --- standard error
    error: could not run two.yaml
      cause: the input `vm` is missing; it is: The VM to heal
      hint: give it with -i vm=…
    ");
}

#[test]
fn a_program_that_nobody_can_ask_about_needs_a_person() {
    let project = Project::with_plugins(&["exec"]);
    let with = |more: &str| format!("with: {{ program: /bin/true{more} }}");
    let step = |id: &str, more: &str| format!("  - {{ id: {id}, uses: exec/run, {} }}\n", with(more));
    let steps = [step("alone", ""), step("asked", ", verify: { program: /bin/true }")].concat();
    project.write("exec.yaml", &format!("name: exec\nsteps:\n{steps}"));
    let plan = project.call(&["plan", "exec.yaml", "-o", "json"]).json();
    assert_eq!((&plan["steps"][0]["after-crash"], &plan["steps"][1]["after-crash"]), (&json!("ask"), &json!("verify")));
}
