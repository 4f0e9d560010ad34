//! Steps that hold steps: right and wrong.

use runwright_core::{OnFailure, Share, Work};

use crate::support::{catalog, engine, rendered};

const FLEET: &str = r#"
name: fleet
inputs:
  vms: { type: list }
steps:
  - { id: look, uses: vm/diagnose, with: { vm: a } }
  - id: both
    parallel:
      - { id: one, uses: vm/diagnose, with: { vm: "${{ steps.look.output.vm }}" } }
      - id: two
        steps:
          - { id: a, uses: vm/diagnose, with: { vm: b } }
          - { id: b, if: steps.a.succeeded && steps.look.ran, wait: 1s }
    fail-fast: true
  - id: fleet
    for-each: "${{ inputs.vms }}"
    as: vm
    waves: [1, 10%, 50%]
    at-once: 5
    max-failures: 10%
    on-failure: rollback-wave
    between: [{ id: bake, wait: 10m }]
    steps:
      - { id: restart, uses: vm/tune, with: { vm: "${{ vm.name }}" }, if: steps.both.succeeded }
      - { id: test, script: "vm.name + steps.restart.outcome" }
outputs: { all: "${{ steps.fleet.output }}" }
"#;

#[test]
fn steps_in_steps_see_what_is_before_and_around_them() {
    let parsed = lang::parse("fleet.yaml", FLEET.as_bytes(), Some(&catalog()), &engine());
    assert!(parsed.diagnostics.is_empty(), "{}", lang::render(&parsed.diagnostics, FLEET.as_bytes()));
    let runbook = parsed.runbook.unwrap_or_else(|| panic!("a runbook"));
    let [_, both, fleet] = runbook.steps.as_slice() else { panic!("three steps") };
    let Work::Group { steps, at_once: Some(2), fail_fast: true, rescue: None } = &both.work else { panic!("{both:?}") };
    assert_eq!((steps.len(), both.builds_on.as_slice()), (2, &["look".to_owned()][..]), "what is in it reads it");
    let Work::Each { name, waves, at_once: 5, max_failures: Share::Percent(10), between: Some(_), body, .. } =
        &fleet.work
    else {
        panic!("{fleet:?}")
    };
    assert_eq!(
        (name.as_str(), waves.as_slice()),
        ("vm", &[Share::Items(1), Share::Percent(10), Share::Percent(50)][..])
    );
    assert_eq!((fleet.on_failure, body.steps().count()), (OnFailure::RollbackWave, 2));
    assert_eq!(fleet.builds_on, ["both"]);
    assert_eq!(runbook.all_steps().len(), 12);
}

#[test]
fn what_is_wrong_with_them_is_said_at_its_place() {
    let text = r#"
name: wrong
steps:
  - id: group
    steps:
      - { id: a, script: "1" }
      - { id: a, script: "steps.later.output" }
      - { id: group2, steps: [{ id: a, script: "item" }] }
    with: { n: 1 }
    waves: [1]
  - id: side
    parallel:
      - { id: l, script: "1" }
      - { id: r, script: "steps.l.output" }
    on-failure: rollback-wave
  - id: later
    for-each: 5
    as: steps
    waves: [50%, 10, 120%]
    max-failures: many
    between: []
    steps: { id: x }
  - { id: none, for-each: [1] }
"#;
    insta::assert_snapshot!(rendered("wrong.yaml", text.as_bytes()), @r#"
    error: there is a step `a` already [duplicate-step]
     --> wrong.yaml:7:15
      |
    7 |       - { id: a, script: "steps.later.output" }
      |               ^
      = note: its first place is line 6
      = help: give each step an id of its own

    error: there is no step `later` [unknown-name]
     --> wrong.yaml:7:33
      |
    7 |       - { id: a, script: "steps.later.output" }
      |                                 ^^^^^
      = help: before it come: a

    error: there is a step `a` before it already [duplicate-step]
     --> wrong.yaml:8:33
      |
    8 |       - { id: group2, steps: [{ id: a, script: "item" }] }
      |                                 ^^
      = help: give the steps that see one another ids of their own

    error: there is no `item` here [unknown-name]
     --> wrong.yaml:8:49
      |
    8 |       - { id: group2, steps: [{ id: a, script: "item" }] }
      |                                                 ^^^^
      = help: there are: inputs, steps, run

    error: a group of steps has no `with` of its own [bad-value]
     --> wrong.yaml:9:5
      |
    9 |     with: { n: 1 }
      |     ^^^^
      = help: leave it out

    error: `waves` belongs to `for-each` [bad-value]
      --> wrong.yaml:10:5
       |
    10 |     waves: [1]
       |     ^^^^^
       = help: leave it out

    error: there is no step `l` [unknown-name]
      --> wrong.yaml:14:33
       |
    14 |       - { id: r, script: "steps.l.output" }
       |                                 ^
       = help: before it come: group

    error: only a `for-each` has waves [bad-value]
      --> wrong.yaml:15:17
       |
    15 |     on-failure: rollback-wave
       |                 ^^^^^^^^^^^^^
       = help: use `on-failure: rollback`, or put it beside the `for-each`

    error: expected a list, or an expression like `${{ inputs.vms }}`, found a number [wrong-type]
      --> wrong.yaml:17:15
       |
    17 |     for-each: 5
       |               ^

    error: there is a `steps` here already [bad-value]
      --> wrong.yaml:18:9
       |
    18 |     as: steps
       |         ^^^^^
       = help: give the item another name

    error: this wave ends before the one before it [bad-value]
      --> wrong.yaml:19:18
       |
    19 |     waves: [50%, 10, 120%]
       |                  ^^
       = help: each entry says how many items, or what share of all, are done by its end: let them grow, numbers first

    error: expected a whole number, or a share like `10%`, found text [wrong-type]
      --> wrong.yaml:20:19
       |
    20 |     max-failures: many
       |                   ^^^^

    warning: there are no steps: it does nothing [empty]
      --> wrong.yaml:21:5
       |
    21 |     between: []
       |     ^^^^^^^
       = help: each step has an `id`, and `uses` or `script`

    error: expected a list of steps, found a map [wrong-type]
      --> wrong.yaml:22:12
       |
    22 |     steps: { id: x }
       |            ^^^^^^^^^

    error: the `for-each` has no `steps` [missing-key]
      --> wrong.yaml:23:7
       |
    23 |   - { id: none, for-each: [1] }
       |       ^^
       = help: say what is done for each item, in `steps`

    wrong.yaml: 14 errors, 1 warning
    "#);
}

#[test]
fn what_an_undo_takes_back_as_a_whole_does_not_go_back_by_itself() {
    let text = |inner: &str| {
        format!(
            "name: x\non-failure: rollback\nsteps:\n  - id: g\n    steps:\n      - {{ id: a, uses: vm/tune, with: {{ vm: a }}{inner} }}\n    \
             undo: {{ uses: vm/tune, with: {{ vm: a }} }}\n"
        )
    };
    let parsed = |inner: &str| lang::parse("x.yaml", text(inner).as_bytes(), Some(&catalog()), &engine());
    let runbook = parsed("").runbook.unwrap_or_else(|| panic!("a runbook"));
    assert_eq!(
        runbook.all_steps().iter().map(|step| step.on_failure).collect::<Vec<_>>(),
        [OnFailure::Rollback, OnFailure::Stop]
    );
    let wrong = parsed(", on-failure: rollback");
    assert!(wrong.runbook.is_none() && wrong.diagnostics[0].message.contains("takes all of it back as a whole"));
}
