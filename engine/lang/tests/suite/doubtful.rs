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
    for fine in [
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
fn text_that_must_not_be_empty() {
    let with = |input: &str| {
        format!("name: x\ninputs: {{ vm: {{ type: string, {input} }} }}\nsteps: [{{ id: a, script: '1' }}]\n")
    };
    let text = with("min: 1");
    let runbook = lang::parse("x.yaml", text.as_bytes(), None, &engine()).runbook.unwrap();
    let admit = |vm: &str| lang::admit_inputs(&runbook, json!({"vm": vm}).as_object().cloned().unwrap());
    assert!(admit("a").is_ok() && admit("\u{e9}").is_ok());
    assert_eq!(admit("").unwrap_err()[0].to_string(), "the input `vm`: it is empty, which `min: 1` does not allow");
    let longer = lang::parse("x.yaml", with("min: 3").as_bytes(), None, &engine()).runbook.unwrap();
    let admit = |vm: &str| lang::admit_inputs(&longer, json!({"vm": vm}).as_object().cloned().unwrap());
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
        lang::admit_inputs(&runbook, given).unwrap_err()[0].to_string()
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
