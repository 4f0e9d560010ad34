//! Steps that say after which kinds of failure their list goes on.

use super::tree::group;
use super::*;

fn after(kinds: &[FailureKind], rollback: bool) -> OnFailure {
    OnFailure::ContinueAfter { kinds: kinds.iter().copied().collect(), rollback }
}

#[test]
fn a_list_goes_on_after_the_kinds_that_the_step_names_and_after_no_other() {
    let named = [FailureKind::Transient, FailureKind::Denied];
    for (rollback, always) in [(false, false), (true, false), (false, true)] {
        for kind in FailureKind::ALL {
            let probe = Step { on_failure: after(&named, rollback), always, ..step("probe", "x/read") };
            let mut world = World::new(vec![step("a", "x/idem"), probe, step("z", "x/read")]);
            world.succeed(&["a"]);
            world.go_on();
            world.answers("probe", failed(kind));
            let due = world.go_on();
            let expected: &[&str] = match (named.contains(&kind), rollback) {
                (true, _) => &["z"],
                (false, true) => &["a"],
                (false, false) => &[],
            };
            assert_eq!(due, expected, "{kind:?}, {rollback}, {always}");
            assert_eq!(world.state("a") == "undoing", rollback && !named.contains(&kind), "{kind:?}");
        }
    }
}

#[test]
fn a_group_fails_with_its_own_kind_but_a_refusal_in_it_stays_one() {
    let goes_on = |kinds: &[FailureKind], inner| {
        let steps = vec![step("a", "x/idem"), step("b", "x/read")];
        let mut world =
            World::new(vec![Step { on_failure: after(kinds, false), ..group("g", steps) }, step("z", "x/read")]);
        world.succeed(&["g/a"]);
        world.go_on();
        world.answers("g/b", failed(inner));
        let due = world.go_on();
        assert_eq!(world.run.step("g").unwrap().1.failure.as_ref().unwrap().kind, FailureKind::Partial, "`a` stands");
        due == ["z"]
    };
    assert!(goes_on(&[FailureKind::Partial], FailureKind::Permanent));
    assert!(!goes_on(&[FailureKind::Permanent], FailureKind::Permanent));
    assert!(!goes_on(&[FailureKind::Partial], FailureKind::Denied), "a missing grant is named or stops the run");
    assert!(goes_on(&[FailureKind::Denied], FailureKind::Denied));
}
