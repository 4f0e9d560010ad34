//! Runs that stopped or wait for a person: what they are told before they go on, and what they cost meanwhile.

use super::*;
use crate::threads::SCRIPTS_MAX;

/// What the next engine finds, and how the world is then.
fn next_engine(bench: &Bench) -> Bench {
    Bench::with(bench.journal.after(bench.journal.commits()).unwrap(), Arc::default())
}

/// A run whose only step, of this action, was in flight when its engine died, or was stopped.
async fn left(action: &str, stopped: bool) -> (Bench, RunId) {
    let bench = Bench::new();
    bench.fault("a", Fault::Hang);
    let id = bench.start(runbook(vec![step("a", action, json!({}))], json!({}))).await;
    bench.until_effects(1).await;
    if stopped {
        bench.driver.stop(Duration::ZERO).await;
    }
    (next_engine(&bench), id)
}

#[tokio::test]
async fn a_run_that_was_left_is_cancelled_before_it_starts_anything() {
    for stopped in [false, true] {
        for rollback in [false, true] {
            let (next, id) = left("x/idem", stopped).await;
            let commits = next.journal.commits();
            next.driver.cancel(id, by(), rollback).await.unwrap();
            let run = next.driver.wait(id).await.unwrap();
            let started = run.step("a").unwrap().1.forward.started;
            assert_eq!(started, 1, "stopped {stopped}, rollback {rollback}: {:?}", run.status());
            if !rollback {
                assert_eq!(run.status(), RunStatus::Cancelled);
                assert!(next.outside.effects.lock().unwrap().is_empty());
                assert_eq!(next.journal.commits(), commits + 1, "all of it is one commit");
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_was_left_is_rolled_back_and_settled_before_it_starts_anything() {
    let (next, id) = left("x/idem", false).await;
    next.driver.roll_back(id, by()).await.unwrap();
    let run = next.driver.wait(id).await.unwrap();
    assert_eq!((run.status(), run.step("a").unwrap().1.forward.started), (RunStatus::RolledBack, 1));

    let (next, id) = left("x/blind", false).await;
    next.driver.settle(id, "a".into(), Settlement::Done { output: json!(1) }, by()).await.unwrap();
    let run = next.driver.wait(id).await.unwrap();
    assert_eq!((run.status(), run.step("a").unwrap().1.forward.started), (RunStatus::Succeeded, 1));
}

#[tokio::test]
async fn a_command_that_is_refused_leaves_the_run_alone() {
    let (next, id) = left("x/idem", false).await;
    let commits = next.journal.commits();
    let refused = next.driver.settle(id, "b".into(), Settlement::Failed, by()).await.unwrap_err();
    assert!(matches!(refused, Error::Misfit(_)), "{refused}");
    assert_eq!((next.journal.commits(), next.driver.is_living(id)), (commits, false));
}

fn locked(action: &str) -> Runbook {
    let lock = Some(Lock { key: "vm".into(), on_busy: OnBusy::Queue });
    Runbook { lock, ..runbook(vec![step("a", action, json!({}))], json!({})) }
}

#[tokio::test]
async fn who_comes_late_to_take_a_run_over_leaves_no_lock_behind() {
    let bench = Bench::new();
    bench.fault("a", Fault::Hang);
    let id = bench.start(locked("x/idem")).await;
    bench.until_effects(1).await;
    let next = next_engine(&bench);
    next.driver.remember_locks().unwrap();
    let (open, gate) = oneshot::channel();
    *next.outside.gate.lock().unwrap() = Some(gate);
    let driver = next.driver.clone();
    let late = tokio::spawn(async move { driver.resume(id).await });
    while next.outside.gate.lock().unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    next.driver.cancel(id, by(), false).await.unwrap();
    while next.driver.is_living(id) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    open.send(()).unwrap();
    let late = late.await.unwrap();
    assert!(matches!(late, Err(Error::Over { status: RunStatus::Cancelled, .. })), "{late:?}");
    assert_eq!(next.run(locked("x/idem")).await.status(), RunStatus::Succeeded);
}

#[tokio::test]
async fn a_run_that_could_not_begin_leaves_no_lock_behind() {
    let bench = Bench::new();
    bench.journal.fail_append(1, journal::Error::Invalid("test".into()));
    let cause = Cause::Person { by: by() };
    let admission = Admission { runbook: Arc::new(locked("x/idem")), inputs: Map::new(), cause };
    let failed = bench.driver.start(admission).await.unwrap_err();
    assert!(matches!(failed, Error::Journal(journal::Error::Invalid(_))), "{failed}");
    let second = tokio::time::timeout(Duration::from_secs(30), bench.run(locked("x/idem"))).await;
    assert_eq!(second.unwrap().status(), RunStatus::Succeeded);
}

/// Two calls, of which the answer of the second is lost for good.
const FIX: &str = r#"act("x/idem", #{ n: 1 }); act("x/blind", #{ n: 2 }); act("x/idem", #{ n: 3 });"#;

async fn blocked_in_script(bench: &Bench) -> RunId {
    bench.fault("fix/2", Fault::Lost);
    let run = bench.run(runbook(vec![scripted("fix", FIX, &["x/idem", "x/blind"])], json!({}))).await;
    assert_eq!(run.status(), RunStatus::Blocked);
    run.id()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_blocked_in_a_script_stays_so_over_a_stop() {
    let bench = Bench::new();
    let id = blocked_in_script(&bench).await;
    let records = bench.journal.history(id).unwrap().len();
    let stopping = bench.driver.stop(Duration::from_secs(3_600));
    tokio::time::timeout(Duration::from_secs(20), stopping).await.expect("nothing is in flight");
    assert_eq!(bench.journal.history(id).unwrap().len(), records, "nothing was interrupted");

    for settlement in [Settlement::Done { output: json!({}) }, Settlement::Failed, Settlement::Retry] {
        let next = next_engine(&bench);
        assert_eq!(next.driver.load(id).unwrap().status(), RunStatus::Blocked);
        next.driver.resume(id).await.unwrap();
        let run = next.driver.wait(id).await.unwrap();
        assert_eq!((run.status(), &*run.waits_for("fix").unwrap().1.path), (RunStatus::Blocked, "fix/2"));
        next.driver.settle(id, "fix/2".into(), settlement.clone(), by()).await.unwrap();
        let run = next.driver.wait(id).await.unwrap();
        let end = if settlement == Settlement::Failed { RunStatus::Failed } else { RunStatus::Succeeded };
        assert_eq!(run.status(), end, "{settlement:?}: {:?}", run.step("fix"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_an_earlier_version_wrote_is_put_right() {
    let bench = Bench::new();
    let id = blocked_in_script(&bench).await;
    let run = bench.driver.load(id).unwrap();
    let old = Memory::new();
    for record in bench.journal.history(id).unwrap() {
        let head = Head { seq: record.seq, status: RunStatus::Waiting, ..run.head() };
        let sources = vec![run.runbook().source()];
        old.append(Batch { sources, ..Batch::of(vec![record], head) }).await.unwrap();
    }
    let next = Bench::with(old, Arc::default());
    next.driver.resume(id).await.unwrap();
    next.driver.wait(id).await.unwrap();
    next.driver.stop(Duration::ZERO).await;
    assert_eq!(next.journal.head(id).unwrap().unwrap().status, RunStatus::Blocked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_blocked_in_a_script_is_cancelled_as_far_as_it_goes() {
    for dies in [false, true] {
        let bench = Bench::new();
        let id = blocked_in_script(&bench).await;
        let bench = if dies { next_engine(&bench) } else { bench };
        bench.driver.cancel(id, by(), false).await.unwrap();
        let run = bench.driver.wait(id).await.unwrap();
        assert_eq!((run.status(), run.step("fix").unwrap().1.state.as_str()), (RunStatus::Blocked, "failed"));
        let again = bench.driver.cancel(id, by(), false).await.unwrap_err().to_string();
        assert_eq!(again, "the run is being cancelled already; it waits for a person to say what became of fix/2");
        bench.driver.settle(id, "fix/2".into(), Settlement::Failed, by()).await.unwrap();
        let run = bench.driver.wait(id).await.unwrap();
        assert_eq!((run.status(), run.step("fix").unwrap().1.calls.len()), (RunStatus::Cancelled, 2));
    }
}

#[test]
fn scripts_that_wait_take_no_thread_from_what_they_wait_for() {
    const THREADS: usize = 4;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).max_blocking_threads(THREADS).enable_time().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::new();
        bench.fault("s/1", Fault::Blocks { together: THREADS });
        let script = || runbook(vec![scripted("s", r#"act("x/idem", #{ n: 1 }).n"#, &["x/idem"])], json!({}));
        let mut runs = Vec::new();
        for _ in 0..2 * THREADS {
            runs.push(bench.start(script()).await);
        }
        for run in runs {
            let ended = tokio::time::timeout(Duration::from_secs(20), bench.driver.wait(run)).await;
            assert_eq!(ended.expect("its call gets a thread").unwrap().status(), RunStatus::Succeeded);
        }
    });
    // Where scripts hold them all, their calls never end.
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_wait_for_a_person_keep_no_thread() {
    let bench = Bench::new();
    for _ in 0..SCRIPTS_MAX + 10 {
        blocked_in_script(&bench).await;
    }
    let last = bench.run(runbook(vec![scripted("s", r#"act("x/idem", #{ n: 1 }).n"#, &["x/idem"])], json!({})));
    let last = tokio::time::timeout(Duration::from_secs(60), last).await.expect("there is a thread for it");
    assert_eq!(last.status(), RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_its_turn_when_the_engine_stops_is_not_lost() {
    let bench = Bench::new();
    bench.fault("a", Fault::Queue);
    let id = bench.start(runbook(vec![step("a", "x/blind", json!({}))], json!({}))).await;
    while !bench.outside.queued.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bench.driver.stop(Duration::ZERO).await;
    let next = next_engine(&bench);
    assert_eq!(next.driver.load(id).unwrap().status(), RunStatus::Waiting);
    next.driver.resume(id).await.unwrap();
    assert_eq!(next.driver.wait(id).await.unwrap().status(), RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_asks_while_the_engine_stops_loses_nothing() {
    // The first call ends within the grace; the second one is never begun, and so nobody is asked about it.
    let bench = Bench::new();
    bench.fault("s/1", Fault::Hang);
    let source = r#"try { act("x/idem", #{ n: 1 }) } catch { } act("x/blind", #{ n: 2 })"#;
    let id = bench.start(runbook(vec![scripted("s", source, &["x/idem", "x/blind"])], json!({}))).await;
    bench.until_effects(1).await;
    bench.driver.stop(Duration::ZERO).await;
    let next = next_engine(&bench);
    assert_eq!(next.driver.load(id).unwrap().step("s").unwrap().1.calls.len(), 1);
    next.driver.resume(id).await.unwrap();
    assert_eq!(next.driver.wait(id).await.unwrap().status(), RunStatus::Succeeded);
}

/// What is heard of scripts so far.
fn printed(hearing: &mut Hearing) -> Vec<String> {
    let said = |progress| if let Progress::Said { line, .. } = progress { Some(line.text) } else { None };
    std::iter::from_fn(|| hearing.try_next()).filter_map(said).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_print_is_heard_when_it_is_printed_and_not_again_when_the_script_is_run_again() {
    let bench = Bench::new();
    bench.fault("fix/1", Fault::Hang);
    let mut hearing = bench.driver.hear();
    let source = "for n in 0..3 { print(n) }\nact(\"x/idem\", #{});\nprint(\"after\")";
    let id = bench.start(runbook(vec![scripted("fix", source, &["x/idem"])], json!({}))).await;
    bench.until_effects(1).await;
    assert_eq!(printed(&mut hearing), ["0", "1", "2"], "while its call goes on");
    bench.driver.stop(Duration::ZERO).await;
    let next = next_engine(&bench);
    let mut hearing = next.driver.hear();
    next.driver.resume(id).await.unwrap();
    assert_eq!(next.driver.wait(id).await.unwrap().status(), RunStatus::Succeeded);
    assert_eq!(printed(&mut hearing), ["after"]);
}
