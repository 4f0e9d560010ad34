//! Calls of scripts, undo steps, points of no return, waits, polling, locks, and rollback after the end.

use super::*;

/// The paths of the calls that wait for an answer.
pub(super) fn calls(world: &World) -> Vec<String> {
    let due = world.run.due(world.now).into_iter();
    due.filter_map(|effect| if let Effect::Call { step, .. } = effect { Some(step) } else { None }).collect()
}

pub(super) fn script(id: &str, acts: &[&str]) -> Step {
    let acts = acts.iter().map(|act| act.parse().unwrap()).collect();
    Step { work: Work::Script { source: String::new(), acts, line: None }, ..step(id, "x/read") }
}

pub(super) fn act(world: &mut World, script: &str, action: &str) {
    world.add(world.run.next_act(script, action.parse().unwrap(), json!({"a": 1})).unwrap());
}

pub(super) fn settled(step: &str, settlement: Settlement) -> Event {
    Event::Settled { step: step.into(), settlement, by: by() }
}

pub(super) fn ended(step: &str, attempt: u32, outcome: Outcome) -> Event {
    Event::Ended { step: step.into(), direction: Direction::Forward, attempt, outcome }
}

#[test]
fn the_calls_of_a_script_are_steps_of_their_own_and_survive_a_crash() {
    let mut world = World::new(vec![script("s", &["x/unsafe", "x/idem"])]);
    world.settle_down();
    act(&mut world, "s", "x/unsafe");
    world.add(ended("s/1", 1, succeeded(json!("first"))));
    let note = Note::Value { function: "now".into(), value: json!(7) };
    world.add(Event::Noted { step: "s".into(), direction: Direction::Forward, attempt: 1, note });
    act(&mut world, "s", "x/unsafe");
    assert_eq!(calls(&world), ["s/3"], "a value counts as a call; the script owes nothing while it waits");
    world.crash();
    let due = world.run.due(world.now);
    assert!(due.contains(&Effect::Verify { step: "s/3".into(), direction: Direction::Forward, attempt: 1 }), "{due:?}");
    let verdict = Verdict::Happened(Answer { output: json!("third"), ..Answer::default() });
    world.add(Event::Verified { step: "s/3".into(), direction: Direction::Forward, attempt: 1, verdict });
    world.settle_down();
    assert_eq!(calls(&world), ["s"], "the script runs again");
    let (_, run) = world.run.step("s").unwrap();
    assert_eq!((run.forward.started, run.calls.len()), (2, 3));
    let other = world.run.next_act("s", "x/read".parse().unwrap(), json!({})).unwrap();
    assert!(world.try_add(other).is_ok(), "it goes on behind what is recorded");
}

#[test]
fn a_rollback_takes_back_the_calls_of_a_script_one_by_one_or_as_the_script_says() {
    let fails = Step { on_failure: OnFailure::Rollback, ..step("f", "x/read") };
    let undo = Work::Action { action: "x/idem".parse().unwrap(), with: Map::new() };
    for own in [None, Some(undo)] {
        let mut world =
            World::new(vec![Step { undo: own.clone(), ..script("s", &["x/unsafe", "x/idem"]) }, fails.clone()]);
        world.settle_down();
        for action in ["x/unsafe", "x/idem"] {
            act(&mut world, "s", action);
            let path = format!("s/{}", world.run.step("s").unwrap().1.calls.len());
            world.add(ended(&path, 1, succeeded(json!(null))));
        }
        world.add(ended("s", 1, succeeded(json!(null))));
        world.answer("f", failed(FailureKind::Permanent));
        if own.is_some() {
            world.answer("s", succeeded(json!(null)));
            let undone = world.history.iter().rev().find_map(|record| match &record.event {
                Event::Started { direction: Direction::Undo, action, input, .. } => Some((action, input)),
                _ => None,
            });
            assert_eq!(undone, Some((&Some("x/idem".parse().unwrap()), &json!({"undo": true}))));
        } else {
            world.answer("s/2", succeeded(json!(null)));
            world.answer("s/1", succeeded(json!(null)));
        }
        assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
    }
}

#[test]
fn a_call_whose_outcome_is_unknown_blocks_its_script_until_it_is_settled() {
    let mut world = World::new(vec![script("s", &["x/blind"])]);
    world.settle_down();
    act(&mut world, "s", "x/blind");
    world.crash();
    world.settle_down();
    assert_eq!(world.run.status(), RunStatus::Blocked);
    let asks = world.run.waits_for("s").unwrap().1.path.to_string();
    assert_eq!((asks.as_str(), world.run.in_flight().count()), ("s/1", 0));
    let refused = world.try_add(settled("s", Settlement::Failed)).unwrap_err();
    let expected = "step \"s\" is a script that waits for its call \"s/1\": say what became of \"s/1\"";
    assert_eq!(refused.to_string(), expected);
    world.add(settled("s/1", Settlement::Done { output: json!(1) }));
    world.answer("s", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));
}

#[test]
fn nothing_before_a_point_of_no_return_is_taken_back() {
    let no_return = Step { point_of_no_return: true, ..step("b", "x/read") };
    let last = Step { on_failure: OnFailure::Rollback, ..step("d", "x/read") };
    let mut world = World::new(vec![step("a", "x/unsafe"), no_return, step("c", "x/unsafe"), last]);
    for done in ["a", "b", "c"] {
        world.answer(done, succeeded(json!(null)));
    }
    world.answer("d", failed(FailureKind::Permanent));
    world.answer("c", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Failed));
    assert_eq!(["a", "c"].map(|id| world.state(id)), ["succeeded", "undone"]);
    assert_eq!(world.run.not_undoable().map(|(_, state)| &*state.path).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_wait_ends_at_its_time_also_over_a_crash() {
    let wait = Step { work: Work::Wait { time: "5s".into() }, ..step("w", "x/read") };
    let mut world = World::new(vec![wait]);
    let begun = world.now;
    let event = world.run.first_attempt("w", Direction::Forward, json!({"ms": 5_000})).unwrap();
    world.add(event);
    world.now = begun.plus_millis(2_000);
    world.crash();
    assert_eq!(world.run.due(world.now), [Effect::Sleep { until: begun.plus_millis(5_000) }]);
    assert_eq!(world.run.status(), RunStatus::Waiting);
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));
    assert_eq!(world.now, begun.plus_millis(5_000));
}

#[test]
fn polling_goes_on_until_its_time_is_over() {
    let until = Some(Until { condition: "output == 1".into(), every_ms: 1_000 });
    let mut world = World::new(vec![Step { until, timeout_ms: 3_000, ..step("p", "x/read") }]);
    let mut polls = 0;
    while let Some(Effect::Call { step, direction, attempt }) = world.settle_down() {
        world.add(Event::Ended { step, direction, attempt, outcome: failed(FailureKind::Transient) });
        polls += 1;
    }
    assert_eq!((polls, world.run.status()), (4, RunStatus::Failed), "at 0, 1, 2 and 3 seconds");
}

#[test]
fn a_queued_run_does_nothing_before_it_holds_its_lock() {
    let runbook = World::new(vec![step("a", "x/read")]).run.runbook().clone();
    let mut first = World::new(vec![step("a", "x/read")]).history.remove(0);
    if let Event::Created { lock, .. } = &mut first.event {
        *lock = Some("vm/web1".into());
    }
    let run = Run::create(runbook, &first).unwrap();
    assert_eq!((run.status(), run.head().lock.as_deref()), (RunStatus::Queued, Some("vm/web1")));
    let mut world = World { run, history: vec![first], now: Timestamp::from_millis(1_000) };
    assert_eq!(world.run.due(world.now), [Effect::Lock { step: String::new(), keys: vec!["vm/web1".into()] }]);
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));
}

#[test]
fn a_run_can_be_taken_back_after_its_end() {
    let mut world = World::new(vec![step("a", "x/unsafe")]);
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));
    world.add(Event::RollbackRequested { by: by() });
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
    let again = world.try_add(Event::RollbackRequested { by: by() }).unwrap_err();
    assert_eq!(again.to_string(), "the run was rolled back already");
}

#[test]
fn a_run_can_be_cancelled_and_taken_back_at_once() {
    let mut world = World::new(vec![step("a", "x/unsafe"), step("b", "x/unsafe")]);
    world.answer("a", succeeded(json!(null)));
    world.settle_down();
    world.add(Event::CancelRequested { by: by(), rollback: true });
    world.answer("b", failed(FailureKind::Cancelled));
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
}

#[test]
fn a_later_failure_does_not_wipe_out_an_attempt_that_may_have_happened() {
    let retry = Retry { attempts: 3, ..Retry::default() };
    let doubted = Step { retry, on_failure: OnFailure::Rollback, ..step("a", "x/idem") };
    let mut world = World::new(vec![doubted]);
    world.answer("a", lost());
    world.answer("a", failed(FailureKind::Permanent));
    assert_eq!(world.run.step("a").unwrap().1.failure.as_ref().unwrap().kind, FailureKind::Partial);
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
    assert_eq!(world.state("a"), "undone");
}

#[test]
fn an_undo_that_was_refused_is_worked_out_again_when_it_is_retried() {
    let undo = Some(Work::Action { action: "x/idem".parse().unwrap(), with: Map::new() });
    let last = Step { on_failure: OnFailure::Rollback, ..step("b", "x/read") };
    let mut world = World::new(vec![Step { undo, ..step("a", "x/unsafe") }, last]);
    world.answer("a", succeeded(json!(null)));
    world.settle_down();
    let permanent = failed(FailureKind::Permanent);
    world.add(Event::Ended { step: "b".into(), direction: Direction::Forward, attempt: 1, outcome: permanent });
    for _ in 0..2 {
        assert_eq!(world.run.due(world.now), [Effect::ResolveUndo { step: "a".into() }]);
        let failure = Failure::new(FailureKind::InvalidInput, "no such output");
        world.add(Event::Refused { step: "a".into(), failure });
        assert_eq!(world.run.status(), RunStatus::Blocked);
        world.add(Event::Settled { step: "a".into(), settlement: Settlement::Retry, by: by() });
    }
    world.answer("a", succeeded(json!(null)));
    assert_eq!(world.run.step("a").unwrap().1.undo_input, Some(json!({"undo": true})));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
}

#[test]
fn an_unknown_step_that_a_rollback_leaves_alone_asks_a_person() {
    let undo = Some(Work::Action { action: "x/idem".parse().unwrap(), with: Map::new() });
    for left in [Step { always: true, ..step("a", "x/mild") }, Step { undo, ..step("a", "x/mild") }] {
        let mut world = World::new(vec![left]);
        world.settle_down();
        world.add(Event::CancelRequested { by: by(), rollback: true });
        world.answer("a", lost());
        assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked));
        assert_eq!(world.state("a"), "unknown");
    }
    let mut world = World::new(vec![step("a", "x/mild")]);
    world.settle_down();
    world.add(Event::CancelRequested { by: by(), rollback: true });
    world.answer("a", lost());
    world.answer("a", succeeded(json!(null)));
    assert_eq!(world.state("a"), "undone", "its own undo is safe though nobody knows");
}

#[test]
fn a_run_that_is_cancelled_in_the_queue_cleans_nothing_up() {
    for (rollback, end) in [(false, RunStatus::Cancelled), (true, RunStatus::RolledBack)] {
        let runbook = World::new(vec![Step { always: true, ..step("a", "x/unsafe") }]).run.runbook().clone();
        let mut first = World::new(vec![]).history.remove(0);
        if let Event::Created { lock, .. } = &mut first.event {
            *lock = Some("vm/web1".into());
        }
        let run = Run::create(runbook, &first).unwrap();
        let mut world = World { run, history: vec![first], now: Timestamp::from_millis(1_000) };
        world.add(Event::CancelRequested { by: by(), rollback });
        assert_eq!((world.settle_down(), world.run.status()), (None, end), "it never held the lock");
        assert_eq!(world.state("a"), "skipped");
    }
}

#[test]
fn the_error_of_a_step_is_a_map_and_for_an_older_runbook_its_message() {
    let mut world =
        World::new(vec![Step { on_failure: OnFailure::Continue, ..step("a", "x/read") }, step("b", "x/read")]);
    assert_eq!(world.run.scope()["steps"]["b"]["error"], Value::Null);
    let failure = Failure { code: Some("x.1".into()), ..Failure::new(FailureKind::Permanent, "no") };
    world.answer("a", Outcome::Failed(failure));
    let error = |run: &Run| run.scope()["steps"]["a"]["error"].clone();
    assert_eq!(error(&world.run), json!({"kind": "permanent", "message": "no", "code": "x.1"}));
    // The journal has the runbook as it was checked; what an older engine wrote has no edition.
    let mut kept = serde_json::to_value(&**world.run.runbook()).unwrap();
    assert_eq!(kept.as_object_mut().unwrap().remove("edition"), Some(json!(Runbook::EDITION)));
    let older: Runbook = serde_json::from_value(kept).unwrap();
    if let Event::Created { runbook, .. } = &mut world.history[0].event {
        *runbook = older.source().0;
    }
    let run = Run::replay(Arc::new(older), &world.history).unwrap();
    assert_eq!(error(&run), json!("no"));
}
