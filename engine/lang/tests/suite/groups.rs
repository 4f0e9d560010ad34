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
    let Work::Group { steps, at_once: Some(2), fail_fast: true } = &both.work else { panic!("{both:?}") };
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
    retry: { attempts: 2 }
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
    insta::assert_snapshot!(rendered("wrong.yaml", text.as_bytes()), @"");
}
