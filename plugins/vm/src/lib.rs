//! Diagnoses, starts, stops, restarts, snapshots and reprovisions virtual machines.
//!
//! The VMs stand in the inventory that the operator gives as configuration. What knows of QEMU is in [`qemu`]; the
//! actions say what they want of it, so that another driver can stand beside it.

mod diagnose;
// The plugin `http` asks in the same way, and both are to agree on what an answer is.
#[path = "../../http/src/head.rs"]
mod head;
mod health;
mod inventory;
mod qemu;
mod reprovision;
mod restart;
mod resume;
mod revert;
mod snapshot;
mod start;
mod stop;
mod wait_healthy;

use runwright_sdk::{Action, Plugin};
use serde_json::json;

fn plugin() -> Plugin {
    Plugin::new("vm", env!("CARGO_PKG_VERSION"), "Virtual machines under QEMU")
        .action(Action::read("diagnose", "Says what is the matter with a VM, and what helps", diagnose::run))
        .action(
            Action::unsafe_("start", "Starts a VM unless it runs", start::run)
                .plan(start::plan)
                .verify(start::verify)
                .undo(start::undo),
        )
        .action(
            Action::idempotent("stop", "Shuts a VM down, and switches it off if it does not", stop::run)
                .plan(stop::plan)
                .undo(stop::undo),
        )
        .action(
            Action::unsafe_("restart", "Power cycles a VM", restart::run).plan(restart::plan).verify(restart::verify),
        )
        .action(
            Action::idempotent("resume", "Lets a VM go on that a full disk of the host stopped", resume::run)
                .plan(resume::plan),
        )
        .action(Action::read("wait-healthy", "Waits until a VM is healthy", wait_healthy::run))
        .action(
            Action::idempotent("snapshot", "Keeps a VM's disk and memory under a name", snapshot::run)
                .plan(snapshot::plan)
                .undo(snapshot::undo)
                .undo_safe_if_not_run()
                .defaults(json!({"timeout-ms": 300_000})),
        )
        .action(
            Action::unsafe_("revert", "Puts a VM back to a snapshot", revert::run)
                .destructive()
                .plan(revert::plan)
                .verify(revert::verify)
                .defaults(json!({"timeout-ms": 300_000})),
        )
        .action(
            Action::unsafe_("reprovision", "Gives a VM a new disk from a golden image", reprovision::run)
                .destructive()
                .plan(reprovision::plan)
                .verify(reprovision::verify)
                .undo(reprovision::undo)
                .defaults(json!({"timeout-ms": 120_000})),
        )
}

runwright_sdk::export!(plugin);
