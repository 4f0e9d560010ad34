//! What expressions give, read and say when they are wrong.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

mod support;

use script::{Engine, Error, Limits, Outside, Reason, Refusal};
use serde_json::{Value, json};

fn engine() -> Engine {
    Engine::new(Limits::default())
}

fn scope() -> Value {
    json!({
        "inputs": {"vm": "web-1", "count": 3, "ratio": 0.5, "tags": ["a", "b"], "labels": {"zone": "x"}},
        "steps": {
            "test": {"ran": true, "succeeded": false, "failed": true, "output": {"healthy": false}, "error": null},
            "wait-healthy": {"ran": false, "succeeded": false, "failed": false, "output": null, "error": null},
        },
        "run": {"id": "01x", "name": "recover-vm"},
    })
}

fn evaluate(text: &str) -> Result<Value, Error> {
    engine().evaluate(text, &scope())
}

#[test]
fn expressions_give_values() {
    for (text, value) in [
        ("inputs.vm", json!("web-1")),
        (" inputs.tags \n", json!(["a", "b"])),
        ("inputs[\"vm\"]", json!("web-1")),
        ("inputs.count + 1", json!(4)),
        ("inputs.ratio * 2.0", json!(1.0)),
        ("inputs.tags[1]", json!("b")),
        ("inputs.tags[-1]", json!("b")),
        ("inputs.tags.len()", json!(2)),
        ("inputs.tags.len", json!(2)),
        ("inputs", scope()["inputs"].clone()),
        ("!steps.test.succeeded", json!(true)),
        (r#"steps["wait-healthy"].ran"#, json!(false)),
        (r#"steps["wait-healthy"].output?.healthy ?? "unknown""#, json!("unknown")),
        (r#"if steps.test.ran { "image" } else { "restart" }"#, json!("image")),
        (r#"switch inputs.vm { "web-1" => 1, _ => 2 }"#, json!(1)),
        (r#""zone" in inputs.labels"#, json!(true)),
        (r#"inputs.labels.get("rack") ?? "none""#, json!("none")),
        (r#"inputs.vm.starts_with("web") && inputs.vm.len == 5"#, json!(true)),
        (r#"inputs.vm.replace("-", "_").to_upper()"#, json!("WEB_1")),
        (r#""  x ".trim()"#, json!("x")),
        (r#"`vm ${inputs.vm} ${inputs.tags}`"#, json!(r#"vm web-1 ["a", "b"]"#)),
        ("inputs.tags.map(|tag| tag + inputs.count)", json!(["a3", "b3"])),
        ("inputs.tags.filter(|tag| tag != inputs.tags[0])", json!(["b"])),
        (r#"inputs.tags == ["a", "b"] && inputs.labels != #{zone: "y"} && #{a: [1]} == #{a: [1.0]}"#, json!(true)),
        (r#"#{b: inputs.count, a: ()}"#, json!({"a": null, "b": 3})),
        (r#"parse_json("{\"a\": [1, null]}").a"#, json!([1, null])),
        ("inputs.labels.to_json()", json!(r#"{"zone":"x"}"#)),
        ("'x'", json!("x")),
        ("()", json!(null)),
    ] {
        assert_eq!(evaluate(text), Ok(value), "{text}");
    }
}

#[test]
fn a_whole_number_of_64_bits_comes_back_as_it_is() {
    let engine = engine();
    for number in [u64::MAX, i64::MAX as u64 + 1, i64::MAX as u64] {
        let scope = json!({"big": number, "all": [number, {"id": number}], "n": 5, "f": 0.5});
        let gives = |text: &str| engine.evaluate(text, &scope);
        for (text, expected) in [
            ("big", json!(number)),
            ("all", scope["all"].clone()),
            ("all[1].id", json!(number)),
            ("#{ id: big }", json!({"id": number})),
            ("big.to_json()", json!(number.to_string())),
            ("all.to_json()", json!(scope["all"].to_string())),
            ("parse_json(all.to_json())", scope["all"].clone()),
            ("big.to_string()", json!(number.to_string())),
            ("`id ${big}`", json!(format!("id {number}"))),
            ("\"id \" + big", json!(format!("id {number}"))),
            ("big == parse_json(big.to_json()) && all == [big, #{ id: big }] && big in all", json!(true)),
            ("big > n && n < big && big >= n && n <= big && big != n && n != big", json!(true)),
            ("big < n || n > big || big <= n || n >= big || big == n || n == big", json!(false)),
            ("big > f && f < big && big != f && !(big < f || f >= big || big == f)", json!(true)),
        ] {
            assert_eq!(gives(text), Ok(expected), "{text} of {number}");
        }
        assert_eq!(
            engine.resolve(&json!({"a": "${{ big }}", "b": "x${{ big }}"}), &scope).unwrap(),
            json!({
                "a": number, "b": format!("x{number}")
            })
        );
    }
    // What has no exact answer is an error.
    let scope = json!({"big": u64::MAX});
    for text in ["big + 1", "1 + big", "big * 2", "-big"] {
        let error = engine.evaluate(text, &scope).unwrap_err();
        assert!(error.message.contains("above 9223372036854775807, which can only be compared"), "{text}: {error:?}");
    }
}

/// Words of Rhai, and a few that people use as labels.
const WORDS: [&str; 64] = [
    "module",
    "package",
    "default",
    "new",
    "public",
    "protected",
    "match",
    "case",
    "is",
    "with",
    "use",
    "go",
    "await",
    "async",
    "sync",
    "thread",
    "spawn",
    "var",
    "static",
    "shared",
    "goto",
    "exit",
    "super",
    "void",
    "null",
    "nil",
    "yield",
    "value",
    "name",
    "type",
    "job",
    "instance",
    "severity",
    "namespace",
    "pod",
    "container",
    "device",
    "mountpoint",
    "if",
    "else",
    "while",
    "do",
    "until",
    "loop",
    "for",
    "in",
    "continue",
    "break",
    "switch",
    "let",
    "const",
    "fn",
    "private",
    "return",
    "throw",
    "try",
    "catch",
    "true",
    "false",
    "this",
    "eval",
    "import",
    "export",
    "as",
];

#[test]
fn after_a_dot_every_word_is_a_name() {
    let engine = engine();
    for word in WORDS {
        let scope = json!({"inputs": {word: "x", "inner": {word: {word: 1}}, "none": null}});
        let value = |text: String| engine.evaluate(&text, &scope).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value(format!("inputs.{word}")), "x");
        assert_eq!(value(format!("inputs.{word} == \"x\" && true")), true);
        assert_eq!(value(format!("inputs.inner.{word}.{word} + 1")), 2);
        assert_eq!(value(format!("inputs.none?.{word} ?? \"y\"")), "y");
        assert_eq!(value(format!("#{{ a: 1, {word}: inputs.{word} }}.{word}")), "x");
        assert_eq!(value(format!("#{{ {word}: [1, 2], b: 2 }}.{word}[1]")), 2);
        assert_eq!(value(format!("`${{inputs.{word}}}`")), "x");
        let template = json!(format!("a ${{{{ inputs.{word} }}}}"));
        assert_eq!(engine.resolve(&template, &scope), Ok(json!("a x")), "{word}");
        let names = engine.check_script(&format!("let x = inputs.{word};\nx")).unwrap();
        assert_eq!(names.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("inputs.{word}")]);
    }
    // Elsewhere they are what they were, and functions of values are too.
    for (text, expected) in [
        ("if true { 1 } else { 2 }", json!(1)),
        ("let f = |x| x + 1; f.call(1)", json!(2)),
        ("[1, 2].contains(2) && 1 in [1]", json!(true)),
        ("type_of(1) + 1.type_of()", json!("i64i64")),
        ("let m = #{ a: if true { 1 } else { 2 }, b: [1, if true { 3 } else { 4 }] }; m.b[1]", json!(3)),
        ("switch 1 { 1 => \"a\", _ => \"b\" }", json!("a")),
    ] {
        let go = Arc::new(AtomicBool::new(false));
        let ran = engine.run_script(text, &scope(), Duration::from_secs(5), &go, support::Given::new([]));
        assert_eq!(ran, Ok(expected), "{text}");
    }
    for text in ["module", "default + 1", "let new = 1", "import \"x\"", "export x", "[default]", "(match)"] {
        assert!(engine.check_script(text).is_err(), "{text}");
    }
    // One text that ends behind a dot says nothing of the next.
    assert!(engine.check_script("inputs.").is_err());
    assert!(engine.check_script("if true { 1 }").is_ok());
}

#[test]
fn a_default_stands_for_what_is_missing() {
    let scope = json!({
        "inputs": {"labels": {"zone": "x", "empty": ""}},
        "steps": {"a": {"output": {"list": [1]}}, "b": {"output": null}},
        "alarm": {"name": "Down", "labels": {"vm": "web-1", "team": ""}, "annotations": {}},
    });
    let engine = engine();
    for (text, value) in [
        (r#"inputs.labels.rack ?? "none""#, json!("none")),
        (r#"inputs.labels["rack"] ?? "none""#, json!("none")),
        (r#"inputs.labels?.rack ?? "none""#, json!("none")),
        (r#"inputs.labels.zone ?? "none""#, json!("x")),
        (r#"inputs.labels.empty ?? "none""#, json!("")),
        (r#"(inputs.labels.rack ?? "none") == "none""#, json!(true)),
        (r#"inputs.labels.rack ?? inputs.labels.row ?? inputs.labels.zone"#, json!("x")),
        (r#"[1].map(|x| inputs.labels.rack ?? x)"#, json!([1])),
        ("steps.a.output.count ?? 0", json!(0)),
        ("steps.b.output?.count ?? 0", json!(0)),
        ("steps.a.output.more?.count ?? 0", json!(0)),
        (r#"alarm.labels.env ?? "prod""#, json!("prod")),
        (r#"alarm.labels["env"] ?? "prod""#, json!("prod")),
        (r#"alarm.labels?.env ?? "prod""#, json!("prod")),
        (r#"alarm.labels.team ?? "ops""#, json!("ops")),
        (r#"alarm.labels.vm ?? "unknown""#, json!("web-1")),
        (r#"alarm.annotations.summary ?? "none""#, json!("none")),
        (r#""env" in alarm.labels"#, json!(false)),
        (r#"alarm.labels.get("env") ?? "none""#, json!("none")),
    ] {
        assert_eq!(engine.evaluate(text, &scope), Ok(value.clone()), "{text}");
        assert_eq!(engine.resolve(&json!(format!("${{{{ {text} }}}}")), &scope), Ok(value), "{text}");
    }
    let wrong = [
        "inputs.labels.rack",
        "steps.b.output.count ?? 0",
        "steps.a.output.more.count ?? 0",
        "alarm.labels.env",
        "<${{ alarm.labels.env }}>",
        "alarm.annotations.summary + \"x\"",
    ];
    let wrong = wrong.map(|text| match text.contains("${{") {
        true => engine.resolve(&json!(text), &scope).unwrap_err().to_string(),
        false => engine.evaluate(text, &scope).unwrap_err().to_string(),
    });
    insta::assert_snapshot!(wrong.join("\n"), @r#"
    `inputs.labels` has no `rack` (line 1, column 15); it has: zone, empty
    `steps.b.output` is null, so it has no `count` (line 1, column 16); where it may be missing, write `?.count` and give another value with `?? …`
    `steps.a.output.more` is null, so it has no `count` (line 1, column 21); where it may be missing, write `?.count` and give another value with `?? …`
    `alarm.labels` has no `env` (line 1, column 14); where it may be missing, give another value with `?? …`
    `alarm.labels` has no `env` (line 1, column 19); where it may be missing, give another value with `?? …`
    `alarm.annotations` has no `summary` (line 1, column 19); where it may be missing, give another value with `?? …`
    "#);
}

#[test]
fn in_a_condition_a_missing_label_is_empty_as_in_prometheus() {
    let scope = json!({
        "alarm": {"name": "Down", "labels": {"vm": "web-1"}, "annotations": {}},
        "steps": {"a": {"output": {}}},
    });
    let engine = engine();
    for (text, holds) in [
        (r#"alarm.labels.team == "db""#, false),
        (r#"alarm.labels.team != "db""#, true),
        (r#"alarm.labels.team == """#, true),
        (r#"alarm.labels["team"] == """#, true),
        (r#"alarm.labels.team.starts_with("d")"#, false),
        (r#"alarm.labels.team in ["db", "web"]"#, false),
        (r#"alarm.annotations.summary.contains("disk")"#, false),
        (r#"(alarm.labels.env ?? "prod") == "prod""#, true),
        (r#"alarm.labels.vm == "web-1" && alarm.labels.env != "test""#, true),
        (r#""team" in alarm.labels"#, false),
        (r#"alarm.labels.len() == 1"#, true),
    ] {
        assert_eq!(engine.condition(text, &scope), Ok(holds), "{text}");
    }
    for text in [r#"alarm.lables.team == "db""#, r#"alarm.nmae == "x""#, r#"steps.a.output.x == """#] {
        assert_eq!(engine.condition(text, &scope).unwrap_err().reason, Reason::Value, "{text}");
    }
}

#[test]
fn numbers_become_text_as_they_are_written() {
    let scope = json!({"n": [1e20, 100000000000000000000.0, 1e21, 3.0, 0.5, 1e-7, 9007199254740993_i64, -1e18, 1e16]});
    let text = |index: usize| engine().resolve(&json!(format!("${{{{ n[{index}] }}}}!")), &scope).unwrap();
    let all: Vec<Value> = (0..9).map(text).collect();
    let long = "100000000000000000000!";
    let expected = [
        long,
        long,
        "1e+21!",
        "3.0!",
        "0.5!",
        "1e-7!",
        "9007199254740993!",
        "-1000000000000000000!",
        "10000000000000000!",
    ];
    assert_eq!(all, expected);
}

#[test]
fn the_host_of_an_instance() {
    for (text, host) in [("web-1:9100", "web-1"), ("[2001:db8::1]:9100", "2001:db8::1"), ("https://a.b:1/c", "a.b")] {
        let scope = json!({"alarm": {"labels": {"instance": text}}});
        let template = json!("${{ host_of(alarm.labels.instance) }}");
        assert_eq!(engine().resolve(&template, &scope), Ok(json!(host)));
        assert_eq!(engine().evaluate("alarm.labels.instance.host_of()", &scope), Ok(json!(host)));
    }
    let error = evaluate("host_of(\"-oProxyCommand=x:9100\")").unwrap_err();
    insta::assert_snapshot!(error, @r#"there is no host in "-oProxyCommand=x:9100": expected a name or an address, with a port or as a URL"#);
    assert!(evaluate("host_of(1)").is_err());
}

#[test]
fn errors_say_where_and_what_to_do() {
    let shown = |text: &str| match evaluate(text) {
        Err(error) => format!("{}:{} {error}", error.line, error.column),
        Ok(value) => panic!("{text} gave {value}"),
    };
    let texts = [
        "",
        "inputs.vn",
        "inputs.vm.x",
        "steps.tests.ran",
        "steps.wait-healthy.ran",
        r#"steps["wait-healthy"].output.healthy"#,
        "steps.test.output.healthty && true",
        "input.vm",
        "inputs.vm = 1",
        "inputs.vm === 1",
        "inputs.vm ==",
        "inputs.vm == 'web-1'",
        "inputs.count + steps.test.error",
        "inputs.tags[7]",
        "1 +\n  nothing",
        "1/0",
        "9223372036854775807 + 1",
        "sleep(5)",
        "eval(\"1\")",
        "now()",
        "act(\"vm/restart\", #{})",
        "Fn(\"now\").call()",
        "1.0 / 0.0",
        "|x| x",
        "throw \"no\"",
        "inputs.vm.frobnicate(1)",
        "let x = 1",
    ];
    let all: Vec<String> = texts.iter().map(|text| format!("{text:?}\n    {}", shown(text))).collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    ""
        1:1 there is no expression
    "inputs.vn"
        1:8 `inputs` has no `vn` (line 1, column 8); did you mean `vm`?
    "inputs.vm.x"
        1:11 `inputs.vm` is text, so it has no `x` (line 1, column 11)
    "steps.tests.ran"
        1:7 `steps` has no `tests` (line 1, column 7); did you mean `test`?
    "steps.wait-healthy.ran"
        1:7 `steps` has no `wait` (line 1, column 7); `-` is minus: write `steps.wait_healthy`
    "steps[\"wait-healthy\"].output.healthy"
        1:30 `steps["wait-healthy"].output` is null, so it has no `healthy` (line 1, column 30); where it may be missing, write `?.healthy` and give another value with `?? …`
    "steps.test.output.healthty && true"
        1:19 `steps.test.output` has no `healthty` (line 1, column 19); did you mean `healthy`?
    "input.vm"
        1:1 there is no `input` here; did you mean `inputs`?
    "inputs.vm = 1"
        1:11 `=` can't stand here (line 1, column 11); to compare, write `==`
    "inputs.vm === 1"
        1:11 `'===' is not a valid operator. This is not JavaScript! Should it be '=='?` can't stand here (line 1, column 11)
    "inputs.vm =="
        1:13 it ends too soon (line 1, column 13)
    "inputs.vm == 'web-1'"
        1:14 'web-1' is not one character (line 1, column 14); text is written in double quotes: "web-1"
    "inputs.count + steps.test.error"
        1:14 `+` does not work between an integer and null (line 1, column 14); the value may be missing: give one with `?? …`
    "inputs.tags[7]"
        1:13 there is no item 7 in a list of 2 (line 1, column 13)
    "1 +\n  nothing"
        2:3 there is no `nothing` here (line 2, column 3); there are: inputs, steps, run
    "1/0"
        1:2 division by zero: 1 / 0 (line 1, column 2)
    "9223372036854775807 + 1"
        1:21 addition overflow: 9223372036854775807 + 1 (line 1, column 21)
    "sleep(5)"
        1:1 there is no function `sleep` for an integer; use a step with `wait:`
    "eval(\"1\")"
        1:1 `eval` is not available here; nothing outside is reached from here; use a step with `uses:`, or `act(…)` in a script
    "now()"
        1:1 `now` is not available in expressions; only a `script:` has it; other steps read it from that step's output
    "act(\"vm/restart\", #{})"
        1:1 `act` is not available in expressions; a step calls an action: with `uses:`, or with `act(…)` in a `script:`
    "Fn(\"now\").call()"
        1:11 only a script reaches outside (line 1, column 11)
    "1.0 / 0.0"
        1:1 the result is inf, which is not a number
    "|x| x"
        1:1 the result is a function, which can't be kept
    "throw \"no\""
        1:1 `throw` can't stand here
    "inputs.vm.frobnicate(1)"
        1:11 there is no function `frobnicate` for text, an integer (line 1, column 11)
    "let x = 1"
        1:1 `let` can't stand here
    "#);
}

#[test]
fn a_condition_is_true_or_false_and_nothing_else() {
    let engine = engine();
    assert_eq!(engine.condition("inputs.count > 2", &scope()), Ok(true));
    let errors = ["inputs.vm", "inputs.count", "steps.test.error", "inputs.tags"]
        .map(|text| engine.condition(text, &scope()).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @r#"
    expected true or false, found text ("web-1"); compare it, for example with `==` or `!=`
    expected true or false, found a number (3); compare it, for example with `==` or `!=`
    expected true or false, found null; compare it, for example with `==` or `!=`
    expected true or false, found a list (["a","b"]); compare it, for example with `==` or `!=`
    "#);
}

#[test]
fn names_are_what_a_text_reads() {
    let engine = engine();
    let names = |text: &str| {
        let names = engine.check_script(text).unwrap();
        names.iter().map(|read| format!("{read}@{}:{}", read.at.line, read.at.column)).collect::<Vec<_>>().join(" ")
    };
    for (text, expected) in [
        ("inputs.vm", "inputs.vm@1:1"),
        ("steps.a.output.list[inputs.i].x", "steps.a.output.list@1:1 inputs.i@1:21"),
        ("steps[\"a-b\"].ran && !inputs.x.len()", "steps[\"a-b\"].ran@1:1 inputs.x@1:22"),
        ("let inputs = 1;\ninputs + run.id", "run.id@2:10"),
        ("for step in steps { print(step) }", "steps@1:13"),
        ("a?.b?.c", "a.b.c@1:1"),
        ("`${a.b}`", "a.b@1:4"),
        ("fn f(x) { x + 1 } f(a.b)", "a.b@1:21"),
        ("[1].map(|v| v + inputs.n)", "inputs@1:17 inputs.n@1:17"),
        ("let k = 1; [1].map(|v| v + k)", ""),
        ("if a.b { c } else { d.e }", "a.b@1:4 c@1:10 d.e@1:21"),
        ("fn f() { a.b + [1].map(|v| v + a.c) } f()", "a.b@1:10 a@1:32 a.c@1:32"),
        ("print(a.b.len)", "a.b.len@1:7"),
        ("switch a { 1 if b => c, _ => d }", "a@1:8 b@1:17 c@1:22 d@1:30"),
    ] {
        assert_eq!(names(text), expected, "{text}");
    }
    let error = engine.check_script("let a = inputs;\n a.x = 1; inputs.x = 1").unwrap_err();
    assert_eq!((error.line, error.column), (2, 11), "{error}");
}

#[test]
fn templates_keep_types_and_join_text() {
    let engine = engine();
    let template = json!({
        "whole": "${{ inputs.count }}", "padded": " ${{ inputs.count }}", "map": "${{inputs.labels}}",
        "joined": "${{ inputs.vm }}:${{ inputs.ratio }}:${{ steps.test.ran }}", "escaped": "$${{ x }} costs $5",
        "list": ["${{ inputs.tags }}", 1, null, {"deep": "${{ #{a: #{b: 1}} }}"}], "${{ key }}": true,
    });
    let resolved = json!({
        "whole": 3, "padded": " 3", "map": {"zone": "x"},
        "joined": "web-1:0.5:true", "escaped": "${{ x }} costs $5",
        "list": [["a", "b"], 1, null, {"deep": {"a": {"b": 1}}}], "${{ key }}": true,
    });
    assert_eq!(engine.resolve(&template, &scope()), Ok(resolved));
    let once = json!({"inputs": {"text": "${{ inputs.text }}"}});
    assert_eq!(engine.resolve(&json!("<${{ inputs.text }}>"), &once), Ok(json!("<${{ inputs.text }}>")));
    let errors =
        ["a ${{ inputs.tags }}", "a\nb ${{\n inputs.vn }}", "a ${{ steps.test.error }}", "é ${{ 1 + }}", "${{ 1"]
            .map(|text| engine.resolve(&json!(text), &scope()).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @r#"
            a list can't be put into text (line 1, column 6); use `.to_json()`, or let the whole value be one `${{ }}`
            `inputs` has no `vn` (line 3, column 9); did you mean `vm`?
            null can't be put into text (line 1, column 6); give another value with `?? …`, or let the whole value be one `${{ }}`
            it ends too soon (line 1, column 11)
            `${{` without its `}}`; write `$${{` where the text `${{` is meant
            "#);
}

#[test]
fn a_template_gives_only_so_much() {
    let engine = engine();
    let scope = json!({"inputs": {"big": "x".repeat(1024 * 1024)}});
    let error = engine.resolve(&json!("${{ inputs.big }} ".repeat(100)), &scope).unwrap_err();
    assert_eq!(error.reason, Reason::Limit);
    let error = engine.resolve(&json!(vec!["${{ inputs.big }}"; 100]), &scope).unwrap_err();
    assert_eq!(error.reason, Reason::Limit);
}

#[test]
fn large_outputs_of_steps_can_be_read() {
    let scope = json!({"steps": {"a": {"output": {"log": "line\n".repeat(100_000), "n": 1}}}});
    let engine = engine();
    assert_eq!(engine.evaluate("steps.a.output.log.contains(\"line\")", &scope), Ok(json!(true)));
    assert_eq!(engine.evaluate("steps.a.output.log.len", &scope), Ok(json!(500_000)));
    assert_eq!(engine.evaluate("steps.a.output.n + 1", &scope), Ok(json!(2)));
}

/// Hears what a script prints.
struct Prints(Arc<Mutex<Vec<String>>>);

impl Outside for Prints {
    fn act(&mut self, _: &str, _: Value) -> Result<Value, Refusal> {
        Ok(json!(self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len()))
    }

    fn value(&mut self, _: &'static str) -> Result<Value, Refusal> {
        unreachable!()
    }

    fn print(&mut self, text: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text.to_owned());
    }
}

#[test]
fn scripts_run_print_and_end() {
    let engine = engine();
    let run = |source: &str| {
        let (printed, go) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let outside = Box::new(Prints(Arc::clone(&printed)));
        let ran = engine.run_script(source, &scope(), Duration::from_secs(5), &go, outside);
        (ran, std::mem::take(&mut *printed.lock().unwrap()))
    };
    let (ran, printed) = run(
        "let n = 0;\nfor tag in inputs.tags { n += 1; print(`tag ${tag}`); }\nfn twice(x) { x * 2 }\n#{n: twice(n)}",
    );
    assert_eq!((ran, printed), (Ok(json!({"n": 4})), vec!["tag a".to_owned(), "tag b".to_owned()]));
    let (ran, printed) = run("print(1); debug(\"two\"); throw `bad ${inputs.vm}`");
    let error = ran.unwrap_err();
    assert_eq!((error.reason, error.message.as_str()), (Reason::Thrown, "bad web-1"));
    assert_eq!(printed, ["1", "\"two\""]);
    let (ran, printed) = run("print(1); let before = act(\"a/b\"); print(2); [before, act(\"a/b\")]");
    assert_eq!((ran, printed.len()), (Ok(json!([1, 2])), 2), "each is said when it is printed");
    let (ran, printed) = run("loop { print(1); }");
    assert_eq!((ran.unwrap_err().reason, printed.len() > 1_000), (Reason::Limit, true), "whoever hears it bounds it");
}
