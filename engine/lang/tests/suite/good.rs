//! Runbooks that are right, and what is made of them.

use runwright_core::{InputKind, Map, OnFailure, OnUnknown, Retry, Runbook, Step, Trigger, Value, Work};
use serde_json::json;

use crate::support::{catalog, engine};

fn parse(text: &str) -> Runbook {
    let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
    assert!(parsed.diagnostics.is_empty(), "{}", lang::render(&parsed.diagnostics, text.as_bytes()));
    parsed.runbook.unwrap_or_else(|| panic!("no runbook"))
}

#[test]
fn the_flagship() {
    let path = format!("{}/../../runbooks/recover-vm.yaml", env!("CARGO_MANIFEST_DIR"));
    let runbook = parse(&std::fs::read_to_string(path).unwrap());
    assert_eq!((runbook.name.as_str(), runbook.steps.len()), ("recover-vm", 8));
    assert_eq!(runbook.inputs["image"].default, Some(json!("")));
    let restart = &runbook.steps[1];
    assert_eq!((restart.timeout_ms, restart.retry.attempts, restart.on_failure), (120_000, 2, OnFailure::Continue));
    let Trigger::Alarm { r#where, with } = &runbook.on[0];
    let engine = engine();
    let alarm = json!({"alarm": {"name": "VmDown", "firing": true, "labels": {"vm": "web-1"}}});
    assert_eq!(engine.condition(r#where, &alarm), Ok(true));
    assert_eq!(engine.resolve(&Value::Object(with.clone()), &alarm), Ok(json!({"vm": "web-1"})));
    for (restart, reprovision, fixed_by) in [
        (false, false, "nothing"),
        (true, false, "restart"),
        (true, true, "reprovisioned"),
        (false, true, "reprovisioned"),
    ] {
        let scope = json!({"steps": {
            "restart": {"ran": restart}, "resume": {"ran": false}, "reprovision": {"ran": reprovision}
        }});
        let outputs = engine.resolve(&Value::Object(runbook.outputs.clone()), &scope).unwrap();
        assert_eq!(outputs["fixed_by"], fixed_by);
    }
}

#[test]
fn every_key() {
    let runbook = parse(
        r#"
name: every-key
description: >-
  All that a runbook
  can say.
inputs:
  vm: { type: string, required: true }
  sizes: { type: list, default: [1, 2.5, yes] }
on:
  manual:
  alarm:
    - where: ${{ alarm.resolved }}
      with: { vm: a }
    - where: "\"vm\" in alarm.labels"
      with: { vm: "${{ alarm.labels.vm }}", sizes: "${{ [1] }}" }
on-failure: rollback
steps:
  - id: look
    script: |
      let all = steps.len();
      #{ n: all, vm: inputs.vm }
    always: true
  - id: tune-it
    if: ${{ steps.look.output.n > 0 }}
    uses: vm/tune
    with: { vm: "${{ steps.look.output.vm }}", cpus: 2, hot: true, mode: fast, disks: [{ size: "${{ 1 }}" }] }
    timeout: 1h30m
    retry: { attempts: 3, delay: 500ms, backoff: 1.5, max-delay: 5s }
    on-failure: stop
    on-unknown: retry
  - id: again
    if: steps["tune-it"].failed && run.name == "every-key"
    uses: vm/restart
    with: { vm: "$${{ no expression }}" }
    on-unknown: retry
    idempotent: true
  - { id: rebuild, uses: vm/reprovision, with: { vm: a, image: b } }
  - { id: get, uses: http/get }
outputs: { n: "${{ steps.look.output.n }}", plain: 1 }
"#,
    );
    assert_eq!(runbook.description, "All that a runbook can say.");
    assert_eq!(runbook.inputs["sizes"].default, Some(json!([1, 2.5, "yes"])));
    let wheres: Vec<&str> = runbook.on.iter().map(|Trigger::Alarm { r#where, .. }| r#where.as_str()).collect();
    assert_eq!(wheres, ["alarm.resolved", "\"vm\" in alarm.labels"]);
    let [look, tune, again, rebuild, get] = runbook.steps.as_slice() else { panic!("five steps") };
    assert_eq!((look.always, look.on_failure, look.timeout_ms), (true, OnFailure::Rollback, Step::DEFAULT_TIMEOUT_MS));
    let source = "let all = steps.len();\n#{ n: all, vm: inputs.vm }\n".to_owned();
    assert_eq!(look.work, Work::Script { source, acts: Vec::new(), line: Some(20) });
    assert_eq!(tune.condition.as_deref(), Some("steps.look.output.n > 0"));
    assert_eq!(tune.builds_on, ["look"]);
    assert_eq!(tune.retry, Retry { attempts: 3, delay_ms: 500, backoff: 1.5, max_delay_ms: 5_000 });
    assert_eq!((tune.timeout_ms, tune.on_failure, tune.on_unknown), (5_400_000, OnFailure::Stop, OnUnknown::Retry));
    assert!(again.idempotent && again.retry == Retry::default());
    assert_eq!(rebuild.timeout_ms, 120_000, "what the plugin suggests");
    assert_eq!(get.work, Work::Action { action: "http/get".parse().unwrap(), with: Map::new() });
    assert_eq!(Value::Object(runbook.outputs.clone()), json!({"n": "${{ steps.look.output.n }}", "plain": 1}));
    let kept: Runbook = serde_json::from_slice(&runbook.source().1).unwrap();
    assert_eq!(kept, runbook);
}

#[test]
fn without_a_catalog_actions_are_not_checked() {
    let text = "name: x\nsteps: [{ id: a, uses: any/thing, with: { x: 1 }, on-unknown: retry }]\n";
    let parsed = lang::parse("x.yaml", text.as_bytes(), None, &engine());
    assert!(parsed.runbook.is_some() && parsed.diagnostics.is_empty());
}

#[test]
fn line_ends_and_a_byte_order_mark_do_not_matter() {
    let text = "\u{feff}name: x\r\nsteps:\r\n  - id: a\r\n    script: |\r\n      1 +\r\n      2\r\n";
    assert_eq!(
        parse(text).steps[0].work,
        Work::Script { source: "1 +\n2\n".to_owned(), acts: Vec::new(), line: Some(5) }
    );
}

#[test]
fn other_yaml_is_read_within_the_same_bounds() {
    let read = |text: &str| lang::value("inventory.yaml", text.as_bytes(), &engine());
    assert_eq!(
        read("vms:\n  - { name: web-1, memory: 256, tags: [a, ~] }\n"),
        Ok(json!({
            "vms": [{"name": "web-1", "memory": 256, "tags": ["a", null]}],
        }))
    );
    assert_eq!(read("{\"json\": [1, 2.5, \"${{ as it is }}\"]}"), Ok(json!({"json": [1, 2.5, "${{ as it is }}"]})));
    assert_eq!(read("# nothing\n"), Ok(json!(null)));
    for wrong in ["a: 1\na: 2\n", "a: &x 1\nb: *x\n", "a: !!int 1\n", "a: [\n"] {
        assert_eq!(read(wrong).unwrap_err().len(), 1, "{wrong}");
    }
}

fn map(value: Value) -> Map {
    value.as_object().cloned().unwrap_or_default()
}

#[test]
fn a_run_is_given_its_inputs() {
    let runbook = parse(
        "name: x\ninputs:\n  vm: { type: string, description: the VM }\n  n: { type: number, default: 1 }\nsteps: [{ id: a, script: '1' }]\n",
    );
    let admitted = runwright_core::admit_inputs(&runbook, map(json!({"n": 2, "vm": "a"}))).unwrap();
    assert_eq!(Value::Object(admitted).to_string(), r#"{"vm":"a","n":2}"#);
    let admitted = runwright_core::admit_inputs(&runbook, map(json!({"vm": "a"}))).unwrap();
    assert_eq!(Value::Object(admitted), json!({"vm": "a", "n": 1}));
    let problems = runwright_core::admit_inputs(&runbook, map(json!({"vn": "a", "n": "2"}))).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    the input `vm` is missing; it is: the VM
    the input `n` is a number, found text
    the runbook `x` has no input `vn`; did you mean `vm`?
    "#);
}

#[test]
fn inputs_are_read_from_text() {
    for (kind, text, value) in [
        (InputKind::String, "7", json!("7")),
        (InputKind::String, "", json!("")),
        (InputKind::Integer, "-7", json!(-7)),
        (InputKind::Number, "7", json!(7)),
        (InputKind::Number, "7.5", json!(7.5)),
        (InputKind::Boolean, "true", json!(true)),
        (InputKind::List, "[1, \"a\"]", json!([1, "a"])),
        (InputKind::Map, "{\"a\": 1}", json!({"a": 1})),
    ] {
        assert_eq!(runwright_core::input_from_text(kind, text), Ok(value), "{text}");
    }
    for (kind, text) in [
        (InputKind::Integer, "7.5"),
        (InputKind::Integer, "9223372036854775808"),
        (InputKind::Number, "seven"),
        (InputKind::Boolean, "1"),
        (InputKind::List, "a,b"),
        (InputKind::Map, "[]"),
    ] {
        assert!(runwright_core::input_from_text(kind, text).is_err(), "{text}");
    }
}
