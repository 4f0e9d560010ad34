//! The machine lived through, by hand and by chance.

mod approval;
mod durable;
mod kinds;
mod limit;
mod rescue;
mod tree;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use crate::*;

/// A world in which a run lives: it keeps the history and answers effects as the test says.
struct World {
    run: Run,
    history: Vec<Record>,
    now: Timestamp,
}

fn pin(effect: EffectClass, has_verify: bool, has_undo: bool) -> Pin {
    Pin { plugin: Digest::of(b"plugin"), effect, destructive: false, has_verify, has_undo, undo_safe_if_not_run: false }
}

/// The actions that test runbooks use: `x/read`, `x/idem`, `x/unsafe` (verify and undo), `x/blind` (neither) and `x/mild`
/// (an undo that is safe for what never happened).
fn pins() -> BTreeMap<ActionName, Pin> {
    let all = [
        ("x/read", pin(EffectClass::Read, false, false)),
        ("x/idem", pin(EffectClass::Idempotent, false, true)),
        ("x/unsafe", pin(EffectClass::Unsafe, true, true)),
        ("x/blind", pin(EffectClass::Unsafe, false, false)),
        ("x/mild", Pin { undo_safe_if_not_run: true, ..pin(EffectClass::Unsafe, false, true) }),
    ];
    all.into_iter().map(|(name, pin)| (name.parse().unwrap(), pin)).collect()
}

fn step(id: &str, action: &str) -> Step {
    Step::new(id, Work::Action { action: action.parse().unwrap(), with: Map::new() })
}

fn by() -> By {
    By { who: "ada".into(), why: "looked".into() }
}

fn succeeded(output: Value) -> Outcome {
    Outcome::Succeeded(Answer { output, changed: true, undo_data: Some("u".into()) })
}

fn failed(kind: FailureKind) -> Outcome {
    Outcome::Failed(Failure::new(kind, "no"))
}

fn lost() -> Outcome {
    Outcome::Lost { reason: "it trapped".into() }
}

impl World {
    fn new(steps: Vec<Step>) -> Self {
        Self::limited(None, steps)
    }

    /// A run that may take so long.
    fn limited(limit: Option<Limit>, steps: Vec<Step>) -> Self {
        let steps = steps.into_iter().map(Arc::new).collect();
        let runbook = Arc::new(Runbook { limit, steps, ..Runbook::empty("test") });
        let now = Timestamp::from_millis(1_000);
        let event = Event::Created {
            runbook: runbook.source().0,
            name: "test".into(),
            inputs: Map::new(),
            pins: pins(),
            cause: Cause::Person { by: by() },
            lock: None,
        };
        let first = Record { run: RunId::new(now, [7; 10]), seq: 1, at: now, event };
        Self { run: Run::create(runbook, &first).unwrap(), history: vec![first], now }
    }

    fn add(&mut self, event: Event) {
        self.try_add(event).unwrap();
    }

    fn try_add(&mut self, event: Event) -> Result<(), Misfit> {
        let record = Record { run: self.run.id(), seq: self.run.seq() + 1, at: self.now, event };
        let before = self.run.clone();
        if let Err(misfit) = self.run.apply(&record) {
            assert!(self.run == before, "what does not fit changes nothing");
            return Err(misfit);
        }
        assert!(self.run == self.run.derived_afresh(), "something was not derived again after {record:?}");
        self.history.push(record);
        Ok(())
    }

    /// Does what is due until a call, a verify or nothing is left, and returns that.
    fn settle_down(&mut self) -> Option<Effect> {
        loop {
            let effect = self.run.due(self.now).into_iter().next()?;
            match effect {
                Effect::Resolve { step } => {
                    let waits = matches!(self.run.step(&step).unwrap().0.work, Work::Wait { .. });
                    let input = if waits { json!({"ms": 5_000}) } else { json!({}) };
                    self.add(self.run.first_attempt(&step, Direction::Forward, input).unwrap());
                }
                Effect::ResolveUndo { step } => {
                    self.add(self.run.first_attempt(&step, Direction::Undo, json!({"undo": true})).unwrap());
                }
                Effect::Lock { step, .. } => self.add(Event::Locked { step }),
                Effect::Record(event) => self.add(*event),
                Effect::Outputs { step, attempt } => {
                    let answer = Answer { output: json!({ "of": step }), ..Answer::default() };
                    let (direction, outcome) = (Direction::Forward, Outcome::Succeeded(answer));
                    self.add(Event::Ended { step, direction, attempt, outcome });
                }
                Effect::Sleep { until } => self.now = until,
                Effect::Finish { .. } => self.add(Event::Finished { outputs: Map::new(), failure: None }),
                Effect::Call { .. } | Effect::Verify { .. } => return Some(effect),
            }
        }
    }

    /// Answers the next call, which must be of this step.
    fn answer(&mut self, expected: &str, outcome: Outcome) {
        match self.settle_down() {
            Some(Effect::Call { step, direction, attempt }) => {
                assert_eq!(step, expected);
                self.add(Event::Ended { step, direction, attempt, outcome });
            }
            other => panic!("{other:?} is due, not a call of {expected}"),
        }
    }

    fn state(&self, step: &str) -> &str {
        self.run.step(step).unwrap().1.state.as_str()
    }

    /// An engine dies and another takes over, from the history alone.
    fn crash(&mut self) {
        self.run = Run::replay(self.run.runbook().clone(), &self.history).unwrap();
        self.add(Event::Interrupted { engine: Exit::Died, not_begun: vec![] });
    }
}

#[test]
fn steps_run_in_order_and_see_what_came_before() {
    let mut world = World::new(vec![step("a", "x/read"), step("b", "x/unsafe")]);
    world.answer("a", succeeded(json!({"n": 1})));
    assert_eq!(world.run.scope()["steps"]["a"]["output"]["n"], 1);
    world.answer("b", succeeded(json!(null)));
    assert_eq!(world.settle_down(), None);
    assert_eq!(world.run.status(), RunStatus::Succeeded);
}

#[test]
fn a_transient_failure_is_tried_again_after_its_delay() {
    let retry = Retry { attempts: 3, delay_ms: 100, backoff: 2.0, max_delay_ms: 1_000 };
    let mut world = World::new(vec![Step { retry, ..step("a", "x/unsafe") }]);
    world.answer("a", failed(FailureKind::Transient));
    assert_eq!(world.run.due(world.now), [Effect::Sleep { until: Timestamp::from_millis(1_100) }]);
    assert_eq!(world.run.status(), RunStatus::Waiting);
    world.answer("a", failed(FailureKind::Transient));
    world.answer("a", failed(FailureKind::Transient));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Failed));
    assert_eq!(world.run.step("a").unwrap().1.forward.started, 3);
    assert_eq!(world.now.millis(), 1_300);
}

#[test]
fn on_failure_decides_what_comes_next() {
    let always = Step { always: true, ..step("z", "x/read") };
    let mut world = World::new(vec![step("a", "x/read"), step("b", "x/read"), always]);
    world.answer("a", failed(FailureKind::Permanent));
    world.answer("z", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Failed));
    assert_eq!(world.state("b"), "skipped");

    let go_on = Step { on_failure: OnFailure::Continue, ..step("a", "x/read") };
    let mut world = World::new(vec![go_on, step("b", "x/read")]);
    world.answer("a", failed(FailureKind::Permanent));
    world.answer("b", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));
}

#[test]
fn what_was_refused_says_nothing_about_the_world_and_stops_the_run() {
    let after = |kind, on_failure, always| {
        let probe = Step { on_failure, always, ..step("probe", "x/read") };
        let mut world = World::new(vec![probe, step("restart", "x/idem")]);
        world.answer("probe", failed(kind));
        if world.settle_down().is_some() {
            world.answer("restart", succeeded(json!(null)));
        }
        assert_eq!(world.settle_down(), None);
        world.run.status()
    };
    for kind in [FailureKind::Denied, FailureKind::InvalidInput] {
        assert_eq!(after(kind, OnFailure::Continue, false), RunStatus::Failed);
        assert_eq!(after(kind, OnFailure::Continue, true), RunStatus::Succeeded, "it tells or cleans up");
        assert_eq!(after(kind, OnFailure::ContinueAnyway, false), RunStatus::Succeeded, "as older runs went");
    }
    for kind in [FailureKind::Permanent, FailureKind::Transient, FailureKind::Partial] {
        assert_eq!(after(kind, OnFailure::Continue, false), RunStatus::Succeeded);
    }
}

#[test]
fn rollback_undoes_in_reverse_what_had_an_effect() {
    let last = Step { on_failure: OnFailure::Rollback, ..step("d", "x/idem") };
    let mut world = World::new(vec![step("a", "x/unsafe"), step("b", "x/read"), step("c", "x/blind"), last]);
    for done in ["a", "b", "c"] {
        world.answer(done, succeeded(json!(null)));
    }
    world.answer("d", failed(FailureKind::Partial));
    assert_eq!(world.run.status(), RunStatus::RollingBack);
    world.answer("d", succeeded(json!(null)));
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
    assert_eq!(["a", "b", "c", "d"].map(|id| world.state(id)), ["undone", "succeeded", "succeeded", "undone"]);
    let left: Vec<_> = world.run.not_undoable().map(|(_, state)| &*state.path).collect();
    assert_eq!(left, ["c"], "what cannot be undone is told");
}

#[test]
fn an_undo_that_keeps_failing_blocks_until_a_person_decides() {
    let last = Step { on_failure: OnFailure::Rollback, ..step("b", "x/read") };
    let mut world = World::new(vec![step("a", "x/unsafe"), last]);
    world.answer("a", succeeded(json!(null)));
    world.answer("b", failed(FailureKind::Permanent));
    world.answer("a", failed(FailureKind::Permanent));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked));
    world.add(Event::Settled { step: "a".into(), settlement: Settlement::Retry, by: by() });
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
}

#[test]
fn what_a_step_builds_on_stays_while_the_step_cannot_be_undone() {
    let decide = |settlement| {
        let on = |id: &str, builds_on: &[&str]| Step {
            builds_on: builds_on.iter().map(|id| (*id).to_owned()).collect(),
            ..step(id, "x/unsafe")
        };
        let read = Step { builds_on: vec!["a".into()], ..step("read", "x/read") };
        let last = Step { on_failure: OnFailure::Rollback, ..step("last", "x/read") };
        let mut world = World::new(vec![on("a", &[]), on("other", &[]), read, on("top", &["read"]), last]);
        for done in ["a", "other", "read", "top"] {
            world.answer(done, succeeded(json!(null)));
        }
        world.answer("last", failed(FailureKind::Permanent));
        world.answer("top", failed(FailureKind::Permanent));
        world.answer("other", succeeded(json!(null)));
        assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked));
        assert_eq!(["a", "other", "top"].map(|id| world.state(id)), ["succeeded", "undone", "undo-failed"]);
        world.add(Event::Settled { step: "top".into(), settlement, by: by() });
        world
    };
    let mut world = decide(Settlement::Retry);
    world.answer("top", succeeded(json!(null)));
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
    let mut world = decide(Settlement::Failed);
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
}

#[test]
fn a_crash_repeats_what_is_safe_to_repeat() {
    for action in ["x/read", "x/idem"] {
        let mut world = World::new(vec![step("a", action)]);
        world.settle_down();
        world.crash();
        world.answer("a", succeeded(json!(null)));
        assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));
        assert_eq!(world.run.step("a").unwrap().1.forward, Attempts { started: 2, spent: 0, deaths: 1 });
    }
}

#[test]
fn a_crash_asks_verify_before_it_repeats_an_unsafe_step() {
    let verify = |world: &mut World, verdict| match world.settle_down() {
        Some(Effect::Verify { step, direction, attempt }) => {
            world.add(Event::Verified { step, direction, attempt, verdict });
        }
        other => panic!("{other:?} is due, not a verify"),
    };
    let crashed = || {
        let mut world = World::new(vec![step("a", "x/unsafe")]);
        world.settle_down();
        world.crash();
        world
    };
    let mut world = crashed();
    verify(&mut world, Verdict::Happened(Answer::default()));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));

    let mut world = crashed();
    world.crash();
    verify(&mut world, Verdict::NotHappened);
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));

    let mut world = crashed();
    verify(&mut world, Verdict::CannotTell { reason: "no log".into() });
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked));
    assert_eq!(world.state("a"), "unknown");
}

#[test]
fn a_verify_may_start_programs() {
    let mut world = World::new(vec![step("a", "x/unsafe")]);
    world.settle_down();
    world.crash();
    assert!(matches!(world.settle_down(), Some(Effect::Verify { .. })));
    let noted = |attempt| {
        let note = Note::Child { pid: 1, started: 2, program: "/bin/true".into(), detached: false };
        Event::Noted { step: "a".into(), direction: Direction::Forward, attempt, note }
    };
    world.add(noted(1));
    assert!(world.try_add(noted(2)).is_err(), "only of the attempt that is asked about");
    assert!(matches!(world.settle_down(), Some(Effect::Verify { .. })), "it is still being asked");
}

#[test]
fn an_unverifiable_step_blocks_and_is_settled() {
    let blocked = || {
        let mut world = World::new(vec![step("a", "x/blind"), step("b", "x/read")]);
        world.settle_down();
        world.crash();
        assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked));
        world
    };
    let settle =
        |world: &mut World, settlement| world.try_add(Event::Settled { step: "a".into(), settlement, by: by() });
    let mut world = blocked();
    settle(&mut world, Settlement::Done { output: json!(5) }).unwrap();
    assert_eq!(world.run.scope()["steps"]["a"]["output"], 5);
    world.answer("b", succeeded(json!(null)));

    let mut world = blocked();
    settle(&mut world, Settlement::Retry).unwrap();
    world.answer("a", succeeded(json!(null)));

    let mut world = blocked();
    settle(&mut world, Settlement::Failed).unwrap();
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Failed));

    let mut world = blocked();
    let before = world.run.clone();
    let refused = settle(&mut world, Settlement::Undo).unwrap_err();
    assert_eq!(refused.to_string(), "step \"a\" has no undo that could run: settle it as done, failed or retry");
    assert_eq!(world.run, before);
}

#[test]
fn a_step_that_is_in_flight_at_three_deaths_is_quarantined() {
    let mut world = World::new(vec![step("a", "x/read")]);
    for _ in 0..3 {
        world.settle_down();
        world.crash();
    }
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked));
}

#[test]
fn a_lost_answer_counts_as_a_try_where_the_engine_lived() {
    let mut world = World::new(vec![step("a", "x/idem")]);
    world.answer("a", lost());
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Failed));
    assert_eq!(world.run.step("a").unwrap().1.failure.as_ref().unwrap().kind, FailureKind::Partial);

    let retry = Retry { attempts: 2, ..Retry::default() };
    let mut world = World::new(vec![Step { retry, ..step("a", "x/idem") }]);
    world.answer("a", lost());
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));
}

#[test]
fn cancelling_lets_the_step_in_flight_end_and_starts_no_other() {
    let mut world = World::new(vec![step("a", "x/unsafe"), step("b", "x/read")]);
    world.settle_down();
    world.add(Event::CancelRequested { by: by(), rollback: false });
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Cancelled));
    assert_eq!(world.state("b"), "skipped");
    let late = world.try_add(Event::CancelRequested { by: by(), rollback: false }).unwrap_err();
    assert_eq!(late.to_string(), "cancel-requested does not fit a run that is cancelled");
}

#[test]
fn the_bytes_of_a_checkpoint_are_short_text_in_the_journal() {
    for (value, text) in [(Some(vec![0, 255, 7]), r#""00ff07""#), (None, "null")] {
        let note = Note::Checkpoint { key: "job".into(), value };
        let json = serde_json::to_string(&note).unwrap();
        assert_eq!(json, format!(r#"{{"type":"checkpoint","key":"job","value":{text}}}"#));
        assert_eq!(serde_json::from_str::<Note>(&json).unwrap(), note);
    }
    let odd = r#"{"type":"checkpoint","key":"job","value":"00f"}"#;
    assert!(serde_json::from_str::<Note>(odd).is_err());
}

#[test]
fn an_event_that_does_not_fit_names_both() {
    let mut world = World::new(vec![step("a", "x/read")]);
    world.settle_down();
    let ended = Event::Ended { step: "a".into(), direction: Direction::Forward, attempt: 2, outcome: lost() };
    let misfit = world.try_add(ended).unwrap_err();
    assert_eq!(misfit.to_string(), "ended does not fit step \"a\", which is running in attempt 1");
}

fn any_step() -> impl Strategy<Value = Step> {
    let action = prop::sample::select(vec!["x/read", "x/idem", "x/unsafe", "x/blind"]);
    let on_failure = prop::sample::select(vec![OnFailure::Stop, OnFailure::Rollback, OnFailure::Continue]);
    let on_unknown = prop::sample::select(vec![OnUnknown::Ask, OnUnknown::Fail]);
    (action, 1..4_u32, on_failure, on_unknown, any::<bool>()).prop_map(
        |(action, attempts, on_failure, on_unknown, always)| {
            let retry = Retry { attempts, delay_ms: 10, ..Retry::default() };
            Step { retry, on_failure, on_unknown, always, ..step("s", action) }
        },
    )
}

/// Lives a whole life in which `choices` decide every outcome, crash and settlement.
fn live(steps: Vec<Step>, choices: &[u8]) -> World {
    let steps = steps.into_iter().enumerate().map(|(n, step)| Step { id: format!("s{n}"), ..step }).collect();
    let mut world = World::new(steps);
    let mut choices = choices.iter().copied();
    while !world.run.status().is_finished() {
        let Some(choice) = choices.next() else { break };
        let due = world.settle_down();
        if choice % 8 == 7 && !world.run.status().is_finished() {
            world.crash();
            continue;
        }
        match due {
            Some(Effect::Call { step, direction, attempt }) => {
                let outcome = match choice % 8 {
                    0..=3 => succeeded(json!(choice)),
                    4 => failed(FailureKind::Transient),
                    5 => failed(FailureKind::Partial),
                    _ => lost(),
                };
                world.add(Event::Ended { step, direction, attempt, outcome });
            }
            Some(Effect::Verify { step, direction, attempt }) => {
                let verdict = match choice % 3 {
                    0 => Verdict::Happened(Answer::default()),
                    1 => Verdict::NotHappened,
                    _ => Verdict::CannotTell { reason: "dark".into() },
                };
                world.add(Event::Verified { step, direction, attempt, verdict });
            }
            Some(other) => panic!("{other:?} was left"),
            None if world.run.status().is_finished() => break,
            None => {
                assert_eq!(world.run.status(), RunStatus::Blocked, "a run with nothing due is over or blocked");
                let asking = world.run.attempts().find(|(_, state)| state.state.asks().is_some());
                let step = asking.expect("a blocked run names a step").1.path.to_string();
                let settlement = match choice % 4 {
                    0 => Settlement::Done { output: json!("settled") },
                    1 => Settlement::Failed,
                    _ => Settlement::Retry,
                };
                world.add(Event::Settled { step, settlement, by: by() });
            }
        }
    }
    world
}

proptest! {
    /// The fault model: an engine may die after any record. Whatever is left is legal, and goes on to an end.
    #[test]
    fn every_prefix_of_a_legal_history_replays_and_goes_on(
        steps in prop::collection::vec(any_step(), 1..6),
        choices in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let world = live(steps, &choices);
        let runbook = world.run.runbook().clone();
        prop_assert_eq!(&Run::replay(runbook.clone(), &world.history).unwrap(), &world.run);
        let mut folded = Run::create(runbook.clone(), &world.history[0]).unwrap();
        for cut in 1..=world.history.len() {
            if cut > 1 {
                folded.apply(&world.history[cut - 1]).unwrap();
            }
            let replayed = Run::replay(runbook.clone(), &world.history[..cut]).unwrap();
            prop_assert_eq!(&replayed, &folded);
            let mut rest = World { run: replayed, history: world.history[..cut].to_vec(), now: world.now };
            if !rest.run.status().is_finished() {
                rest.crash();
                let due = rest.run.due(rest.now);
                prop_assert!(!due.is_empty() || rest.run.status() == RunStatus::Blocked, "it is stuck");
            }
        }
    }

    /// No unsafe step starts again without a verify, a settlement or a failure after which nothing remains.
    #[test]
    fn an_unsafe_step_is_never_repeated_blindly(
        steps in prop::collection::vec(any_step(), 1..6),
        choices in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let world = live(steps, &choices);
        let mut open: BTreeMap<String, bool> = BTreeMap::new();
        for record in &world.history {
            match &record.event {
                Event::Started { step, direction: Direction::Forward, effect: EffectClass::Unsafe, .. } => {
                    let blind = open.insert(step.clone(), true);
                    prop_assert!(blind != Some(true), "{step} was started twice");
                }
                Event::Ended { step, outcome: Outcome::Failed(failure), .. } if failure.kind == FailureKind::Transient => {
                    open.insert(step.clone(), false);
                }
                Event::Verified { step, verdict: Verdict::NotHappened, .. } | Event::Settled { step, .. } => {
                    open.insert(step.clone(), false);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn events_read_back_from_their_json(
        steps in prop::collection::vec(any_step(), 1..4),
        choices in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        for record in live(steps, &choices).history {
            let text = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        }
    }
}
