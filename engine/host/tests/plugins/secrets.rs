//! A plugin that shouts its secret in every spelling is heard to say `[secret NAME]`.

use std::fs;

use host::{Call, Reply, Verb};
use runwright_core::{Note, Outcome};
use serde_json::json;

use crate::support::{Bench, outcome};

const SECRET: &str = "hunter22 & co/ü";

/// The secret in spellings of this test's own, not the host's.
const SPELLINGS: [&str; 9] = [
    SECRET,
    "aHVudGVyMjIgJiBjby",
    "h1bnRlcjIyICYgY28v",
    "odW50ZXIyMiAmIGNvL",
    "hunter22%20%26%20co%2F",
    "68756e74657232322026",
    "68756E74657232322026",
    "\\u0068\\u0075\\u006e\\u0074",
    "hunter22",
];

fn assert_silent(what: &str, text: &str) {
    for spelling in SPELLINGS {
        assert!(!text.contains(spelling), "{what} has {spelling}: {text}");
    }
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    fs::write(bench.path("token"), format!("{SECRET}\n")).unwrap();
    bench.grant("secrets = { token = { file = 'FOLDER/token' } }");
    bench
}

/// What a call of this verb came to, and all that it told, as text.
async fn heard(bench: &Bench, verb: Verb, how: &str) -> (Reply, String) {
    let input = json!({"secret": "token", "how": how, "note": true});
    let reply = bench.perform(bench.call(verb, "leak", input)).await;
    let notes = bench.told.notes.lock().unwrap();
    let bytes: Vec<String> = notes
        .iter()
        .map(|note| match note {
            Note::Checkpoint { key, value } => {
                format!("{key} {}", String::from_utf8_lossy(value.as_deref().unwrap_or(&[])))
            }
            other => format!("{other:?}"),
        })
        .collect();
    let told = format!("{}\n{:?}\n{bytes:?}", bench.told.text(), bench.told.progress_notes.lock().unwrap());
    (reply, told)
}

#[tokio::test]
async fn nothing_that_a_call_gives_or_tells_holds_its_secret() {
    for (verb, how) in [
        (Verb::Run, "answer"),
        (Verb::Run, "error"),
        (Verb::Run, "unknown"),
        (Verb::Run, "panic"),
        (Verb::Run, "not-json"),
        (Verb::Undo, "answer"),
        (Verb::Plan, "answer"),
        (Verb::Verify, "answer"),
    ] {
        let bench = bench().await;
        let (reply, told) = heard(&bench, verb, how).await;
        let shown = format!("{reply:?}");
        assert_silent(how, &shown);
        assert_silent(how, &told);
        assert!(shown.contains("[secret token]"), "{verb:?} {how}: {shown}");
        if verb == Verb::Run {
            assert!(told.contains("it is [secret token]") && told.contains("now [secret token]"), "{told}");
            assert!(told.contains("of [secret token]"), "the checkpoint: {told}");
            assert!(told.matches("[secret token]").count() > 30, "{told}");
        }
        if let Reply::Outcome(Outcome::Succeeded(answer)) = reply {
            let undo = answer.undo_data.unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(&undo).is_ok(), "undo can read it: {undo}");
        }
    }
}

#[tokio::test]
async fn a_secret_of_one_plugin_is_hidden_from_what_others_say_and_before_it_was_asked_for() {
    let bench = bench().await;
    let entry = toml::from_str(&format!("[grants]\nsecrets = {{ other = {{ file = '{}' }} }}", bench.path("other")));
    fs::write(bench.path("other"), "known to another").unwrap();
    bench.host.set_grants("another", &entry.unwrap(), None).unwrap();
    let echoed = bench.run("echo", json!({"value": ["known to another", SECRET]})).await;
    let Outcome::Succeeded(answer) = echoed else { panic!("{echoed:?}") };
    assert_eq!(answer.output["value"], json!(["[secret other]", "[secret token]"]));
    // A value that was given stays secret when the file has a new one.
    bench.run("leak", json!({"secret": "token"})).await;
    fs::write(bench.path("token"), "a new value").unwrap();
    bench.run("leak", json!({"secret": "token"})).await;
    let Outcome::Succeeded(answer) = bench.run("echo", json!({"value": [SECRET, "a new value"]})).await else {
        panic!()
    };
    assert_eq!(answer.output["value"], json!(["[secret token]", "[secret token]"]));
}

#[tokio::test]
async fn a_refusal_holds_no_secret_of_what_is_refused() {
    let bench = bench().await;
    let ask = |capability: &str, subject: String| json!({"capability": capability, "subject": subject});
    bench.run("leak", json!({"secret": "token"})).await;
    for (capability, subject) in [
        ("exec", format!("/bin/{SECRET}")),
        ("unix", format!("/run/{SECRET}")),
        ("http", format!("http://127.0.0.1/{SECRET}")),
        ("secret", SECRET.to_owned()),
        ("files", format!("/etc/{SECRET}")),
    ] {
        let call = Call { ..bench.call(Verb::Run, "deny", ask(capability, subject)) };
        let refused = outcome(bench.perform(call).await);
        assert!(matches!(refused, Outcome::Failed(_)), "{refused:?}");
        assert_silent(capability, &format!("{refused:?}"));
    }
    assert_silent("the log", &bench.told.text());
}
