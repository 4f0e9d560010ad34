//! Large runs: a fleet of many items, and a runbook of many steps. None of their steps may cost more because there are many.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use driver::Admission;
use runwright_core::{By, Cause, Run, RunId, RunStatus, Runbook, Share, Step, Value, Work};

use crate::world::{self, World};

/// Items of the fleet.
pub(crate) const ITEMS: usize = 1_000;

/// Steps of one item.
pub(crate) const STEPS: usize = 5;

/// Items at work at the same time; and as many runs are beside each other for comparison.
pub(crate) const AT_ONCE: usize = 50;

/// So many steps that do nothing, one after the other, each of which an action that does nothing takes back.
pub(crate) fn sequence(world: &World, steps: usize) -> Arc<Runbook> {
    // The checker takes no runbook of so many steps.
    let one = world::runbook(world, "steps", 1);
    let mut runbook = Runbook::clone(&one);
    let step =
        |n| Step { id: format!("step-{n}"), undo: Some(one.steps[0].work.clone()), ..Step::clone(&one.steps[0]) };
    runbook.steps = (1..=steps).map(|n| Arc::new(step(n))).collect();
    Arc::new(runbook)
}

/// The same steps for each item of a list.
pub(crate) fn fleet(world: &World) -> Arc<Runbook> {
    let mut runbook = Runbook::clone(&sequence(world, STEPS));
    let work = Work::Each {
        items: Value::from((1..=ITEMS).collect::<Vec<_>>()),
        name: "item".to_owned(),
        waves: Vec::new(),
        at_once: AT_ONCE as u32,
        max_failures: Share::Items(0),
        body: Arc::new(Step::new("", Work::group(runbook.steps))),
        between: None,
    };
    runbook.steps = vec![Arc::new(Step::new("fleet", work))];
    Arc::new(runbook)
}

fn by() -> By {
    By { who: "bench".to_owned(), why: String::new() }
}

/// Lives through one run.
pub(crate) async fn there(world: &World, runbook: &Arc<Runbook>) -> (RunId, Duration) {
    let began = Instant::now();
    let cause = Cause::Person { by: by() };
    let admission = Admission { runbook: Arc::clone(runbook), inputs: Default::default(), cause };
    let id = world.driver.start(admission).await.unwrap();
    (id, until(world, id, began, RunStatus::Succeeded).await)
}

/// Takes back what that run did.
pub(crate) async fn back(world: &World, id: RunId) -> Duration {
    let began = Instant::now();
    world.driver.roll_back(id, by()).await.unwrap();
    until(world, id, began, RunStatus::RolledBack).await
}

async fn until(world: &World, id: RunId, began: Instant, end: RunStatus) -> Duration {
    world.driver.until_still(id).await;
    let took = began.elapsed();
    assert_eq!(world.driver.load(id).unwrap().status(), end);
    took
}

/// Bytes that this process holds more for each node of the run, if the run is held some more times.
pub(crate) fn memory_of_a_node(world: &World, id: RunId) -> f64 {
    const TIMES: usize = 10;
    let history = world.driver.journal().history(id).unwrap();
    let runbook = Arc::clone(world.driver.load(id).unwrap().runbook());
    let before = resident();
    let runs: Vec<Run> = (0..TIMES).map(|_| Run::replay(Arc::clone(&runbook), &history).unwrap()).collect();
    let grown = resident().saturating_sub(before);
    grown as f64 / (TIMES * runs[0].size()) as f64
}

/// Bytes of memory that this process holds.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
