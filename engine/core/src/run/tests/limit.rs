//! Steps that take too long.

use super::tree::{group, parallel};
use super::*;

#[test]
fn a_group_that_takes_too_long_ends_as_failed_and_what_it_did_stays() {
    let slow = Step {
        limit_ms: Some(1_000),
        ..group("g", vec![step("a", "x/idem"), step("b", "x/idem"), step("c", "x/idem")])
    };
    let mut world = World::new(vec![Step { on_failure: OnFailure::Continue, ..slow }, step("z", "x/read")]);
    world.succeed(&["g/a"]);
    assert_eq!(world.go_on(), ["g/b"]);
    assert!(world.try_add(Event::TimedOut { step: "g".into() }).is_err(), "it has time left");
    world.now = world.now.plus_millis(1_000);
    assert_eq!(world.go_on(), ["g/b"]);
    assert!(world.run.step("g/b").unwrap().1.told_to_stop);
    world.answers("g/b", failed(FailureKind::Cancelled));
    assert_eq!(world.go_on(), ["z"]);
    assert_eq!(world.states(&["g", "g/a", "g/b", "g/c"]), "failed succeeded failed skipped");
    let failure = world.run.step("g").unwrap().1.failure.clone().unwrap();
    assert_eq!((failure.kind, &*failure.message), (FailureKind::Partial, "it took longer than its `timeout`"));
}

#[test]
fn time_that_passes_is_of_the_innermost_that_has_none_left() {
    let inner = Step { limit_ms: Some(500), ..group("in", vec![step("a", "x/read")]) };
    let outer = Step { limit_ms: Some(5_000), ..parallel("out", false, vec![inner, step("b", "x/read")]) };
    let mut world = World::new(vec![outer]);
    assert_eq!(world.go_on(), ["out/b", "out/in/a"]);
    let sleeps = [500, 5_000].map(|ms| Effect::Sleep { until: world.now.plus_millis(ms) });
    let due = world.run.due(world.now);
    assert!(sleeps.iter().all(|sleep| due.contains(sleep)), "{due:?}");
    world.now = world.now.plus_millis(500);
    world.go_on();
    let told = |path: &str| world.run.step(path).unwrap().1.told_to_stop;
    assert_eq!((told("out/in/a"), told("out/b")), (true, false));
}

#[test]
fn a_run_has_its_time_from_when_it_begins() {
    let limit = |on_failure| Some(Limit { ms: 1_000, on_failure });
    for (on_failure, status, back) in
        [(OnFailure::Stop, RunStatus::Failed, "succeeded"), (OnFailure::Rollback, RunStatus::RolledBack, "undone")]
    {
        let mut world = World::limited(limit(on_failure), vec![step("a", "x/idem"), step("b", "x/read")]);
        world.succeed(&["a"]);
        world.go_on();
        world.now = world.now.plus_millis(1_000);
        world.go_on();
        world.answers("b", failed(FailureKind::Cancelled));
        if on_failure == OnFailure::Rollback {
            world.succeed(&["a"]);
        }
        assert_eq!(world.states(&["a", "b"]), format!("{back} failed"));
        assert_eq!(world.run.status(), status);
        assert_eq!(world.run.failure().unwrap().message, "it took longer than its `timeout`");
    }
}
