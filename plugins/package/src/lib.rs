//! Packages of a system: what can be upgraded, upgrading in the order of dependencies, holding back, and going back.
//!
//! What knows of apt is in [`apt`], what knows of dnf in [`dnf`]. Before anything changes, what would change is worked out and noted with the versions
//! of before: verify compares with it, and undo goes back to it.

mod apply;
mod apt;
mod dnf;
mod hold;
mod installed;
mod manager;
mod names;
mod note;
mod pending;
mod reboot;

use runwright_sdk::{Action, Plugin};
use serde_json::json;

fn plugin() -> Plugin {
    Plugin::new("package", env!("CARGO_PKG_VERSION"), "Packages of apt and dnf")
        .action(
            Action::idempotent("refresh", "Reads the lists of what the archives have", pending::refresh)
                .plan(pending::plan_refresh)
                .defaults(json!({"timeout-ms": 600_000})),
        )
        .action(Action::read("pending", "Lists what can be upgraded, in the order of dependencies", pending::run))
        .action(Action::read("installed", "Gives versions; fails where one is not as asked", installed::run))
        .action(Action::read("reboot-needed", "Says whether the system runs what was replaced", reboot::run))
        .action(
            Action::unsafe_("apply", "Upgrades or installs packages, with what they depend on", apply::run)
                .plan(apply::plan)
                .verify(apply::verify)
                .undo(apply::undo)
                .undo_safe_if_not_run()
                .defaults(json!({"timeout-ms": 3_600_000})),
        )
        .action(
            Action::idempotent("hold", "Keeps packages at their versions", hold::hold)
                .plan(hold::plan_hold)
                .verify(hold::verify_hold)
                .undo(hold::undo_hold)
                .undo_safe_if_not_run(),
        )
        .action(
            Action::idempotent("unhold", "Lets held packages be upgraded again", hold::unhold)
                .plan(hold::plan_unhold)
                .verify(hold::verify_unhold)
                .undo(hold::undo_unhold)
                .undo_safe_if_not_run(),
        )
}

runwright_sdk::export!(plugin);
