//! What is done when a group failed, and groups that are tried again.

use super::tree::group;
use super::*;

/// A group of these steps, with a rescue of `mend`.
fn with_rescue(at_once: Option<u32>, steps: Vec<Step>, mend: Step) -> Step {
    let rescue = Some(Arc::new(group("rescue", vec![mend])));
    let steps = steps.into_iter().map(Arc::new).collect();
    Step { work: Work::Group { steps, at_once, fail_fast: false, rescue }, ..step("g", "x/read") }
}

/// A group of `a` and `b`, with a rescue of `mend`.
fn rescued(on_failure: OnFailure) -> World {
    let steps = vec![step("a", "x/idem"), Step { on_failure, ..step("b", "x/idem") }];
    let mut world = World::new(vec![with_rescue(None, steps, step("mend", "x/idem")), step("z", "x/idem")]);
    world.succeed(&["g/a"]);
    assert_eq!(world.go_on(), ["g/b"]);
    world
}

#[test]
fn a_group_that_is_not_in_need_has_its_rescue_skipped() {
    let mut world = rescued(OnFailure::Stop);
    world.succeed(&["g/b"]);
    assert_eq!(world.states(&["g", "g/rescue", "z"]), "succeeded skipped running");
    assert_eq!(world.run.scope_of("z")["steps"]["g"]["rescued"], false);
}

#[test]
fn a_rescue_that_succeeds_is_the_end_of_the_group() {
    let mut world = rescued(OnFailure::Stop);
    world.answers("g/b", failed(FailureKind::Permanent));
    assert_eq!(world.go_on(), ["g/rescue/mend"]);
    assert_eq!(world.run.scope_of("g/rescue/mend")["steps"]["b"]["failed"], true, "it sees what failed");
    world.succeed(&["g/rescue/mend", "z"]);
    assert_eq!(world.states(&["g", "g/b"]), "succeeded failed");
    assert_eq!(world.run.status(), RunStatus::Succeeded);
    assert_eq!(world.run.failed_at().map(|(step, _)| step.id.clone()), None);
    // A rollback takes back what the rescue did, then what came before it.
    world.add(Event::RollbackRequested { by: by() });
    world.succeed(&["z", "g/rescue/mend", "g/a"]);
    assert_eq!(world.states(&["g"]), "undone");
}

#[test]
fn a_rescue_that_fails_is_why_the_group_failed() {
    let mut world = rescued(OnFailure::Stop);
    world.answers("g/b", failed(FailureKind::Permanent));
    world.go_on();
    world.answers("g/rescue/mend", failed(FailureKind::Permanent));
    assert_eq!(world.states(&["g", "z"]), "failed skipped");
    assert_eq!(&*world.run.failed_at().unwrap().1.path, "g/rescue/mend");
}

#[test]
fn what_is_rescued_is_taken_back_first_where_its_steps_say_so() {
    let mut world = rescued(OnFailure::Rollback);
    world.answers("g/b", failed(FailureKind::Permanent));
    world.succeed(&["g/a", "g/rescue/mend"]);
    assert_eq!(world.states(&["g", "g/a", "g/rescue", "z"]), "succeeded undone succeeded running");
}

#[test]
fn nothing_is_rescued_where_the_failure_says_nothing_about_the_world_or_a_person_said_stop() {
    for kind in [FailureKind::Denied, FailureKind::InvalidInput] {
        let mut world = rescued(OnFailure::Stop);
        world.answers("g/b", failed(kind));
        assert_eq!(world.states(&["g", "g/rescue"]), "failed skipped", "{kind:?}");
    }
    let mut world = rescued(OnFailure::Stop);
    world.add(Event::CancelRequested { by: by(), rollback: false });
    world.answers("g/b", failed(FailureKind::Permanent));
    assert_eq!(world.states(&["g", "g/rescue"]), "failed skipped");
}

#[test]
fn a_group_of_which_nothing_remains_is_tried_again_in_new_places() {
    let retry = Retry { attempts: 2, delay_ms: 100, ..Retry::default() };
    let back = Step { on_failure: OnFailure::Rollback, ..step("b", "x/read") };
    let mut world = World::new(vec![Step { retry, ..group("g", vec![step("a", "x/idem"), back]) }]);
    world.succeed(&["g/a"]);
    world.go_on();
    world.answers("g/b", failed(FailureKind::Transient));
    world.succeed(&["g/a"]);
    assert_eq!(world.states(&["g", "g/a"]), "running undone");
    world.now = world.now.plus_millis(100);
    world.succeed(&["g/2/a", "g/2/b"]);
    assert_eq!(world.states(&["g", "g/2/a"]), "succeeded succeeded");
    assert_eq!(world.run.status(), RunStatus::Succeeded);
}

#[test]
fn a_group_of_which_something_remains_is_not_tried_again() {
    let retry = Retry { attempts: 2, ..Retry::default() };
    let mut world = World::new(vec![Step { retry, ..group("g", vec![step("a", "x/idem"), step("b", "x/read")]) }]);
    world.succeed(&["g/a"]);
    world.go_on();
    world.answers("g/b", failed(FailureKind::Transient));
    assert_eq!(world.states(&["g"]), "failed");
    assert_eq!(world.run.status(), RunStatus::Failed);
}

#[test]
fn what_always_runs_can_still_fail_what_was_rescued() {
    for (on_failure, end) in [(OnFailure::Stop, "failed skipped"), (OnFailure::Continue, "succeeded running")] {
        let clean = Step { always: true, on_failure, ..step("clean", "x/read") };
        let group = with_rescue(None, vec![step("a", "x/read"), clean], step("mend", "x/read"));
        let mut world = World::new(vec![group, step("z", "x/read")]);
        world.go_on();
        world.answers("g/a", failed(FailureKind::Permanent));
        world.succeed(&["g/rescue/mend"]);
        assert_eq!(world.go_on(), ["g/clean"]);
        world.answers("g/clean", failed(FailureKind::Permanent));
        assert_eq!(world.states(&["g", "z"]), end);
    }
}

#[test]
fn a_group_is_tried_again_before_it_is_rescued() {
    let retry = Retry { attempts: 2, delay_ms: 100, ..Retry::default() };
    let mut world =
        World::new(vec![Step { retry, ..with_rescue(None, vec![step("a", "x/read")], step("mend", "x/read")) }]);
    world.go_on();
    world.answers("g/a", failed(FailureKind::Transient));
    assert_eq!(world.states(&["g", "g/rescue"]), "running skipped");
    world.now = world.now.plus_millis(100);
    assert_eq!(world.go_on(), ["g/2/a"]);
    assert_eq!(world.run.step("g").unwrap().1.failure, None, "the first attempt says nothing about this one");
    world.answers("g/2/a", failed(FailureKind::Transient));
    world.succeed(&["g/2/rescue/mend"]);
    assert_eq!(world.states(&["g"]), "succeeded");
}

#[test]
fn a_point_of_no_return_in_a_rescue_keeps_what_was_done_side_by_side() {
    let mend = Step { point_of_no_return: true, ..step("mend", "x/idem") };
    let group = with_rescue(Some(2), vec![step("a", "x/idem"), step("b", "x/read")], mend);
    let mut world = World::new(vec![group, Step { on_failure: OnFailure::Rollback, ..step("z", "x/read") }]);
    world.succeed(&["g/a"]);
    world.go_on();
    world.answers("g/b", failed(FailureKind::Permanent));
    world.succeed(&["g/rescue/mend"]);
    world.go_on();
    world.answers("z", failed(FailureKind::Permanent));
    assert_eq!(world.states(&["g/a", "g/rescue/mend"]), "succeeded succeeded");
}
