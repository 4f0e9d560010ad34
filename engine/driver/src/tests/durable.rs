//! Scripts, waits, locks and undo steps.

use super::*;

/// Asks for everything that a script can ask for, and catches a failure.
const ASKS: &str = r#"
    let a = act("x/unsafe", #{ n: inputs.n });
    let b = act("x/idem", #{ was: a.n });
    let c = "";
    try { act("x/unsafe", #{ bad: true }) } catch (e) { c = e.kind }
    let id = uuid();
    let d = act("x/unsafe", #{ n: 7 });
    #{ sum: a.n + b.was + d.n, caught: c, same: id == act("x/read", #{ id: id }).id, early: now() > 0 && random() < 1.0 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_script_goes_on_in_its_middle_wherever_the_engine_dies() {
    let outputs = json!({"asked": "${{ steps.asks.output }}"});
    let asks = || runbook(vec![scripted("asks", ASKS, &["x/unsafe", "x/idem", "x/read"])], outputs.clone());
    let run = Bench::new().run(asks()).await;
    let expected = json!({"sum": 9, "caught": "invalid-input", "same": true, "early": true});
    assert_eq!(run.status(), RunStatus::Succeeded, "{:?}", run.step("asks").unwrap().1.failure);
    assert_eq!(run.outputs()["asked"], expected);
    dies_after_every_commit(asks, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_takes_another_path_is_stopped_and_both_calls_are_named() {
    let source = r#"if steps.flip.output == 1 { act("x/unsafe", #{ n: 1 }) } else { act("x/unsafe", #{ n: 2 }) }"#;
    let bench = Bench::new();
    let flip = step("flip", "x/read", json!({}));
    let whole = bench.run(runbook(vec![flip.clone(), scripted("s", source, &["x/unsafe"])], json!({}))).await;
    assert_eq!(whole.status(), RunStatus::Succeeded);
    // The journal of an engine that died after the call, with a script that was another one then.
    let other = runbook(vec![flip, scripted("s", &source.replace("n: 2", "n: 3"), &["x/unsafe"])], json!({}));
    let (digest, bytes) = other.source();
    let cut = Memory::new();
    for mut record in bench.journal.history(whole.id()).unwrap().into_iter().take(6) {
        if let Event::Created { runbook, .. } = &mut record.event {
            *runbook = digest;
        }
        let head = Head { seq: record.seq, runbook: digest, status: RunStatus::Running, ..whole.head() };
        let batch = Batch { sources: vec![(digest, bytes.clone())], ..Batch::of(vec![record], head) };
        cut.append(batch).await.unwrap();
    }
    let next = Bench::with(cut, Arc::default());
    next.driver.resume(whole.id()).await.unwrap();
    let run = next.driver.wait(whole.id()).await.unwrap();
    let failure = run.step("s").unwrap().1.failure.as_ref().unwrap();
    let expected = r#"not deterministic: call 1 was act("x/unsafe", {"n":2}), and is act("x/unsafe", {"n":3})"#;
    assert!(failure.message.contains(expected), "{}", failure.message);
}

#[tokio::test]
async fn waits_and_polls_end_at_their_time() {
    let bench = Bench::new();
    let wait = Step { work: Work::Wait { time: "${{ inputs.n }}h".into() }, ..step("wait", "x/read", json!({})) };
    let until = Some(Until { condition: "output.n > 1".into(), every_ms: 500 });
    let poll = Step { until, timeout_ms: 2_000, ..step("poll", "x/read", json!({"n": "${{ inputs.n }}"})) };
    let before = bench.driver.now();
    let run = bench.run(runbook(vec![wait, poll], json!({}))).await;
    assert_eq!(run.status(), RunStatus::Failed);
    let (_, poll) = run.step("poll").unwrap();
    assert_eq!(
        (poll.forward.started, poll.failure.as_ref().unwrap().message.as_str()),
        (5, "the condition of `wait-until` does not hold yet")
    );
    assert_eq!(bench.driver.now().millis_since(before), 3_600_000 + 2_000);
}

#[tokio::test]
async fn a_lock_lets_one_run_go_on_at_a_time() {
    let bench = Bench::new();
    bench.fault("hangs", Fault::Hang);
    let locked = |on_busy| {
        let lock = Some(Lock { key: "vm/${{ inputs.n }}".into(), on_busy });
        Runbook { lock, ..runbook(vec![step("hangs", "x/unsafe", json!({}))], json!({})) }
    };
    let first = bench.start(locked(OnBusy::Queue)).await;
    bench.until_effects(1).await;
    let second = bench.start(locked(OnBusy::Queue)).await;
    assert_eq!(bench.driver.load(second).unwrap().status(), RunStatus::Queued);
    let inputs = json!({"n": 1}).as_object().unwrap().clone();
    let cause = Cause::Person { by: by() };
    let skipped = Admission { runbook: Arc::new(locked(OnBusy::Skip)), inputs, cause };
    let busy = bench.driver.start(skipped).await.unwrap_err();
    assert_eq!(busy.to_string(), format!("the lock \"vm/1\" is held by run {first}"));
    let third = bench.start(locked(OnBusy::Replace)).await;
    assert_eq!(bench.driver.wait(first).await.unwrap().status(), RunStatus::Cancelled);
    bench.until_effects(2).await;
    assert_eq!(bench.driver.load(third).unwrap().status(), RunStatus::Queued, "it waits behind the second");

    // A crash releases no lock, and changes no order.
    let next = Bench::with(bench.journal.after(bench.journal.commits()).unwrap(), Arc::default());
    let (resumed, left) = next.driver.resume_all().await.unwrap();
    assert_eq!((resumed, left.len()), (2, 0));
    for run in [second, third] {
        assert_eq!(next.driver.wait(run).await.unwrap().status(), RunStatus::Succeeded);
    }
    let seconds = next.journal.history(second).unwrap().last().unwrap().at;
    let thirds = next.journal.history(third).unwrap();
    let held = thirds.iter().find(|record| matches!(record.event, Event::Locked { .. })).unwrap().at;
    assert!(held >= seconds);
}

#[tokio::test]
async fn an_undo_of_the_runbook_is_a_call_with_what_the_step_gave() {
    let bench = Bench::new();
    bench.fault("last", Fault::Permanent);
    let with = json!({"text": "was ${{ steps.first.output.n }}"}).as_object().unwrap().clone();
    let undo = Some(Work::Action { action: "x/idem".parse().unwrap(), with });
    let first = Step { undo, ..step("first", "x/blind", json!({"n": 5})) };
    let last = Step { on_failure: OnFailure::Rollback, ..step("last", "x/read", json!({})) };
    let run = bench.run(runbook(vec![first, last], json!({}))).await;
    assert_eq!(run.status(), RunStatus::RolledBack);
    assert_eq!(run.step("first").unwrap().1.undo_input, Some(json!({"text": "was 5"})));
    let effects = bench.outside.effects.lock().unwrap().clone();
    assert_eq!(effects.last().unwrap().split(' ').next(), Some("idem"));
}

#[tokio::test]
async fn a_run_is_taken_back_after_its_end() {
    let bench = Bench::new();
    let run = bench.run(runbook(vec![step("a", "x/unsafe", json!({}))], json!({}))).await;
    assert_eq!(run.status(), RunStatus::Succeeded);
    bench.driver.roll_back(run.id(), by()).await.unwrap();
    assert_eq!(bench.driver.wait(run.id()).await.unwrap().status(), RunStatus::RolledBack);
    let again = bench.driver.roll_back(run.id(), by()).await.unwrap_err();
    assert_eq!(again.to_string(), "the run was rolled back already");
}

/// A clock on which time passes with every look, so that it may come between any two.
struct Hurries(AtomicU64);

#[async_trait]
impl Clock for Hurries {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(7, Ordering::SeqCst))
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.0.fetch_max(until.millis(), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_time_that_comes_while_a_record_is_written_is_not_missed() {
    for delay_ms in 0..60 {
        let (journal, outside) = (Arc::new(Memory::new()), Arc::new(Outside::default()));
        outside.faults.lock().unwrap().insert("a".into(), Fault::Transient { times: 2 });
        let scripts = Arc::new(script::Engine::new(script::Limits::default()));
        let clock = Arc::new(Hurries(AtomicU64::new(1_000_000)));
        let driver = Driver::new(journal, outside, clock, scripts);
        let retry = Retry { attempts: 3, delay_ms, backoff: 1.0, max_delay_ms: delay_ms };
        let runbook = Arc::new(runbook(vec![Step { retry, ..step("a", "x/unsafe", json!({})) }], json!({})));
        let admission = Admission { runbook, inputs: Map::new(), cause: Cause::Person { by: by() } };
        let run = driver.start(admission).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_secs(10), driver.wait(run)).await;
        assert_eq!(waited.expect("it is not missed").unwrap().status(), RunStatus::Succeeded, "{delay_ms} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_does_not_catch_a_refusal_is_refused_itself_at_a_line_of_the_file() {
    let of = |source: &str| {
        let step = scripted("s", source, &["x/unsafe"]);
        let Work::Script { source, acts, .. } = step.work.clone() else { panic!("a script") };
        let work = Work::Script { source, acts, line: Some(40) };
        let after =
            Step { always: true, ..self::step("kind", "x/read", json!({ "kind": "${{ steps.s.error.kind }}" })) };
        runbook(vec![Step { work, on_failure: OnFailure::Continue, ..step }, after], json!({}))
    };
    let run = Bench::new().run(of("let x = 1;\nact(\"x/unsafe\", #{ bad: true })")).await;
    let failure = run.step("s").unwrap().1.failure.clone().unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::InvalidInput, "bad (line 41 of the runbook)"));
    assert_eq!(run.status(), RunStatus::Failed, "a refusal stops the run, whatever `continue` says");
    assert_eq!(run.step("kind").unwrap().1.answer.as_ref().unwrap().output, json!({ "kind": "invalid-input" }));
    let run = Bench::new().run(of("throw \"no\"")).await;
    assert_eq!(run.step("s").unwrap().1.failure.as_ref().unwrap().kind, FailureKind::Permanent);
    assert_eq!(run.status(), RunStatus::Succeeded);
}
