//! Units of systemd: their state, and what `systemctl` does to them, here or on another system.
//!
//! Before a unit is touched its state is noted, so that undo brings that state back and not merely the opposite.

mod enable;
mod power;
mod restart;
mod status;
mod unit;
mod wait;

use runwright_sdk::{Action, Plugin};
use serde_json::json;

fn plugin() -> Plugin {
    let timeout = || json!({"timeout-ms": 120_000});
    Plugin::new("service", env!("CARGO_PKG_VERSION"), "Units of systemd")
        .action(Action::read("status", "Says in which state a unit is", status::run))
        .action(
            Action::idempotent("start", "Starts a unit unless it runs", power::start)
                .plan(power::plan_start)
                .verify(power::verify_start)
                .undo(power::undo)
                .undo_safe_if_not_run()
                .defaults(timeout()),
        )
        .action(
            Action::idempotent("stop", "Stops a unit if it runs", power::stop)
                .plan(power::plan_stop)
                .verify(power::verify_stop)
                .undo(power::undo)
                .undo_safe_if_not_run()
                .defaults(timeout()),
        )
        .action(
            Action::unsafe_("restart", "Stops a unit and starts it again", restart::run)
                .plan(restart::plan)
                .verify(restart::verify)
                .defaults(timeout()),
        )
        .action(
            Action::idempotent("reload", "Lets a unit read its configuration again", restart::reload)
                .plan(restart::plan_reload)
                .defaults(timeout()),
        )
        .action(
            Action::idempotent("enable", "Starts a unit at each boot from now on", enable::enable)
                .plan(enable::plan_enable)
                .verify(enable::verify_enable)
                .undo(enable::undo)
                .undo_safe_if_not_run(),
        )
        .action(
            Action::idempotent("disable", "Does not start a unit at boot any more", enable::disable)
                .plan(enable::plan_disable)
                .verify(enable::verify_disable)
                .undo(enable::undo)
                .undo_safe_if_not_run(),
        )
        .action(
            Action::read("wait-active", "Waits until a unit is active, and stays so", wait::run)
                .defaults(json!({"timeout-ms": 600_000})),
        )
}

runwright_sdk::export!(plugin);
