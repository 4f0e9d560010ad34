//! Steps that wait, scripts that act, undo steps and locks: right and wrong.

use runwright_core::{Lock, Map, OnBusy, Runbook, Until, Work};
use serde_json::json;

use crate::support::{all, catalog, engine, rendered, step};

/// All kinds of steps, as they should be.
pub(crate) const RUNBOOK: &str = r#"
name: kinds
inputs:
  vm: { type: string }
  pause: { type: string, default: 5m }
lock: { key: "vm/${{ inputs.vm }}", on-busy: replace }
on-failure: rollback
steps:
  - id: begin
    script: |
      let known = act("vm/diagnose", #{ vm: inputs.vm });
      if known.broken { act("vm/restart", #{ vm: inputs.vm }) }
      else { [now(), random(), uuid(), act("vm/diagnose", #{ vm: "a" })] }
  - { id: pause, wait: 1m30s, point-of-no-return: true }
  - { id: longer, wait: "${{ inputs.pause }}", if: steps.begin.succeeded }
  - id: healthy
    wait-until: { uses: vm/diagnose, with: { vm: "${{ inputs.vm }}" }, if: "output.ok && !steps.pause.failed", every: 250ms, timeout: 2m }
  - id: healthier
    wait-until: { uses: vm/diagnose, with: { vm: a }, if: "${{ output.ok }}" }
    timeout: 1h
  - id: restart
    uses: vm/restart
    with: { vm: a }
    undo: { uses: vm/tune, with: { vm: "${{ steps.restart.output.vm ?? steps.last.output.vm }}" } }
  - { id: last, script: '1', undo: { script: 'steps.last.output + 1' } }
"#;

fn parse(text: &str) -> Runbook {
    let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
    assert!(parsed.diagnostics.is_empty(), "{}", lang::render(&parsed.diagnostics, text.as_bytes()));
    parsed.runbook.unwrap_or_else(|| panic!("no runbook"))
}

fn vm(name: &str) -> Map {
    json!({ "vm": name }).as_object().cloned().unwrap_or_default()
}

#[test]
fn every_kind() {
    let runbook = parse(RUNBOOK);
    assert_eq!(runbook.lock, Some(Lock { key: "vm/${{ inputs.vm }}".to_owned(), on_busy: OnBusy::Replace }));
    let [begin, pause, longer, healthy, healthier, restart, last] = runbook.steps.as_slice() else {
        panic!("seven steps")
    };
    let Work::Script { acts, .. } = &begin.work else { panic!("a script") };
    assert_eq!(acts.iter().map(|act| act.as_str()).collect::<Vec<_>>(), ["vm/diagnose", "vm/restart"]);
    assert_eq!(pause.work, Work::Wait { time: "1m30s".to_owned() });
    assert!(pause.point_of_no_return && !longer.point_of_no_return);
    assert_eq!(longer.work, Work::Wait { time: "${{ inputs.pause }}".to_owned() });
    assert!(pause.timeout_ms > 30 * 24 * 60 * 60 * 1000, "a wait is never ended by its timeout");
    let until = |condition: &str, every_ms| Some(Until { condition: condition.to_owned(), every_ms });
    assert_eq!((&healthy.until, healthy.timeout_ms), (&until("output.ok && !steps.pause.failed", 250), 120_000));
    assert_eq!((&healthier.until, healthier.timeout_ms), (&until("output.ok", 5_000), 3_600_000));
    assert_eq!(healthier.work, Work::Action { action: "vm/diagnose".parse().unwrap(), with: vm("a") });
    let undo = vm("${{ steps.restart.output.vm ?? steps.last.output.vm }}");
    assert_eq!(restart.undo, Some(Work::Action { action: "vm/tune".parse().unwrap(), with: undo }));
    let Some(Work::Script { source, acts, .. }) = &last.undo else { panic!("a script") };
    assert_eq!((source.as_str(), acts.len()), ("steps.last.output + 1", 0));
    let actions: Vec<&str> = runbook.actions().into_iter().map(|action| action.as_str()).collect();
    assert_eq!(actions, ["vm/diagnose", "vm/restart", "vm/tune"]);
    let kept: Runbook = serde_json::from_slice(&runbook.source().1).unwrap();
    assert_eq!(kept, runbook);
}

#[test]
fn a_lock_is_a_text_or_a_map() {
    let lock = |text: &str| parse(&format!("name: x\nlock: {text}\nsteps: [{{ id: a, script: '1' }}]\n")).lock;
    let of = |key: &str, on_busy| Some(Lock { key: key.to_owned(), on_busy });
    assert_eq!(lock("deploy"), of("deploy", OnBusy::Queue));
    assert_eq!(lock("{ key: deploy, on-busy: skip }"), of("deploy", OnBusy::Skip));
    assert_eq!(lock("{ key: deploy }"), of("deploy", OnBusy::Queue));
}

fn wrong(steps: &[&str]) -> String {
    let texts: Vec<String> = steps.iter().map(|lines| step(lines)).collect();
    all(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn waits_that_are_wrong() {
    insta::assert_snapshot!(wrong(&[
        "wait: 5",
        "wait: soon",
        "wait: 40d",
        "wait: ''",
        "wait: [5m]",
        "wait:",
        "wait: ${{ inputs.pause }}",
        "wait: 5m\nretry: { attempts: 2 }",
        "wait: 5m\ntimeout: 1m",
        "wait: 5m\nwith: {}",
        "wait: 5m\nuses: vm/restart",
        "wait: 5m\nwait-until: {}",
        "weit: 5m",
    ]), @r#"
    x.yaml:7:11: error: expected a duration like `90s`, found a number; give its unit: `5s` are seconds, `5m` minutes [wrong-type]
    x.yaml:7:11: error: `soon` is not a duration like `90s`, `5m`, `1h30m` or `250ms` [bad-value]
    x.yaml:7:11: error: `40d` is longer than 30 days [bad-value]
    x.yaml:7:11: error: `` is not a duration like `90s`, `5m`, `1h30m` or `250ms` [bad-value]
    x.yaml:7:11: error: expected a duration like `90s`, found a list [wrong-type]
    x.yaml:7:9: error: expected a duration like `90s`, found nothing [wrong-type]
    x.yaml:7:22: error: `inputs` has no `pause`; there are: vm, wait-for [unknown-name]
    x.yaml:8:5: error: a step that waits has no `retry` of its own; leave it out [bad-value]
    x.yaml:8:5: error: a step that waits has no `timeout` of its own; leave it out [bad-value]
    x.yaml:8:5: error: a step that waits has no `with` of its own; leave it out [bad-value]
    x.yaml:7:5: error: a step has `uses` or `wait`, not both; make two steps of it [bad-value]
    x.yaml:8:5: error: a step has `wait` or `wait-until`, not both; make two steps of it [bad-value]
    x.yaml:7:5: error: unknown key `weit` in a step; did you mean `wait`? [unknown-key]
    "#);
}

#[test]
fn polls_that_are_wrong() {
    insta::assert_snapshot!(wrong(&[
        "wait-until: steps.a-b.ran",
        "wait-until: { if: inputs.vm == 1, timeout: 1m }",
        "wait-until: { uses: vm/diagnose, with: { vm: a }, timeout: 1m }",
        "wait-until: { uses: vm/diagnose, with: { vm: a }, if: output.ok }",
        "wait-until: { uses: vm/diagnose, with: { vm: a }, if: output.ok, timeout: 1m }\ntimeout: 1m",
        "wait-until: { uses: vm/diagnose, with: { vm: a }, if: output.ok, timeout: 1m, every: 5ms }",
        "wait-until: { uses: vm/diagnose, with: { vm: a }, if: output.ok, timeout: 1m, each: 5s }",
        "wait-until: { uses: vm/diagnose, with: { vm: a }, if: otput.ok, timeout: 1m }",
        "wait-until: { uses: vm/diagnose, with: { vm: a }, if: steps.b.output.ok, timeout: 1m }",
        "wait-until: { uses: vm/diagnose, with: { vm: '${{ output.vm }}' }, if: output.ok, timeout: 1m }",
        "wait-until: { uses: vm/diagnose, with: { vn: a }, if: output.ok, timeout: 1m }",
        "wait-until: { uses: vm/restart, with: { vm: a }, if: output.ok, timeout: 1m }",
        "wait-until: { uses: vm/diagnos, with: { vm: a }, if: output.ok, timeout: 1m }",
        "wait-until: { uses: vm/diagnose, with: { vm: a }, if: output.ok, timeout: 1m }\nretry: { attempts: 2 }",
        "wait-until: { uses: vm/diagnose, if: output.ok, timeout: 1m }\nwith: { vm: a }",
    ]), @r#"
    x.yaml:7:17: error: expected a map like `{ uses: vm/diagnose, if: output.healthy, timeout: 2m }`, found text [wrong-type]
    x.yaml:7:19: error: `wait-until` has no `uses`; name an action that reads what is waited for: while a step waits, nothing else changes [missing-key]
    x.yaml:7:19: error: `wait-until` has no `if`; say what is waited for, for example `if: output.healthy` [missing-key]
    x.yaml:7:19: error: `wait-until` has no `timeout`; say how long to wait at most, for example `timeout: 2m` [missing-key]
    x.yaml:8:5: error: the step has two timeouts; leave this one or the one in `wait-until` [bad-value]
    x.yaml:7:90: error: `every` is at least 100ms [bad-value]
    x.yaml:7:83: error: unknown key `each` in `wait-until`; there are: uses, with, if, every, timeout [unknown-key]
    x.yaml:7:59: error: there is no `otput` here; did you mean `output`? [unknown-name]
    x.yaml:7:65: error: `b` is this step itself; what its action gave is read as `output` [unknown-name]
    x.yaml:7:55: error: there is no `output` here; there are: inputs, steps, run [unknown-name]
    x.yaml:7:38: error: `vm/diagnose` needs the input `vm`; add `vm: …` to `with` [missing-input] +1
    x.yaml:7:25: error: this action does more than read, and it would be called again and again; use one that only reads what is waited for [unsafe-retry]
    x.yaml:7:25: error: the plugin `vm` has no action `diagnos`; did you mean `vm/diagnose`? [unknown-action]
    x.yaml:8:5: error: a step with `wait-until` has no `retry` of its own; it calls again by itself: say how often with `every`, and how long with `timeout` [bad-value]
    x.yaml:7:25: error: `vm/diagnose` needs the input `vm`; add `with: { vm: … }` [missing-input] +1
    "#);
}

#[test]
fn acts_that_are_wrong() {
    insta::assert_snapshot!(wrong(&[
        r#"script: act("vm/restrt", #{ vm: inputs.vm })"#,
        "script: |\n  act(\"vm/restrt\", #{ vm: inputs.vm })",
        r#"script: act("restart")"#,
        r#"script: act("ftp/put")"#,
        r#"script: act(inputs.vm)"#,
        r#"script: act("vm/restart", 1, 2)"#,
        "script: |\n  let x = 1;\n  [1].map(|n| act(`vm/restrt`))",
        "script: \"1;\\n act(\\\"vm/restrt\\\")\"",
        "script: '1'\nif: now() > 5",
        "uses: vm/restart\nwith: { vm: '${{ act(\"vm/diagnose\").vm }}' }",
    ]), @r#"
    x.yaml:7:29: error: it ends too soon; ` #` begins a comment here: put the text in quotes, or behind a `|` on lines of its own [expression]
    x.yaml:8:11: error: the plugin `vm` has no action `restrt`; did you mean `vm/restart`? [unknown-action]
    x.yaml:7:17: error: `restart` is no name of an action; an action is named by its plugin and itself, for example `vm/restart` [unknown-action]
    x.yaml:7:17: error: there is no plugin `ftp`; there are: http, vm [unknown-action]
    x.yaml:7:23: error: the action must be a literal text; a run keeps the actions that it may call: write each out, and choose with `if` or `switch` [expression]
    x.yaml:7:13: error: `act` takes an action and a map of its input; it is called like this: act("vm/restart", #{ vm: inputs.vm }) [expression]
    x.yaml:9:23: error: the plugin `vm` has no action `restrt`; did you mean `vm/restart`? [unknown-action]
    x.yaml:7:23: error: the plugin `vm` has no action `restrt`; did you mean `vm/restart`? [unknown-action]
    x.yaml:8:9: error: `now` is not available in expressions; only a `script:` has it; other steps read it from that step's output [expression]
    x.yaml:8:22: error: `act` is not available in expressions; a step calls an action: with `uses:`, or with `act(…)` in a `script:` [expression]
    "#);
    let text = step("script: |\n  let x = 1;\n  act(\"vm/restrt\", #{})");
    insta::assert_snapshot!(rendered("x.yaml", text.as_bytes()), @r#"
    error: the plugin `vm` has no action `restrt` [unknown-action]
     --> x.yaml:9:11
      |
    9 |       act("vm/restrt", #{})
      |           ^^^^^^^^^^^
      = help: did you mean `vm/restart`?

    x.yaml: 1 error
    "#);
}

#[test]
fn undos_that_are_wrong() {
    insta::assert_snapshot!(wrong(&[
        "script: '1'\nundo: {}",
        "script: '1'\nundo: vm/restart",
        "script: '1'\nundo: { uses: vm/restart, with: { vm: a }, script: '1' }",
        "script: '1'\nundo: { uses: vm/restrt, with: { vm: a } }",
        "script: '1'\nundo: { uses: vm/restart, with: { vm: '${{ steps.c.output }}' } }",
        "script: '1'\nundo: { script: 'steps.b.outputs' }",
        "script: '1'\nundo: { script: 'act(\"vm/restart\", #{ vm: inputs.vm })' }",
        "script: '1'\nundo: { script: 'now() + 1' }",
        "script: '1'\nundo: { script: '1', with: {} }",
        "script: '1'\nundo: { wait: 5m }",
        "script: '1'\npoint-of-no-return: yes",
    ]), @r#"
    x.yaml:8:11: error: the `undo` has neither `uses` nor `script`; name an action, for example `undo: { uses: vm/restart }` [missing-key]
    x.yaml:8:11: error: expected a map with `uses` or `script`, found text [wrong-type]
    x.yaml:8:48: error: an `undo` has `uses` or `script`, not both; do both in one action or script [bad-value]
    x.yaml:8:19: error: the plugin `vm` has no action `restrt`; did you mean `vm/restart`? [unknown-action]
    x.yaml:8:54: error: there is no step `c`; before it come: a-b, b [unknown-name]
    x.yaml:8:30: error: `steps.b` has no `outputs`; did you mean `output`? [unknown-name]
    x.yaml:8:26: error: `act` is not available in an `undo`; call one action, with `uses` in the `undo` [expression]
    x.yaml:8:22: error: `now` is not available in an `undo`; let the step give it as its output, and read it from there [expression]
    x.yaml:8:26: error: `with` belongs to `uses`; a script reads `inputs` and `steps` by itself [bad-value]
    x.yaml:8:13: error: unknown key `wait` in `undo`; did you mean `with`? [unknown-key] +1
    x.yaml:8:25: error: expected `true` or `false`, found text; write `true` or `false`, without quotes [wrong-type]
    "#);
}

#[test]
fn locks_that_are_wrong() {
    let texts = [
        "lock: 7",
        "lock: ''",
        "lock: [a]",
        "lock: { on-busy: skip }",
        "lock: { key: a, on-busy: wait }",
        "lock: { key: a, busy: skip }",
        "lock: vm/${{ inputs.vn }}",
        "lock: vm/${{ steps.a.ran }}",
        "lock: vm/${{ alarm.name }}",
        "lock: vm/${{ vm }}",
        "lock: vm/${{ now() }}",
    ];
    let texts = texts.map(|lock| {
        format!("name: x\ninputs: {{ vm: {{ type: string }} }}\n{lock}\nsteps: [{{ id: a, script: '1' }}]\n")
    });
    insta::assert_snapshot!(all(&texts.each_ref().map(String::as_str)), @r#"
    x.yaml:3:7: error: expected text like `vm/${{ inputs.vm }}`, found a number; put it in quotes: "7" [wrong-type]
    x.yaml:3:7: error: the lock's key is empty; of all runs and steps with one key, one at a time goes on [bad-value]
    x.yaml:3:7: error: expected text like `vm/${{ inputs.vm }}`, found a list [wrong-type]
    x.yaml:3:9: error: `lock` has no `key`; say what is locked, for example `key: "vm/${{ inputs.vm }}"` [missing-key]
    x.yaml:3:26: error: expected one of `queue`, `skip`, `replace`, found `wait` [bad-value]
    x.yaml:3:17: error: unknown key `busy` in `lock`; there are: key, on-busy [unknown-key]
    x.yaml:3:21: error: `inputs` has no `vn`; did you mean `vm`? [unknown-name]
    x.yaml:3:14: error: there is no `steps` here; it is worked out before the run begins: read `inputs` [unknown-name]
    x.yaml:3:14: error: there is no `alarm` here; the alarm is there in `on` only: give what is needed of it to an input, in `with` [unknown-name]
    x.yaml:3:14: error: there is no `vm` here; an input is read as `inputs.vm` [unknown-name]
    x.yaml:3:14: error: `now` is not available in expressions; only a `script:` has it; other steps read it from that step's output [expression]
    "#);
}

#[test]
fn what_is_doubtful_can_be_run() {
    for text in [
        "name: x\nsteps: []\n",
        "name: x\non-failure: rollback\nsteps: [{ id: a, uses: vm/restart, with: { vm: a } }]\n",
        "name: x\nsteps:\n  - { id: a, uses: vm/restart, with: { vm: a }, on-failure: rollback }\n",
    ] {
        let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
        assert!(parsed.runbook.is_some() && parsed.diagnostics.len() == 1, "{text}");
    }
    insta::assert_snapshot!(all(&[
        "name: x\nsteps: []\n",
        "name: x\non-failure: rollback\nsteps: [{ id: a, uses: vm/restart, with: { vm: a } }]\n",
        "name: x\nsteps:\n  - { id: a, uses: vm/restart, with: { vm: a }, on-failure: rollback }\n",
    ]), @r#"
    x.yaml:2:1: warning: the runbook has no steps: it does nothing; each step has an `id`, and `uses` or `script` [empty]
    x.yaml:2:1: warning: nothing can be rolled back here; no step has an `undo`, and no action in it has one of its own [no-undo]
    x.yaml:3:49: warning: nothing can be rolled back here; no step has an `undo`, and no action in it has one of its own [no-undo]
    "#);
    for undoable in [
        "uses: vm/tune, with: { vm: a }",
        "script: 'act(\"vm/tune\", #{ vm: \"a\" })'",
        "script: '1', undo: { script: '1' }",
    ] {
        parse(&format!("name: x\non-failure: rollback\nsteps: [{{ id: a, {undoable} }}]\n"));
    }
}
