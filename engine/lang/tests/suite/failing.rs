//! What a failure means, and what a runbook says for all its steps.

use runwright_core::FailureKind::{Cancelled, Denied, Partial, Permanent, Transient};
use runwright_core::{FailureKind, FailureKinds, OnFailure, OnUnknown, Runbook, Step};

use crate::support::{all, catalog, engine, rendered, step};

fn parse(text: &str) -> Runbook {
    let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
    parsed.runbook.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

fn after(kinds: &[FailureKind], rollback: bool) -> OnFailure {
    OnFailure::ContinueAfter { kinds: kinds.iter().copied().collect(), rollback }
}

/// What the failure of the only step means, in a runbook with this head.
fn of_step(head: &str, rest: &str) -> OnFailure {
    parse(&format!("name: x\n{head}\nsteps: [{{ id: a, uses: vm/tune, with: {{ vm: a }}{rest} }}]\n")).steps[0]
        .on_failure
}

#[test]
fn a_step_names_the_kinds_after_which_its_list_goes_on() {
    let named = ", on-failure: { continue: [transient, permanent, denied] }";
    assert_eq!(of_step("", named), after(&[Transient, Permanent, Denied], false));
    assert_eq!(of_step("on-failure: rollback", named), after(&[Transient, Permanent, Denied], true));
    assert_eq!(of_step("defaults: { on-failure: rollback }", named), after(&[Transient, Permanent, Denied], true));
    assert_eq!(of_step("", ", on-failure: continue"), OnFailure::Continue);
    let back = "on-failure: rollback";
    assert_eq!(of_step(back, ", on-failure: continue"), after(&[Permanent, Transient, Partial, Cancelled], true));
    let always = of_step(back, ", on-failure: continue, always: true");
    assert_eq!(always, OnFailure::ContinueAfter { kinds: FailureKinds::all(), rollback: true });
}

#[test]
fn kinds_that_are_wrong() {
    let steps = [
        "script: '1'\non-failure: { continue: [transcient, permanent] }",
        "script: '1'\non-failure: { continue: [] }",
        "script: '1'\non-failure: { continue: denied }",
        "script: '1'\non-failure: { continue: [7] }",
        "script: '1'\non-failure: { contine: [denied] }",
        "script: '1'\non-failure: { continue: [denied], stop: [partial] }",
        "script: '1'\non-failure: [denied]",
        "script: '1'\non-failure: {}",
    ];
    let texts: Vec<String> = steps.iter().map(|lines| step(lines)).collect();
    insta::assert_snapshot!(all(&texts.iter().map(String::as_str).collect::<Vec<_>>()), @r#"
    x.yaml:8:30: error: expected one of `invalid-input`, `denied`, `permanent`, `transient`, `partial`, `cancelled`, found `transcient`; did you mean `transient`? [bad-value]
    x.yaml:8:29: error: `continue` names no kind of failure; name kinds of failure, for example `{ continue: [transient, permanent] }`; or write `on-failure: stop` [bad-value]
    x.yaml:8:29: error: expected a list of kinds of failure like `[transient, permanent]`, found text [wrong-type]
    x.yaml:8:30: error: expected one of `invalid-input`, `denied`, `permanent`, `transient`, `partial`, `cancelled`, found a number [bad-value]
    x.yaml:8:19: error: unknown key `contine` in `on-failure`; did you mean `continue`? [unknown-key] +1
    x.yaml:8:39: error: unknown key `stop` in `on-failure`; there are: continue [unknown-key]
    x.yaml:8:17: error: expected one of `stop`, `rollback`, `continue`, found a list [bad-value]
    x.yaml:8:17: error: this `on-failure` has no `continue`; name kinds of failure, for example `{ continue: [transient, permanent] }` [missing-key]
    "#);
}

const DEFAULTS: &str = r#"
name: x
inputs: { vms: { type: list } }
timeout: 1h
defaults:
  timeout: 2m
  retry: { attempts: 3, delay: 1s }
  on-failure: continue
  on-unknown: fail
steps:
  - { id: plain, uses: vm/tune, with: { vm: a } }
  - id: own
    uses: vm/tune
    with: { vm: a }
    timeout: 9s
    retry: { attempts: 1 }
    on-failure: stop
    on-unknown: ask
  - { id: script, script: 'act("vm/tune", #{ vm: "a" })' }
  - { id: suggested, uses: vm/reprovision, with: { vm: a, image: b } }
  - { id: poll, wait-until: { uses: vm/diagnose, with: { vm: a }, if: output.healthy, timeout: 7m } }
  - { id: rest, wait: 1s }
  - { id: ask, approve: go on? }
  - id: group
    steps: [{ id: inner, uses: vm/tune, with: { vm: a } }]
  - id: fleet
    for-each: "${{ inputs.vms }}"
    steps: [{ id: patch, uses: vm/tune, with: { vm: "${{ item }}" } }]
"#;

#[test]
fn what_a_runbook_says_for_all_holds_where_a_step_says_nothing_and_its_kind_takes_it() {
    let runbook = parse(DEFAULTS);
    let all = runbook.all_steps();
    let of = |id: &str| {
        let step: &Step = all.iter().copied().find(|step| step.id == id).unwrap_or_else(|| panic!("{id}"));
        (step.timeout_ms, step.retry.attempts, step.on_failure, step.on_unknown)
    };
    let usual = (120_000, 3, OnFailure::Continue, OnUnknown::Fail);
    for call in ["plain", "script", "suggested", "inner", "patch"] {
        assert_eq!(of(call), usual, "{call}");
    }
    assert_eq!(of("own"), (9_000, 1, OnFailure::Stop, OnUnknown::Ask), "its own words win");
    assert_eq!(of("poll"), (420_000, 1, OnFailure::Continue, OnUnknown::Fail), "its time is that of all calls");
    for holder in ["group", "fleet"] {
        assert_eq!(of(holder), (Step::DEFAULT_TIMEOUT_MS, 1, OnFailure::Continue, OnUnknown::Ask), "{holder}");
    }
    assert!(of("rest").0 > 120_000 && of("rest").1 == 1, "a wait takes as long as it says");
    assert_eq!(of("ask").2, OnFailure::Stop, "a no is an answer");
    assert!(all.iter().all(|step| step.limit_ms.is_none()), "what holds steps has the time that it needs");
    assert_eq!(runbook.limit.map(|limit| limit.on_failure), Some(OnFailure::Stop), "a run that takes too long ends");
}

#[test]
fn the_default_of_failures_stands_before_the_runbooks_own() {
    assert_eq!(of_step("on-failure: rollback\ndefaults: { on-failure: stop }", ""), OnFailure::Stop);
    assert_eq!(
        of_step("on-failure: rollback\ndefaults: { on-failure: { continue: [partial] } }", ""),
        after(&[Partial], true)
    );
    assert_eq!(of_step("on-failure: rollback\ndefaults: { timeout: 5s }", ""), OnFailure::Rollback);
    let inside = "name: x\ndefaults: { on-failure: rollback }\nsteps:\n  - id: g\n    steps: [{ id: a, uses: vm/tune, with: { vm: a } }]\n    \
                  undo: { uses: vm/tune, with: { vm: a } }\n";
    let failing = parse(inside).all_steps().iter().map(|step| step.on_failure).collect::<Vec<_>>();
    assert_eq!(failing, [OnFailure::Rollback, OnFailure::Stop], "what is taken back as a whole goes back by that only");
}

#[test]
fn defaults_that_are_wrong_are_told_all_at_once() {
    let text = "name: x\ndefaults:\n  timeout: soon\n  retry: { attempts: 0 }\n  on-failure: rollback-wave\n  on-unknown: retry\n  always: true\n  \
                timout: 5s\nsteps: [{ id: a, script: '1' }]\n";
    insta::assert_snapshot!(rendered("x.yaml", text.as_bytes()), @r#"
    error: `soon` is not a duration like `90s`, `5m`, `1h30m` or `250ms` [bad-value]
     --> x.yaml:3:12
      |
    3 |   timeout: soon
      |            ^^^^

    error: expected a whole number from 1 to 100, found 0 [bad-value]
     --> x.yaml:4:22
      |
    4 |   retry: { attempts: 0 }
      |                      ^

    error: only a `for-each` has waves [bad-value]
     --> x.yaml:5:15
      |
    5 |   on-failure: rollback-wave
      |               ^^^^^^^^^^^^^
      = help: use `on-failure: rollback`, or put it beside the `for-each`

    error: `retry` can't be the default: a step may act twice [unsafe-retry]
     --> x.yaml:6:15
      |
    6 |   on-unknown: retry
      |               ^^^^^
      = help: write `on-unknown: retry` at the steps that may be repeated, with `idempotent: true`

    error: unknown key `always` in `defaults` [unknown-key]
     --> x.yaml:7:3
      |
    7 |   always: true
      |   ^^^^^^
      = help: there are: timeout, retry, on-failure, on-unknown

    error: unknown key `timout` in `defaults` [unknown-key]
     --> x.yaml:8:3
      |
    8 |   timout: 5s
      |   ^^^^^^
      = help: did you mean `timeout`?

    x.yaml: 6 errors
    "#);
    insta::assert_snapshot!(all(&[
        "name: x\ndefaults: 5m\nsteps: [{ id: a, script: '1' }]\n",
        "name: x\ndefaults: { on-unknown: never }\nsteps: [{ id: a, script: '1' }]\n",
        "name: x\ndefaults: { on-failure: rollback }\nsteps: [{ id: a, uses: vm/restart, with: { vm: a } }]\n",
    ]), @r#"
    x.yaml:2:11: error: expected a map like `{ timeout: 2m, retry: { attempts: 3 } }`, found text [wrong-type]
    x.yaml:2:25: error: expected one of `ask`, `fail`, found `never` [bad-value]
    x.yaml:2:13: warning: nothing can be rolled back here; no step has an `undo`, and no action in it has one of its own [no-undo]
    "#);
}
