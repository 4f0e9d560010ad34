//! Runs that wait for people: stopped, cancelled and rolled back in the middle of a script; what they say then.

use super::durable::{act, calls, ended, script, settled};
use super::*;

/// A run whose script waits for a person: its call may have happened when the engine ended so.
fn blocked(how: Exit) -> World {
    let mut world = World::new(vec![script("s", &["x/idem", "x/blind"]), step("after", "x/read")]);
    world.settle_down();
    act(&mut world, "s", "x/idem");
    world.add(ended("s/1", 1, succeeded(json!(null))));
    act(&mut world, "s", "x/blind");
    world.add(Event::Interrupted { engine: how, not_begun: vec![] });
    world
}

#[test]
fn a_script_waits_for_its_call_in_whatever_phase_it_is() {
    for how in [Exit::Died, Exit::Stopped] {
        let mut world = blocked(how);
        assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked), "{how:?}");
        assert_eq!(world.run.step("s").unwrap().1.forward.started, 1, "it is not run again before it can go on");
        world.add(settled("s/2", Settlement::Failed));
        world.settle_down();
        assert_eq!(calls(&world), ["s"]);
        assert_eq!(world.run.step("s").unwrap().1.forward.started, 2);
    }
}

#[test]
fn a_run_that_is_blocked_in_a_script_is_cancelled_as_far_as_it_goes() {
    for rollback in [false, true] {
        let mut world = blocked(Exit::Stopped);
        world.add(Event::CancelRequested { by: by(), rollback });
        assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked));
        assert_eq!((world.state("s"), world.state("s/2")), ("failed", "unknown"), "only the call is open");
        let again = world.try_add(Event::CancelRequested { by: by(), rollback }).unwrap_err().to_string();
        let how = if rollback { "is rolling back" } else { "is being cancelled" };
        assert_eq!(again, format!("the run {how} already; it waits for a person to say what became of s/2"));
        world.add(settled("s/2", Settlement::Failed));
        if rollback {
            world.answer("s/1", succeeded(json!(null)));
        }
        let end = if rollback { RunStatus::RolledBack } else { RunStatus::Cancelled };
        assert_eq!((world.settle_down(), world.run.status()), (None, end));
        assert_eq!(world.state("after"), "skipped");
    }
}

#[test]
fn a_script_of_a_run_that_ends_makes_no_further_call() {
    // Cancelled while the call is in flight: that ends first, then the script, which does not hear of it.
    let mut world = World::new(vec![script("s", &["x/idem"])]);
    world.settle_down();
    act(&mut world, "s", "x/idem");
    world.add(Event::CancelRequested { by: by(), rollback: false });
    assert_eq!(calls(&world), ["s/1"]);
    world.add(ended("s/1", 1, failed(FailureKind::Cancelled)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Cancelled));
    // Its call is taken back, and with it the rest.
    let mut world = World::new(vec![script("s", &["x/unsafe"])]);
    world.settle_down();
    act(&mut world, "s", "x/unsafe");
    world.crash();
    let verdict = Verdict::CannotTell { reason: "dark".into() };
    world.add(Event::Verified { step: "s/1".into(), direction: Direction::Forward, attempt: 1, verdict });
    world.add(settled("s/1", Settlement::Undo));
    world.answer("s/1", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
    assert_eq!(world.run.step("s").unwrap().1.forward.started, 1);
    // One that always runs goes on.
    let mut world = World::new(vec![step("a", "x/read"), Step { always: true, ..script("s", &["x/idem"]) }]);
    world.answer("a", failed(FailureKind::Permanent));
    world.settle_down();
    act(&mut world, "s", "x/idem");
    world.add(ended("s/1", 1, succeeded(json!(null))));
    assert_eq!(calls(&world), ["s"]);
}

/// A run of a script with three calls, rolled back after its end; the undo of the last one has failed.
fn unreturned() -> World {
    let mut world = World::new(vec![script("s", &["x/idem"])]);
    world.settle_down();
    for n in 1..=3 {
        act(&mut world, "s", "x/idem");
        world.add(ended(&format!("s/{n}"), 1, succeeded(json!(null))));
    }
    world.answer("s", succeeded(json!(null)));
    world.settle_down();
    world.add(Event::RollbackRequested { by: by() });
    world.answer("s/3", failed(FailureKind::Permanent));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Blocked));
    world
}

#[test]
fn one_settlement_is_enough_for_all_that_a_script_did() {
    let states = |world: &World| ["s/1", "s/2", "s/3"].map(|path| world.state(path).to_owned());
    let mut world = unreturned();
    world.add(settled("s", Settlement::Failed));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
    assert_eq!(states(&world), ["undo-failed", "undo-failed", "undo-failed"]);
    let left: Vec<_> = world.run.not_undoable().map(|(_, state)| state.path.to_string()).collect();
    assert_eq!(left, ["s/1", "s/2", "s/3"], "what stays is told");

    let mut world = unreturned();
    world.add(settled("s", Settlement::Done { output: json!(null) }));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));
    assert_eq!(
        (states(&world), world.run.not_undoable().count()),
        (["undone", "undone", "undone"].map(String::from), 0)
    );
    assert_eq!(world.run.step("s/3").unwrap().1.undo_failure, None, "the old error goes");

    let mut world = unreturned();
    world.add(settled("s", Settlement::Retry));
    for n in [3, 2, 1] {
        world.answer(&format!("s/{n}"), succeeded(json!(null)));
    }
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::RolledBack));

    let mut world = unreturned();
    world.add(settled("s/3", Settlement::Failed));
    world.answer("s/2", succeeded(json!(null)));
    assert!(world.try_add(settled("s", Settlement::Failed)).is_err(), "nobody asks now");
    assert!(unreturned().try_add(settled("s", Settlement::Undo)).is_err());
}

#[test]
fn the_first_failure_that_decided_is_the_cause() {
    let go_on = Step { on_failure: OnFailure::Continue, ..step("probe", "x/read") };
    let always = Step { always: true, ..step("tell", "x/read") };
    let mut world = World::new(vec![go_on, step("check", "x/read"), always]);
    world.answer("probe", failed(FailureKind::Permanent));
    assert_eq!(world.run.failed_at(), None);
    for fails in ["check", "tell"] {
        world.answer(fails, failed(FailureKind::Permanent));
        assert_eq!(world.run.failed_at().unwrap().0.id, "check");
    }
}

#[test]
fn a_call_that_had_not_begun_is_started_again_and_not_asked_about() {
    let stopped = |world: &mut World| {
        world.settle_down();
        world.add(Event::Interrupted { engine: Exit::Stopped, not_begun: vec!["a".into()] });
    };
    let mut world = World::new(vec![step("a", "x/blind")]);
    stopped(&mut world);
    world.answer("a", succeeded(json!(null)));
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Succeeded));
    assert_eq!(world.run.step("a").unwrap().1.forward, Attempts { started: 2, spent: 0, deaths: 0 });
    // In a run that is ending it is not.
    let mut world = World::new(vec![step("a", "x/blind")]);
    world.settle_down();
    world.add(Event::CancelRequested { by: by(), rollback: false });
    stopped(&mut world);
    assert_eq!((world.settle_down(), world.run.status()), (None, RunStatus::Cancelled));
    assert_eq!(world.run.step("a").unwrap().1.failure.as_ref().unwrap().kind, FailureKind::Cancelled);
}

#[test]
fn a_refusal_is_told_in_plain_words() {
    let mut world = World::new(vec![step("check", "x/read"), step("restart", "x/blind"), step("after", "x/read")]);
    world.answer("check", succeeded(json!(null)));
    world.settle_down();
    world.crash();
    let mut refused = |step: &str| world.try_add(settled(step, Settlement::Failed)).unwrap_err().to_string();
    let unknown =
        "there is no step \"restrt\" in this run (its steps: check, restart, after); did you mean \"restart\"?";
    assert_eq!(refused("restrt"), unknown);
    let waits = "so there is nothing to settle about it; it waits for a person to say what became of restart";
    assert_eq!(refused("check"), format!("step \"check\" succeeded, {waits}"));
    assert_eq!(refused("after"), format!("step \"after\" has not begun, {waits}"));
    world.add(settled("restart", Settlement::Failed));
    let late = world.try_add(settled("restart", Settlement::Failed)).unwrap_err().to_string();
    let expected =
        "step \"restart\" failed, so there is nothing to settle about it; no step of this run waits for a person";
    assert_eq!(late, expected);
    let late = world.try_add(Event::CancelRequested { by: by(), rollback: false }).unwrap_err().to_string();
    assert_eq!(late, "the run is ending already");
}
