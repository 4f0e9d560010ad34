//! What is written in good faith and means something else: numbers that are no numbers, and characters that nobody sees.

use lang::Severity;
use runwright_core::InputKind;
use serde_json::json;

use crate::support::{all, catalog, engine, rendered, step};

/// The diagnostics of a text, one a line.
fn told(text: &str) -> String {
    let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
    let errors = parsed.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(parsed.runbook.is_none(), errors, "{text}");
    let help = |help: &Option<String>| help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    let line = |one: &lang::Diagnostic| format!("{one}{} {:?}", help(&one.help), one.notes);
    parsed.diagnostics.iter().map(line).collect::<Vec<_>>().join("\n").replace(" []", "")
}

#[test]
fn numbers_that_would_be_written_otherwise_are_doubted_where_anything_is_taken() {
    let free = |value: &str| told(&step(&format!("uses: http/post\nwith: {{ json: {value} }}")));
    for (text, number) in [
        ("1.30", "1.3"),
        ("3.0", "3"),
        ("9509425349e4", "95094253490000"),
        ("0123456", "123456"),
        ("0644", "644"),
        ("+491711234567", "491711234567"),
        ("0x12ab", "4779"),
        ("-0", "0"),
        (".5", "0.5"),
        ("100000000000000000000", "1e+20"),
    ] {
        let expected = format!(
            "x.yaml:8:19: warning: `{text}` is the number {number} here, and is passed on as that; put it in quotes, if it \
             is a version, a code or the like: \"{text}\""
        );
        assert_eq!(free(text), expected);
        assert_eq!(free(&format!("[{{ a: {text} }}]")).replace(":25:", ":19:"), expected, "{text}");
    }
    for fine in
        ["1", "-7", "1.5", "0", "0.25", "61e9540", "2.20.1", "'0644'", "\"1.30\"", "00:16:3e:12:34:56", "true", ""]
    {
        assert_eq!(free(fine), "", "{fine}");
    }
}

#[test]
fn where_a_number_is_expected_only_padded_ones_are_doubted() {
    let tune = |with: &str| told(&step(&format!("uses: vm/tune\nwith: {{ vm: a, {with} }}")));
    assert_eq!(tune("cpus: 2"), "");
    assert_eq!(tune("cpus: +2"), "");
    assert_eq!(
        tune("cpus: 010"),
        "x.yaml:8:26: warning: `010` is the number 10 here, and is passed on as that; write `10`"
    );
    assert_eq!(tune("disks: [{ size: 1.0, x: 1.0 }]").lines().count(), 1);
    let mode = told(&step("uses: http/post\nwith: { mode: 0640 }"));
    assert_eq!(mode, "x.yaml:8:19: error: `mode`: expected null or text, found a number; put it in quotes: \"0640\"");
    // Of text an error is told, with how to mend it, and nothing more.
    assert_eq!(
        tune("labels: { a: 0640 }"),
        "x.yaml:8:33: error: `labels.a`: expected text, found a number; put it in quotes: \"0640\""
    );
}

#[test]
fn what_an_expression_plainly_gives_must_fit_too() {
    let with = |with: &str| {
        told(&format!(
            "name: x\ninputs: {{ s: {{ type: string }}, n: {{ type: integer }}, f: {{ type: number }}, b: {{ type: boolean }}, \
             l: {{ type: list }}, m: {{ type: map }}, a-b: {{ type: integer }} }}\nsteps:\n  - id: a\n    uses: vm/tune\n    \
             with: {{ {with} }}\n"
        ))
    };
    for (wrong, expected) in [
        ("vm: \"${{ 5 }}\"", "expected text, found `5`, which is a number"),
        ("vm: \"${{ true }}\"", "expected text, found `true`, which is a boolean"),
        (
            "vm: \"${{ inputs.n }}\"",
            "expected text, found `inputs.n`, which is a whole number; write `${{ inputs.n.to_string() }}`",
        ),
        (
            "vm: \"${{ inputs.b }}\"",
            "expected text, found `inputs.b`, which is a boolean; write `${{ inputs.b.to_string() }}`",
        ),
        (
            "vm: \"${{ inputs.l }}\"",
            "expected text, found `inputs.l`, which is a list; write `${{ inputs.l.to_json() }}`",
        ),
        (
            "vm: \"${{ inputs[\\\"a-b\\\"] }}\"",
            "expected text, found `inputs[\"a-b\"]`, which is a whole number; write `${{ inputs[\"a-b\"].to_string() }}`",
        ),
        ("cpus: \"${{ \\\"2\\\" }}\"", "expected a whole number, found `\"2\"`, which is text"),
        (
            "cpus: \"${{ inputs.s }}\"",
            "expected a whole number, found `inputs.s`, which is text; write `${{ parse_int(inputs.s) }}`",
        ),
        ("hot: \"${{ inputs.n }}\"", "expected a boolean, found `inputs.n`, which is a whole number"),
        ("disks: \"${{ inputs.m }}\"", "expected a list, found `inputs.m`, which is a map"),
        (
            "labels: { zone: \"${{ inputs.n }}\" }",
            "expected text, found `inputs.n`, which is a whole number; write `${{ inputs.n.to_string() }}`",
        ),
    ] {
        let text = if wrong.starts_with("vm:") { with(wrong) } else { with(&format!("vm: x, {wrong}")) };
        assert!(text.contains(expected) && text.lines().count() == 1, "{wrong}: {text}");
    }
    for fine in [
        "cpus: \"${{ inputs.n }}\"",
        "cpus: \"${{ inputs.f }}\"",
        "cpus: \"${{ inputs.n + 1 }}\"",
        "cpus: \"${{ 2 }}\"",
        "hot: \"${{ inputs.b }}\"",
        "mode: \"${{ inputs.s }}\"",
        "labels: \"${{ inputs.m }}\"",
        "labels: { zone: \"x${{ inputs.n }}\" }",
        "disks: \"${{ inputs.l }}\"",
        "disks: [\"${{ inputs.m }}\"]",
    ] {
        assert_eq!(with(&format!("vm: x, {fine}")), "", "{fine}");
    }
}

#[test]
fn of_several_schemas_the_one_that_is_meant_says_what_is_wrong() {
    let hook = |with: &str| told(&step(&format!("uses: http/hook\nwith: {{ {with} }}"))).replace("x.yaml:8:", "");
    for (with, at, expected) in [
        ("sign: { secret: 7 }", "7", "error: `sign.secret`: expected text, found a number; put it in quotes: \"7\""),
        // Beside an expression too.
        (
            "sign: { header: \"${{ inputs.vm }}\", secret: true }",
            "true",
            "error: `sign.secret`: expected text, found a boolean; put it in quotes: \"true\"",
        ),
        ("sign: { header: x }", "header", "error: `sign` needs `secret`; add `secret: …`"),
        ("sign: { secret: a, hedaer: x }", "hedaer", "error: `sign` has no `hedaer`; did you mean `header`?"),
        ("sign: 5", "5", "error: `sign`: expected a map or null, found a number"),
        (
            "sort: oldset",
            "oldset",
            "error: `sort`: expected one of oldest, newest, found oldset; did you mean `oldest`?",
        ),
        ("sort: 5", "5", "error: `sort`: expected one of oldest, newest, found 5"),
        (
            "size: true",
            "true",
            "error: `size`: expected a whole number or text, found a boolean; put it in quotes: \"true\"",
        ),
        ("size: []", "[", "error: `size`: expected a whole number or text, found a list"),
        ("either: { c: 1 }", "{ c", "error: `either`: {\"c\":1} is not valid under any of the schemas"),
    ] {
        let told = hook(with);
        let column = "    with: { ".len() + with.find(at).expect("it is there") + 1;
        assert!(told.starts_with(&format!("{column}: {expected}")) && told.lines().count() == 1, "{with}: {told}");
    }
    for fine in [
        "sign: null",
        "sign: { secret: a }",
        "sign: \"${{ inputs.vm }}\"",
        "sort: newest",
        "sort: \"${{ inputs.vm }}\"",
        "size: 5",
        "size: \"${{ inputs.vm }}\"",
    ] {
        assert_eq!(hook(fine), "", "{fine}");
    }
}

#[test]
fn defaults_outputs_and_triggers_are_looked_at_too() {
    let runbook = |inputs: &str, on: &str, outputs: &str| {
        told(&format!(
            "name: x\ninputs: {{ {inputs} }}\non: {on}\nsteps: [{{ id: a, script: '1' }}]\noutputs: {{ {outputs} }}\n"
        ))
    };
    assert_eq!(runbook("a: { type: number, default: 1.10 }", "manual", "o: 1"), "");
    for (inputs, on, outputs) in [
        ("a: { type: list, default: [1.10] }", "manual", "o: 1"),
        ("a: { type: map, default: { a: 1.10 } }", "manual", "o: 1"),
        ("a: { type: list }", "{ alarm: { where: 'true', with: { a: [1.10] } } }", "o: 1"),
        ("a: { type: list }", "manual", "o: 1.10"),
    ] {
        let warned = runbook(inputs, on, outputs);
        assert!(warned.contains("warning: `1.10` is the number 1.1 here") && warned.lines().count() == 1, "{warned}");
    }
    let wrong = runbook("a: { type: string, default: 1.10 }", "manual", "o: 1");
    assert_eq!(wrong, "x.yaml:2:39: error: expected text, found a number; put it in quotes: \"1.10\"");
}

#[test]
fn characters_that_break_the_text_are_named_at_their_place() {
    insta::assert_snapshot!(all(&[
        "name: nbsp\nsteps:\n\u{a0}\u{a0}- id: a\n    script: '1'\n",
        "name: nbsp\nsteps:\n  - id: a\n\u{a0}   script: '1'\n",
        "name:\u{a0}nbsp\nsteps: []\n",
        "name: x\n\u{200b}steps: []\n",
        "name: x\nsteps:\n  - id: a\n    uses: vm/tune\n    with: { vm: \u{201c}hello\u{201d} }\n",
        &step("script: '1'\nif: inputs.vm\u{a0}== \"x\""),
        &step("script: '1'\nif: inputs.vm == \u{201c}x\u{201d}"),
        &step("script: '1'\nif: inputs.vm \u{2013} 1 == 2"),
        &step("uses: vm/tune\nwith: { vm: \"${{ inputs.vm\u{200b} }}\" }"),
    ]), @r#"
    x.yaml:3:1: error: U+00A0 (no-break space) in the indentation; replace it with a plain space [character]
    x.yaml:4:1: error: U+00A0 (no-break space) in the indentation; replace it with a plain space [character]
    x.yaml:1:6: error: U+00A0 (no-break space) where a space is meant; replace it with a plain space [character]
    x.yaml:2:1: error: U+200B (zero width space) in the indentation; it can't be seen: remove it [character]
    x.yaml:5:17: error: U+201C (left double quotation mark) is no quote; it looks like `"`, which is U+0022: write that [character]
    x.yaml:8:18: error: U+00A0 (no-break space) can't stand in an expression; replace it with a plain space [character]
    x.yaml:8:22: error: U+201C (left double quotation mark) can't stand in an expression; it looks like `"`, which is U+0022: write that [character]
    x.yaml:8:19: error: U+2013 (en dash) can't stand in an expression; it looks like `-`, which is U+002D: write that [character]
    x.yaml:8:31: error: U+200B (zero width space) can't stand in an expression; it can't be seen: remove it [character]
    "#);
}

#[test]
fn look_alikes_of_yamls_own_signs_are_named_where_they_broke_the_text() {
    insta::assert_snapshot!(all(&[
        "name\u{ff1a}x\nsteps:\n  - id: a\n    script: '1'\n",
        "name: x\nsteps\u{ff1a}\n  - id: a\n    script: '1'\n",
        "name: x\nsteps:\n  - id\u{fe55} a\n    script: '1'\n",
        "name: x\nsteps:\n  \u{ff0d} id: a\n    script: '1'\n",
        "name: x\nsteps:\n  \u{2022} id: a\n    script: '1'\n",
        "name: x\nsteps:\n  - { id: a\u{ff0c} script: '1' }\n",
        "name: x\nsteps: \u{ff3b} { id: a, script: '1' } ]\n",
        "name: x\nsteps:\n  - id: a\n    uses: vm/tune\n    with: \u{ff5b} vm: x }\n",
        "name: x\n\u{ff03} a comment\nsteps:\n  - id: a\n    script: '1'\n",
        "name: x\u{2028}steps:\n  - id: a\n    script: '1'\n",
        "name: x\nsteps:\n  - id: a\u{2029}    script: '1'\n",
        "name: x\nsteps:\n  - id: a\u{85}    script: '1'\n",
        // A text of another language is not at fault.
        "name: x\ndescription: \u{6ce8}\u{610f}\u{ff1a}x\u{ff0c}y: z\nsteps: []\n",
    ]), @r#"
    x.yaml:1:5: error: U+FF1A (fullwidth form) where a `:` is meant; it looks like `:`, which is U+003A: write that [character]
    x.yaml:2:6: error: U+FF1A (fullwidth form) where a `:` is meant; it looks like `:`, which is U+003A: write that [character]
    x.yaml:3:7: error: U+FE55 (small form) where a `:` is meant; it looks like `:`, which is U+003A: write that [character]
    x.yaml:3:3: error: U+FF0D (fullwidth form) where a `-` is meant; it looks like `-`, which is U+002D: write that [character]
    x.yaml:3:3: error: U+2022 (bullet) where a `-` is meant; it looks like `-`, which is U+002D: write that [character]
    x.yaml:3:12: error: U+FF0C (fullwidth form) in a list or map on one line; it looks like `,`, which is U+002C: write that [character]
    x.yaml:2:8: error: U+FF3B (fullwidth form) where a value is meant; it looks like `[`, which is U+005B: write that [character]
    x.yaml:5:11: error: U+FF5B (fullwidth form) where a value is meant; it looks like `{`, which is U+007B: write that [character]
    x.yaml:2:1: error: U+FF03 (fullwidth form) where a comment is meant; it looks like `#`, which is U+0023: write that [character]
    x.yaml:1:8: error: U+2028 (line separator) where a line end is meant; YAML takes it for a part of the text: break the line there, or write a plain space [character]
    x.yaml:3:10: error: U+2029 (paragraph separator) where a line end is meant; YAML takes it for a part of the text: break the line there, or write a plain space [character]
    x.yaml:3:10: error: U+0085 (next line) where a line end is meant; YAML takes it for a part of the text: break the line there, or write a plain space [character]
    x.yaml:2:20: error: a `:` where no key can be; check the indentation, or put text that contains `: ` in quotes [syntax]
    "#);
}

#[test]
fn names_that_are_not_what_they_look_like_are_explained() {
    let restart = "name: x\nsteps:\n  - id: rest\u{430}rt\n    script: '1'\n";
    insta::assert_snapshot!(rendered("x.yaml", restart.as_bytes()), @"
    error: `restаrt` is no name for a step [bad-value]
     --> x.yaml:3:9
      |
    3 |   - id: restаrt
      |         ^^^^^^^
      = note: at 3:13 stands U+0430 (cyrillic letter); it looks like `a`, which is U+0061: write that
      = help: a name is a letter, then letters, digits, `_` or `-`, at most 64 in all

    x.yaml: 1 error
    ");
    for (text, note) in [
        (
            "name: x\ninputs: { \"vm\u{200b}\": { type: string } }\nsteps: []\n",
            "x.yaml:2:14: error: U+200B (zero width space) in a key",
        ),
        (
            "name: x\nsteps:\n  - id: a\n    u\u{455}es: vm/tune\n",
            "at 4:6 stands U+0455 (cyrillic letter); it looks like `s`",
        ),
        ("name: x\nsteps:\n  - { id: a, uses: \"vm\u{2215}tune\" }\n", "at 3:23 stands U+2215"),
        (
            "name: x\nsteps:\n  - { id: a, script\u{ff1a} '1' }\n",
            "at 3:20 stands U+FF1A (fullwidth form); it looks like `:`",
        ),
        (&step("script: '1'\nif: steps.\u{430}.ran"), "U+0430 (cyrillic letter)"),
    ] {
        let told = told(text);
        assert!(told.contains(note), "{note}: {told}");
    }
}

#[test]
fn unseen_characters_in_texts_are_warned_of_where_they_stand_raw() {
    let tune = |vm: &str| told(&step(&format!("uses: vm/tune\nwith: {{ vm: {vm} }}")));
    assert_eq!(
        tune("\"\u{202e}gnp.exe\""),
        "x.yaml:8:18: warning: U+202E (right-to-left override) in this text; it can't be seen: remove it, or write it as \
         \"\\u202E\" in double quotes"
    );
    for (vm, name) in
        [("a\u{200b}b", "zero width space"), ("a\u{a0}b", "no-break space"), ("'a\u{200d}b'", "zero width joiner")]
    {
        let told = tune(vm);
        assert!(told.contains(name) && told.contains("warning") && told.lines().count() == 1, "{told}");
    }
    assert_eq!(
        tune("'a\u{e0041}b'"),
        "x.yaml:8:19: warning: U+E0041 (tag character) in this text; it can't be seen: remove it, or write it as \
         \"\\U000E0041\" in double quotes"
    );
    for (vm, name) in [
        ("'a\u{85}b'", "U+0085 (next line)"),
        ("\"a\u{2028}b\"", "U+2028 (line separator)"),
        ("a\u{2029}b", "U+2029 (paragraph separator)"),
    ] {
        let told = tune(vm);
        let help = "YAML takes it for a part of the text: break the line there, or write a plain space";
        assert_eq!(
            told,
            format!("x.yaml:8:{}: warning: {name} in this text; {help}", if vm.starts_with('a') { 18 } else { 19 })
        );
    }
    let told = tune("\"\u{ff04}{{ inputs.vm }}\"");
    assert!(told.contains("warning: U+FF04") && told.contains("`{{ inputs.vm }}` is text here"), "{told}");
    for vm in ["\"\u{ff04}\u{ff5b}\u{ff5b} x\"", "'$\u{ff5b}{ x'"] {
        let told = tune(vm);
        assert!(told.contains("warning: U+FF") && told.lines().count() == 1, "{vm}: {told}");
    }
    for fine in [
        "'\u{ff04}5 \u{ff5b}x\u{ff5d}'",
        "\"\\u2028\"",
        "\"\\u202Egnp.exe\"",
        "'a\u{a0}b'",
        "'\u{1f469}\u{200d}\u{1f4bb}'",
        "caf\u{e9}",
        "\u{436}\u{430}",
        "a \u{2013} b",
        "'\u{201c}x\u{201d}'",
    ] {
        assert_eq!(tune(fine), "", "{fine}");
    }
    // Files that are no runbooks are read as before.
    assert_eq!(lang::value("x.yaml", "a: 'b\u{200b}'".as_bytes(), &engine()), Ok(json!({"a": "b\u{200b}"})));
}

#[test]
fn a_name_with_dashes_behind_a_dot_is_explained() {
    let told = |expression: &str| told(&step(&format!("script: '1'\nif: '{expression}'")));
    let minus = "`-` is minus; a name with dashes is read like this: ";
    for (expression, help) in [
        ("run.node-role == 1", format!("{minus}run[\"node-role\"]")),
        ("inputs.vm?.labels.node-role-x == 1", format!("{minus}inputs.vm?.labels[\"node-role-x\"]")),
        ("parse_json(\"{}\").node-role == 1", format!("{minus}…[\"node-role\"]")),
        ("inputs.get(node-role) == 1", "`-` is minus; put the name in quotes: .get(\"node-role\")".to_owned()),
    ] {
        let told = told(expression);
        assert!(told.contains(&format!("there is no `role` here; {help}")), "{expression}: {told}");
    }
    let other = told("inputs.vm - role == 1");
    assert!(other.contains("there is no `role` here; there are: inputs, steps, run"), "{other}");
    assert_eq!(told("inputs.get(\"node-role\") == 1"), "");
}

#[test]
fn text_that_must_not_be_empty() {
    let with = |input: &str| {
        format!("name: x\ninputs: {{ vm: {{ type: string, {input} }} }}\nsteps: [{{ id: a, script: '1' }}]\n")
    };
    let text = with("min: 1");
    let runbook = lang::parse("x.yaml", text.as_bytes(), None, &engine()).runbook.unwrap();
    let admit = |vm: &str| runwright_core::admit_inputs(&runbook, json!({"vm": vm}).as_object().cloned().unwrap());
    assert!(admit("a").is_ok() && admit("\u{e9}").is_ok());
    assert_eq!(admit("").unwrap_err()[0].to_string(), "the input `vm`: it is empty, which `min: 1` does not allow");
    let longer = lang::parse("x.yaml", with("min: 3").as_bytes(), None, &engine()).runbook.unwrap();
    let admit = |vm: &str| runwright_core::admit_inputs(&longer, json!({"vm": vm}).as_object().cloned().unwrap());
    assert!(admit("\u{e9}\u{e9}\u{e9}").is_ok());
    assert_eq!(admit("ab").unwrap_err()[0].to_string(), "the input `vm`: it has 2 characters, and `min` is 3");
    assert!(told(&with("min: 1, default: ''")).contains("error: it is empty, which `min: 1` does not allow"));
    assert!(told(&with("min: 0")).contains("expected a whole number from 1 to 10000, found 0"));
    assert!(told(&with("min: 1").replace("string", "boolean")).contains("`min` is there for inputs of type `string`"));
    let trigger = with("min: 1").replace("steps:", "on: { alarm: { where: 'true', with: { vm: '' } } }\nsteps:");
    assert!(told(&trigger).contains("it is empty, which `min: 1` does not allow"));
    // A runbook that was kept before this reads as before.
    let kept: runwright_core::Input = serde_json::from_value(json!({"type": "string", "description": ""})).unwrap();
    assert_eq!((kept.kind, kept.min), (InputKind::String, None));
}

#[test]
fn a_number_that_is_not_whole_is_shown() {
    let text = "name: x\ninputs: { id: { type: integer } }\nsteps: [{ id: a, script: '1' }]\n";
    let runbook = lang::parse("x.yaml", text.as_bytes(), None, &engine()).runbook.unwrap();
    let told = |id: &str| {
        let given = serde_json::from_str(&format!("{{\"id\": {id}}}")).unwrap();
        runwright_core::admit_inputs(&runbook, given).unwrap_err()[0].to_string()
    };
    assert_eq!(told("3.0"), "the input `id` is a whole number, found 3.0; write 3");
    assert!(told("3.5").starts_with("the input `id` is a whole number, found 3.5; write it without a `.`"));
    assert_eq!(
        told("18446744073709551615"),
        "the input `id` is a whole number, found 18446744073709551615; a whole number is at most 9223372036854775807"
    );
    assert_eq!(told("\"3\""), "the input `id` is a whole number, found text");
}

#[test]
fn a_label_is_no_number() {
    let trigger = |condition: &str| {
        format!("name: x\non: {{ alarm: {{ where: '{condition}' }} }}\nsteps: [{{ id: a, script: '1' }}]\n")
    };
    let wrong = [
        "alarm.labels.port == 9100",
        "alarm.firing && alarm.labels[\"cpu\"] >= 80",
        "alarm.annotations.n != -1.5 || alarm.labels.up == true",
    ];
    insta::assert_snapshot!(crate::support::all(&wrong.map(trigger).each_ref().map(String::as_str)), @r#"
    x.yaml:2:23: error: `alarm.labels.port` is text, and is compared with `9100`, which is none; write it in quotes: == "9100" [wrong-type]
    x.yaml:2:23: error: `alarm.labels.cpu` is text, and is compared with `80`, which is none; make a number of it: parse_float(alarm.labels.cpu) >= 80 [wrong-type]
    x.yaml:2:23: error: `alarm.labels.up` is text, and is compared with `true`, which is none; write it in quotes: == "true" [wrong-type] +1
    "#);
    for right in
        ["alarm.labels.port == \"9100\"", "parse_float(alarm.labels.cpu) >= 80", "alarm.labels.n == alarm.name"]
    {
        let text = trigger(right);
        let parsed = lang::parse("x.yaml", text.as_bytes(), None, &crate::support::engine());
        assert!(parsed.runbook.is_some(), "{right}: {:?}", parsed.diagnostics);
    }
}
