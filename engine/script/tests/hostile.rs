//! Texts that want to run for ever, take all memory or end the process: each ends soon, with an error that says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

mod support;

use script::{Engine, Error, Limits, Reason};
use serde_json::{Value, json};

fn run(engine: &Engine, source: &str) -> Result<Value, Error> {
    engine.run_script(
        source,
        &json!({"inputs": {"n": 1}}),
        Duration::from_millis(600),
        &Arc::new(AtomicBool::new(false)),
        support::Given::new([]),
    )
}

/// Megabytes that this process held at most so far; 0 where the system does not say.
fn peak_mb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
    peak.unwrap_or(0) / 1024
}

/// Each source with a part of the error that ends it; an empty part where any end is right, as long as it is soon.
const SOURCES: &[(&str, &str)] = &[
    ("loop {}", "too many operations"),
    ("while true { let x = 1; }", "too many operations"),
    ("for i in 0..9223372036854775807 {}", "too many operations"),
    ("let s = \"x\"; loop { s += s; }", "text grows too large"),
    ("let s = \"x\"; loop { s = s + s; }", "text grows too large"),
    ("let s = `x`; loop { s = `${s}${s}`; }", "text grows too large"),
    ("let a = [1]; loop { a += a; }", "list grows too large"),
    ("let a = [1]; loop { a.push(a); }", "list grows too large"),
    ("let a = [1]; loop { a = [a, a]; }", "list grows too large"),
    ("let a = [1]; loop { a.append(a); }", "list grows too large"),
    ("let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }", "map grows too large"),
    ("let m = #{a: 1}; loop { m = #{a: m, b: m}; }", "map grows too large"),
    ("let s = \"\"; s.pad(60000, 'x'); let m = #{}; let i = 0; loop { m[s + i] = 1; i += 1; }", ""),
    ("let s = \"\"; s.pad(60000, 'x'); let l = []; loop { l.push(s); }", "text grows too large"),
    ("let s = \"\"; s.pad(4000000000, 'x');", "text grows too large"),
    ("let s = \"\"; s.pad(4000000000, \"xyz\");", "text grows too large"),
    ("let a = []; a.pad(4000000000, 0);", "list grows too large"),
    ("let s = \"\"; s.pad(60000, 'a'); s.replace(\"a\", s)", "text grows too large"),
    ("let s = \"\"; s.pad(60000, 'a'); s.replace('a', s)", "text grows too large"),
    ("let s = \"\"; s.pad(60000, 'a'); s.split(\"\")", "list grows too large"),
    ("let s = \"\"; s.pad(60000, 'a'); s.to_chars()", "list grows too large"),
    ("let b = blob(8000000000);", "no function `blob`"),
    ("let b = \"x\".to_blob(); loop { b += b; }", ""),
    ("fn f(x) { f(x + 1) } f(0)", "calls nest too deeply"),
    ("fn f(x) { g(x) } fn g(x) { f(x) } f(0)", "calls nest too deeply"),
    ("let f = |x, f| f.call(x, f); f.call(1, f)", "calls nest too deeply"),
    ("let x = |f| [1].map(|y| f.call(f)); x.call(x)", ""),
    ("eval(\"loop {}\")", "`eval` is not available"),
    ("import \"std\" as x;", "`import` is not available"),
    ("loop { now(); }", "too often"),
    ("loop { try { uuid(); } catch { continue; } }", "too often"),
    ("sleep(3600)", "no function `sleep`"),
    ("timestamp()", "no function `timestamp`"),
    ("exit(1)", "no function `exit`"),
    ("open_file(\"/etc/passwd\")", "no function `open_file`"),
    ("try { loop {} } catch { 1 }", "too many operations"),
    ("loop { try { throw 1; } catch { continue; } }", "too many operations"),
    ("let a = []; loop { a.insert(0, a.len()); }", ""),
    ("let a = []; a.pad(4000, 1); loop { a.sort(|x, y| x - y); }", ""),
    ("let a = []; a.pad(4000, 1); loop { a.reverse(); a == a; }", ""),
    ("let s = \"\"; s.pad(60000, 'a'); loop { s.contains(\"aaaaaaaab\"); s.to_upper(); }", ""),
    ("let s = \"\"; s.pad(60000, '['); parse_json(s)", "no JSON"),
    ("let s = \"\"; s.pad(60000, '9'); parse_json(s)", ""),
    ("let s = \"\"; s.pad(60000, '9'); s.parse_int()", ""),
    ("print(\"\".pad(60000, 'x')); loop { print(1); debug(2); }", ""),
    ("2 ** 100000", "overflow"),
    ("1 << 1000000", ""),
    ("let n = 0; switch n { 0..9223372036854775807 => { loop {} } }", "too many operations"),
    ("1.0 / 0.0", "not a number"),
    ("call(\"x\")", ""),
    ("Fn(\"eval\").call(\"1\")", ""),
    ("this", "this"),
    ("fn f() { loop { let x = this; } } let m = #{}; m.f()", "`this` is not available"),
];

#[test]
fn each_ends_soon_with_an_error_that_says_why() {
    let engine = Engine::new(Limits::default());
    for (source, expected) in SOURCES {
        let begin = Instant::now();
        let ran = run(&engine, source);
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(1500), "{source}: {took:?}");
        match ran {
            Err(error) => {
                let slow = error.reason == Reason::Timeout;
                assert!(slow || error.to_string().contains(expected), "{source}: {error}");
            }
            Ok(value) => assert!(expected.is_empty(), "{source}: {}", value.to_string().len()),
        }
    }
    assert!(peak_mb() < 400, "{} MB", peak_mb());
}

/// Rhai itself bounds every value but not their sum, nor the keys of maps.
#[test]
fn many_large_values_do_not_add_up() {
    let engine = Engine::new(Limits::default());
    let grow = "let m = #{}; let s = \"\"; s.pad(60000, 'x'); let i = 0;";
    let names = (0..100).map(|n| format!("let v{n} = m;")).collect::<String>();
    let assigned = (0..100).map(|n| format!("let v{n} = 0;")).collect::<String>()
        + (0..100).map(|n| format!("v{n} = m;")).collect::<String>().as_str();
    for source in [
        format!("{grow} loop {{ m[s + i] = 1; i += 1; }}"),
        format!("{grow} while i < 250 {{ m[s + i] = 1; i += 1; }} {names}"),
        format!("{grow} while i < 250 {{ m[s + i] = 1; i += 1; }} {assigned}"),
        format!("{grow} while i < 250 {{ m[s + i] = 1; i += 1; }} let l = []; loop {{ l.push(m); }}"),
        format!(
            "{grow} while i < 250 {{ m[s + i] = 1; i += 1; }} fn f(x, n) {{ {} f(x, n + 1) }} f(m, 0)",
            "let a = x; let b = x;"
        ),
        format!("{grow} while i < 200 {{ m[s + i] = 1; i += 1; }} [{}]", "m,".repeat(200)),
        format!(
            "{grow} while i < 200 {{ m[s + i] = 1; i += 1; }} #{{{}}}",
            (0..200).map(|n| format!("k{n}: m,")).collect::<String>()
        ),
    ] {
        let begin = Instant::now();
        let ran = run(&engine, &source);
        assert!(begin.elapsed() < Duration::from_millis(2500), "{source}: {:?}", begin.elapsed());
        let error = ran.map(|value| value.to_string().len()).unwrap_err();
        assert!(matches!(error.reason, Reason::Limit | Reason::Timeout), "{source}: {error}");
        assert!(peak_mb() < 600, "{} MB after {source}", peak_mb());
    }
}

/// What walks through data must not overflow the stack, whatever does the walking; threads of tests have 2 MiB.
#[test]
fn deep_data_does_not_overflow_the_stack() {
    let engine = Engine::new(Limits::default());
    for walk in [
        "a",
        "a.to_string()",
        "a.to_debug()",
        "`${a}`",
        "\"\" + a",
        "print(a)",
        "debug(a)",
        "a == a",
        "a != a",
        "a.to_json()",
        "let b = a; b.push(1); b.len()",
        "a in [a]",
        "[a].index_of(a)",
        "[a, a].dedup()",
        "[a, a].sort()",
        "#{a: a}.to_json()",
        "#{a: a} == #{a: a}",
        "#{a: a}.to_string()",
        "throw a",
        "let f = |x| x; f.call(a)",
        "let f = Fn(\"print\").curry(a); f.call()",
        "switch a { [] => 1, _ => 2 }",
        "type_of(a)",
        "a.map(|x| x)",
        "a.flatten()",
    ] {
        // As deep as is allowed; as deep as it gets between two measurements; deeper.
        for (open, close) in [("[", "]"), ("#{x: ", "}")] {
            let many = format!("{}a{}", open.repeat(28), close.repeat(28));
            let grow = [(100, format!("{open}a{close}")), (28, many), (3_000, format!("{open}a{close}"))];
            for (times, more) in grow {
                let _ = run(&engine, &format!("let a = 1; for i in 0..{times} {{ a = {more}; }} {walk}"));
            }
        }
    }
    // The most calls inside calls, each as deep in an expression as one can be.
    for (open, close) in
        [("(1 + ", ")"), ("[", "]"), ("#{a: ", "}"), ("if true { ", " } else { 0 }"), ("[0].map(|y| ", ")")]
    {
        let body = format!("{}f(x + 1){}", open.repeat(14), close.repeat(14));
        assert!(run(&engine, &format!("fn f(x) {{ {body} }} f(0)")).is_err(), "{open}");
    }
    for nested in ["(", "[", "{", "#{a:", "!", "-", "if true {", "|x|", "f(", "a.", "a[", "`${"] {
        let text = nested.repeat(20_000 / nested.len());
        assert!(engine.check_script(&text).is_err() && engine.check_expression(&text).is_err(), "{nested}");
        let text = format!("a{}", " + a".repeat(10_000));
        let _ = engine.check_expression(&text);
        let text = format!("a{}", ".a".repeat(10_000));
        let _ = engine.evaluate(&text, &json!({"a": 1}));
    }
}

#[test]
fn a_script_stops_when_it_is_cancelled_and_at_its_deadline() {
    let limits = Limits { script_operations: u64::MAX, ..Limits::default() };
    let engine = Engine::new(limits);
    let cancel = Arc::new(AtomicBool::new(false));
    let error = engine
        .run_script("loop {}", &json!({}), Duration::from_millis(50), &cancel, support::Given::new([]))
        .unwrap_err();
    assert_eq!(error.reason, Reason::Timeout);
    let other = Arc::clone(&cancel);
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        other.store(true, Ordering::Relaxed);
    });
    let error = engine
        .run_script("loop {}", &json!({}), Duration::from_secs(30), &cancel, support::Given::new([]))
        .unwrap_err();
    assert_eq!(error.reason, Reason::Cancelled);
    canceller.join().unwrap();
}

#[test]
fn long_texts_are_refused() {
    let engine = Engine::new(Limits::default());
    let error = engine.check_script(&" ".repeat(70_000)).unwrap_err();
    assert_eq!((error.reason, error.message.as_str()), (Reason::Limit, "it is longer than 64 KiB"));
}
