//! What the engine sees of a plugin, without an engine.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{
    Action, Change, ChangeKind, Context, Error, ErrorKind, Outcome, Plugin, Preview, Result, Ruling, Verdict,
    checkpoint,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Put {
    /// Where to.
    shelf_name: String,
    #[serde(default)]
    count: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Placed {
    place: u32,
}

fn put(input: Put, context: &Context) -> Result<Outcome<Placed>> {
    if input.shelf_name == "full" {
        return Err(Error::transient("the shelf is full").code("shelf.full"));
    }
    checkpoint::set("place", &input.count)?;
    Outcome::changed(Placed { place: input.count }).with_undo(context.key())
}

fn undo(_: Put, key: Option<String>, _: &Context) -> Result<Outcome<Option<String>>> {
    Ok(Outcome::changed(key))
}

fn verify(_: Put, _: &Context) -> Result<Verdict<Placed>> {
    Ok(match checkpoint::get("place")? {
        Some(place) => Verdict::Happened(Outcome::changed(Placed { place })),
        None => Verdict::NotHappened,
    })
}

fn plan(input: Put, _: &Context) -> Result<Preview> {
    let change = Change::new(ChangeKind::Update, input.shelf_name, "one more").states("0", "1");
    Ok(Preview::new("puts it there").change(change).output(json!({"place": 0})))
}

fn plugin() -> Plugin {
    Plugin::new("shop", "1.2.3", "Keeps shelves")
        .action(
            Action::unsafe_("put", "Puts one on a shelf", put)
                .plan(plan)
                .verify(verify)
                .undo(undo)
                .destructive()
                .defaults(json!({"attempts": 3})),
        )
        .action(Action::read("peek", "Looks", |_: Put, context: &Context| {
            context.config::<Placed>().map(Outcome::unchanged)
        }))
}

fn context() -> Context {
    Context::new("run", "step", "key-1")
}

#[test]
fn describes_itself_with_schemas_of_its_types() {
    let info = runwright_sdk::__export::describe(&plugin());
    assert_eq!((info.name.as_str(), info.version.as_str()), ("shop", "1.2.3"));
    let put = &info.actions[0];
    let input: serde_json::Value = serde_json::from_str(&put.input_schema).unwrap();
    assert_eq!(input["properties"]["shelf-name"]["description"], "Where to.");
    assert_eq!(input["required"], json!(["shelf-name"]));
    assert_eq!(input["additionalProperties"], false);
    assert!(put.has_plan && put.has_verify && put.has_undo && put.destructive);
    assert_eq!(put.defaults.as_deref(), Some(r#"{"attempts":3}"#));
    let peek = &info.actions[1];
    assert!(!peek.has_plan && !peek.has_verify && !peek.has_undo && !peek.destructive);
}

#[test]
fn an_outcome_carries_output_and_undo_data_as_json() {
    let answer = plugin().run("put", r#"{"shelf-name":"a","count":7}"#, &context()).unwrap();
    assert_eq!(answer.output, r#"{"place":7}"#);
    assert!(answer.changed);
    let data = answer.undo.as_deref();
    assert_eq!(data, Some(r#""key-1""#));
    let undone = plugin().undo("put", r#"{"shelf-name":"a"}"#, data, &context()).unwrap();
    assert_eq!(undone.output, r#""key-1""#);
    let blind = plugin().undo("put", r#"{"shelf-name":"a"}"#, None, &context()).unwrap();
    assert_eq!(blind.output, "null");
}

#[test]
fn bad_input_is_told_with_its_place() {
    for (input, tells) in [
        (r#"{"count":1}"#, "missing field `shelf-name`"),
        (r#"{"shelf-name":"a","extra":1}"#, "unknown field `extra`"),
        (r#"{"shelf-name":5}"#, "expected a string at line 1 column 15"),
        ("", "EOF"),
    ] {
        let error = plugin().run("put", input, &context()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(tells), "{error}");
    }
}

#[test]
fn an_unknown_action_and_a_lacking_function_are_told() {
    let error = plugin().run("nothing", "{}", &context()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownAction);
    let error = plugin().verify("peek", "{}", &context()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownAction);
}

#[test]
fn verify_reads_what_an_earlier_attempt_noted() {
    let input = r#"{"shelf-name":"a","count":3}"#;
    assert_eq!(plugin().verify("put", input, &context()).unwrap(), Ruling::NotHappened);
    plugin().run("put", input, &context()).unwrap();
    let Ruling::Happened(answer) = plugin().verify("put", input, &context()).unwrap() else {
        panic!("it did happen");
    };
    assert_eq!(answer.value().unwrap(), json!({"place": 3}));
}

#[test]
fn a_preview_keeps_its_changes() {
    let preview = plugin().plan("put", r#"{"shelf-name":"a"}"#, &context()).unwrap();
    assert_eq!(preview.changes[0].subject, "a");
    assert_eq!(preview.output, Some(json!({"place": 0})));
}

#[test]
fn a_missing_or_wrong_configuration_is_told() {
    let input = r#"{"shelf-name":"a"}"#;
    let error = plugin().run("peek", input, &context()).unwrap_err();
    assert_eq!(error.code_text(), Some("config.missing"));
    let error = plugin().run("peek", input, &context().with_config("{}")).unwrap_err();
    assert_eq!(error.code_text(), Some("config.invalid"));
    let with = context().with_config(r#"{"place":4}"#);
    assert_eq!(plugin().run("peek", input, &with).unwrap().output, r#"{"place":4}"#);
}

#[test]
fn nothing_happened_does_not_hold_after_an_effect() {
    assert_eq!(Error::transient("no").after_effect().kind(), ErrorKind::Partial);
    assert_eq!(Error::unknown_outcome("?").after_effect().kind(), ErrorKind::UnknownOutcome);
}
