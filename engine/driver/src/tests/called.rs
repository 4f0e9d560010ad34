//! Runbooks that are steps of another one.

use super::*;

/// A step that does these steps as a runbook with an input `n`.
fn called(id: &str, steps: Vec<Step>, outputs: Value, with: Value) -> Step {
    let mut called = runbook(steps, outputs);
    called.inputs.insert("n".into(), Input::new(InputKind::Integer));
    called.inputs.insert("m".into(), Input { default: Some(json!(7)), ..Input::new(InputKind::Integer) });
    let with = with.as_object().unwrap().clone();
    Step { work: Work::Runbook { runbook: Arc::new(called), with }, ..step(id, "x/read", json!({})) }
}

fn state(run: &Run, path: &str) -> String {
    run.step(path).unwrap_or_else(|| panic!("no {path}")).1.state.as_str().to_owned()
}

#[tokio::test]
async fn it_sees_its_own_inputs_and_steps_and_gives_its_outputs() {
    let inner = step("first", "x/read", json!({"n": "${{ inputs.n * 10 + inputs.m }}"}));
    let blind = scripted("blind", "type_of(steps.get(\"outer\"))", &[]);
    let outputs = json!({"n": "${{ steps.first.output.n }}", "outer": "${{ steps.blind.output }}"});
    let outer = step("outer", "x/read", json!({"n": 3}));
    let sub = called("sub", vec![inner, blind], outputs, json!({"n": "${{ steps.outer.output.n }}"}));
    let run = Bench::new().run(runbook(vec![outer, sub], json!({"all": "${{ steps.sub.output }}"}))).await;
    assert_eq!(run.status(), RunStatus::Succeeded, "{:?}", run.failed_at());
    assert_eq!(run.outputs()["all"], json!({"n": 37, "outer": "()"}));
    assert_eq!(run.step("sub").unwrap().1.input, Some(json!({"n": 3, "m": 7})));
}

/// A runbook that goes back over one that it called, in whose steps there is another one.
fn goes_back() -> Runbook {
    let inmost = called("inmost", vec![step("c", "x/unsafe", json!({}))], json!({}), json!({"n": 2}));
    let sub = called("sub", vec![step("a", "x/unsafe", json!({})), inmost], json!({}), json!({"n": 1}));
    let last = Step { on_failure: OnFailure::Rollback, ..step("last", "x/unsafe", json!({})) };
    runbook(vec![step("before", "x/unsafe", json!({})), sub, last], json!({}))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_taken_back_step_by_step_and_survives_crashes() {
    let bench = Bench::new();
    bench.fault("last", Fault::Permanent);
    let run = bench.run(goes_back()).await;
    assert_eq!(run.status(), RunStatus::RolledBack);
    let history = bench.journal.history(run.id()).unwrap();
    let undone: Vec<&str> = history
        .iter()
        .filter_map(|record| match &record.event {
            Event::Ended { step, direction: Direction::Undo, .. } => Some(step.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(undone, ["sub/inmost/c", "sub/inmost", "sub/a", "sub", "before"]);
    dies_after_every_commit(goes_back, &[("last", Fault::Permanent)]).await;
}

#[tokio::test]
async fn what_does_not_fit_its_inputs_starts_nothing() {
    let sub = called("sub", vec![step("a", "x/unsafe", json!({}))], json!({}), json!({"n": "${{ \"two\" }}"}));
    let bench = Bench::new();
    let run = bench.run(runbook(vec![sub], json!({}))).await;
    let failure = run.step("sub").unwrap().1.failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::InvalidInput);
    assert_eq!(failure.message, "`with` does not fit: the input `n` is a whole number, found text");
    assert!(run.step("sub/a").is_none() && bench.outside.effects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_whose_outputs_cannot_be_worked_out_has_failed_and_is_taken_back() {
    let outputs = json!({"n": "${{ steps.a.output.none.more }}"});
    let sub = called("sub", vec![step("a", "x/unsafe", json!({}))], outputs, json!({"n": 1}));
    let sub = Step { on_failure: OnFailure::Rollback, ..sub };
    let run = Bench::new().run(runbook(vec![sub], json!({}))).await;
    let failure = run.step("sub").unwrap().1.failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Partial, "{failure}");
    assert!(failure.message.starts_with("could not work out `outputs`"), "{failure}");
    assert_eq!((run.status(), state(&run, "sub/a")), (RunStatus::RolledBack, "undone".to_owned()));
}

#[tokio::test]
async fn its_own_time_ends_it_and_not_the_run() {
    let mut sub = called("sub", vec![step("a", "x/unsafe", json!({})), wait("b")], json!({}), json!({"n": 1}));
    if let Work::Runbook { runbook, .. } = &mut sub.work {
        Arc::make_mut(runbook).limit = Some(Limit { ms: 1_000, on_failure: OnFailure::Rollback });
    }
    let sub = Step { on_failure: OnFailure::Continue, ..sub };
    let run = Bench::new().run(runbook(vec![sub, step("after", "x/unsafe", json!({}))], json!({}))).await;
    assert_eq!(run.status(), RunStatus::Succeeded);
    assert_eq!([state(&run, "sub"), state(&run, "sub/a"), state(&run, "after")], ["failed", "undone", "succeeded"]);
    assert_eq!(run.step("sub").unwrap().1.failure.as_ref().unwrap().message, "it took longer than its `timeout`");
}

fn wait(id: &str) -> Step {
    Step::new(id, Work::Wait { time: "1h".into() })
}

#[tokio::test]
async fn where_the_time_of_the_step_is_over_first_what_was_done_stays() {
    let mut sub = called("sub", vec![step("a", "x/unsafe", json!({})), wait("b")], json!({}), json!({"n": 1}));
    if let Work::Runbook { runbook, .. } = &mut sub.work {
        Arc::make_mut(runbook).limit = Some(Limit { ms: 2_000, on_failure: OnFailure::Rollback });
    }
    let sub = Step { on_failure: OnFailure::Continue, limit_ms: Some(1_000), ..sub };
    let run = Bench::new().run(runbook(vec![sub], json!({}))).await;
    assert_eq!([state(&run, "sub"), state(&run, "sub/a")], ["failed", "succeeded"]);
}
