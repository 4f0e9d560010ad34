//! Runs programs on the engine's host: only those that are granted, with arguments that are granted, without a shell.

mod program;
mod query;
mod run;

use runwright_sdk::{Action, Plugin};
use serde_json::json;

fn plugin() -> Plugin {
    Plugin::new("exec", env!("CARGO_PKG_VERSION"), "Programs on the engine's host")
        .action(
            Action::unsafe_("run", "Runs a program that changes something", run::run)
                .plan(run::plan)
                .verify(run::verify)
                .defaults(json!({"timeout-ms": 360_000})),
        )
        .action(Action::read("query", "Runs a program that, as the author says, only reads", query::run))
}

runwright_sdk::export!(plugin);
