use std::collections::BTreeMap;

use daemon::view::{Said, Tale};
use runwright_core::{
    Answer, By, Cause, Digest, Direction, EffectClass, Event, Exit, Failure, FailureKind, Key, Map, Outcome, Pin,
    Record, RunId, RunStatus, Runbook, Settlement, SkipReason, Stream, Timestamp, Value, Verdict,
};
use serde_json::json;

use super::story::{Line, Story};
use super::summary::{grouped, summary};
use super::view::plain;
use crate::screen::{Color, Format, Screen};

/// A run that tests make up, record by record.
struct Told {
    story: Story,
    seq: u64,
    at: u64,
    lines: Vec<String>,
}

fn id() -> RunId {
    RunId::new(Timestamp::from_millis(1), [0; 10])
}

fn runbook(steps: &[(&str, u32, &str)]) -> Runbook {
    let step = |(id, attempts, on_failure): &(&str, u32, &str)| {
        json!({
            "id": id,
            "work": {"action": {"action": "fixture/act", "with": {}}},
            "timeout-ms": 1000,
            "retry": {"attempts": attempts, "delay-ms": 5000, "backoff": 2.0, "max-delay-ms": 60000},
            "on-failure": on_failure,
            "on-unknown": "ask",
            "idempotent": false,
            "always": false,
        })
    };
    let steps: Vec<Value> = steps.iter().map(step).collect();
    let runbook = json!({"name": "r", "description": "", "inputs": {}, "on": [], "steps": steps, "outputs": {}});
    serde_json::from_value(runbook).unwrap()
}

impl Told {
    fn new(steps: &[(&str, u32, &str)], has_verify: bool) -> Self {
        let runbook = runbook(steps);
        let pin = Pin {
            plugin: Digest::of(b"p"),
            effect: EffectClass::Unsafe,
            destructive: false,
            has_verify,
            has_undo: true,
            undo_safe_if_not_run: false,
        };
        let event = Event::Created {
            runbook: runbook.source().0,
            name: runbook.name.clone(),
            inputs: Map::new(),
            pins: BTreeMap::from([("fixture/act".parse().unwrap(), pin)]),
            cause: Cause::Person { by: by("") },
            lock: None,
        };
        let mut told = Self { story: Story::default(), seq: 0, at: 0, lines: Vec::new() };
        told.story.hear(Tale::Runbook(Box::new(runbook))).unwrap();
        told.event(event)
    }

    fn event(mut self, event: Event) -> Self {
        (self.seq, self.at) = (self.seq + 1, self.at + 1200);
        let record = Record { run: id(), seq: self.seq, at: Timestamp::from_millis(self.at), event };
        let lines = self.story.hear(Tale::Record(Box::new(record))).unwrap();
        self.lines.extend(lines.iter().filter_map(plain));
        self
    }

    fn started(self, step: &str, attempt: u32, direction: Direction) -> Self {
        self.event(Event::Started {
            step: step.into(),
            direction,
            attempt,
            key: Key::of(id(), step, direction),
            action: None,
            plugin: None,
            effect: EffectClass::Unsafe,
            input: Value::Null,
            locks: Vec::new(),
        })
    }

    fn ended(self, step: &str, attempt: u32, direction: Direction, outcome: Outcome) -> Self {
        self.event(Event::Ended { step: step.into(), direction, attempt, outcome })
    }

    fn finished(self) -> Self {
        self.event(Event::Finished { outputs: Map::new(), failure: None })
    }

    /// The lines, and those of the end.
    fn end(self) -> (String, RunStatus) {
        let run = daemon::view::RunView::of(self.story.run().unwrap());
        let screen = Screen::new(Format::Text, Color::Never);
        let mut lines = self.lines;
        lines.extend(summary(&screen, &run, "runwright"));
        (lines.join("\n"), run.outcome)
    }
}

fn by(why: &str) -> By {
    By { who: "alice".into(), why: why.into() }
}

fn failed(kind: FailureKind) -> Outcome {
    Outcome::Failed(Failure::new(kind, "no \u{1b}[31manswer"))
}

fn good() -> Outcome {
    Outcome::Succeeded(Answer::default())
}

const FORWARD: Direction = Direction::Forward;
const UNDO: Direction = Direction::Undo;

#[test]
fn a_step_that_needs_two_attempts_and_one_that_is_skipped() {
    let told = Told::new(&[("restart", 2, "stop"), ("image", 1, "stop")], false)
        .started("restart", 1, FORWARD)
        .ended("restart", 1, FORWARD, failed(FailureKind::Transient))
        .started("restart", 2, FORWARD)
        .ended("restart", 2, FORWARD, good())
        .event(Event::Skipped { step: "image".into(), reason: SkipReason::Condition })
        .finished();
    insta::assert_snapshot!(told.end().0, @r"
    run 00000000010000000000000000 of r, started by alice
    restart: started, attempt 1 of 2
    restart: attempt 1 failed: no \u{1b}[31manswer; trying again in 5s
    restart: started, attempt 2 of 2
    restart: succeeded in 3.6s after 2 attempts
    image: skipped: its `if` is false
    run 00000000010000000000000000 succeeded in 7.2s
    ");
}

#[test]
fn a_step_in_flight_at_a_crash_is_asked_about() {
    let told = Told::new(&[("restart", 2, "stop")], true)
        .started("restart", 1, FORWARD)
        .event(Event::Interrupted { engine: Exit::Died, not_begun: vec![] })
        .event(Event::Verified {
            step: "restart".into(),
            direction: FORWARD,
            attempt: 1,
            verdict: Verdict::NotHappened,
        })
        .started("restart", 2, FORWARD)
        .event(Event::Interrupted { engine: Exit::Stopped, not_begun: vec![] })
        .event(Event::Verified {
            step: "restart".into(),
            direction: FORWARD,
            attempt: 2,
            verdict: Verdict::Happened(Answer::default()),
        })
        .finished();
    insta::assert_snapshot!(told.end().0, @r"
    run 00000000010000000000000000 of r, started by alice
    restart: started, attempt 1 of 2
    the engine died and another one took over
    restart: the engine died while the step was in flight: asking the plugin whether it happened
    restart: the plugin says that attempt 1 did not happen; trying again
    restart: started, attempt 2 of 2
    the engine was stopped
    restart: the engine was stopped while the step was in flight: asking the plugin whether it happened
    restart: the plugin says that it happened: succeeded in 6s after 2 attempts
    run 00000000010000000000000000 succeeded in 8.4s
    ");
}

#[test]
fn a_blocked_run_says_how_to_settle_it() {
    let blocked = || {
        let lost = Outcome::Lost { reason: "the plugin hit its timeout".into() };
        Told::new(&[("create", 1, "stop")], false).started("create", 1, FORWARD).ended("create", 1, FORWARD, lost)
    };
    let (text, status) = blocked().end();
    assert_eq!(status, RunStatus::Blocked);
    insta::assert_snapshot!(text, @r"
    run 00000000010000000000000000 of r, started by alice
    create: started
    create: nobody knows whether it happened: the plugin hit its timeout
    run 00000000010000000000000000 blocked: a person must decide
      create: nobody knows whether it happened: the plugin hit its timeout
      look at it, then say what became of it with one of:
        runwright settle 00000000010000000000000000 create done    # it happened; --output gives later steps its output
        runwright settle 00000000010000000000000000 create failed  # it did not, or not in full
        runwright settle 00000000010000000000000000 create retry   # it did not: try again
        runwright settle 00000000010000000000000000 create undo    # take back whatever it did, and what came before it
    ");
    let settlement = Settlement::Done { output: json!(7) };
    let settled = blocked().event(Event::Settled { step: "create".into(), settlement, by: by("it is there") });
    insta::assert_snapshot!(settled.finished().end().0.lines().skip(3).collect::<Vec<_>>().join("\n"), @r"
    create: settled as done by alice (it is there): succeeded in 2.4s
    run 00000000010000000000000000 succeeded in 4.8s
    ");
}

#[test]
fn a_rollback_that_fails_needs_a_person_too() {
    let mut told = Told::new(&[("create", 1, "stop"), ("attach", 1, "rollback")], false)
        .started("create", 1, FORWARD)
        .ended("create", 1, FORWARD, good())
        .started("attach", 1, FORWARD)
        .ended("attach", 1, FORWARD, failed(FailureKind::Permanent));
    for attempt in 1..=3 {
        told = told.started("create", attempt, UNDO).ended("create", attempt, UNDO, failed(FailureKind::Transient));
    }
    let (text, status) = told.end();
    assert_eq!(status, RunStatus::Blocked);
    insta::assert_snapshot!(text, @r"
    run 00000000010000000000000000 of r, started by alice
    create: started
    create: succeeded in 1.2s
    attach: started
    attach: failed in 1.2s: no \u{1b}[31manswer
    rolling back
    create: undoing
    create: undo attempt 1 failed: no \u{1b}[31manswer; trying again in 5s
    create: undoing, attempt 2
    create: undo attempt 2 failed: no \u{1b}[31manswer; trying again in 10s
    create: undoing, attempt 3
    create: undo failed: no \u{1b}[31manswer
    run 00000000010000000000000000 blocked: a person must decide
      create: it could not be taken back: no \u{1b}[31manswer
      look at it, then say what became of it with one of:
        runwright settle 00000000010000000000000000 create done    # it is taken back
        runwright settle 00000000010000000000000000 create failed  # leave it as it is
        runwright settle 00000000010000000000000000 create retry   # try to take it back again
    ");
}

#[test]
fn a_cancelled_run_tells_by_whom() {
    let told = Told::new(&[("a", 3, "stop"), ("b", 1, "stop")], false)
        .started("a", 1, FORWARD)
        .ended("a", 1, FORWARD, failed(FailureKind::Transient))
        .event(Event::CancelRequested { by: by("wrong host"), rollback: false })
        .finished();
    insta::assert_snapshot!(told.end().0, @r"
    run 00000000010000000000000000 of r, started by alice
    a: started, attempt 1 of 3
    a: attempt 1 failed: no \u{1b}[31manswer; trying again in 5s
    cancelled by alice (wrong host)
    a: failed in 2.4s: no \u{1b}[31manswer
    b: skipped: the run ended before it
    run 00000000010000000000000000 cancelled after 4.8s
    ");
}

#[test]
fn log_lines_are_plain_and_progress_is_for_terminals() {
    let mut story = Story::default();
    let said = |stream, text: &str, left_out| {
        let (step, direction, at) = ("a".into(), Direction::Forward, Timestamp::from_millis(1));
        let line = runwright_core::Line { at, step, direction, attempt: 1, stream, text: text.into(), left_out };
        Tale::Said(Said { line, passes: false })
    };
    let tales = [
        said(Stream::Stdout, "one\nline", 0),
        said(Stream::Error, "two", 1_200),
        said(Stream::Print, "", 1),
        Tale::Progress { step: "a".into(), percent: Some(50), note: "copying".into() },
    ];
    let lines: Vec<Line> = tales.into_iter().flat_map(|tale| story.hear(tale).unwrap()).collect();
    let shown: Vec<String> = lines.iter().filter_map(plain).collect();
    assert_eq!(
        shown,
        ["a | one\\nline", "a | error: … 1200 lines left out", "a | error: two", "a | … 1 line left out"]
    );
    assert_eq!(lines[4], Line::Progress { step: "a".into(), text: "50 % copying".into() });
}

#[test]
fn a_history_that_can_not_be_is_an_error() {
    let mut told = Told::new(&[("a", 1, "stop")], false);
    let event = Event::Finished { outputs: Map::new(), failure: None };
    let record = Record { run: id(), seq: 9, at: Timestamp::from_millis(1), event };
    assert!(told.story.hear(Tale::Record(Box::new(record))).is_err());
}

#[test]
fn of_more_than_five_it_is_said_how_many_there_are() {
    let paths = |count: u32| (1..=count).map(|n| format!("s{n}")).collect::<Vec<_>>();
    assert_eq!(grouped(&paths(5)), "s1, s2, s3, s4, s5");
    assert_eq!(grouped(&paths(6)), "6 steps: s1, s2, s3, s4, s5 and 1 more");
    let calls = (1..=9).map(|n| format!("clean/{n}"));
    assert_eq!(grouped(&calls.clone().collect::<Vec<_>>()), "clean (9 calls)");
    let both: Vec<String> = paths(5).into_iter().chain(calls).collect();
    assert_eq!(grouped(&both), "14 steps: s1, s2, s3, s4, s5 and 9 more");
}
