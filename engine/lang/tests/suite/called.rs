//! Steps that do what another runbook says.

use std::sync::Arc;

use runwright_core::{Catalog, Runbook, Step, Work};

use crate::support::{catalog, engine};

const PATCH: &str = r#"
name: patch
inputs:
  vm: { type: string, min: 1 }
  cpus: { type: integer, default: 2 }
steps:
  - { id: tune, uses: vm/tune, with: { vm: "${{ inputs.vm }}", cpus: "${{ inputs.cpus }}" } }
outputs: { vm: "${{ inputs.vm }}" }
"#;

/// The catalog with these runbooks, each checked with those before it.
fn with(texts: &[&str]) -> Catalog {
    texts.iter().fold(catalog(), |catalog, text| {
        let parsed = lang::parse("other.yaml", text.as_bytes(), Some(&catalog), &engine());
        let runbook = parsed.runbook.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        catalog.with_runbooks([Arc::new(runbook)], ["broken".to_owned()])
    })
}

/// What is said of a runbook with these steps.
fn said(catalog: &Catalog, steps: &str) -> String {
    let text = format!("name: around\ninputs: {{ n: {{ type: integer }}, vm: {{ type: string }} }}\nsteps:\n{steps}\n");
    let parsed = lang::parse("around.yaml", text.as_bytes(), Some(catalog), &engine());
    lang::render(&parsed.diagnostics, text.as_bytes())
}

#[test]
fn a_runbook_is_a_step_of_another_one() {
    let text = r#"
name: fleet
inputs: { vms: { type: list } }
steps:
  - id: all
    for-each: "${{ inputs.vms }}"
    as: vm
    steps:
      - { id: patch, runbook: patch, with: { vm: "${{ vm }}" }, timeout: 10m, retry: { attempts: 2 }, on-failure: continue }
      - { id: told, script: steps.patch.output.vm, if: steps.patch.succeeded }
"#;
    let parsed = lang::parse("fleet.yaml", text.as_bytes(), Some(&with(&[PATCH])), &engine());
    assert!(parsed.diagnostics.is_empty(), "{}", lang::render(&parsed.diagnostics, text.as_bytes()));
    assert_eq!(parsed.calls.iter().collect::<Vec<_>>(), ["patch"]);
    let runbook = parsed.runbook.unwrap_or_else(|| panic!("a runbook"));
    let patch = runbook.all_steps().into_iter().find(|step| step.id == "patch").unwrap_or_else(|| panic!("a step"));
    let Work::Runbook { runbook: called, with } = &patch.work else { panic!("{patch:?}") };
    assert_eq!((called.name.as_str(), with.len(), patch.limit_ms), ("patch", 1, Some(600_000)));
    assert_eq!(runbook.actions().len(), 1, "the run is pinned to what the other one calls");
}

#[test]
fn what_is_wrong_with_a_call_is_said_at_its_place() {
    let catalog = with(&[PATCH]);
    let steps = r#"  - { id: a, runbook: pach }
  - { id: b, runbook: broken }
  - { id: c, runbook: patch }
  - { id: d, runbook: patch, with: { vm: "", cpu: 1 } }
  - { id: e, runbook: patch, with: { vm: "${{ inputs.n }}", cpus: "${{ inputs.vm }}" }, idempotent: true }
  - { id: f, runbook: patch, with: { vm: a, cpus: two } }"#;
    insta::assert_snapshot!(said(&catalog, steps), @r#"
    error: there is no runbook `pach` [unknown-runbook]
     --> around.yaml:4:23
      |
    4 |   - { id: a, runbook: pach }
      |                       ^^^^
      = help: did you mean `patch`?

    error: the runbook `broken` can't be used: its own file has errors [unknown-runbook]
     --> around.yaml:5:23
      |
    5 |   - { id: b, runbook: broken }
      |                       ^^^^^^
      = help: `runwright check` with that file shows them

    error: the step gives no `vm` [missing-input]
     --> around.yaml:6:23
      |
    6 |   - { id: c, runbook: patch }
      |                       ^^^^^
      = help: add `vm: …` to `with`, or give the input a default

    error: it is empty, which `min: 1` does not allow [bad-value]
     --> around.yaml:7:42
      |
    7 |   - { id: d, runbook: patch, with: { vm: "", cpu: 1 } }
      |                                          ^^

    error: the runbook `patch` has no input `cpu` [unknown-name]
     --> around.yaml:7:46
      |
    7 |   - { id: d, runbook: patch, with: { vm: "", cpu: 1 } }
      |                                              ^^^
      = help: did you mean `cpus`?

    error: the input is text, and this is `inputs.n`, which is a whole number [wrong-type]
     --> around.yaml:8:42
      |
    8 |   - { id: e, runbook: patch, with: { vm: "${{ inputs.n }}", cpus: "${{ inputs.vm }}" }, idempotent: true }
      |                                          ^^^^^^^^^^^^^^^^^
      = help: write `${{ inputs.n.to_string() }}`

    error: the input is a whole number, and this is `inputs.vm`, which is text [wrong-type]
     --> around.yaml:8:67
      |
    8 |   - { id: e, runbook: patch, with: { vm: "${{ inputs.n }}", cpus: "${{ inputs.vm }}" }, idempotent: true }
      |                                                                   ^^^^^^^^^^^^^^^^^^^
      = help: write `${{ parse_int(inputs.vm) }}`

    error: a step with `runbook` has no `idempotent` of its own [bad-value]
     --> around.yaml:8:89
      |
    8 |   - { id: e, runbook: patch, with: { vm: "${{ inputs.n }}", cpus: "${{ inputs.vm }}" }, idempotent: true }
      |                                                                                         ^^^^^^^^^^
      = help: leave it out

    error: expected a whole number, found text [wrong-type]
     --> around.yaml:9:51
      |
    9 |   - { id: f, runbook: patch, with: { vm: a, cpus: two } }
      |                                                   ^^^

    around.yaml: 9 errors
    "#);
}

#[test]
fn no_runbook_is_a_part_of_itself() {
    let around = "name: around\nsteps:\n  - { id: a, script: '1' }\n";
    let middle = "name: middle\nsteps:\n  - { id: a, runbook: around }\n";
    let catalog = with(&[around, middle]);
    insta::assert_snapshot!(said(&catalog, "  - { id: a, runbook: around }\n  - { id: b, runbook: middle }"), @r"
    error: it comes back to itself: `around` → `around` [circle]
     --> around.yaml:4:23
      |
    4 |   - { id: a, runbook: around }
      |                       ^^^^^^
      = help: a runbook can't be a part of itself: take what both need into a third one

    error: it comes back to itself: `around` → `middle` → `around` [circle]
     --> around.yaml:5:23
      |
    5 |   - { id: b, runbook: middle }
      |                       ^^^^^^
      = help: a runbook can't be a part of itself: take what both need into a third one

    around.yaml: 2 errors
    ");
}

/// A runbook called `name` with as many steps.
fn steps(name: &str, count: usize) -> Arc<Runbook> {
    let step = |n| Arc::new(Step::new(format!("s{n}"), Work::Wait { time: "1s".to_owned() }));
    Arc::new(Runbook { steps: (0..count).map(step).collect(), ..Runbook::empty(name) })
}

#[test]
fn what_is_called_is_bounded() {
    let catalog = catalog().with_runbooks([steps("half", 5_000), steps("one", 1)], []);
    assert_eq!(said(&catalog, "  - { id: a, runbook: half }\n  - { id: b, runbook: half }"), "");
    let more = "  - { id: a, runbook: half }\n  - { id: b, runbook: half }\n  - { id: c, runbook: one }";
    assert!(said(&catalog, more).contains("the runbooks that are called have more than 10000 steps"));

    let large = |name: &str, bytes: usize| {
        let text = "x".repeat(bytes);
        Arc::new(Runbook { description: text, ..Runbook::empty(name) })
    };
    let spare = Runbook::empty("large").source().1.len();
    let catalog = catalog.with_runbooks([large("large", 4 * 1024 * 1024 - spare), large("tiny", 0)], []);
    assert_eq!(said(&catalog, "  - { id: a, runbook: large }"), "");
    let more = "  - { id: a, runbook: large }\n  - { id: b, runbook: tiny }";
    assert!(said(&catalog, more).contains("the runbooks that are called are larger than 4 MiB"));

    let deep = |depth: usize| {
        let step = Step::new("leaf", Work::Wait { time: "1s".to_owned() });
        let step = (1..depth).fold(step, |step, n| Step::new(format!("g{n}"), Work::group(vec![Arc::new(step)])));
        Arc::new(Runbook { steps: vec![Arc::new(step)], ..Runbook::empty("deep") })
    };
    let catalog = catalog.with_runbooks([deep(7)], []);
    assert_eq!(said(&catalog, "  - { id: a, runbook: deep }"), "");
    let catalog = catalog.with_runbooks([deep(8)], []);
    assert!(said(&catalog, "  - { id: a, runbook: deep }").contains("steps stand in steps more than 8 deep"));
}
