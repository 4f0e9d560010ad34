//! Groups, steps side by side, and for-each: who comes next, what a failure means above it, and what goes back.

use super::durable::{calls, ended, script, settled};
use super::*;

pub(super) fn group(id: &str, steps: Vec<Step>) -> Step {
    let steps = steps.into_iter().map(Arc::new).collect();
    Step { work: Work::group(steps), ..step(id, "x/read") }
}

pub(super) fn parallel(id: &str, fail_fast: bool, steps: Vec<Step>) -> Step {
    let at_once = u32::try_from(steps.len()).ok();
    let steps = steps.into_iter().map(Arc::new).collect();
    Step { work: Work::Group { steps, at_once, fail_fast, rescue: None }, ..step(id, "x/read") }
}

/// For each of `count` items: the steps of `body`.
fn fleet(on_failure: OnFailure, max_failures: Share, body: Vec<Step>) -> Step {
    let work = Work::Each {
        items: json!([]),
        name: "vm".into(),
        waves: vec![],
        at_once: 2,
        max_failures,
        body: Arc::new(group("", body)),
        between: Some(Arc::new(group("", vec![step("bake", "x/read")]))),
    };
    Step { work, on_failure, ..step("fleet", "x/read") }
}

impl World {
    /// Does everything that is due but calls, and gives the calls that wait for an answer.
    pub(super) fn go_on(&mut self) -> Vec<String> {
        let is_outside =
            |effect: &Effect| matches!(effect, Effect::Call { .. } | Effect::Verify { .. } | Effect::Sleep { .. });
        while let Some(effect) = self.run.due(self.now).into_iter().find(|effect| !is_outside(effect)) {
            match effect {
                Effect::Resolve { step } => {
                    let input = match &self.run.step(&step).unwrap().0.work {
                        Work::Each { .. } => json!({ "items": [10, 20, 30, 40], "waves": [1, 3], "max-failures": 0 }),
                        Work::Wait { .. } => json!({ "ms": 3_600_000 }),
                        _ => json!({}),
                    };
                    self.add(self.run.first_attempt(&step, Direction::Forward, input).unwrap());
                }
                Effect::ResolveUndo { step } => {
                    self.add(self.run.first_attempt(&step, Direction::Undo, json!({})).unwrap());
                }
                Effect::Record(event) => self.add(*event),
                Effect::Finish { .. } => self.add(Event::Finished { outputs: Map::new(), failure: None }),
                other => panic!("{other:?}"),
            }
            let replayed = Run::replay(self.run.runbook().clone(), &self.history).unwrap();
            assert_eq!(replayed, self.run);
        }
        calls(self)
    }

    /// Answers a call that is due, going forward or back.
    pub(super) fn answers(&mut self, path: &str, outcome: Outcome) {
        let attempt = self.run.step(path).unwrap().1.active().unwrap().clone();
        let Attempt { direction, number, .. } = attempt;
        self.add(Event::Ended { step: path.into(), direction, attempt: number, outcome });
    }

    pub(super) fn succeed(&mut self, paths: &[&str]) {
        for path in paths {
            assert!(self.go_on().iter().any(|call| call == path), "{path} is not among {:?}", calls(self));
            self.answers(path, succeeded(json!({ "of": path })));
        }
    }

    pub(super) fn states(&mut self, paths: &[&str]) -> String {
        self.go_on();
        paths
            .iter()
            .map(|path| self.run.step(path).map_or("none", |(_, s)| s.state.as_str()))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[test]
fn a_group_is_a_step_whose_work_is_its_steps() {
    let mut world = World::new(vec![group("g", vec![step("a", "x/idem"), step("b", "x/read")]), step("z", "x/read")]);
    world.succeed(&["g/a", "g/b"]);
    assert_eq!(world.states(&["g", "g/a", "g/b", "z"]), "succeeded succeeded succeeded running");
    let scope = world.run.scope_of("z");
    assert_eq!(scope["steps"]["g"]["output"]["a"], json!({ "of": "g/a" }));
    assert!(scope["steps"].get("a").is_none(), "what is in a group is its own");
    assert_eq!(world.run.scope_of("g/b")["steps"]["a"]["succeeded"], true);
    assert_eq!(world.run.scope_of("g/b")["steps"]["z"]["ran"], true, "it sees what is around it");
}

struct OnlyA;

impl Reads for OnlyA {
    fn variable(&self, name: &str) -> bool {
        name == "steps"
    }

    fn steps(&self) -> Option<Vec<String>> {
        Some(vec!["a".to_owned()])
    }
}

#[test]
fn a_scope_leaves_out_what_nobody_reads() {
    let mut world = World::new(vec![group("g", vec![step("a", "x/idem"), step("b", "x/read")]), step("z", "x/read")]);
    world.succeed(&["g/a"]);
    let scope = world.run.scope_for("g/b", &OnlyA);
    assert!(scope.get("inputs").is_none() && scope["steps"].get("z").is_none(), "{scope}");
    assert_eq!(scope["steps"]["a"], world.run.scope_of("g/b")["steps"]["a"]);
}

#[test]
fn a_failure_in_a_group_rises_as_each_step_says() {
    let fails = |on_failure, of_group| {
        let inner = Step { on_failure, ..step("b", "x/read") };
        let always = Step { always: true, ..step("tidy", "x/read") };
        let outer =
            Step { on_failure: of_group, ..group("g", vec![step("a", "x/idem"), inner, step("c", "x/read"), always]) };
        let mut world = World::new(vec![outer, step("z", "x/read")]);
        world.succeed(&["g/a"]);
        world.go_on();
        world.answers("g/b", failed(FailureKind::Permanent));
        world
    };
    let all = ["g/a", "g/b", "g/c", "g/tidy", "g", "z"];
    let mut world = fails(OnFailure::Continue, OnFailure::Stop);
    assert_eq!(world.go_on(), ["g/c"]);

    let mut world = fails(OnFailure::Stop, OnFailure::Stop);
    world.succeed(&["g/tidy"]);
    assert_eq!(world.states(&all), "succeeded failed skipped succeeded failed skipped");
    assert_eq!(world.run.status(), RunStatus::Failed);
    let failure = world.run.step("g").unwrap().1.failure.clone().unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Partial, "g/b: no"), "what `a` did stands");
    assert_eq!(&*world.run.failed_at().unwrap().1.path, "g/b");

    let mut world = fails(OnFailure::Rollback, OnFailure::Continue);
    assert_eq!(world.go_on(), ["g/a"], "only the group goes back");
    assert_eq!(world.states(&["g/a"]), "undoing");
    world.answers("g/a", succeeded(json!(null)));
    world.succeed(&["g/tidy"]);
    assert_eq!(world.states(&all), "undone failed skipped succeeded failed running");
    assert_eq!(world.run.step("g").unwrap().1.failure.as_ref().unwrap().kind, FailureKind::Permanent);

    let mut world = fails(OnFailure::Stop, OnFailure::Rollback);
    world.succeed(&["g/tidy"]);
    assert_eq!(world.go_on(), ["g/a"], "the run takes the group back");
    world.answers("g/a", succeeded(json!(null)));
    assert_eq!(world.states(&all), "undone failed skipped succeeded undone skipped");
    assert_eq!(world.run.status(), RunStatus::RolledBack);
}

#[test]
fn steps_side_by_side_go_on_unless_the_first_failure_stops_them() {
    let branches = || {
        vec![
            group("l", vec![step("a", "x/idem"), step("b", "x/read")]),
            group("r", vec![step("c", "x/idem"), step("d", "x/read")]),
        ]
    };
    let mut world = World::new(vec![parallel("p", false, branches())]);
    assert_eq!(world.go_on(), ["p/l/a", "p/r/c"]);
    world.answers("p/l/a", failed(FailureKind::Permanent));
    world.succeed(&["p/r/c", "p/r/d"]);
    assert_eq!(world.states(&["p/l", "p/r", "p"]), "failed succeeded failed");
    assert_eq!(world.run.status(), RunStatus::Failed);

    let mut world = World::new(vec![parallel("p", true, branches())]);
    world.go_on();
    world.answers("p/l/a", failed(FailureKind::Permanent));
    assert_eq!(world.go_on(), ["p/r/c"]);
    assert!(world.run.step("p/r/c").unwrap().1.told_to_stop);
    world.answers("p/r/c", failed(FailureKind::Cancelled));
    assert_eq!(world.states(&["p/l", "p/r", "p/r/d", "p"]), "failed failed skipped failed");

    // A crash costs the groups nothing: only what was calling is looked at.
    let mut world = World::new(vec![parallel("p", false, branches())]);
    world.go_on();
    world.crash();
    assert_eq!(world.go_on(), ["p/l/a", "p/r/c"]);
    assert_eq!(world.run.step("p/l").unwrap().1.forward.started, 1);
}

#[test]
fn what_was_done_side_by_side_is_undone_side_by_side() {
    let branches =
        vec![group("l", vec![step("a", "x/idem")]), group("r", vec![step("c", "x/idem"), step("d", "x/idem")])];
    let last = Step { on_failure: OnFailure::Rollback, ..step("z", "x/read") };
    let mut world = World::new(vec![step("first", "x/idem"), parallel("p", false, branches), last]);
    world.succeed(&["first", "p/l/a", "p/r/c", "p/r/d"]);
    world.go_on();
    world.answers("z", failed(FailureKind::Permanent));
    assert_eq!(world.go_on(), ["p/l/a", "p/r/d"], "each branch from its end");
    world.answers("p/r/d", failed(FailureKind::Permanent));
    world.answers("p/l/a", succeeded(json!(null)));
    assert_eq!(world.go_on(), ["p/r/c"], "what is stuck holds up only what it builds on");
    world.answers("p/r/c", succeeded(json!(null)));
    assert_eq!((world.go_on(), world.run.status()), (vec!["first".to_owned()], RunStatus::RollingBack));
    world.answers("first", succeeded(json!(null)));
    assert_eq!(world.go_on(), Vec::<String>::new());
    assert_eq!(world.run.status(), RunStatus::Blocked);
    world.add(settled("p/r/d", Settlement::Done { output: json!(null) }));
    assert_eq!(world.states(&["p/l", "p/r", "p", "first"]), "undone undone undone undone");
    assert_eq!(world.run.status(), RunStatus::RolledBack);
}

#[test]
fn a_fleet_goes_in_waves_with_a_gate_between_them() {
    let mut world = World::new(vec![fleet(
        OnFailure::Stop,
        Share::Items(0),
        vec![step("drain", "x/idem"), step("patch", "x/idem")],
    )]);
    assert_eq!(world.go_on(), ["fleet/1/drain"], "a canary");
    assert_eq!(world.run.scope_of("fleet/1/drain")["vm"], 10);
    world.succeed(&["fleet/1/drain", "fleet/1/patch"]);
    assert_eq!(world.go_on(), ["fleet/between/1/bake"]);
    world.succeed(&["fleet/between/1/bake"]);
    assert_eq!(world.go_on(), ["fleet/2/drain", "fleet/3/drain"]);
    world.succeed(&["fleet/2/drain", "fleet/2/patch"]);
    assert_eq!(world.go_on(), ["fleet/3/drain"], "the next wave waits for all of this one");
    world.succeed(&["fleet/3/drain", "fleet/3/patch", "fleet/between/2/bake", "fleet/4/drain", "fleet/4/patch"]);
    assert_eq!(world.states(&["fleet"]), "succeeded");
    assert_eq!(world.run.scope()["steps"]["fleet"]["output"][2]["patch"], json!({ "of": "fleet/3/patch" }));
    assert_eq!(world.run.scope()["steps"]["fleet"]["output"].as_array().unwrap().len(), 4);
}

/// A fleet whose third item fails in its second wave, with the second one at work.
fn third_fails(on_failure: OnFailure) -> World {
    let body = vec![step("drain", "x/idem"), step("patch", "x/idem")];
    let mut world = World::new(vec![fleet(on_failure, Share::Items(0), body), step("z", "x/read")]);
    world.succeed(&["fleet/1/drain", "fleet/1/patch", "fleet/between/1/bake", "fleet/2/drain", "fleet/3/drain"]);
    world.go_on();
    world.answers("fleet/3/patch", failed(FailureKind::Permanent));
    world
}

#[test]
fn a_failure_in_a_fleet_touches_what_it_says_and_nothing_else() {
    let items = ["fleet/1", "fleet/2", "fleet/3", "fleet/4", "fleet", "z"];
    let mut world = third_fails(OnFailure::Stop);
    world.succeed(&["fleet/2/patch"]);
    assert_eq!(
        world.states(&items),
        "succeeded succeeded failed skipped failed skipped",
        "who is at work comes to its end"
    );
    assert_eq!(world.run.status(), RunStatus::Failed);

    let mut world = third_fails(OnFailure::Continue);
    world.succeed(&["fleet/2/patch"]);
    assert_eq!(world.states(&items), "succeeded succeeded failed skipped failed running");

    let mut world = third_fails(OnFailure::Rollback);
    world.succeed(&["fleet/2/patch"]);
    assert_eq!(world.go_on(), ["fleet/2/patch", "fleet/3/drain"], "two at once, the last first");
    world.succeed(&["fleet/3/drain", "fleet/2/patch", "fleet/2/drain", "fleet/1/patch", "fleet/1/drain"]);
    assert_eq!(world.states(&items), "undone undone undone skipped undone skipped");
    assert_eq!(world.run.status(), RunStatus::RolledBack);
    assert!(world.run.step("fleet/4/drain").is_none(), "it was never touched");

    let mut world = third_fails(OnFailure::RollbackWave);
    world.succeed(&["fleet/2/patch", "fleet/3/drain", "fleet/2/patch", "fleet/2/drain"]);
    assert_eq!(world.states(&items), "succeeded undone undone skipped failed skipped", "the canary stays");
    assert_eq!(world.run.status(), RunStatus::Failed);
}

#[test]
fn a_run_that_is_cancelled_in_a_tree_ends_all_that_is_at_work() {
    for rollback in [false, true] {
        let always = Step { always: true, ..step("tidy", "x/read") };
        let wait = Step { work: Work::Wait { time: "1h".into() }, ..step("wait", "x/read") };
        let branches = vec![
            group("l", vec![step("a", "x/idem"), wait, always]),
            group("r", vec![step("c", "x/idem"), script("s", &["x/idem"])]),
        ];
        let mut world = World::new(vec![parallel("p", false, branches)]);
        world.succeed(&["p/l/a", "p/r/c"]);
        world.go_on();
        super::durable::act(&mut world, "p/r/s", "x/idem");
        world.add(Event::CancelRequested { by: by(), rollback });
        assert_eq!(calls(&world).iter().filter(|call| *call == "p/r/s/1").count(), 1);
        world.add(ended("p/r/s/1", 1, failed(FailureKind::Cancelled)));
        if rollback {
            world.succeed(&["p/l/a", "p/r/c"]);
        }
        world.succeed(&["p/l/tidy"]);
        let (states, end) = match rollback {
            false => ("failed failed succeeded succeeded failed", RunStatus::Cancelled),
            true => ("failed failed undone undone failed", RunStatus::RolledBack),
        };
        assert_eq!(world.states(&["p/l", "p/r", "p/l/a", "p/r/c", "p"]), states);
        assert_eq!(world.run.status(), end);
    }
}

#[test]
fn what_is_unknown_deep_in_a_tree_asks_and_only_its_branch_waits() {
    let branches =
        vec![group("l", vec![step("a", "x/blind"), step("b", "x/read")]), group("r", vec![step("c", "x/read")])];
    let mut world = World::new(vec![parallel("p", false, branches), step("z", "x/read")]);
    world.go_on();
    world.answers("p/l/a", lost());
    assert_eq!((world.go_on(), world.run.status()), (vec!["p/r/c".to_owned()], RunStatus::Running));
    world.succeed(&["p/r/c"]);
    assert_eq!((world.go_on(), world.run.status()), (vec![], RunStatus::Blocked));
    world.add(settled("p/l/a", Settlement::Done { output: json!(1) }));
    world.succeed(&["p/l/b"]);
    assert_eq!(world.go_on(), ["z"]);
    // Undoing it takes the whole run back.
    let branches = vec![group("l", vec![step("a", "x/unsafe")]), group("r", vec![step("c", "x/idem")])];
    let mut world = World::new(vec![step("first", "x/idem"), parallel("p", false, branches)]);
    world.succeed(&["first", "p/r/c"]);
    world.go_on();
    world.answers("p/l/a", lost());
    let verdict = Verdict::CannotTell { reason: "dark".into() };
    world.add(Event::Verified { step: "p/l/a".into(), direction: Direction::Forward, attempt: 1, verdict });
    world.add(settled("p/l/a", Settlement::Undo));
    world.succeed(&["p/l/a", "p/r/c", "first"]);
    assert_eq!(world.states(&["first", "p", "p/l/a", "p/r/c"]), "undone failed undone undone");
    assert_eq!(world.run.status(), RunStatus::RolledBack);
}

#[test]
fn a_group_with_an_undo_of_its_own_is_taken_back_by_that() {
    let undo = Some(Work::Action { action: "x/idem".parse().unwrap(), with: Map::new() });
    let last = Step { on_failure: OnFailure::Rollback, ..step("z", "x/read") };
    let mut world =
        World::new(vec![Step { undo, ..group("g", vec![step("a", "x/idem"), step("b", "x/blind")]) }, last]);
    world.succeed(&["g/a", "g/b"]);
    world.go_on();
    world.answers("z", failed(FailureKind::Permanent));
    assert_eq!(world.go_on(), ["g"]);
    world.answers("g", succeeded(json!(null)));
    assert_eq!(world.states(&["g", "g/a"]), "undone succeeded");
    assert_eq!((world.run.status(), world.run.not_undoable().count()), (RunStatus::RolledBack, 0));
}

#[test]
fn a_step_beside_one_that_failed_comes_to_its_own_end() {
    let retry = Retry { attempts: 2, ..Retry::default() };
    let beside = Step { retry, ..step("b", "x/idem") };
    let mut world = World::new(vec![parallel("p", false, vec![step("a", "x/read"), beside, script("s", &["x/idem"])])]);
    world.go_on();
    world.answers("p/a", failed(FailureKind::Permanent));
    assert_eq!(world.go_on(), ["p/b", "p/s"], "nothing told them to stop");
    world.answers("p/b", failed(FailureKind::Transient));
    world.answers("p/s", succeeded(json!(1)));
    world.now = world.now.plus_millis(60_000);
    world.succeed(&["p/b"]);
    assert_eq!(world.states(&["p/a", "p/b", "p/s", "p"]), "failed succeeded succeeded failed");
}

#[test]
fn a_gate_that_fails_takes_the_wave_before_it_back() {
    let body = vec![step("patch", "x/idem")];
    let mut world = World::new(vec![fleet(OnFailure::RollbackWave, Share::Items(0), body)]);
    world.succeed(&["fleet/1/patch", "fleet/between/1/bake", "fleet/2/patch", "fleet/3/patch"]);
    world.go_on();
    world.answers("fleet/between/2/bake", failed(FailureKind::Permanent));
    world.succeed(&["fleet/3/patch", "fleet/2/patch"]);
    assert_eq!(
        world.states(&["fleet/1", "fleet/2", "fleet/3", "fleet/4", "fleet"]),
        "succeeded undone undone skipped failed"
    );
}

#[test]
fn a_refusal_deep_in_a_tree_is_no_finding() {
    for kind in [FailureKind::Denied, FailureKind::InvalidInput, FailureKind::Permanent] {
        let probe = Step { on_failure: OnFailure::Continue, ..group("probe", vec![step("a", "x/read")]) };
        let mut world = World::new(vec![probe, step("restart", "x/unsafe")]);
        world.go_on();
        world.answers("probe/a", failed(kind));
        let calls = world.go_on();
        assert_eq!(calls.is_empty(), kind != FailureKind::Permanent, "{kind:?}: {calls:?}");
    }
}

#[test]
fn a_cancel_lets_an_undo_come_to_its_end() {
    let fails = Step { on_failure: OnFailure::Rollback, ..step("b", "x/read") };
    let mut world = World::new(vec![group("g", vec![step("a", "x/idem"), fails])]);
    world.succeed(&["g/a"]);
    world.go_on();
    world.answers("g/b", failed(FailureKind::Permanent));
    assert_eq!(world.go_on(), ["g/a"]);
    world.add(Event::CancelRequested { by: by(), rollback: false });
    assert!(!world.run.step("g/a").unwrap().1.told_to_stop);
    world.succeed(&["g/a"]);
    assert_eq!((world.states(&["g/a", "g"]), world.run.status()), ("undone failed".to_owned(), RunStatus::Cancelled));
}

#[test]
fn a_group_with_an_undo_of_its_own_never_goes_back_step_by_step() {
    let undo = Some(Work::Action { action: "x/idem".parse().unwrap(), with: Map::new() });
    let fails = Step { on_failure: OnFailure::Rollback, ..step("b", "x/read") };
    let inner = group("g", vec![step("a", "x/idem"), fails]);
    let mut world = World::new(vec![Step { undo, on_failure: OnFailure::Rollback, ..inner }]);
    world.succeed(&["g/a"]);
    world.go_on();
    world.answers("g/b", failed(FailureKind::Permanent));
    assert_eq!(world.go_on(), ["g"], "its own undo, and nothing else");
    world.answers("g", succeeded(json!(null)));
    assert_eq!(
        (world.states(&["g/a", "g"]), world.run.status()),
        ("succeeded undone".to_owned(), RunStatus::RolledBack)
    );
}

#[test]
fn waves_and_gates_are_undone_one_after_the_other() {
    let body = vec![step("patch", "x/idem")];
    let last = Step { on_failure: OnFailure::Rollback, ..step("z", "x/read") };
    let mut world = World::new(vec![fleet(OnFailure::Stop, Share::Items(0), body), last]);
    let forward = ["fleet/1/patch", "fleet/between/1/bake", "fleet/2/patch", "fleet/3/patch", "fleet/between/2/bake"];
    world.succeed(&forward);
    world.succeed(&["fleet/4/patch"]);
    world.go_on();
    world.answers("z", failed(FailureKind::Permanent));
    assert_eq!(world.go_on(), ["fleet/4/patch"]);
    world.succeed(&["fleet/4/patch"]);
    assert_eq!(world.go_on(), ["fleet/2/patch", "fleet/3/patch"]);
    world.succeed(&["fleet/3/patch"]);
    assert_eq!(world.go_on(), ["fleet/2/patch"], "the canary waits for all of them");
    world.answers("fleet/2/patch", failed(FailureKind::Permanent));
    world.succeed(&["fleet/1/patch"]);
    world.go_on();
    world.add(settled("fleet/2/patch", Settlement::Failed));
    assert_eq!(world.states(&["fleet/1", "fleet/2", "fleet"]), "undone undo-failed undo-failed", "a person left it so");
}

#[test]
fn a_step_that_a_person_undoes_stops_what_is_beside_it() {
    let steps = vec![step("v", "x/mild"), script("s", &["x/idem"])];
    let mut world = World::new(vec![parallel("p", false, steps)]);
    world.go_on();
    super::durable::act(&mut world, "p/s", "x/idem");
    world.answers("p/v", lost());
    world.add(settled("p/v", Settlement::Undo));
    assert!(world.run.step("p/s/1").unwrap().1.told_to_stop);
    world.answers("p/s/1", failed(FailureKind::Cancelled));
    world.go_on();
    assert_eq!(world.states(&["p/s"]), "failed", "it makes no further call");
}

#[test]
fn a_script_in_quarantine_asks_though_its_calls_could_be_taken_back() {
    let mut world = World::new(vec![script("s", &["x/idem"])]);
    world.go_on();
    super::durable::act(&mut world, "s", "x/idem");
    world.add(ended("s/1", 1, succeeded(json!(null))));
    for _ in 0..3 {
        world.go_on();
        world.crash();
    }
    assert_eq!((world.go_on(), world.run.status()), (vec![], RunStatus::Blocked));
    world.add(settled("s", Settlement::Failed));
    world.go_on();
    assert_eq!(world.run.status(), RunStatus::Failed);
}
