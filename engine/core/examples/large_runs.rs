//! What an event of a large run costs beside one of a small run, of the pure machine alone:
//! `cargo run --release --example large_runs -p runwright-core`.
//!
//! Each shape is lived through forward and rolled back, at several sizes; a column that grows from left to right is a step
//! that costs more because its run is large.
#![expect(clippy::print_stdout, reason = "an example: it prints")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a program that stops at the first error")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runwright_core::{
    Answer, By, Cause, Digest, Direction, Effect, EffectClass, Event, Limit, Map, OnFailure, Outcome, Pin, Record, Run,
    RunId, Runbook, Share, Step, Timestamp, Value, Work,
};

/// A run, and the calls that it made and nobody answered yet.
struct Lived {
    run: Run,
    calls: VecDeque<Effect>,
    events: u32,
}

fn action(id: &str) -> Arc<Step> {
    Arc::new(Step::new(id, Work::Action { action: "x/act".parse().unwrap(), with: Map::new() }))
}

fn group(steps: Vec<Arc<Step>>) -> Arc<Step> {
    Arc::new(Step::new("", Work::group(steps)))
}

fn runbook(steps: Vec<Arc<Step>>) -> Runbook {
    Runbook {
        name: "large".into(),
        edition: Runbook::EDITION,
        description: String::new(),
        inputs: Default::default(),
        on: vec![],
        lock: None,
        max_parallel: None,
        limit: Some(Limit { ms: 3_600_000, on_failure: OnFailure::Stop }),
        steps,
        outputs: Map::new(),
    }
}

fn by() -> By {
    By { who: "bench".into(), why: String::new() }
}

impl Lived {
    fn begin(runbook: Runbook) -> Self {
        let pin = Pin {
            plugin: Digest::of(b"plugin"),
            effect: EffectClass::Idempotent,
            destructive: false,
            has_verify: false,
            has_undo: true,
            undo_safe_if_not_run: false,
        };
        let runbook = Arc::new(runbook);
        let event = Event::Created {
            runbook: runbook.source().0,
            name: runbook.name.clone(),
            inputs: Map::new(),
            pins: [("x/act".parse().unwrap(), pin)].into(),
            cause: Cause::Person { by: by() },
            lock: None,
        };
        let at = Timestamp::from_millis(1_000);
        let first = Record { run: RunId::new(at, [7; 10]), seq: 1, at, event };
        Self { run: Run::create(runbook, &first).unwrap(), calls: VecDeque::new(), events: 1 }
    }

    fn add(&mut self, event: Event) {
        let record = Record { run: self.run.id(), seq: self.run.seq() + 1, at: self.run.updated(), event };
        self.run.apply(&record).unwrap_or_else(|misfit| panic!("{misfit}"));
        self.calls.extend(self.run.begun());
        self.events += 1;
    }

    /// Goes on to the end; what an each goes through has so many items.
    fn live(&mut self, items: usize) {
        loop {
            let input = || Value::Object(Map::new());
            while let Some(effect) = self.run.follows(self.run.updated()) {
                let event = match effect {
                    Effect::Record(event) => *event,
                    Effect::Resolve { step } => {
                        let is_each = matches!(self.run.step(&step).unwrap().0.work, Work::Each { .. });
                        let all: Vec<usize> = (0..items).collect();
                        let input = if is_each {
                            serde_json::json!({ "items": all, "waves": [], "max-failures": 0 })
                        } else {
                            input()
                        };
                        self.run.first_attempt(&step, Direction::Forward, input).unwrap()
                    }
                    Effect::ResolveUndo { step } => self.run.first_attempt(&step, Direction::Undo, input()).unwrap(),
                    Effect::Finish { .. } => Event::Finished { outputs: Map::new(), failure: None },
                    other => panic!("{other:?}"),
                };
                self.add(event);
            }
            match self.calls.pop_front() {
                Some(Effect::Call { step, direction, attempt }) => {
                    let outcome = Outcome::Succeeded(Answer::default());
                    self.add(Event::Ended { step, direction, attempt, outcome });
                }
                Some(other) => panic!("{other:?}"),
                None => return,
            }
        }
    }

    /// The time of one event since these.
    fn each(&self, since: (u32, Instant)) -> Duration {
        since.1.elapsed() / (self.events - since.0)
    }
}

/// Lives through a run of this shape; prints the times of one event.
fn measure(name: &str, sizes: &[usize], shape: impl Fn(usize) -> Vec<Arc<Step>>) {
    let (mut forward, mut back) = (Vec::new(), Vec::new());
    for size in sizes {
        let mut lived = Lived::begin(runbook(shape(*size)));
        let since = (lived.events, Instant::now());
        lived.live(*size);
        forward.push(format!("{:>10.2?}", lived.each(since)));
        let since = (lived.events, Instant::now());
        lived.add(Event::RollbackRequested { by: by() });
        lived.live(*size);
        back.push(format!("{:>10.2?}", lived.each(since)));
    }
    println!("{name:<40} forward {}", forward.join(" "));
    println!("{:<40} back    {}", "", back.join(" "));
}

fn main() {
    let sizes = [10, 100, 1_000, 10_000];
    println!("{:<48} {}", "an event of a run of", sizes.map(|size| format!("{size:>10}")).join(" "));
    measure("steps, one after the other", &sizes, |size| (0..size).map(|n| action(&format!("s{n}"))).collect());
    measure("steps that always run", &sizes, |size| {
        let always = |n| Step { always: true, ..Step::clone(&action(&format!("s{n}"))) };
        (0..size).map(|n| Arc::new(always(n))).collect()
    });
    for at_once in [1, 50, 10_000] {
        measure(&format!("items of 5 steps, {at_once} at once"), &[10, 100, 1_000], |_| {
            let work = Work::Each {
                items: Value::Null,
                name: "item".into(),
                waves: vec![Share::Percent(100)],
                at_once,
                max_failures: Share::Items(0),
                body: group((0..5).map(|n| action(&format!("s{n}"))).collect()),
                between: None,
            };
            vec![Arc::new(Step::new("fleet", work))]
        });
    }
}
