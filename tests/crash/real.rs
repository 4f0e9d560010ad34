//! The engine killed while it recovers a real VM.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::scene::was_killed;
use crate::lab::{Fault, Lab};

/// Runs `runwright` with the lab's configuration; with `kill_at` the engine kills itself at that record.
fn runwright(lab: &Lab, args: &[&str], kill_at: Option<&str>) -> Output {
    let mut command = lab.runwright(args);
    if let Some(kill_at) = kill_at {
        command.env("RUNWRIGHT_KILL_AT", kill_at);
    }
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A lab with a VM whose disk is destroyed, and the plugin that can bring it back.
fn broken() -> Lab {
    let lab = Lab::new();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist/vm.wasm");
    fs::copy(&built, lab.folder().join("plugins/vm.wasm")).expect("no vm.wasm: run `make plugins`");
    lab.start("web1");
    lab.break_with(Fault::Disk, "web1");
    lab
}

const RECOVER: [&str; 6] = ["run", "runbooks/recover-vm.yaml", "-i", "vm=web1", "-o", "json"];

/// Failed disks that were kept: one for each time that the VM was really reprovisioned.
fn kept_disks(lab: &Lab) -> usize {
    let entries = fs::read_dir(lab.folder().join("web1")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".failed-")).count()
}

#[test]
fn an_undisturbed_run_reprovisions_a_vm_that_a_restart_cannot_help() {
    let lab = broken();
    let output = runwright(&lab, &RECOVER, None);
    let run = json(&output);
    assert_eq!(output.status.code(), Some(0), "{run:#}");
    assert_eq!(run["outputs"]["fixed_by"], "reprovisioned");
    let outcomes: Vec<_> =
        run["steps"].as_array().unwrap().iter().map(|step| step["outcome"].as_str().unwrap()).collect();
    let expected = ["succeeded", "succeeded", "skipped", "failed", "succeeded", "succeeded", "skipped", "succeeded"];
    assert_eq!(outcomes, expected);
    assert_eq!(lab.status("web1").health, "200");
    assert_eq!(kept_disks(&lab), 1);
}

/// The engine dies in the middle of the dangerous step: before anything of it happened, with the old disk put away, and
/// with the new VM started but its answer not written down.
#[test]
fn a_vm_is_reprovisioned_once_whenever_the_engine_dies() {
    for at in ["after:13", "after:15", "after:18", "before:19"] {
        let lab = broken();
        let killed = runwright(&lab, &RECOVER, Some(at));
        assert!(was_killed(&killed), "{at}: {killed:?}");
        runwright(&lab, &["runs", "resume", "latest"], None);
        let run = json(&runwright(&lab, &["runs", "show", "latest", "-o", "json"], None));
        assert_eq!(run["outcome"], "succeeded", "{at}: {run:#}");
        assert_eq!(run["outputs"]["fixed_by"], "reprovisioned", "{at}");
        assert_eq!(kept_disks(&lab), 1, "{at}: reprovisioned once");
        assert_eq!(lab.status("web1").health, "200", "{at}");
    }
}
