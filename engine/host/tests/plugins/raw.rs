//! Plugins that no compiler would make: core modules by hand, made into components.

use std::path::Path;

use host::{Error, Host, Limits, Settings};
use runwright_core::Outcome;
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::support::{Bench, lost};

/// What `describe` answers, at 0x500: a plugin `raw` with one action `x`.
const FACTS: &str = r#"
  (data (i32.const 0x400) "raw") (data (i32.const 0x410) "0.1.0") (data (i32.const 0x420) "Raw")
  (data (i32.const 0x430) "x") (data (i32.const 0x440) "{}") (data (i32.const 0x450) "\ff\fe")
  (data (i32.const 0x500)
    "\00\04\00\00" "\03\00\00\00" "\10\04\00\00" "\05\00\00\00" "\20\04\00\00" "\03\00\00\00" "\00\06\00\00" "\01\00\00\00")
  (data (i32.const 0x600)
    "\30\04\00\00" "\01\00\00\00" "\20\04\00\00" "\03\00\00\00" "\40\04\00\00" "\02\00\00\00" "\40\04\00\00" "\02\00\00\00")
"#;

/// A component whose `describe` and `run` have these bodies; `more` is the rest of the module.
fn component(more: &str, describe: &str, run: &str) -> Vec<u8> {
    let verb = |name: &str, body: &str| {
        format!("(func (export \"runwright:plugin/actions@0.1.0#{name}\") (param i32) (result i32) {body})")
    };
    let text = format!(
        r#"(module
  (import "runwright:plugin/clock@0.1.0" "now-ms" (func $now (result i64)))
  (import "runwright:plugin/log@0.1.0" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2) (global $top (mut i32) (i32.const 0x2000)) {FACTS} {more}
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.get $top) (global.set $top (i32.add (global.get $top) (local.get 3))))
  (func (export "runwright:plugin/actions@0.1.0#describe") (result i32) {describe})
  {} {} {})"#,
        verb("plan", "unreachable"),
        verb("run", run),
        verb("verify", "unreachable"),
    );
    // Undo gets more than fits into parameters too.
    let text = text.trim_end_matches(')').to_owned() + ") " + &verb("undo", "unreachable") + ")";
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut resolve = wit_parser::Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("minimal")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

const GOOD: &str = "(i32.const 0x500)";

/// Loads it beside a plugin that works; gives why it can't be used.
async fn refused(bytes: Vec<u8>) -> String {
    let limits = Limits { grace_ms: 100, describe_ms: 500, memory_bytes: 32 << 20, ..Limits::default() };
    let bench = Bench::with(limits).await;
    let (error, ()) = tokio::join!(bench.host.load_bytes("raw.wasm", bytes), bench.assert_works());
    bench.assert_works().await;
    assert_eq!(bench.host.plugins().len(), 1, "it is not offered");
    error.unwrap_err().to_string()
}

#[tokio::test]
async fn a_description_that_never_comes_is_not_waited_for() {
    for (more, describe, limit) in [
        ("", "(loop $again (br $again)) (unreachable)", "was still running after its 500ms"),
        ("", "unreachable", "gave up"),
        ("(func $deeper (call $deeper))", "(call $deeper) (unreachable)", "its stack is full"),
        (
            "(table 1 funcref)",
            "(loop $more (br_if $more (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1)))) (unreachable)",
            "raise table-elements under [limits]",
        ),
        (
            "",
            "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)",
            "raise memory-bytes under [limits]",
        ),
        ("(memory $other 600)", "unreachable", "raise memory-bytes under [limits]"),
        ("(table 200000 funcref)", "unreachable", "raise table-elements under [limits]"),
        ("(func $start unreachable) (start $start)", GOOD, "gave up"),
    ] {
        let why = refused(component(more, describe, "unreachable")).await;
        assert!(
            why.starts_with("plugin raw.wasm did not describe itself: it ") && why.contains(limit),
            "{limit}: {why}"
        );
    }
}

#[tokio::test]
async fn a_description_that_is_none_is_refused() {
    let with = |place: &str, bytes: &str| format!("(data (i32.const {place}) \"{bytes}\")");
    for (what, more) in [
        ("utf-8", with("0x500", "\\50\\04\\00\\00\\02")),
        ("utf-8", with("0x600", "\\50\\04\\00\\00\\02")),
        ("out of bounds", with("0x500", "\\00\\ff\\ff\\ff\\03")),
        ("out of bounds", with("0x51c", "\\ff\\ff\\ff\\00")),
        ("discriminant", with("0x620", "\\09")),
        ("control characters", with("0x410", "\\1b[2J0")),
        ("its name is wrong", with("0x400", "R W")),
        ("no JSON", with("0x440", "{{")),
        ("0 actions", with("0x51c", "\\00")),
    ] {
        let why = refused(component(&more, GOOD, "unreachable")).await;
        assert!(why.contains(what), "{what}: {why}");
    }
}

#[tokio::test]
async fn a_description_that_changes_is_refused() {
    // The version is the time, in letters.
    let letter = |at: u32| {
        format!(
            "(i32.store8 (i32.const {}) (i32.add (i32.const 97) (i32.and (i32.const 15) (i32.wrap_i64 \
             (i64.shr_u (local.get $since) (i64.const {}))))))",
            0x410 + at,
            4 * at
        )
    };
    let letters: String = (0..5).map(letter).collect();
    let describe = format!(
        "(local $since i64) (local.set $since (call $now))
         (loop $wait (br_if $wait (i64.le_u (call $now) (local.get $since)))) {letters} {GOOD}"
    );
    let why = refused(component("", &describe, "unreachable")).await;
    assert!(why.contains("describes itself differently each time"), "{why}");
}

/// `base` and, in the same component, `count` instances of a module of which each has what `module` says.
fn with_instances(base: &[u8], module: &str, count: usize) -> Vec<u8> {
    let sections = |bytes: &[u8]| {
        let mut found = Vec::new();
        let mut at = 8;
        while at < bytes.len() {
            let (mut length, mut shift, mut body) = (0_usize, 0, at + 1);
            loop {
                length |= usize::from(bytes[body] & 0x7f) << shift;
                shift += 7;
                body += 1;
                if bytes[body - 1] & 0x80 == 0 {
                    break;
                }
            }
            found.push((bytes[at], at..body + length));
            at = body + length;
        }
        found
    };
    // Modules are numbered in order, so as many empty ones stand for those of the base, and are left out again.
    let modules = sections(base).iter().filter(|(id, _)| *id == 1).count();
    let instances = format!("(core instance (instantiate {modules}))").repeat(count);
    let text = format!("(component {} (core module {module}) {instances})", "(core module) ".repeat(modules));
    let more = wat::parse_str(&text).unwrap();
    let mut whole = base.to_vec();
    for (_, range) in sections(&more).into_iter().skip(modules) {
        whole.extend_from_slice(&more[range]);
    }
    whole
}

#[tokio::test]
async fn thousands_of_instances_are_refused() {
    let base = component("", GOOD, "unreachable");
    for module in ["(func)", "(memory 1)", "(table 1 funcref)"] {
        let why = refused(with_instances(&base, module, 500)).await;
        assert!(why.contains("instances") && why.contains("under [limits]"), "{module}: {why}");
    }
    let why = refused(with_instances(&base, "(func)", 5000)).await;
    assert!(why.contains("instances count exceeds limit of 1000"), "{why}");
    // Just a few are no harm.
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(Settings::new(folder.path().join("cache"))).unwrap();
    host.load_bytes("raw.wasm", with_instances(&base, "(memory 1)", 5)).await.unwrap();
    let binary = vec![0; (32 << 20) + 1];
    assert!(matches!(host.load_bytes("large.wasm", binary).await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn an_answer_that_is_no_text_is_lost() {
    // At 0x700: a success whose output are two bytes that are no UTF-8.
    let more = r#"(data (i32.const 0x700) "\00\00\00\00" "\50\04\00\00" "\02\00\00\00")"#;
    for (run, what) in [
        ("(i32.const 0x700)", "utf-8"),
        ("(call $log (i32.const 2) (i32.const 0x450) (i32.const 2)) (unreachable)", "utf-8"),
        ("(call $log (i32.const 77) (i32.const 0x400) (i32.const 2)) (unreachable)", "discriminant"),
        ("(call $log (i32.const 2) (i32.const -16) (i32.const 2)) (unreachable)", "out of bounds"),
        ("(i32.const -16)", "out of bounds"),
    ] {
        let mut bench = Bench::new().await;
        let works = bench.plugin;
        bench.plugin = bench.host.load_bytes("raw.wasm", component(more, GOOD, run)).await.unwrap().digest;
        let outcome = bench.run("x", json!({})).await;
        assert!(matches!(&outcome, Outcome::Lost { .. }), "{outcome:?}");
        let why = lost(outcome);
        assert!(why.starts_with("raw/x ") && why.contains(what), "{what}: {why}");
        bench.plugin = works;
        bench.assert_works().await;
    }
}
