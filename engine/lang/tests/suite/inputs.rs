//! Inputs: what a runbook may declare of them, and what a run may be given.

use runwright_core::{Map, Runbook, Value};
use serde_json::json;

use crate::support::{all, catalog, engine};

fn declared(inputs: &str) -> String {
    format!("name: x\ninputs: {{ {inputs} }}\nsteps: [{{ id: a, script: '1' }}]\n")
}

fn runbook(inputs: &str) -> Runbook {
    let text = declared(inputs);
    let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
    parsed.runbook.unwrap_or_else(|| panic!("{}", lang::render(&parsed.diagnostics, text.as_bytes())))
}

/// What is wrong with a run that is given this, one problem a line.
fn refused(runbook: &Runbook, given: Value) -> String {
    let given = given.as_object().cloned().unwrap_or_else(Map::new);
    let problems = runwright_core::admit_inputs(runbook, given).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_value_keeps_to_what_its_input_says() {
    let runbook = runbook(
        "env: { type: string, enum: [dev, staging, production] }, size: { type: integer, enum: [1, 2, 4] }, \
         vm: { type: string, pattern: '[a-z][a-z0-9-]*', max: 8 }, share: { type: number, min: 0.5, max: 1 }, \
         count: { type: integer, min: 2, max: 3 }, vms: { type: list, of: string, min: 1, max: 2 }, \
         labels: { type: map, of: { type: string, pattern: '[a-z]+' }, max: 2 }, \
         grid: { type: list, of: { type: list, of: integer }, max: 9 }",
    );
    let good = |key: &str, value: Value| {
        let mut given = json!({
            "env": "dev", "size": 4, "vm": "web-1", "share": 0.5, "count": 2, "vms": ["a"], "labels": {"a": "b"}, "grid": [],
        });
        given[key] = value;
        refused(&runbook, given)
    };
    for (key, value) in [
        ("env", json!("production")),
        ("size", json!(1)),
        ("vm", json!("a2345678")),
        ("share", json!(1)),
        ("count", json!(3)),
        ("vms", json!(["a", "b"])),
        ("labels", json!({})),
        ("grid", json!([[1], [], [2, 3]])),
    ] {
        assert_eq!(good(key, value.clone()), "", "{key}: {value}");
    }
    let wrong = [
        ("env", json!("prod")),
        ("env", json!("producton")),
        ("size", json!(3)),
        ("vm", json!("Web-1")),
        ("vm", json!("web-1\n")),
        ("vm", json!("a23456789")),
        ("share", json!(0.49)),
        ("share", json!(1.01)),
        ("count", json!(1)),
        ("count", json!(4)),
        ("vms", json!([])),
        ("vms", json!(["a", "b", "c"])),
        ("vms", json!(["a", 7])),
        ("labels", json!({"a": "b", "c": "D"})),
        ("labels", json!({"a": "b", "c": "d", "e": "f"})),
        ("grid", json!([[1], [2, "3"], [4.5]])),
    ];
    insta::assert_snapshot!(wrong.map(|(key, value)| good(key, value)).join("\n"), @r"
    the input `env`: expected one of dev, staging, production, found prod
    the input `env`: expected one of dev, staging, production, found producton; did you mean `production`?
    the input `size`: expected one of 1, 2, 4, found 3
    the input `vm`: `Web-1` does not match the pattern `[a-z][a-z0-9-]*`
    the input `vm`: `web-1�` does not match the pattern `[a-z][a-z0-9-]*`
    the input `vm`: it has 9 characters, and `max` is 8
    the input `share`: 0.49 is less than `min`, which is 0.5
    the input `share`: 1.01 is more than `max`, which is 1
    the input `count`: 1 is less than `min`, which is 2
    the input `count`: 4 is more than `max`, which is 3
    the input `vms`: it is empty, which `min: 1` does not allow
    the input `vms`: it has 3 items, and `max` is 2
    the input `vms`: item 2: expected text, found a number
    the input `labels`: `c`: `D` does not match the pattern `[a-z]+`
    the input `labels`: it has 3 entries, and `max` is 2
    the input `grid`: item 2, item 2: expected a whole number, found text
    the input `grid`: item 3, item 1: expected a whole number, found 4.5; write it without a `.` or an exponent, or let the input be of type `number`
    ");
}

#[test]
fn all_that_is_wrong_with_inputs_is_told_at_once() {
    let runbook =
        runbook("env: { type: string, enum: [dev] }, n: { type: integer, min: 2 }, l: { type: list, of: string }");
    insta::assert_snapshot!(refused(&runbook, json!({"env": "x", "n": 1, "l": [1, 2, 3, 4, 5, 6, 7], "m": 1})), @r"
    the input `env`: expected one of dev, found x
    the input `n`: 1 is less than `min`, which is 2
    the input `l`: item 1: expected text, found a number
    the input `l`: item 2: expected text, found a number
    the input `l`: item 3: expected text, found a number
    the input `l`: item 4: expected text, found a number
    the input `l`: item 5: expected text, found a number
    the runbook `x` has no input `m`; there are: env, n, l
    ");
}

#[test]
fn a_secret_is_given_by_its_name_and_no_message_shows_what_was_given() {
    let runbook = runbook("token: { type: secret, default: ops-chat }");
    assert_eq!(refused(&runbook, json!({})), "");
    assert_eq!(refused(&runbook, json!({"token": "Ops_chat.2"})), "");
    assert_eq!(refused(&runbook, json!({"token": "a".repeat(64)})), "");
    for pasted in ["hunter2 hunter2", "p@ssw0rd", "", "ghp/abc=", &"a".repeat(65)] {
        let told = refused(&runbook, json!({"token": pasted}));
        assert!(told.starts_with("the input `token`: this is no name of a secret; give the name"), "{told}");
        assert!(pasted.is_empty() || !told.contains(pasted), "{told}");
    }
    assert_eq!(runwright_core::input_from_text(runwright_core::InputKind::Secret, "ops-chat"), Ok(json!("ops-chat")));
}

#[test]
fn what_an_input_says_of_itself_makes_sense() {
    let texts = [
        "a: { type: string, enum: [] }",
        "a: { type: string, enum: [x, 1, x] }",
        "a: { type: integer, enum: 1 }",
        "a: { type: boolean, enum: [true] }",
        "a: { type: list, enum: [x] }",
        "a: { type: list, pattern: x }",
        "a: { type: string, of: string }",
        "a: { type: list, of: strin }",
        "a: { type: list, of: { type: string, default: x } }",
        "a: { type: list, of: { pattern: x } }",
        "a: { type: string, pattern: '(' }",
        "a: { type: string, pattern: 'a)(b' }",
        "a: { type: string, pattern: '(?=a)' }",
        "a: { type: integer, min: 1.5 }",
        "a: { type: number, min: 2, max: 1.5 }",
        "a: { type: string, max: 0 }",
        "a: { type: secret, min: 3 }",
        "a: { type: string, enum: [dev, prod], default: porod }",
        "a: { type: list, of: { type: integer, max: 3 }, default: [1, 7] }",
        "a: { type: map, of: string, default: { b: [] } }",
        "a: { type: secret, default: 'a b' }",
        "a: { type: text }",
        "a: { type: string, choices: [x] }",
        "older-than: { type: string }, older_than: { type: string }",
    ];
    insta::assert_snapshot!(all(&texts.map(declared).each_ref().map(String::as_str)), @r#"
    x.yaml:2:36: error: `enum` is empty; no value would fit: leave it out [bad-value]
    x.yaml:2:40: error: expected text, found a number; put it in quotes: "1" [wrong-type] +1
    x.yaml:2:37: error: expected a list of values like `[small, large]`, found a number [wrong-type]
    x.yaml:2:31: error: `enum` is there for inputs of type `string`, `integer`, `number`; leave it out [bad-value]
    x.yaml:2:28: error: `enum` is there for inputs of type `string`, `integer`, `number`; say it of the values in it: `of: { type: string, … }` [bad-value] +1
    x.yaml:2:28: error: `pattern` is there for inputs of type `string`; say it of the values in it: `of: { type: string, … }` [bad-value]
    x.yaml:2:30: error: `of` is there for inputs of type `list`, `map`; leave it out [bad-value]
    x.yaml:2:32: error: expected one of `string`, `integer`, `number`, `boolean`, `list`, `map`, `secret`, found `strin`; did you mean `string`? [bad-value]
    x.yaml:2:48: error: unknown key `default` in `of`; there are: type, description, enum, pattern, min, max, of [unknown-key]
    x.yaml:2:28: error: the input `a` has no `type`; one of string, integer, number, boolean, list, map, secret [missing-key]
    x.yaml:2:39: error: this is no pattern: unclosed group; a regular expression that the whole text matches, for example `[a-z][a-z0-9-]*` [bad-value]
    x.yaml:2:39: error: this is no pattern: unopened group; a regular expression that the whole text matches, for example `[a-z][a-z0-9-]*` [bad-value]
    x.yaml:2:39: error: this is no pattern: look-around, including look-ahead and look-behind, is not supported; a regular expression that the whole text matches, for example `[a-z][a-z0-9-]*` [bad-value]
    x.yaml:2:36: error: expected a whole number, found a number [wrong-type]
    x.yaml:2:43: error: `max` is less than `min`; no value would fit both [bad-value]
    x.yaml:2:35: error: expected a whole number from 1 to 10000, found 0 [bad-value]
    x.yaml:2:30: error: `min` is there for inputs of type `string`, `integer`, `number`, `list`, `map`; leave it out [bad-value]
    x.yaml:2:58: error: expected one of dev, prod, found porod; did you mean `prod`? [bad-value]
    x.yaml:2:72: error: 7 is more than `max`, which is 3 [bad-value]
    x.yaml:2:53: error: expected text, found a list [wrong-type]
    x.yaml:2:39: error: this is no name of a secret; give the name under which a plugin is granted it, never its value: at most 64 letters, digits, `-`, `_` or `.` [bad-value]
    x.yaml:2:22: error: expected one of `string`, `integer`, `number`, `boolean`, `list`, `map`, `secret`, found `text` [bad-value]
    x.yaml:2:30: error: unknown key `choices` in an input; there are: type, description, default, required, enum, pattern, min, max, of [unknown-key]
    x.yaml:2:41: error: `older-than` and `older_than` are both read as `inputs.older_than`; behind a dot, `_` stands for `-`: give one of them another name [duplicate-name]
    "#);
}

#[test]
fn the_literals_of_a_trigger_keep_to_the_inputs_too() {
    let with = |with: &str| {
        format!(
            "name: x\ninputs: {{ env: {{ type: string, enum: [dev, prod] }}, vms: {{ type: list, of: string }} }}\n\
             on: {{ alarm: {{ where: 'true', with: {{ {with} }} }} }}\nsteps: [{{ id: a, script: '1' }}]\n"
        )
    };
    let texts = ["env: prd, vms: [a]", "env: dev, vms: [a, 1, \"${{ alarm.name }}\"]"];
    insta::assert_snapshot!(all(&texts.map(with).each_ref().map(String::as_str)), @r#"
    x.yaml:3:44: error: expected one of dev, prod, found prd; did you mean `prod`? [bad-value]
    x.yaml:3:58: error: expected text, found a number; put it in quotes: "1" [wrong-type]
    "#);
    let open = with("env: \"${{ alarm.name }}\", vms: [\"${{ alarm.name }}\"]");
    assert!(lang::parse("x.yaml", open.as_bytes(), None, &engine()).diagnostics.is_empty());
}

#[test]
fn a_name_with_a_dash_is_read_with_an_underscore_behind_a_dot() {
    let text = r#"
name: x
inputs: { older-than: { type: string } }
steps:
  - { id: a-b, script: 'inputs.older_than + inputs["older-than"]' }
  - { id: c, if: steps.a_b.succeeded, script: 'steps["a-b"].output' }
outputs: { o: "${{ steps.a_b.output }}" }
"#;
    let parsed = lang::parse("x.yaml", text.as_bytes(), None, &engine());
    assert_eq!(parsed.diagnostics, []);
    let runbook = parsed.runbook.unwrap();
    assert_eq!(runbook.steps[1].builds_on, ["a-b"]);
    let scope = json!({"inputs": {"older-than": "2d"}, "steps": {"a-b": {"succeeded": true, "output": "2d2d"}}});
    assert_eq!(engine().condition("steps.a_b.succeeded && inputs.older_than == \"2d\"", &scope), Ok(true));
    assert_eq!(engine().resolve(&json!("${{ inputs.older_than }}"), &scope), Ok(json!("2d")));
    let collide = "name: x\nsteps:\n  - { id: a-b, script: '1' }\n  - id: g\n    steps: [{ id: a_b, script: '1' }]\n";
    insta::assert_snapshot!(all(&[collide, &collide.replace("    steps: [{ id: a_b, script: '1' }]", "    script: '1'\n  - { id: a_b, script: '2' }")]), @r"
    x.yaml:5:19: error: `a-b` and `a_b` are both read as `steps.a_b`; behind a dot, `_` stands for `-`: give one of them another name [duplicate-name]
    x.yaml:6:11: error: `a-b` and `a_b` are both read as `steps.a_b`; behind a dot, `_` stands for `-`: give one of them another name [duplicate-name]
    ");
}
