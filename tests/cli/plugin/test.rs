//! `runwright plugin test`

use crate::support::{Project, plugin};

fn tested(name: &str, cases: &str) -> crate::support::Ran {
    let project = Project::with_plugins(&[]);
    project.write("cases.yaml", cases);
    project.call(&["plugin", "test", plugin(name).to_str().unwrap(), "cases.yaml"])
}

/// Each kind of expectation, and each holds.
const EVERY: &str = "\
grants: { files: [{ path: '${scratch}', write: true }] }
config: { vms: [web] }
limits: { grace-ms: 100, output-bytes: 5000 }
cases:
  - name: gives back what it got
    action: echo
    input: { value: [1, x] }
    attempt: 2
    expect:
      output:
        { value: [1, x], run: test, step: case, attempt: 2, key: test/echo/gives back what it got, config: { vms: [web] } }
      changed: false
  - name: would append
    action: append
    verb: plan
    input: { file: '${scratch}/f', line: one }
    expect: { changes: ['${scratch}/f'] }
  - name: has not yet
    action: append
    verb: verify
    input: { file: '${scratch}/f', line: one }
    expect: { verdict: not-happened }
  - name: appends
    action: append
    input: { file: '${scratch}/f', line: one }
    expect: { changed: true }
  - name: takes it back
    action: append
    verb: undo
    undo-of: appends
    input: { file: '${scratch}/f', line: one }
  - name: fails
    action: append
    input: { file: '${scratch}/f', line: one, fail: permanent }
    expect: { error: { kind: permanent, code: fixture.permanent } }
  - { name: loops, action: loop, timeout-ms: 100, expect: { lost: still running } }
  - { name: says too much, action: huge-output, input: { size: 6000 }, expect: { lost: output-bytes } }
  - name: may not run programs
    action: deny
    input: { capability: exec, subject: /bin/true }
    expect:
      error: { kind: denied, message: '[plugin.fixture.grants]' }
";

#[test]
fn every_kind_of_expectation_can_hold() {
    let ran = tested("fixture", EVERY);
    insta::assert_snapshot!(ran.shown(), @r"
    exit 0
    ok    gives back what it got
    ok    would append
    ok    has not yet
    ok    appends
    ok    takes it back
    ok    fails
    ok    loops
    ok    says too much
    ok    may not run programs
    9 cases: 9 ok, 0 failed
    ");
}

#[test]
fn what_differs_is_told_and_the_exit_code_is_1() {
    let cases = "\
cases:
  - { name: good, action: greet, input: { name: Ada } }
  - { name: other output, action: greet, input: { name: Ada }, expect: { output: { text: Hi }, changed: true, log: [hello] } }
  - { name: no failure, action: greet, input: { name: Ada }, expect: { error: { kind: denied } } }
  - { name: a failure, action: greet, input: {} }
  - { name: another failure, action: greet, input: {}, expect: { error: { kind: denied, message: no, code: x } } }
  - { name: no such action, action: greeet }
";
    let ran = tested("hello", cases);
    insta::assert_snapshot!(ran.shown(), @r#"
    exit 1
    ok    good
    FAIL  other output
          output is {"text":"Hello, Ada!"}, expected {"text":"Hi"}
          changed is false, expected true
          no log line has "hello"
    FAIL  no failure
          `error` is expected, but it succeeded with {"text":"Hello, Ada!"}
    FAIL  a failure
          it failed as invalid-input: "name" is a required property
    FAIL  another failure
          error is invalid-input, expected denied: "name" is a required property
          the error says "\"name\" is a required property", expected is "no" in it
          the error's code is none, expected "x"
    FAIL  no such action
          it failed as permanent: plugin hello has no action "greeet"; it has greet
    6 cases: 1 ok, 5 failed
    "#);
    let project = Project::with_plugins(&[]);
    project.write("cases.yaml", cases);
    let ran = project.call(&["plugin", "test", plugin("hello").to_str().unwrap(), "cases.yaml", "-o", "json"]);
    let json = ran.json();
    assert_eq!((ran.exit, json["ok"].as_bool(), json["cases"][0]["ok"].as_bool()), (Some(1), Some(false), Some(true)));
    assert_eq!(json["cases"][1]["problems"].as_array().unwrap().len(), 3);
}

#[test]
fn a_secret_is_faked_and_not_shown() {
    let cases = "\
secrets: { token: not-a-real-one }
cases:
  - name: reads it
    action: deny
    input: { capability: secret, subject: token }
";
    let ran = tested("fixture", cases);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    assert!(!ran.out.contains("not-a-real-one"), "{ran:?}");
}

#[test]
fn programs_are_tested_like_components() {
    let cases = "\
grants: { files: [{ path: '${scratch}', write: true }] }
cases:
  - { name: writes, action: write, input: { file: '${scratch}/f', line: x }, expect: { undo-data: '${scratch}/f' } }
  - { name: did, action: write, verb: verify, input: { file: '${scratch}/f', line: x }, expect: { verdict: happened } }
  - { name: takes it back, action: write, verb: undo, undo-of: writes, input: { file: '${scratch}/f', line: x }, expect: { changed: true } }
  - { name: logs, action: echo, input: { value: 1 }, expect: { log: ['warn: echoing'] } }
  - { name: says nothing, action: misbehave, input: { how: silent }, expect: { lost: wrote no response } }
";
    insta::assert_snapshot!(tested("command-fixture", cases).shown(), @r"
    exit 0
    ok    writes
    ok    did
    ok    takes it back
    ok    logs
    ok    says nothing
    5 cases: 5 ok, 0 failed
    ");
}

#[test]
fn wrong_cases_are_told_with_their_place() {
    insta::assert_snapshot!(tested("hello", "cases:\n  - name: x\n    acton: greet\n").shown(), @r"
    exit 3
    --- standard error
    error: unknown key `acton` [shape]
     --> cases.yaml:3:5
      |
    3 |     acton: greet
      |     ^^^^^
      = help: did you mean `action`?

    cases.yaml: 1 error

    error: cases.yaml is no file of cases
      hint: `runwright plugin test --help` shows one
    ");
    insta::assert_snapshot!(tested("hello", "cases:\n  - { name: x, action: greet, expect: { error: { kind: sad } } }\n").shown(), @r"
    exit 3
    --- standard error
    error: unknown word `sad` [shape]
     --> cases.yaml:2:56
      |
    2 |   - { name: x, action: greet, expect: { error: { kind: sad } } }
      |                                                        ^^^
      = help: it is one of invalid-input, denied, permanent, transient, partial, cancelled

    cases.yaml: 1 error

    error: cases.yaml is no file of cases
      hint: `runwright plugin test --help` shows one
    ");
    insta::assert_snapshot!(tested("hello", "cases:\n  - { name: x, action: greet, attempt: many }\n").shown(), @r"
    exit 3
    --- standard error
    error: expected a whole number, found text [shape]
     --> cases.yaml:2:40
      |
    2 |   - { name: x, action: greet, attempt: many }
      |                                        ^^^^

    cases.yaml: 1 error

    error: cases.yaml is no file of cases
      hint: `runwright plugin test --help` shows one
    ");
    insta::assert_snapshot!(tested("hello", "cases: []\n").shown(), @r"
    exit 3
    --- standard error
    error: cases.yaml has no cases
    ");
    insta::assert_snapshot!(tested("hello", "grants: { files: [{ path: relative }] }\ncases:\n  - { name: x, action: greet }\n").shown(), @r"
    exit 3
    --- standard error
    error: cases.yaml: the grants of plugin hello are wrong: the granted folder relative must be an absolute path
    ");
    insta::assert_snapshot!(tested("hello", "cases:\n  - { name: x, action: greet, verb: undo, undo-of: y }\n").shown(), @r"
    exit 3
    --- standard error
    error: cases.yaml: the case `x` undoes `y`
      hint: it must be the name of a case above it that succeeded
    ");
}
