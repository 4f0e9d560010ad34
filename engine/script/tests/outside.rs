//! What scripts ask of the world outside, and what they make of its answers.

mod support;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use script::{Engine, Error, Limits, Outside, Reason, Refusal};
use serde_json::{Value, json};
use support::Given;

fn run_with(outside: Box<dyn Outside>, source: &str) -> Result<Value, Error> {
    let scope = json!({"inputs": {"vm": "web-1"}});
    let cancel = Arc::new(AtomicBool::new(false));
    Engine::new(Limits::default()).run_script(source, &scope, Duration::from_millis(300), &cancel, outside)
}

fn run(answers: impl IntoIterator<Item = Result<Value, Refusal>>, source: &str) -> Result<Value, Error> {
    run_with(Given::new(answers), source)
}

fn failed(message: &str) -> Result<Value, Refusal> {
    Err(Refusal::Failed { kind: "transient".into(), message: message.into(), code: None })
}

fn halted(why: &str) -> Result<Value, Refusal> {
    Err(Refusal::Halt(why.into()))
}

#[test]
fn a_script_gets_answers() {
    for (source, value) in [
        (r#"act("vm/restart", #{vm: inputs.vm})"#, json!({"action": "vm/restart", "input": {"vm": "web-1"}})),
        (r#"act("vm/list").input"#, json!({})),
        (r#"let r = act(`vm/list`); act("vm/stop"); r.action"#, json!("vm/list")),
        ("[now(), random(), uuid()]", json!(["now", "random", "uuid"])),
        (r#"fn f(vm) { act("vm/restart", #{vm: vm}) } ["a", "b"].map(|vm| f(vm).input.vm)"#, json!(["a", "b"])),
        ("Fn(\"now\").call()", json!("now")),
        ("let act = 1; let now = 2; act + now", json!(3)),
    ] {
        assert_eq!(run([], source), Ok(value), "{source}");
    }
    assert_eq!(run([Ok(json!(5)), Ok(json!(0.5))], "now() + random()"), Ok(json!(5.5)));
}

#[test]
fn a_failed_action_can_be_caught() {
    let source = "fn f() { act(\"a/b\") }\ntry { f() } catch (e) { return `${e.kind}: ${e.message}` }";
    assert_eq!(run([failed("no route")], source), Ok(json!("transient: no route")));
    let source = "let n = 0;\nwhile n < 3 { n += 1; try { return [n, act(\"a/b\")] } catch { } }";
    assert_eq!(run([failed("no"), failed("no"), Ok(json!("yes"))], source), Ok(json!([3, "yes"])));
    for source in
        ["1;\n act(\"a/b\")", "1;\n try { act(\"a/b\") } catch (e) { throw e }", "1;\n [1].map(|n| act(\"a/b\"))"]
    {
        let error = run([failed("no route")], source).unwrap_err();
        assert_eq!((error.reason, error.message.as_str(), error.line), (Reason::Thrown, "no route", 2), "{source}");
    }
}

#[test]
fn what_halts_a_script_can_not_be_caught() {
    for source in [
        "act(\"a/b\")",
        "now()",
        "try { act(\"a/b\") } catch { 1 }",
        "fn f() { act(\"a/b\") } try { f() } catch { }\n 1",
        "fn f() { act(\"a/b\") } loop { try { f() } catch { } }",
        "try { [1].map(|n| act(\"a/b\")) } catch { 1 }",
        "try { [1].map(|n| act(\"a/b\")) } catch { act(\"a/b\") }",
    ] {
        let error = run([halted("not deterministic"), Ok(json!(1))], source).unwrap_err();
        assert_eq!((error.reason, error.message.as_str()), (Reason::Halted, "not deterministic"), "{source}");
    }
}

#[test]
fn waiting_for_an_action_is_not_the_scripts_time() {
    struct Slow;
    impl Outside for Slow {
        fn act(&mut self, _: &str, input: Value) -> Result<Value, Refusal> {
            std::thread::sleep(Duration::from_millis(400));
            // Whoever answers may evaluate something on the same thread.
            Engine::new(Limits::default()).evaluate("x.n + 1", &json!({"x": input})).map_err(|_| unreachable!())
        }

        fn value(&mut self, _: &'static str) -> Result<Value, Refusal> {
            unreachable!()
        }

        fn print(&mut self, _: &str) {}
    }
    assert_eq!(run_with(Box::new(Slow), "act(\"a/b\", #{n: 1}) + act(\"a/b\", #{n: 2})"), Ok(json!(5)));
}

#[test]
fn calls_are_known_before_the_script_runs() {
    let engine = Engine::new(Limits::default());
    let names = engine.check_script(
        "let r = act(\"vm/list\", #{x: inputs.vm});\nif r.ok { now(); act(`vm/restart`) }\nfn f() { act(\"no name\") }",
    );
    let names = names.unwrap();
    let acts: Vec<_> = names.acts().map(|(action, call)| (action, call.at.line, call.at.column)).collect();
    assert_eq!(acts, [("vm/list", 1, 13), ("vm/restart", 2, 22), ("no name", 3, 14)]);
    let calls: Vec<_> = names.calls().iter().map(|call| call.function.as_str()).collect();
    assert_eq!(calls, ["act", "now", "act", "act"]);
    assert!(engine.check_expression("inputs.now + run.act").unwrap().calls().is_empty());
}

#[test]
fn calls_that_are_wrong() {
    let all = [
        "act(inputs.action, #{})",
        "act(`vm/${inputs.vm}`)",
        "act(\"vm/\" + \"x\")",
        "act()",
        "act(\"a/b\", #{}, 1)",
        "\"a/b\".act(#{})",
        "act(\"a/b\", 5)",
        "act(\"a/b\", #{f: |x| x})",
        "1;\n Fn(\"act\").call(\"a/b\", #{})",
        "now(1)",
        "fn now() { 1 } now()",
        "eval(\"act\")",
        "sleep(1)",
        "timestamp()",
    ];
    let all = all.map(|source| format!("{source:?}\n    {}", run([], source).unwrap_err()));
    insta::assert_snapshot!(all.join("\n"), @r#"
    "act(inputs.action, #{})"
        the action must be a literal text (line 1, column 11); a run keeps the actions that it may call: write each out, and choose with `if` or `switch`
    "act(`vm/${inputs.vm}`)"
        the action must be a literal text (line 1, column 5); a run keeps the actions that it may call: write each out, and choose with `if` or `switch`
    "act(\"vm/\" + \"x\")"
        the action must be a literal text (line 1, column 11); a run keeps the actions that it may call: write each out, and choose with `if` or `switch`
    "act()"
        `act` takes an action and a map of its input; it is called like this: act("vm/restart", #{ vm: inputs.vm })
    "act(\"a/b\", #{}, 1)"
        `act` takes an action and a map of its input; it is called like this: act("vm/restart", #{ vm: inputs.vm })
    "\"a/b\".act(#{})"
        `act` is no function of a value (line 1, column 7); it is called like this: act("vm/restart", #{ vm: inputs.vm })
    "act(\"a/b\", 5)"
        the input of `a/b` is a map, found a number
    "act(\"a/b\", #{f: |x| x})"
        the result is a function, which can't be kept
    "1;\n Fn(\"act\").call(\"a/b\", #{})"
        `a/b` stands in no `act(…)` of this script (line 2, column 12)
    "now(1)"
        `now` takes nothing; write `now()`
    "fn now() { 1 } now()"
        `now` is a function already; take another name
    "eval(\"act\")"
        `eval` is not available here; nothing outside is reached from here; use a step with `uses:`, or `act(…)` in a script
    "sleep(1)"
        there is no function `sleep` for an integer; use a step with `wait:`
    "timestamp()"
        there is no function `timestamp`; a script has `now()`, `random()` and `uuid()`
    "#);
    let large = json!({"log": "x".repeat(100_000)});
    let error = run([Ok(large)], "act(\"a/b\").log.len").unwrap_err();
    assert_eq!(error.reason, Reason::Limit);
    insta::assert_snapshot!(error, @"what the action gave is too large for a script; call it in a step of its own, with `uses:`, and read what is needed of its output");
}

#[test]
fn calls_are_counted() {
    assert_eq!(run([], "for n in 0..1000 { now() }\n 1"), Ok(json!(1)));
    let error = run([], "for n in 0..1001 { now() }\n 1").unwrap_err();
    assert_eq!(
        (error.reason, error.message.as_str()),
        (Reason::Limit, "it calls actions and asks for values too often")
    );
}
