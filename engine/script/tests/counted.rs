//! One count of operations, and one sum of bytes, for all that one evaluation does: whatever calls what.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

mod support;

use script::{Engine, Error, Limits, Reason};
use serde_json::{Value, json};

fn run_with(limits: Limits, source: &str) -> Result<Value, Error> {
    let cancel = Arc::new(AtomicBool::new(false));
    let time = Duration::from_secs(60);
    Engine::new(limits).run_script(source, &json!({}), time, &cancel, support::Given::new([]))
}

/// Runs with this many operations.
fn run(operations: u64, source: &str) -> Result<Value, Error> {
    run_with(Limits { script_operations: operations, ..Limits::default() }, source)
}

/// A list of `LENGTH` items, which the sources below call something for.
const LIST: &str = "let l = []; l.pad(400, 1); ";
const LENGTH: u64 = 400;

#[test]
fn closures_and_functions_count_like_everything_else() {
    for source in [
        "l.map(|x| x + 1)",
        "l.map(|x, i| x + i)",
        "l.filter(|x| x == 1)",
        "l.for_each(|x| x + 1); l",
        "l.reduce(|sum, x| sum + x, 0)",
        "l.reduce_rev(|sum, x| sum + x, 0)",
        "l.some(|x| x == 2)",
        "l.all(|x| x == 1)",
        "l.find(|x| x == 2)",
        "l.find_map(|x| if x == 2 { x })",
        "l.index_of(|x| x == 2)",
        "l.retain(|x| x == 1)",
        "l.drain(|x| x == 2)",
        "l.dedup(|x, y| x != y); l",
        "l.sort(|x, y| x - y); l",
        "l.order_by(|x, y| x - y)",
        "l.zip(l, |x, y| x + y)",
        "let f = |x| x + 1; for x in l { f.call(x) } l",
        "fn f(x) { x + 1 } for x in l { f(x) } l",
        "fn f(x) { x + 1 } l.map(Fn(\"f\"))",
        "let t = \"\"; for x in l { t = `${x + 1}` } l",
        "let m = #{}; for i in 0..400 { m[`k${i}`] = 1 } m.map(|k, v| v + 1)",
        "let m = #{}; for i in 0..400 { m[`k${i}`] = 1 } m.filter(|k, v| v == 1)",
        "let m = #{}; for i in 0..400 { m[`k${i}`] = 1 } m.retain(|k, v| v == 1)",
        "[0].map(|y| l.map(|x| x + 1))",
        "try { l.map(|x| x + 1) } catch { 1 }",
        "fn f(l) { l.map(|x| x + 1) } try { f(l) } catch { }",
    ] {
        let source = format!("{LIST}{source}");
        let error = run(LENGTH, &source).expect_err(&source);
        assert_eq!((error.reason, error.message.as_str()), (Reason::Limit, "it takes too many operations"), "{source}");
        assert!(run(LENGTH * 100, &source).is_ok(), "{source}: {:?}", run(LENGTH * 100, &source));
    }
}

/// As it was reported: six million calls in a script that may do a million operations.
#[test]
fn six_million_calls_are_too_many() {
    let source = "let l = []; l.pad(2000, 1); for i in 0..3000 { l.map(|x| x) } 1";
    let error = run_with(Limits::default(), source).unwrap_err();
    assert_eq!((error.reason, error.message.as_str()), (Reason::Limit, "it takes too many operations"));
    let source = "let l = []; l.pad(2000, 1); for i in 0..10 { l.map(|x| x) } 1";
    assert_eq!(run_with(Limits::default(), source), Ok(json!(1)));
}

#[test]
fn the_expressions_of_one_template_share_one_count() {
    let engine = Engine::new(Limits::default());
    let scope = json!({"l": vec![1; 4000]});
    let template = |count: usize| json!(vec!["${{ l.map(|x| x + 1).len() }}"; count]);
    assert!(engine.resolve(&template(1), &scope).is_ok());
    let error = engine.resolve(&template(100), &scope).unwrap_err();
    assert!(matches!(error.reason, Reason::Limit | Reason::Timeout), "{error}");
    // Each value has a text of its own, so that it is no matter of what is compiled already.
    let many: Vec<String> = (0..500).map(|n| format!("${{{{ n + {n} }}}}")).collect();
    assert!(engine.resolve(&json!(many), &json!({"n": 1})).is_ok());
}

#[test]
fn what_closures_give_is_counted_while_it_is_collected() {
    let limits = || Limits { data_bytes: 2 * 1024 * 1024, ..Limits::default() };
    let big = "let s = \"\"; s.pad(60000, 'x'); ";
    for collect in ["l.map(|x| { BIG s })", "l.zip(l, |x, y| { BIG s })", "m.map(|k, v| { BIG s })"] {
        for (count, fits) in [(1, true), (100, false)] {
            let source = format!(
                "let l = []; l.pad({count}, 1); let m = #{{}}; for i in 0..{count} {{ m[`k${{i}}`] = 1 }} {}",
                collect.replace("BIG", big)
            );
            let ran = run_with(limits(), &source);
            match fits {
                true => assert!(ran.is_ok(), "{source}: {ran:?}"),
                false => {
                    let error = ran.expect_err(&source);
                    let message = "its variables hold too much data";
                    assert_eq!((error.reason, error.message.as_str()), (Reason::Limit, message), "{source}");
                }
            }
        }
    }
    // What one of them held is free again for the next.
    let again = "let l = [1, 1, 1]; for i in 0..50 { l.map(|x| { let s = \"\"; s.pad(20000, 'x'); s }).len() } 1";
    assert_eq!(run_with(limits(), again), Ok(json!(1)));
}

#[test]
fn what_closures_capture_counts_too() {
    let error = run_with(Limits::default(), "let f = 1; loop { let g = f; let h = f; f = || [g, h]; }").unwrap_err();
    assert_eq!(error.reason, Reason::Limit, "{error}");
    let error = run_with(Limits::default(), "let f = 1; loop { let g = f; f = || g; }").unwrap_err();
    assert_eq!(error.reason, Reason::Limit, "{error}");
    let grow = "let s = \"\"; s.pad(60000, 'x'); let l = []; let i = 0; loop { i += 1; let t = s + i; l.push(|| t); }";
    let error = run_with(Limits::default(), grow).unwrap_err();
    assert_eq!((error.reason, error.message.as_str()), (Reason::Limit, "its variables hold too much data"));
    assert_eq!(run_with(Limits::default(), "let t = 2; let f = |x| x + t; f.call(1)"), Ok(json!(3)));
}

#[test]
fn calls_that_could_grow_without_being_seen_are_refused() {
    for source in ["let f = |x| x; loop { f = f.curry(f); }", "let f = |x| x; curry(f, f)", "Fn(\"print\").curry(1)"] {
        let error = run_with(Limits::default(), source).unwrap_err();
        assert_eq!(
            (error.reason, error.message.as_str()),
            (Reason::Syntax, "`curry` is not available here"),
            "{source}"
        );
    }
    let error = run_with(Limits::default(), "\"x\".eval(\"1\")").unwrap_err();
    assert_eq!(error.message, "`eval` is not available here");
    for (count, fits) in [(32, true), (33, false)] {
        let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
        let source = format!("fn f({}) {{ 1 }} f({})", names.join(","), vec!["0"; count].join(","));
        assert_eq!(run_with(Limits::default(), &source).is_ok(), fits, "{count}");
    }
}
