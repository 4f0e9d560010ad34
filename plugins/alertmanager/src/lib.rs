//! Silences alerts of a Prometheus Alertmanager, ends silences, and lists both.
//!
//! It speaks the Alertmanager's HTTP API v2 (`api/v2/openapi.yaml` in its sources). Which server, the operator says in
//! the plugin's configuration: see [`server`].

mod expire;
mod list;
mod matcher;
mod record;
mod server;
mod silence;

use runwright_sdk::{Action, Plugin};
use serde_json::json;

fn plugin() -> Plugin {
    Plugin::new("alertmanager", env!("CARGO_PKG_VERSION"), "Silences and alerts of a Prometheus Alertmanager")
        .action(
            Action::idempotent("silence", "Mutes the alerts that fit, for a time", silence::run)
                .plan(silence::plan)
                .verify(silence::verify)
                .undo(silence::undo)
                .undo_safe_if_not_run()
                .defaults(json!({"timeout-ms": 30_000})),
        )
        .action(
            Action::idempotent("expire", "Ends a silence now", expire::run)
                .plan(expire::plan)
                .verify(expire::verify)
                .undo(expire::undo)
                .undo_safe_if_not_run()
                .defaults(json!({"timeout-ms": 30_000})),
        )
        .action(Action::read("alerts", "Lists the alerts that fit", list::alerts))
        .action(Action::read("silences", "Lists the silences that fit", list::silences))
}

runwright_sdk::export!(plugin);
