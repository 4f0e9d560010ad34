//! Steps that people approve.

use super::*;

fn asks(quorum: u32, not_requester: bool, on_timeout: OnTimeout) -> Step {
    let work =
        Work::Approve { message: "Go?".into(), role: Some("approver".into()), quorum, not_requester, on_timeout };
    Step { limit_ms: Some(1_000), ..Step::new("go", work) }
}

fn asked(step: Step) -> World {
    let mut world = World::new(vec![step, Step { condition: None, ..self::step("act", "x/idem") }]);
    assert_eq!(world.go_on(), Vec::<String>::new());
    assert_eq!(world.run.status(), RunStatus::Blocked);
    world
}

fn answer(world: &mut World, who: &str, yes: bool) -> Result<(), String> {
    let by = By { who: who.into(), why: "looked".into() };
    world.try_add(Event::Approval { step: "go".into(), yes, by }).map_err(|misfit| misfit.to_string())
}

#[test]
fn as_many_as_it_asks_for_must_say_yes_and_each_counts_once() {
    let mut world = asked(asks(2, false, OnTimeout::Fail));
    answer(&mut world, "bob", true).unwrap();
    assert_eq!(world.run.status(), RunStatus::Blocked);
    assert_eq!(answer(&mut world, "bob as root", true).unwrap_err(), "bob has approved step \"go\" already");
    answer(&mut world, "cyd", true).unwrap();
    assert_eq!(world.go_on(), ["act"]);
    assert_eq!(world.run.scope_of("act")["steps"]["go"]["output"], json!({ "by": ["bob", "cyd"] }));
    let why = answer(&mut world, "eve", true).unwrap_err();
    assert_eq!(why, "step \"go\" does not ask for approval; no step of this run asks for approval now");
}

#[test]
fn one_no_decides() {
    let mut world = asked(asks(2, false, OnTimeout::Approve));
    answer(&mut world, "bob", true).unwrap();
    answer(&mut world, "cyd", false).unwrap();
    assert_eq!(world.go_on(), Vec::<String>::new());
    assert_eq!((world.run.status(), world.state("act")), (RunStatus::Failed, "skipped"));
    let failure = world.run.step("go").unwrap().1.failure.clone().unwrap();
    assert_eq!((failure.code.as_deref(), &*failure.message), (Some("approval.refused"), "cyd said no: looked"));
}

#[test]
fn who_asked_for_the_run_may_not_approve_it_where_the_step_says_so() {
    let mut world = asked(asks(1, true, OnTimeout::Fail));
    assert_eq!(world.run.approver("go").unwrap(), Approver { role: Some("approver"), quorum: 1, not: Some("ada") });
    let why = answer(&mut world, "ada as root", true).unwrap_err();
    assert_eq!(why, "ada asked for this run: step \"go\" must be answered by somebody else");
    answer(&mut world, "bob", true).unwrap();
    assert_eq!(world.go_on(), ["act"]);
}

#[test]
fn nobody_answers_in_time() {
    for (on_timeout, status) in [(OnTimeout::Fail, "failed"), (OnTimeout::Approve, "succeeded")] {
        let mut world = asked(asks(1, false, on_timeout));
        assert_eq!(world.run.due(world.now), [Effect::Sleep { until: world.now.plus_millis(1_000) }]);
        assert!(world.try_add(Event::TimedOut { step: "go".into() }).is_err(), "it has time left");
        world.now = world.now.plus_millis(1_000);
        world.go_on();
        assert_eq!(world.state("go"), status);
    }
}

#[test]
fn a_crash_costs_a_question_nothing_and_a_cancel_ends_it() {
    let mut world = asked(asks(2, false, OnTimeout::Fail));
    answer(&mut world, "bob", true).unwrap();
    world.crash();
    answer(&mut world, "cyd", true).unwrap();
    assert_eq!(world.go_on(), ["act"]);
    let mut world = asked(asks(1, false, OnTimeout::Approve));
    world.add(Event::CancelRequested { by: by(), rollback: false });
    assert_eq!(world.go_on(), Vec::<String>::new());
    assert_eq!(world.run.status(), RunStatus::Cancelled);
}
