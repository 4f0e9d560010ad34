//! What the plugin host allows: calls of an action that does nothing, without a journal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use host::{Call, Host, Reply, Silent, Verb};
use runwright_core::{Digest, Outcome};
use tokio::task::JoinSet;

use crate::world::{ACTION, World};

/// Times so many calls, one after the other.
pub(crate) async fn one_by_one(world: &Arc<World>, count: usize) -> Vec<Duration> {
    let (host, plugin) = (Arc::clone(&world.host), world.plugin);
    let calls = async move {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            call(&host, plugin).await;
            times.push(began.elapsed());
        }
        times
    };
    // As the driver does: in a task of its own, on a thread of the runtime.
    tokio::spawn(calls).await.unwrap()
}

/// Calls by many tasks.
pub(crate) struct AtOnce {
    pub(crate) count: f64,
    pub(crate) per_second: f64,
}

/// Lets so many tasks call, for about this time.
pub(crate) async fn at_once(world: &Arc<World>, tasks: usize, time: Duration) -> AtOnce {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..tasks {
        let (host, plugin) = (Arc::clone(&world.host), world.plugin);
        callers.spawn(async move {
            let mut count = 0_u32;
            while began.elapsed() < time {
                call(&host, plugin).await;
                count += 1;
            }
            count
        });
    }
    let count = callers.join_all().await.into_iter().map(f64::from).sum();
    AtOnce { count, per_second: count / began.elapsed().as_secs_f64() }
}

async fn call(host: &Host, plugin: Digest) {
    let call = Call {
        plugin,
        action: ACTION.to_owned(),
        verb: Verb::Run,
        input: serde_json::json!({}),
        undo_data: None,
        run: "01".to_owned(),
        step: "one".to_owned(),
        attempt: 1,
        key: "k".to_owned(),
        deadline: Some(Duration::from_secs(30)),
        cancel: tokio::sync::watch::channel(false).1,
        checkpoints: Default::default(),
        read_only: false,
    };
    let reply = host.call(call, Arc::new(Silent)).await;
    assert!(matches!(reply, Reply::Outcome(Outcome::Succeeded(_))), "{reply:?}");
}
