//! `runwright run`

use serde_json::json;

use crate::support::Project;

/// Reads, writes, computes, and skips a step.
const TWO: &str = r#"
name: two
description: Two steps and one that is skipped.
inputs:
  who: { type: string, default: world }
  n: { type: integer, default: 3 }
steps:
  - id: hello
    uses: hello/greet
    with: { name: "${{ inputs.who }}" }
  - id: write
    uses: fixture/append
    with: { file: FOLDER/effects, line: "${{ steps.hello.output.text }}", fail: transient, times: 1 }
    retry: { attempts: 2, delay: 10ms }
  - id: sum
    script: inputs.n + 1
  - id: never
    if: steps.write.failed
    uses: fixture/empty
outputs:
  n: "${{ steps.sum.output }}"
  said: "${{ steps.hello.output.text }}"
"#;

fn project() -> Project {
    let project = Project::new();
    project.write("runbooks/two.yaml", TWO);
    project
}

#[test]
fn a_run_is_told_line_by_line() {
    let project = project();
    let ran = project.call(&["run", "runbooks/two.yaml", "-i", "who=Ada", "--reason", "trying"]);
    insta::assert_snapshot!(ran.shown(), @r"
    exit 0
    run RUN of two, started by USER (trying)
    hello: started
    hello: succeeded in TIME
    write: started, attempt 1 of 2
    write: attempt 1 failed: as asked; trying again in TIME
    write: started, attempt 2 of 2
    write: succeeded in TIME after 2 attempts
    sum: started
    sum: succeeded in TIME
    never: skipped: its `if` is false
    run RUN succeeded in TIME
      n     4
      said  Hello, Ada!
    ");
    assert_eq!(project.lines("effects").len(), 1);
}

#[test]
fn json_is_one_document() {
    let project = project();
    let ran = project.call(&["run", "two", "-i", "n=4", "-o", "json"]);
    insta::assert_snapshot!(ran.shown(), @r#"
    exit 0
    {
      "run": "RUN",
      "runbook": "two",
      "status": "succeeded",
      "outcome": "succeeded",
      "cause": {
        "type": "person",
        "by": {
          "who": "USER"
        }
      },
      "inputs": {
        "who": "world",
        "n": 4
      },
      "created": MILLIS,
      "updated": MILLIS,
      "seq": 11,
      "steps": [
        {
          "id": "hello",
          "kind": "uses",
          "outcome": "succeeded",
          "attempts": 1,
          "output": {
            "text": "Hello, world!"
          },
          "took-ms": MILLIS
        },
        {
          "id": "write",
          "kind": "uses",
          "outcome": "succeeded",
          "attempts": 2,
          "output": {
            "line": "KEY run 2 Hello, world!"
          },
          "took-ms": MILLIS
        },
        {
          "id": "sum",
          "kind": "script",
          "outcome": "succeeded",
          "attempts": 1,
          "output": 5,
          "took-ms": MILLIS
        },
        {
          "id": "never",
          "kind": "uses",
          "outcome": "skipped",
          "attempts": 0,
          "output": null
        }
      ],
      "outputs": {
        "n": 5,
        "said": "Hello, world!"
      }
    }
    "#);
    assert_eq!(ran.json()["outputs"], json!({"n": 5, "said": "Hello, world!"}));
}

#[test]
fn inputs_come_from_a_file_and_from_words() {
    let project = project();
    project.write("inputs.yaml", "who: Bob\nn: 7\n");
    let ran = project.call(&["run", "two", "--inputs-file", "inputs.yaml", "-i", "who=Ada", "-o", "json"]);
    assert_eq!(ran.json()["inputs"], json!({"who": "Ada", "n": 7}));
}

#[test]
fn wrong_inputs_start_nothing_and_are_told_all_at_once() {
    let project = project();
    let ran = project.call(&["run", "two", "-i", "n=three", "-i", "whom=x"]);
    insta::assert_snapshot!(ran.shown(), @r"
    exit 3
    --- standard error
    error: could not run two
      cause: the input `n`: `three` is not a whole number
             the runbook `two` has no input `whom`; did you mean `who`?
    ");
    assert_eq!(project.call(&["runs", "list", "-o", "json"]).json(), json!({"runs": [], "more": false}));
}

#[test]
fn an_unknown_name_is_told_with_those_that_there_are() {
    let ran = project().call(&["run", "heal"]);
    insta::assert_snapshot!(ran.shown(), @r#"
    exit 3
    --- standard error
    error: could not run heal
      cause: there is no runbook "heal"; there are: two
    "#);
}

#[test]
fn a_runbook_with_errors_starts_nothing() {
    let project = project();
    project.write("bad.yaml", "name: bad\nsteps:\n  - id: a\n    uses: hello/gret\n    tiemout: 3s\n");
    let ran = project.call(&["run", "bad.yaml"]);
    insta::assert_snapshot!(ran.shown(), @r"
    exit 3
    --- standard error
    error: the plugin `hello` has no action `gret` [unknown-action]
     --> bad.yaml:4:11
      |
    4 |     uses: hello/gret
      |           ^^^^^^^^^^
      = help: did you mean `hello/greet`?

    error: unknown key `tiemout` in a step [unknown-key]
     --> bad.yaml:5:5
      |
    5 |     tiemout: 3s
      |     ^^^^^^^
      = help: did you mean `timeout`?

    bad.yaml: 2 errors

    error: could not run bad.yaml
      cause: bad.yaml is not a runbook that can run: 2 problems found
    ");
    let error = project.call(&["run", "bad.yaml", "-o", "json"]).error();
    assert_eq!(error["exit"], 3);
    assert!(error["diagnostics"].as_str().is_some_and(|text| text.contains("bad.yaml:5:5")), "{error}");
}

#[test]
fn a_failed_run_says_which_step_and_why() {
    let project = project();
    let step = "uses: fixture/append\n    with: { file: FOLDER/effects, line: x, fail: permanent }";
    project.write("fails.yaml", &format!("name: fails\nsteps:\n  - id: a\n    {step}\n  - id: b\n    script: '1'\n"));
    insta::assert_snapshot!(project.call(&["run", "fails.yaml"]).shown(), @r"
    exit 1
    run RUN of fails, started by USER
    a: started
    a: failed in TIME: as asked
    b: skipped: the run ended before it
    run RUN failed in TIME: a: as asked
    ");
}

#[test]
fn a_run_that_was_rolled_back_says_so() {
    let project = project();
    let text = r#"
name: back
steps:
  - id: a
    uses: fixture/append
    with: { file: FOLDER/effects, line: a }
  - id: b
    uses: fixture/append
    with: { file: FOLDER/effects, line: b, fail: permanent }
    on-failure: rollback
"#;
    project.write("back.yaml", text);
    insta::assert_snapshot!(project.call(&["run", "back.yaml"]).shown(), @r"
    exit 5
    run RUN of back, started by USER
    a: started
    a: succeeded in TIME
    b: started
    b: failed in TIME: as asked
    rolling back
    a: undoing
    a: undone
    run RUN rolled back after TIME: b: as asked
    ");
    assert_eq!(project.lines("effects").len(), 2);
}

#[test]
fn log_lines_of_a_step_are_shown_with_its_name() {
    let project = project();
    project.write(
        "says.yaml",
        "name: says\nsteps:\n  - id: talk\n    script: |\n      print(\"one\");\n      print(\"two\");\n",
    );
    insta::assert_snapshot!(project.call(&["run", "says.yaml"]).shown(), @r"
    exit 0
    run RUN of says, started by USER
    talk: started
    talk | one
    talk | two
    talk: succeeded in TIME
    run RUN succeeded in TIME
    ");
}

#[test]
fn without_an_engine_that_serves_nothing_can_be_detached() {
    insta::assert_snapshot!(project().call(&["run", "two", "--detach"]).shown(), @r"
    exit 3
    --- standard error
    error: could not detach: no engine serves this state directory
      hint: start one with `runwright serve`, or leave --detach out
    ");
}

#[test]
fn colours_are_for_those_who_want_them() {
    let project = project();
    project.write("ok.yaml", "name: ok\nsteps:\n  - id: a\n    script: '1'\n");
    let colours = |words: &[&str]| project.call(words).out.contains('\u{1b}');
    assert!(!colours(&["run", "ok.yaml"]));
    assert!(colours(&["run", "ok.yaml", "--color", "always"]));
    assert!(!colours(&["run", "ok.yaml", "--color", "never"]));
}
