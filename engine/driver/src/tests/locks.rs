//! Locks of steps, and how many runs of a runbook are at work.

use super::*;

fn locked(id: &str, action: &str, key: &str) -> Step {
    Step { lock: Some(key.into()), ..step(id, action, json!({})) }
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..5_000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it did not come");
}

fn waits(bench: &Bench, run: RunId, path: &str) -> bool {
    let run = bench.driver.load(run).unwrap();
    run.step(path).is_some_and(|(_, state)| state.active().is_some_and(|attempt| attempt.phase == Phase::Queued))
}

#[tokio::test]
async fn a_step_waits_for_the_lock_that_another_run_holds_also_across_a_crash() {
    let bench = Bench::new();
    bench.fault("holds", Fault::Hang);
    let first = bench.start(runbook(vec![locked("holds", "x/blind", "vm/${{ inputs.n }}")], json!({}))).await;
    bench.until_effects(1).await;
    let second = bench.start(runbook(vec![locked("waits", "x/unsafe", "vm/1")], json!({}))).await;
    until(|| waits(&bench, second, "waits")).await;
    assert_eq!(bench.driver.load(second).unwrap().status(), RunStatus::Waiting);
    assert_eq!(bench.driver.load(second).unwrap().waits_for_locks("waits"), ["vm/1"]);
    assert_eq!(bench.journal.head(first).unwrap().unwrap().step_locks, [("holds".to_owned(), "vm/1".to_owned())]);

    // Nobody knows what became of the first one: it holds its lock until a person decides, in the next engine too.
    let next = Bench::with(bench.journal.after(bench.journal.commits()).unwrap(), Arc::default());
    assert_eq!(next.driver.resume_all().await.unwrap().0, 2);
    assert_eq!(next.driver.wait(first).await.unwrap().status(), RunStatus::Blocked);
    assert!(waits(&next, second, "waits") && next.outside.effects.lock().unwrap().is_empty());
    next.driver.settle(first, "holds".into(), Settlement::Failed, by()).await.unwrap();
    assert_eq!(next.driver.wait(second).await.unwrap().status(), RunStatus::Succeeded);
    assert!(next.journal.head(second).unwrap().unwrap().step_locks.is_empty());
}

#[tokio::test]
async fn a_step_that_waits_can_be_cancelled_and_frees_its_place() {
    let bench = Bench::new();
    bench.fault("holds", Fault::Hang);
    let first = bench.start(runbook(vec![locked("holds", "x/unsafe", "k")], json!({}))).await;
    bench.until_effects(1).await;
    let second = bench.start(runbook(vec![locked("a", "x/unsafe", "k")], json!({}))).await;
    until(|| waits(&bench, second, "a")).await;
    let third = bench.start(runbook(vec![locked("b", "x/unsafe", "k")], json!({}))).await;
    until(|| waits(&bench, third, "b")).await;
    bench.driver.cancel(second, by(), false).await.unwrap();
    assert_eq!(bench.driver.wait(second).await.unwrap().status(), RunStatus::Cancelled);
    bench.driver.cancel(first, by(), false).await.unwrap();
    assert_eq!(bench.driver.wait(third).await.unwrap().status(), RunStatus::Succeeded);
}

/// A runbook in which a group, a step in it and a runbook that is called need locks; it goes back in its end.
fn nested() -> Runbook {
    let mut called = runbook(vec![locked("c", "x/unsafe", "k")], json!({}));
    called.lock = Some(Lock { key: "called".into(), on_busy: OnBusy::Queue });
    let call = Work::Runbook { runbook: Arc::new(called), with: Map::new() };
    let inner = vec![Arc::new(locked("a", "x/unsafe", "k")), Arc::new(Step::new("call", call))];
    let group = Step { lock: Some("k".into()), ..Step::new("g", Work::group(inner)) };
    let script = locked("s", "x/read", "k");
    let script = Step { lock: script.lock, ..scripted("s", "act(\"x/unsafe\", #{})", &["x/unsafe"]) };
    let last = Step { on_failure: OnFailure::Rollback, ..step("last", "x/unsafe", json!({})) };
    runbook(vec![group, script, last], json!({}))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_around_a_step_it_has_and_an_undo_takes_the_locks_again() {
    let bench = Bench::new();
    bench.fault("last", Fault::Permanent);
    let run = bench.run(nested()).await;
    assert_eq!(run.status(), RunStatus::RolledBack);
    let history = bench.journal.history(run.id()).unwrap();
    let locked = history.iter().filter_map(|record| match &record.event {
        Event::Locked { step } => Some(step.as_str()),
        _ => None,
    });
    assert_eq!(locked.collect::<Vec<_>>(), ["g", "g/call", "s", "s/1", "g", "g/call"]);
    dies_after_every_commit(nested, &[("last", Fault::Permanent)]).await;
}

#[tokio::test]
async fn a_lock_whose_key_cannot_be_worked_out_refuses_the_step() {
    for (key, why) in [
        ("${{ \"\" }}", "could not work out `lock`: \"${{ \\\"\\\" }}\" gives an empty text"),
        ("${{ 7 }}", "could not work out `lock`: \"${{ 7 }}\" does not give text"),
    ] {
        let run = Bench::new().run(runbook(vec![locked("a", "x/unsafe", key)], json!({}))).await;
        let failure = run.step("a").unwrap().1.failure.clone().unwrap();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::InvalidInput, why));
    }
    for (bytes, status) in [(256, RunStatus::Succeeded), (257, RunStatus::Failed)] {
        let run = Bench::new().run(runbook(vec![locked("a", "x/unsafe", &"k".repeat(bytes))], json!({}))).await;
        assert_eq!(run.status(), status, "{bytes} bytes");
    }
}

#[tokio::test]
async fn no_more_runs_of_a_runbook_are_at_work_than_it_says() {
    let bench = Bench::new();
    bench.fault("hangs", Fault::Hang);
    let two_at_once =
        || Runbook { max_parallel: Some(2), ..runbook(vec![step("hangs", "x/unsafe", json!({}))], json!({})) };
    let (first, second) = (bench.start(two_at_once()).await, bench.start(two_at_once()).await);
    bench.until_effects(2).await;
    let third = bench.start(two_at_once()).await;
    assert_eq!(bench.driver.load(third).unwrap().status(), RunStatus::Queued);

    // The next engine knows who is at work.
    let next = Bench::with(bench.journal.after(bench.journal.commits()).unwrap(), Arc::default());
    next.fault("hangs", Fault::Hang);
    next.driver.remember_locks().unwrap();
    next.driver.resume(third).await.unwrap();
    assert_eq!(
        next.driver.load(third).unwrap().status(),
        RunStatus::Queued,
        "two are at work, though nobody goes on with them"
    );

    bench.driver.cancel(first, by(), false).await.unwrap();
    bench.until_effects(3).await;
    assert_eq!(bench.driver.load(third).unwrap().status(), RunStatus::Running);
    bench.driver.cancel(second, by(), false).await.unwrap();
    bench.driver.cancel(third, by(), false).await.unwrap();
    assert_eq!(bench.driver.wait(third).await.unwrap().status(), RunStatus::Cancelled);
}

#[tokio::test]
async fn a_run_that_waits_for_its_turn_holds_no_lock_that_others_need() {
    let bench = Bench::new();
    let ask = Work::Approve {
        message: "Go?".into(),
        role: None,
        quorum: 1,
        not_requester: false,
        on_timeout: OnTimeout::Fail,
    };
    let steps = vec![Step::new("ask", ask), locked("act", "x/unsafe", "k")];
    let first = bench.start(Runbook { max_parallel: Some(1), ..runbook(steps, json!({})) }).await;
    bench.driver.wait(first).await.unwrap();
    let lock = Some(Lock { key: "k".into(), on_busy: OnBusy::Queue });
    let second = Runbook { max_parallel: Some(1), lock, ..runbook(vec![step("b", "x/read", json!({}))], json!({})) };
    let second = bench.start(second).await;
    assert_eq!(bench.driver.load(second).unwrap().status(), RunStatus::Queued);
    bench.driver.approve(first, "ask".into(), true, by()).await.unwrap();
    assert_eq!(bench.driver.wait(first).await.unwrap().status(), RunStatus::Succeeded);
    assert_eq!(bench.driver.wait(second).await.unwrap().status(), RunStatus::Succeeded);
}

/// A run whose lock is "k", and that hangs.
fn with_lock(on_busy: OnBusy, max_parallel: Option<u32>) -> Runbook {
    let lock = Some(Lock { key: "k".into(), on_busy });
    Runbook { lock, max_parallel, ..runbook(vec![step("hangs", "x/unsafe", json!({}))], json!({})) }
}

async fn try_start(bench: &Bench, runbook: Runbook) -> Result<RunId, Error> {
    let inputs = json!({"n": 1}).as_object().unwrap().clone();
    let cause = Cause::Person { by: by() };
    bench.driver.start(Admission { runbook: Arc::new(runbook), inputs, cause }).await
}

#[tokio::test]
async fn a_run_that_replaces_another_cancels_no_run_for_a_lock_of_one_of_its_steps() {
    let bench = Bench::new();
    bench.fault("holds", Fault::Hang);
    let first = bench
        .start(runbook(vec![locked("holds", "x/unsafe", "k"), step("more", "x/read", json!({}))], json!({})))
        .await;
    bench.until_effects(1).await;
    let second = bench.start(with_lock(OnBusy::Replace, None)).await;
    assert_eq!(bench.driver.load(second).unwrap().status(), RunStatus::Queued);
    assert_eq!(bench.driver.load(first).unwrap().status(), RunStatus::Running, "it does more than hold that lock");
}

#[tokio::test]
async fn who_waits_for_its_turn_counts_for_who_would_skip_or_replace_it() {
    let bench = Bench::new();
    bench.fault("hangs", Fault::Hang);
    let other = Runbook { lock: None, ..with_lock(OnBusy::Queue, Some(1)) };
    bench.start(other).await;
    bench.until_effects(1).await;
    let queued = bench.start(with_lock(OnBusy::Skip, Some(1))).await;
    assert_eq!(bench.driver.load(queued).unwrap().status(), RunStatus::Queued, "it waits for its turn");
    let skipped = try_start(&bench, with_lock(OnBusy::Skip, Some(1))).await.unwrap_err();
    assert_eq!(skipped.to_string(), format!("the lock \"k\" is held by run {queued}"));
    let newest = bench.start(with_lock(OnBusy::Replace, Some(1))).await;
    assert_eq!(bench.driver.wait(queued).await.unwrap().status(), RunStatus::Cancelled);
    assert_eq!(bench.driver.load(newest).unwrap().status(), RunStatus::Queued);
}
