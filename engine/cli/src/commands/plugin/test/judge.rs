//! Whether a call came to what was expected of it.

use host::{Preview, Reply};
use runwright_core::{Answer, Failure, Outcome, Value};

use super::cases::{Expect, Failed, Verdict};
use crate::human::clean;

/// What differs from what is expected, one line each; empty where nothing does.
pub(super) fn judge(expect: &Expect, reply: &Reply, lines: &[String]) -> Vec<String> {
    let mut wrong = match reply {
        Reply::Outcome(Outcome::Succeeded(answer)) => succeeded(expect, answer),
        Reply::Outcome(Outcome::Failed(failure)) | Reply::Verdict(Err(failure)) | Reply::Preview(Err(failure)) => {
            failed(expect, failure)
        }
        Reply::Outcome(Outcome::Lost { reason }) => lost(expect, reason),
        Reply::Verdict(Ok(verdict)) => ruled(expect, verdict),
        Reply::Preview(Ok(preview)) => previewed(expect, preview),
    };
    for part in &expect.log {
        if !lines.iter().any(|line| line.contains(part.as_str())) {
            wrong.push(format!("no log line has {part:?}"));
        }
    }
    wrong
}

/// What should have happened instead of a success, and what only another verb can answer.
fn unfitting(expect: &Expect, came: &str, fits: &[&str]) -> Vec<String> {
    let asked = [
        ("error", expect.error.is_some()),
        ("lost", expect.lost.is_some()),
        ("output", expect.output.is_some()),
        ("changed", expect.changed.is_some()),
        ("undo-data", expect.undo_data.is_some()),
        ("verdict", expect.verdict.is_some()),
        ("summary", expect.summary.is_some()),
        ("changes", expect.changes.is_some()),
    ];
    let wrong = asked.into_iter().filter(|(name, asked)| *asked && !fits.contains(name));
    wrong.map(|(name, _)| format!("`{name}` is expected, but it {came}")).collect()
}

fn succeeded(expect: &Expect, answer: &Answer) -> Vec<String> {
    let came = format!("succeeded with {}", clean(&answer.output.to_string()));
    let mut wrong = unfitting(expect, &came, &["output", "changed", "undo-data"]);
    wrong.extend(compared("output", expect.output.as_ref(), &answer.output));
    if let Some(changed) = expect.changed.filter(|changed| *changed != answer.changed) {
        wrong.push(format!("changed is {}, expected {changed}", answer.changed));
    }
    if expect.undo_data.is_some() && expect.undo_data != answer.undo_data {
        wrong.push(format!("undo-data is {}, expected {}", told(&answer.undo_data), told(&expect.undo_data)));
    }
    wrong
}

fn told(text: &Option<String>) -> String {
    text.as_ref().map_or_else(|| "none".to_owned(), |text| format!("{:?}", clean(text)))
}

fn compared(what: &str, expected: Option<&Value>, found: &Value) -> Option<String> {
    let expected = expected.filter(|expected| *expected != found)?;
    Some(format!("{what} is {}, expected {}", clean(&found.to_string()), clean(&expected.to_string())))
}

fn failed(expect: &Expect, failure: &Failure) -> Vec<String> {
    let came = format!("failed as {}: {}", failure.kind.as_str(), clean(&failure.message));
    let Some(Failed { kind, message, code }) = &expect.error else {
        let mut wrong = unfitting(expect, &came, &[]);
        if wrong.is_empty() {
            wrong.push(format!("it {came}"));
        }
        return wrong;
    };
    let mut wrong = unfitting(expect, &came, &["error"]);
    if let Some(kind) = kind.filter(|kind| *kind != failure.kind) {
        wrong.push(format!(
            "error is {}, expected {}: {}",
            failure.kind.as_str(),
            kind.as_str(),
            clean(&failure.message)
        ));
    }
    if let Some(message) = message.as_ref().filter(|message| !failure.message.contains(message.as_str())) {
        wrong.push(format!("the error says {:?}, expected is {message:?} in it", clean(&failure.message)));
    }
    if code.is_some() && *code != failure.code {
        wrong.push(format!("the error's code is {}, expected {}", told(&failure.code), told(code)));
    }
    wrong
}

fn lost(expect: &Expect, reason: &str) -> Vec<String> {
    let came = format!("did not answer: {}", clean(reason));
    match &expect.lost {
        Some(part) if reason.contains(part.as_str()) => unfitting(expect, &came, &["lost"]),
        Some(part) => vec![format!("it {came}; expected is {part:?} in that")],
        None => vec![format!("it {came}")],
    }
}

fn ruled(expect: &Expect, verdict: &runwright_core::Verdict) -> Vec<String> {
    use runwright_core::Verdict as Ruled;
    let (ruled, word) = match verdict {
        Ruled::Happened(_) => (Verdict::Happened, "happened".to_owned()),
        Ruled::NotHappened => (Verdict::NotHappened, "not-happened".to_owned()),
        Ruled::CannotTell { reason } => (Verdict::CannotTell, format!("cannot-tell: {}", clean(reason))),
    };
    let mut wrong =
        unfitting(expect, &format!("answered {word}"), &["verdict", "output", "changed", "undo-data", "lost"]);
    if expect.verdict.is_some_and(|verdict| verdict != ruled) {
        wrong.push(format!("the verdict is {word}"));
    }
    match verdict {
        Ruled::Happened(answer) => wrong.extend(compared("output", expect.output.as_ref(), &answer.output)),
        // A verify that traps or runs out of time can't tell.
        Ruled::CannotTell { reason } => {
            wrong.extend(expect.lost.as_ref().filter(|part| !reason.contains(part.as_str())).map(|_| word));
        }
        Ruled::NotHappened => {}
    }
    wrong
}

fn previewed(expect: &Expect, preview: &Preview) -> Vec<String> {
    let came = format!("previewed {:?}", clean(&preview.summary));
    let mut wrong = unfitting(expect, &came, &["summary", "changes", "output"]);
    if let Some(part) = expect.summary.as_ref().filter(|part| !preview.summary.contains(part.as_str())) {
        wrong.push(format!("the summary is {:?}, expected is {part:?} in it", clean(&preview.summary)));
    }
    let subjects: Vec<String> = preview.changes.iter().map(|change| change.subject.clone()).collect();
    if let Some(expected) = expect.changes.as_ref().filter(|expected| **expected != subjects) {
        wrong.push(format!("the changes are of {subjects:?}, expected {expected:?}"));
    }
    let output = preview.output.clone().unwrap_or(Value::Null);
    wrong.extend(compared("output", expect.output.as_ref(), &output));
    wrong
}
