//! The functions that there are, names with dashes, and what an error says of a failed action.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed")]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use script::{Engine, Limits, Outside, Reason, Refusal, Thrown};
use serde_json::{Value, json};

fn engine() -> Engine {
    Engine::new(Limits::default())
}

/// What is wrong with the calls of a script, one a line.
fn wrong(source: &str) -> String {
    let engine = engine();
    let names = engine.check_script(source).unwrap();
    engine.wrong_calls(&names).map(|error| error.to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_wrong_call_is_told_with_its_place_and_how_to_mend_it() {
    insta::assert_snapshot!(wrong("let a = [1];\na.leng() + a.len(2) + frob(1)\n"), @r"
    there is no function `leng` (line 2, column 3); did you mean `len`?
    `.len` takes nothing, and is given 1 (line 2, column 14)
    there is no function `frob` (line 2, column 23); did you mean `crop`?
    ");
    // A run whose script never gets there goes on: it is no error of compiling.
    let ran = engine().run_script(
        "if false { frob(1) } else { 7 }",
        &json!({}),
        Duration::from_secs(5),
        &Arc::new(AtomicBool::new(false)),
        Box::new(Refused(None)),
    );
    assert_eq!(ran, Ok(json!(7)));
}

#[test]
fn the_functions_are_those_that_can_be_called() {
    let functions = engine().functions();
    let names: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    for name in ["host_of", "to_json", "act", "len", "split", "reduce", "parse_int", "type_of"] {
        assert!(names.contains(&name), "{name}");
    }
    for name in ["eval", "+", "import", "sleep", "timestamp"] {
        assert!(!names.contains(&name), "{name}");
    }
}

#[test]
fn an_underscore_behind_a_dot_stands_for_a_dash() {
    let scope = json!({"inputs": {"older-than": 3, "a_b": 1, "a-b": 2}, "steps": {"x-y": {"output": {"p-q": 4}}}});
    let evaluate = |text: &str| engine().evaluate(text, &scope);
    for (text, value) in [
        ("inputs.older_than", json!(3)),
        ("inputs.older_than + inputs[\"older-than\"]", json!(6)),
        ("inputs.a_b", json!(1)),
        ("inputs[\"a-b\"]", json!(2)),
        ("inputs.none_such ?? 7", json!(7)),
        ("steps.x_y.output[\"p-q\"]", json!(4)),
        ("[1].map(|x| x + inputs.older_than)", json!([4])),
        ("steps.keys()", json!(["x-y"])),
    ] {
        assert_eq!(evaluate(text), Ok(value), "{text}");
    }
    // Only names of inputs and steps are people's own: what an action gives is read as it is.
    assert!(evaluate("steps.x_y.output.p_q").is_err());
    assert!(evaluate("inputs.older").unwrap_err().to_string().contains("write `inputs.older_than`"));
}

/// An outside that answers every action with this failure.
struct Refused(Option<Refusal>);

impl Outside for Refused {
    fn act(&mut self, _: &str, _: Value) -> Result<Value, Refusal> {
        self.0.clone().map_or(Ok(Value::Null), Err)
    }

    fn print(&mut self, _: &str) {}

    fn value(&mut self, _: &'static str) -> Result<Value, Refusal> {
        Ok(json!(0))
    }
}

fn refused(source: &str) -> Result<Value, script::Error> {
    let refusal = Refusal::Failed { kind: "denied".into(), message: "not granted".into(), code: Some("x.1".into()) };
    let cancel = Arc::new(AtomicBool::new(false));
    engine().run_script(source, &json!({}), Duration::from_secs(5), &cancel, Box::new(Refused(Some(refusal))))
}

#[test]
fn what_a_script_catches_is_a_map_of_kind_message_and_code() {
    let caught =
        refused("try { act(\"x/y\") } catch (e) { return #{ kind: e.kind, message: e.message, code: e.code }; }");
    assert_eq!(caught, Ok(json!({"code": "x.1", "kind": "denied", "message": "not granted"})));
}

#[test]
fn an_error_of_a_script_names_the_line_of_the_file_also_of_a_call() {
    let error = refused("let a = 1;\n\n  act(\"x/y\");\n").unwrap_err();
    assert_eq!(error.reason, Reason::Thrown);
    assert_eq!(error.thrown, Some(Thrown { kind: "denied".into(), code: Some("x.1".into()) }));
    assert_eq!(error.in_file(10), "not granted (line 12 of the runbook)");
    let error = refused("fn f() {\n  act(\"x/y\")\n}\nf()").unwrap_err();
    assert_eq!(error.in_file(1), "not granted (line 2 of the runbook)");
    let error = refused("let a = #{};\na.b").unwrap_err();
    assert!(error.in_file(5).contains("(line 6 of the runbook)"), "{}", error.in_file(5));
    let error = refused("throw \"no\"").unwrap_err();
    assert_eq!(error.in_file(5), "no (line 5 of the runbook)");
    assert_eq!(error.thrown, None);
    let error = refused("try { act(\"x/y\") } catch (e) { throw e }").unwrap_err();
    assert_eq!(error.thrown.map(|thrown| thrown.kind), Some("denied".to_owned()));
}

#[test]
fn the_page_about_the_language_lists_the_functions_that_there_are() {
    let page = include_str!("../../../docs/runbook.md");
    let (_, section) = page.split_once("\n## Functions\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|line| line.split(" | ").next());
    let mut told: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    told.sort_unstable();
    let functions = engine().functions();
    let names: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    let of_language = ["call", "curry"];
    let missing: Vec<&&str> = names.iter().filter(|name| !told.contains(name)).collect();
    let unknown: Vec<&&str> = told.iter().filter(|name| !names.contains(name) && !of_language.contains(name)).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "the page lacks {missing:?}, and there are no {unknown:?}");
    let mut twice = told.clone();
    twice.dedup();
    assert_eq!(told, twice, "each function has one row");
}

#[test]
fn a_template_says_what_it_reads() {
    let template =
        json!({ "a": ["x ${{ inputs.vm }}"], "b": "${{ steps.look_up.output.n + item }}", "c": "$${{ run.id }}" });
    let names = engine().reads(&template).unwrap();
    assert!(["inputs", "item", "steps"].iter().all(|variable| names.reads(variable)), "{names:?}");
    assert!(!names.reads("run"), "{names:?}");
    assert_eq!(names.entries("steps").unwrap(), ["look_up", "look-up"]);
    assert_eq!(names.entries("run").unwrap(), [""; 0]);
    let any = engine().reads(&json!("${{ steps[inputs.which].output }}")).unwrap();
    assert_eq!(any.entries("steps"), None, "which of them is known only when it runs");
    assert_eq!(engine().reads(&json!("${{ 1 + }}")), None);
}

#[test]
fn a_name_of_6_underscores_stands_for_64_and_one_of_7_for_any() {
    let entries =
        |name: &str| engine().reads(&json!(format!("${{{{ steps.{name}.output }}}}"))).unwrap().entries("steps");
    let names = entries("a_b_c_d_e_f_g").unwrap();
    assert_eq!(names.len(), 64);
    assert!(["a_b_c_d_e_f_g", "a-b-c-d-e-f-g", "a-b_c-d_e_f-g"].iter().all(|name| names.contains(&(*name).to_owned())));
    assert_eq!(entries("a_b_c_d_e_f_g_h"), None);
}
