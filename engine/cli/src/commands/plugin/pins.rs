//! Which unfinished runs keep which plugins.

use std::collections::BTreeMap;

use daemon::view::Listed;
use journal::Query;
use runwright_core::{Digest, Event, RunId};
use serde::Serialize;

use crate::{Context, Error};

/// Runs that are looked at, newest first.
const RUNS_MAX: usize = 1000;

/// A run that is not over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Keeper {
    pub(super) run: RunId,
    pub(super) runbook: String,
}

/// A plugin's binary that runs are pinned to.
#[derive(Debug, Default)]
pub(super) struct Pinned {
    /// What the plugin was called.
    pub(super) name: String,
    pub(super) by: Vec<Keeper>,
}

/// The binaries that unfinished runs are pinned to.
pub(super) async fn pins(context: &Context) -> Result<BTreeMap<Digest, Pinned>, Error> {
    let mut pins = BTreeMap::new();
    let access = context.access("runwright plugin list").await?;
    let looked = async {
        let query = Query { limit: Some(RUNS_MAX), ..Query::unfinished() };
        for Listed { head, .. } in access.runs(&query).await? {
            // A damaged run says so elsewhere.
            let Ok(history) = access.history(head.run).await else { continue };
            let Some(Event::Created { pins: pinned, .. }) = history.into_iter().next().map(|record| record.event)
            else {
                continue;
            };
            for (action, pin) in pinned {
                let entry: &mut Pinned = pins.entry(pin.plugin).or_default();
                action.plugin().clone_into(&mut entry.name);
                let keeper = Keeper { run: head.run, runbook: head.name.clone() };
                if !entry.by.contains(&keeper) {
                    entry.by.push(keeper);
                }
            }
        }
        Ok::<(), daemon::Error>(())
    };
    let looked = looked.await;
    access.close().await;
    looked.map_err(|error| Error::from(error).during("look for runs that keep plugins"))?;
    Ok(pins)
}
