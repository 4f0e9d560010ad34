//! The driver against scripted plugins, a clock that jumps, and a journal in memory.

mod called;
mod durable;
mod locks;
mod sizes;
mod waiting;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use host::Notes;
use journal::{Batch, InboxWrite, Journal, Memory};
use runwright_core::*;
use serde_json::json;
use tokio::sync::{Notify, oneshot};

use crate::{Admission, Admitted, Call, Clock, Driver, Error, Hearing, Plugins, Progress};

/// A clock whose sleepers wake at once, at the time that they wait for.
struct Leaps(AtomicU64);

#[async_trait]
impl Clock for Leaps {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, until: Timestamp) {
        self.0.fetch_max(until.millis(), Ordering::SeqCst);
    }
}

/// The outside world and the plugins that act on it: it outlives every engine.
#[derive(Default)]
struct Outside {
    /// Every effect that happened, with the key under which it did.
    effects: Mutex<Vec<String>>,
    /// Actions that are to fail, hang or ask for a checkpoint, by step.
    faults: Mutex<BTreeMap<String, Fault>>,
    given_back: Mutex<Vec<BTreeMap<String, Vec<u8>>>>,
    /// Whether a call waits for its turn.
    queued: AtomicBool,
    /// Ends a call that is held.
    release: Notify,
    /// Calls that are about to block.
    blocking: AtomicUsize,
    /// The next who waits for a plugin to be ready waits for this too.
    gate: Mutex<Option<oneshot::Receiver<()>>>,
}

#[derive(Clone, Copy)]
enum Fault {
    Transient {
        times: u32,
    },
    Permanent,
    Hang,
    Checkpoint,
    /// Its answer is lost, the first time.
    Lost,
    /// It waits for its turn, for ever.
    Queue,
    /// It waits until this many calls do, and then needs one of the runtime's threads for what blocks.
    Blocks {
        together: usize,
    },
    /// It ends when it is released.
    Held,
    /// It keeps its thread until this many calls do, for ten seconds at most.
    Computes {
        together: usize,
    },
}

fn facts(name: &str, effect: EffectClass, has_verify: bool, has_undo: bool) -> ActionFacts {
    ActionFacts {
        name: name.into(),
        summary: String::new(),
        input_schema: json!({}),
        output_schema: json!({}),
        effect,
        destructive: false,
        has_plan: false,
        has_verify,
        has_undo,
        undo_safe_if_not_run: false,
        defaults: None,
    }
}

#[async_trait]
impl Plugins for Outside {
    fn catalog(&self) -> Catalog {
        Catalog::new([&PluginFacts {
            name: "x".into(),
            version: "1".into(),
            summary: String::new(),
            digest: Digest::of(b"x"),
            imports: vec![],
            actions: vec![
                facts("read", EffectClass::Read, false, false),
                facts("idem", EffectClass::Idempotent, false, true),
                facts("unsafe", EffectClass::Unsafe, true, true),
                facts("blind", EffectClass::Unsafe, false, false),
            ],
        }])
    }

    async fn ready(&self, _: Digest) -> Result<(), String> {
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.await.unwrap();
        }
        Ok(())
    }

    fn check(&self, _: Digest, _: &ActionName, input: &Value) -> Result<(), Failure> {
        match input.get("bad") {
            Some(_) => Err(Failure::new(FailureKind::InvalidInput, "bad")),
            None => Ok(()),
        }
    }

    async fn run(&self, call: Call, notes: Arc<dyn Notes>) -> Outcome {
        let fault = self.faults.lock().unwrap().get(&call.step).copied();
        match fault {
            Some(Fault::Transient { times }) if call.attempt <= times => {
                return Outcome::Failed(Failure::new(FailureKind::Transient, "later"));
            }
            Some(Fault::Permanent) => return Outcome::Failed(Failure::new(FailureKind::Permanent, "no")),
            Some(Fault::Checkpoint) => {
                self.given_back.lock().unwrap().push(call.checkpoints.clone());
                notes.note(Note::Checkpoint { key: "job".into(), value: Some(vec![7]) }).await.unwrap();
            }
            Some(Fault::Lost) => return Outcome::Lost { reason: "it trapped".into() },
            Some(Fault::Queue) => {
                notes.waits(true);
                self.queued.store(true, Ordering::SeqCst);
                std::future::pending().await
            }
            Some(Fault::Computes { together }) => {
                let began = std::time::Instant::now();
                self.blocking.fetch_add(1, Ordering::SeqCst);
                while self.blocking.load(Ordering::SeqCst) < together {
                    if began.elapsed() > Duration::from_secs(10) {
                        return Outcome::Failed(Failure::new(FailureKind::Permanent, "alone"));
                    }
                    std::thread::yield_now();
                }
            }
            Some(Fault::Blocks { together }) => {
                self.blocking.fetch_add(1, Ordering::SeqCst);
                while self.blocking.load(Ordering::SeqCst) < together {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                tokio::task::spawn_blocking(|| ()).await.unwrap();
            }
            _ => {}
        }
        self.effects.lock().unwrap().push(format!("{} {}", call.action.action(), call.key.as_str()));
        if matches!(fault, Some(Fault::Held)) {
            self.release.notified().await;
        }
        if matches!(fault, Some(Fault::Hang)) {
            let mut cancel = call.cancel.clone();
            cancel.wait_for(|cancel| *cancel).await.unwrap();
            return Outcome::Failed(Failure::new(FailureKind::Partial, "stopped half-way"));
        }
        Outcome::Succeeded(Answer { output: call.input, changed: true, undo_data: Some("was".into()) })
    }

    async fn undo(&self, call: Call, undo_data: Option<String>, _: Arc<dyn Notes>) -> Outcome {
        assert!(undo_data.is_none_or(|data| data == "was"), "of an attempt whose answer was lost there is none");
        self.effects.lock().unwrap().push(format!("undo {}", call.key.as_str()));
        Outcome::Succeeded(Answer::default())
    }

    async fn verify(&self, call: Call, _: Arc<dyn Notes>) -> Verdict {
        let happened = format!("{} {}", call.action.action(), call.key.as_str());
        match self.effects.lock().unwrap().contains(&happened) {
            true => Verdict::Happened(Answer { output: call.input, changed: true, undo_data: Some("was".into()) }),
            false => Verdict::NotHappened,
        }
    }
}

struct Bench {
    journal: Arc<Memory>,
    outside: Arc<Outside>,
    driver: Driver,
}

impl Bench {
    fn new() -> Self {
        Self::with(Memory::new(), Arc::new(Outside::default()))
    }

    fn with(journal: Memory, outside: Arc<Outside>) -> Self {
        let journal = Arc::new(journal);
        let clock = Arc::new(Leaps(AtomicU64::new(1_000_000)));
        let scripts = Arc::new(script::Engine::new(script::Limits::default()));
        let driver = Driver::new(Arc::clone(&journal) as _, Arc::clone(&outside) as _, clock, scripts);
        Self { journal, outside, driver }
    }

    fn fault(&self, step: &str, fault: Fault) {
        self.outside.faults.lock().unwrap().insert(step.into(), fault);
    }

    async fn run(&self, runbook: Runbook) -> Run {
        let id = self.start(runbook).await;
        self.driver.wait(id).await.unwrap()
    }

    async fn start(&self, runbook: Runbook) -> RunId {
        let inputs = json!({"n": 1}).as_object().unwrap().clone();
        let cause = Cause::Person { by: by() };
        self.driver.start(Admission { runbook: Arc::new(runbook), inputs, cause }).await.unwrap()
    }

    /// Waits until a step has acted on the outside, and hangs.
    async fn until_effects(&self, count: usize) {
        while self.outside.effects.lock().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn by() -> By {
    By { who: "ada".into(), why: String::new() }
}

fn step(id: &str, action: &str, with: Value) -> Step {
    let work = Work::Action { action: action.parse().unwrap(), with: with.as_object().unwrap().clone() };
    Step { timeout_ms: 1_000, retry: Retry { attempts: 3, ..Retry::default() }, ..Step::new(id, work) }
}

fn scripted(id: &str, source: &str, acts: &[&str]) -> Step {
    let acts = acts.iter().map(|act| act.parse().unwrap()).collect();
    Step { work: Work::Script { source: source.into(), acts, line: None }, ..step(id, "x/read", json!({})) }
}

fn runbook(steps: Vec<Step>, outputs: Value) -> Runbook {
    let steps = steps.into_iter().map(Arc::new).collect();
    Runbook { steps, outputs: outputs.as_object().unwrap().clone(), ..Runbook::empty("test") }
}

/// A runbook that uses most of what there is, and rolls back in its end.
fn eventful() -> Runbook {
    let skipped = Step { condition: Some("inputs.n > 1".into()), ..step("skipped", "x/unsafe", json!({})) };
    let script = scripted("add", "inputs.n + 1", &[]);
    let last = Step { on_failure: OnFailure::Rollback, ..step("last", "x/unsafe", json!({})) };
    let always = Step { always: true, ..step("always", "x/unsafe", json!({})) };
    let first = step("first", "x/unsafe", json!({"n": "${{ inputs.n }}"}));
    let retried = step("retried", "x/unsafe", json!({"text": "n is ${{ steps.first.output.n }}"}));
    runbook(vec![first, script, skipped, retried, step("idem", "x/idem", json!({})), last, always], json!({}))
}

#[tokio::test]
async fn a_run_is_one_commit_a_step() {
    let bench = Bench::new();
    let steps = (0..5).map(|n| step(&format!("s{n}"), "x/read", json!({}))).collect();
    let run = bench.run(runbook(steps, json!({"n": "${{ inputs.n }}"}))).await;
    assert_eq!(run.status(), RunStatus::Succeeded);
    assert_eq!(run.outputs()["n"], 1);
    assert_eq!(bench.journal.commits(), 6, "the first creates and starts, the last ends and finishes");
}

#[tokio::test]
async fn what_ends_while_nothing_else_goes_on_is_one_commit() {
    let bench = Bench::new();
    let steps = (0..10).map(|n| Arc::new(step(&format!("s{n}"), "x/read", json!({})))).collect();
    let work = Work::Group { steps, at_once: Some(10), fail_fast: false, rescue: None };
    let run = bench.run(runbook(vec![Step::new("all", work)], json!({}))).await;
    assert_eq!(run.status(), RunStatus::Succeeded);
    assert_eq!(bench.journal.commits(), 2, "all start, all end");
}

#[tokio::test]
async fn what_ends_as_the_engine_stops_is_written_down() {
    let bench = Bench::new();
    bench.fault("a", Fault::Held);
    let id = bench.start(runbook(vec![step("a", "x/blind", json!({}))], json!({}))).await;
    bench.until_effects(1).await;
    // Both come before the run's task goes on.
    bench.outside.release.notify_one();
    bench.driver.stop(Duration::ZERO).await;
    let run = bench.driver.load(id).unwrap();
    assert_eq!(run.step("a").unwrap().1.state, StepState::Succeeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn calls_of_one_run_use_several_cores() {
    let bench = Bench::new();
    let steps = ["a", "b"].map(|id| Arc::new(step(id, "x/read", json!({})))).to_vec();
    ["all/a", "all/b"].into_iter().for_each(|path| bench.fault(path, Fault::Computes { together: 2 }));
    let work = Work::Group { steps, at_once: Some(2), fail_fast: false, rescue: None };
    let run = bench.run(runbook(vec![Step::new("all", work)], json!({}))).await;
    assert_eq!(run.status(), RunStatus::Succeeded);
}

#[tokio::test]
async fn expressions_conditions_retries_and_scripts_work_together() {
    let bench = Bench::new();
    bench.fault("retried", Fault::Transient { times: 2 });
    bench.fault("last", Fault::Permanent);
    let run = bench.run(eventful()).await;
    let states: Vec<_> = run.steps().map(|(step, state)| (step.id.as_str(), state.state.as_str())).collect();
    let expected = [
        ("first", "undone"),
        ("add", "succeeded"),
        ("skipped", "skipped"),
        ("retried", "undone"),
        ("idem", "undone"),
        ("last", "failed"),
        ("always", "succeeded"),
    ];
    assert_eq!(states, expected);
    assert_eq!(run.status(), RunStatus::RolledBack);
    assert_eq!(run.step("add").unwrap().1.answer.as_ref().unwrap().output, 2);
    assert_eq!(run.step("retried").unwrap().1.forward.started, 3);
    assert_eq!(run.step("retried").unwrap().1.input, Some(json!({"text": "n is 1"})));
}

/// Lets an engine die after every commit of this runbook's run, and the next one end it.
async fn dies_after_every_commit(runbook: impl Fn() -> Runbook, faults: &[(&str, Fault)]) {
    let whole = Bench::new();
    faults.iter().for_each(|(step, fault)| whole.fault(step, *fault));
    let end = whole.run(runbook()).await;
    for commits in 1..whole.journal.commits() {
        // The world as it was when the engine died: its effects are those of the calls that had been answered.
        let outside = Arc::new(Outside::default());
        *outside.faults.lock().unwrap() = whole.outside.faults.lock().unwrap().clone();
        let bench = Bench::with(whole.journal.after(commits).unwrap(), Arc::clone(&outside));
        for record in bench.journal.history(end.id()).unwrap() {
            let Event::Ended { step, direction: Direction::Forward, outcome: Outcome::Succeeded(_), .. } = record.event
            else {
                continue;
            };
            let run = bench.driver.load(end.id()).unwrap();
            let Some(action) = run.step(&step).unwrap().0.work.action().cloned() else { continue };
            let key = Key::of(end.id(), &step, Direction::Forward);
            outside.effects.lock().unwrap().push(format!("{} {}", action.action(), key.as_str()));
        }
        let (resumed, left) = bench.driver.resume_all().await.unwrap();
        assert_eq!((resumed, left.len()), (1, 0));
        let run = bench.driver.wait(end.id()).await.unwrap();
        let states = |run: &Run| run.steps().map(|(_, s)| s.state.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!((run.status(), states(&run)), (end.status(), states(&end)), "after commit {commits}");
        assert_eq!(run.outputs(), end.outputs(), "after commit {commits}");
        let effects = outside.effects.lock().unwrap().clone();
        let repeated = effects.iter().filter(|effect| effect.starts_with("unsafe")).collect::<Vec<_>>();
        assert_eq!(repeated.iter().collect::<HashSet<_>>().len(), repeated.len(), "after commit {commits}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_dies_after_any_commit_leads_to_the_same_end() {
    dies_after_every_commit(eventful, &[("retried", Fault::Transient { times: 2 }), ("last", Fault::Permanent)]).await;
}

#[tokio::test]
async fn a_cancelled_run_tells_the_step_in_flight_and_cleans_up() {
    let bench = Bench::new();
    bench.fault("hangs", Fault::Hang);
    let always = Step { always: true, ..step("always", "x/unsafe", json!({})) };
    let steps = vec![step("hangs", "x/unsafe", json!({})), step("never", "x/read", json!({})), always];
    let id = bench.start(runbook(steps, json!({}))).await;
    bench.until_effects(1).await;
    bench.driver.cancel(id, by(), false).await.unwrap();
    let run = bench.driver.wait(id).await.unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
    let states: Vec<_> = run.steps().map(|(_, state)| state.state.as_str()).collect();
    assert_eq!(states, ["failed", "skipped", "succeeded"]);
    assert!(matches!(bench.driver.cancel(id, by(), false).await, Err(Error::Over { .. })));
}

#[tokio::test]
async fn a_stopped_engine_writes_down_what_was_in_flight_and_the_next_goes_on() {
    let bench = Bench::new();
    bench.fault("hangs", Fault::Hang);
    let steps = vec![step("hangs", "x/unsafe", json!({})), step("next", "x/read", json!({}))];
    let id = bench.start(runbook(steps, json!({}))).await;
    bench.until_effects(1).await;
    bench.driver.stop(Duration::from_millis(10)).await;
    let last = bench.journal.history(id).unwrap().pop().unwrap();
    assert_eq!(last.event, Event::Interrupted { engine: Exit::Stopped, not_begun: vec![] });
    assert!(matches!(bench.driver.resume(id).await, Err(Error::Stopped)));

    let outside = Arc::new(Outside::default());
    *outside.effects.lock().unwrap() = bench.outside.effects.lock().unwrap().clone();
    let next = Bench::with(bench.journal.after(bench.journal.commits()).unwrap(), Arc::clone(&outside));
    next.driver.resume(id).await.unwrap();
    let run = next.driver.wait(id).await.unwrap();
    assert_eq!(run.status(), RunStatus::Succeeded);
    let unsafe_effects = outside.effects.lock().unwrap().iter().filter(|e| e.starts_with("unsafe")).count();
    assert_eq!(unsafe_effects, 1, "verify found that it had happened");
}

#[tokio::test]
async fn an_unverifiable_step_blocks_its_run_until_it_is_settled() {
    let bench = Bench::new();
    bench.fault("blind", Fault::Hang);
    let id = bench.start(runbook(vec![step("blind", "x/blind", json!({}))], json!({}))).await;
    bench.until_effects(1).await;
    bench.driver.stop(Duration::ZERO).await;

    let next = Bench::with(bench.journal.after(bench.journal.commits()).unwrap(), Arc::default());
    let run = next.driver.wait(id).await.unwrap();
    assert_eq!(run.status(), RunStatus::Blocked);
    let wrong = next.driver.settle(id, "other".into(), Settlement::Retry, by()).await.unwrap_err();
    assert_eq!(wrong.to_string(), "there is no step \"other\" in this run (its steps: blind)");
    next.driver.settle(id, "blind".into(), Settlement::Done { output: json!(1) }, by()).await.unwrap();
    assert_eq!(next.driver.wait(id).await.unwrap().status(), RunStatus::Succeeded);
    assert_eq!(next.outside.effects.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn checkpoints_are_durable_and_given_back() {
    let bench = Bench::new();
    bench.fault("job", Fault::Checkpoint);
    let id = bench.start(runbook(vec![step("job", "x/idem", json!({}))], json!({}))).await;
    bench.driver.wait(id).await.unwrap();
    let history = bench.journal.history(id).unwrap();
    assert!(history.iter().any(|record| matches!(record.event, Event::Noted { .. })));

    let next = Bench::with(bench.journal.after(2).unwrap(), Arc::default());
    next.fault("job", Fault::Checkpoint);
    next.driver.resume(id).await.unwrap();
    assert_eq!(next.driver.wait(id).await.unwrap().status(), RunStatus::Succeeded);
    assert_eq!(next.outside.given_back.lock().unwrap()[0]["job"], [7]);
}

#[tokio::test]
async fn a_bad_input_refuses_the_step_before_anything_starts() {
    let bench = Bench::new();
    let run = bench.run(runbook(vec![step("a", "x/unsafe", json!({"bad": true}))], json!({}))).await;
    assert_eq!((run.status(), run.step("a").unwrap().1.forward.started), (RunStatus::Failed, 0));
    let run = bench.run(runbook(vec![], json!({"x": "${{ inputs.nope }}"}))).await;
    assert_eq!(run.status(), RunStatus::Failed);
    assert!(run.failure().unwrap().message.contains("could not work out `outputs`"));
    assert_eq!(bench.outside.effects.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn an_alarm_is_handled_in_the_commit_that_creates_its_runs() {
    let bench = Bench::new();
    let accept = Batch::accept("a/1", json!({}), Timestamp::from_millis(1));
    bench.journal.append(accept).await.unwrap();
    let admission = || Admission {
        runbook: Arc::new(runbook(vec![], json!({}))),
        inputs: Map::new(),
        cause: Cause::Alarm { key: "a/1".into(), name: "Down".into() },
    };
    for runs in [1, 2] {
        let ids: Vec<RunId> = (0..runs).map(|_| bench.driver.new_id().unwrap()).collect();
        let write = InboxWrite::Handle { key: "a/1".into(), runs: ids.clone(), note: "test".into() };
        let with = |_: &[Admitted]| Batch { inbox: vec![write], ..Batch::default() };
        let admitted = bench.driver.admit(ids.iter().map(|id| (*id, admission())).collect(), with).await;
        assert_eq!(admitted.is_ok(), runs == 1, "it is handled once only: {admitted:?}");
    }
    assert_eq!(bench.journal.inbox("a/1").unwrap().unwrap().handled.unwrap().runs.len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_one_admission_costs_the_others_nothing() {
    let bench = Bench::new();
    let accept = Batch::accept("a/1", json!({}), Timestamp::from_millis(1));
    bench.journal.append(accept).await.unwrap();
    let lock = |key: &str| Some(Lock { key: key.into(), on_busy: OnBusy::Queue });
    let runbooks = [
        Runbook { lock: lock("${{ \"\" }}"), ..runbook(vec![], json!({})) },
        Runbook { lock: lock(&"x".repeat(257)), ..runbook(vec![], json!({})) },
        runbook(vec![step("a", "nobody/has", json!({}))], json!({})),
        Runbook { lock: lock(&"x".repeat(256)), ..runbook(vec![], json!({})) },
    ];
    let admissions = runbooks.map(|runbook| {
        let cause = Cause::Alarm { key: "a/1".into(), name: "Down".into() };
        (bench.driver.new_id().unwrap(), Admission { runbook: Arc::new(runbook), inputs: Map::new(), cause })
    });
    let good = admissions[3].0;
    let handled = InboxWrite::Handle { key: "a/1".into(), runs: vec![good], note: "test".into() };
    let with = |_: &[Admitted]| Batch { inbox: vec![handled], ..Batch::default() };
    let admitted = bench.driver.admit(admissions.to_vec(), with).await.unwrap();
    let [Admitted::Refused(empty), Admitted::Refused(long), Admitted::Refused(gone), Admitted::Started(run)] =
        &admitted[..]
    else {
        panic!("{admitted:?}")
    };
    assert_eq!(*run, good);
    assert!(empty.to_string().ends_with("gives an empty text"), "{empty}");
    assert!(long.to_string().ends_with("gives 257 bytes, more than 256"), "{long}");
    assert_eq!(gone.to_string(), "no plugin has the action nobody/has");
    assert_eq!(bench.driver.wait(good).await.unwrap().status(), RunStatus::Succeeded);
    assert_eq!(bench.journal.runs(&journal::Query::default()).unwrap().len(), 1);
    assert!(bench.journal.inbox("a/1").unwrap().unwrap().handled.is_some());
}

#[tokio::test]
async fn a_runbook_that_is_damaged_in_the_journal_is_written_again() {
    let bench = Bench::new();
    let book = || runbook(vec![step("a", "x/idem", json!({}))], json!({}));
    bench.run(book()).await;
    let (digest, source) = book().source();
    bench.journal.spoil_source(digest);
    assert!(bench.journal.source(digest).is_err());
    assert_eq!(bench.run(book()).await.status(), RunStatus::Succeeded);
    assert_eq!(bench.journal.source(digest).unwrap(), Some(source));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_race_with_a_runs_end_is_told_what_is_so() {
    let bench = Bench::new();
    for n in 0..300 {
        let id = bench.start(runbook(vec![step("a", "x/idem", json!({}))], json!({}))).await;
        let asked = (0..3).map(|_| {
            let driver = bench.driver.clone();
            tokio::spawn(async move {
                if n % 2 == 1 {
                    return driver.cancel(id, by(), false).await;
                }
                // Its task is still there for a moment.
                driver.until_still(id).await;
                driver.roll_back(id, by()).await
            })
        });
        for asked in asked.collect::<Vec<_>>() {
            let told = asked.await.unwrap();
            assert!(!matches!(told, Err(Error::Stopped)), "{n}: {told:?}");
        }
        bench.driver.wait(id).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_makes_a_run_wait_and_loses_nothing() {
    let bench = Bench::new();
    bench.journal.fail_append(2, journal::Error::Full("test".into()));
    let steps = vec![step("a", "x/unsafe", json!({})), step("b", "x/unsafe", json!({}))];
    let run = bench.run(runbook(steps, json!({}))).await;
    assert_eq!(run.status(), RunStatus::Succeeded);
    assert_eq!(bench.outside.effects.lock().unwrap().len(), 2);
}

/// Begins to listen while a commit is on its way to the disk.
#[derive(Default)]
struct Late {
    driver: OnceLock<Driver>,
    heard: Mutex<Option<Hearing>>,
}

#[async_trait]
impl Clock for Late {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1)
    }

    async fn sleep_until(&self, _: Timestamp) {
        let heard = self.driver.get().map(Driver::hear);
        self.heard.lock().unwrap().get_or_insert_with(|| heard.unwrap());
    }
}

#[tokio::test]
async fn who_begins_to_listen_during_a_commit_is_told_to_look() {
    let (journal, clock) = (Arc::new(Memory::new()), Arc::new(Late::default()));
    journal.fail_append(2, journal::Error::Full("test".into()));
    let scripts = Arc::new(script::Engine::new(script::Limits::default()));
    let driver = Driver::new(journal, Arc::new(Outside::default()), Arc::clone(&clock) as _, scripts);
    clock.driver.set(driver.clone()).ok().unwrap();
    let runbook = Arc::new(runbook(vec![step("a", "x/unsafe", json!({}))], json!({})));
    let admission = Admission { runbook, inputs: Map::new(), cause: Cause::Person { by: by() } };
    let id = driver.start(admission).await.unwrap();
    assert_eq!(driver.wait(id).await.unwrap().status(), RunStatus::Succeeded);
    let mut heard = clock.heard.lock().unwrap().take().unwrap();
    assert!(matches!(heard.try_next(), Some(Progress::Unheard { run }) if run == id));
}
