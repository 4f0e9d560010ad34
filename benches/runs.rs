//! Durable runs of an action that does nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use driver::Admission;
use runwright_core::{By, Cause, RunId, RunStatus, Runbook};
use tokio::task::JoinSet;

use crate::world::World;

/// So many runs that were started at once.
pub(crate) struct Round {
    /// From the first start to the last end.
    pub(crate) took: Duration,
    /// From one step's call to the next step's call of the same run: the call itself, and everything that makes its
    /// outcome and the next start durable.
    pub(crate) steps: Vec<Duration>,
}

/// Starts so many runs of `runbook` at once and waits until all are over.
pub(crate) async fn round(world: &Arc<World>, runbook: &Arc<Runbook>, count: usize) -> Round {
    world.begun.0.lock().unwrap().clear();
    let began = Instant::now();
    let mut runs = JoinSet::new();
    for _ in 0..count {
        let (world, runbook) = (Arc::clone(world), Arc::clone(runbook));
        runs.spawn(async move {
            let cause = Cause::Person { by: By { who: "bench".to_owned(), why: String::new() } };
            let id = world.driver.start(Admission { runbook, inputs: Default::default(), cause }).await.unwrap();
            world.driver.until_still(id).await;
            id
        });
    }
    let runs = runs.join_all().await;
    let took = began.elapsed();
    for id in [runs[0], runs[count / 2]] {
        assert_eq!(world.driver.load(id).unwrap().status(), RunStatus::Succeeded);
    }
    Round { took, steps: between(&world.begun.0.lock().unwrap()) }
}

fn between(begun: &[(RunId, Instant)]) -> Vec<Duration> {
    let (mut last, mut steps) = (HashMap::new(), Vec::with_capacity(begun.len()));
    for (run, at) in begun {
        if let Some(before) = last.insert(run, at) {
            steps.push(at.duration_since(*before));
        }
    }
    steps
}
