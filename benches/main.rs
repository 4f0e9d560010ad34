//! What a durable step costs, beside what the same machine allows: `make bench`, or
//! `cargo bench --workspace --bench engine`, after `plugins/build`. `-- -o json` prints one JSON document instead.
//!
//! Everything is measured in one run and by turns, so that whatever else the machine does meets both sides of a ratio.
//! Nothing is asserted: the figures, and what they mean, are in `benches/README.md`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a program that stops at the first error")]

mod calls;
mod disk;
mod process;
mod report;
mod runs;
mod world;

use std::sync::Arc;
use std::time::Duration;

use report::{Report, Target};
use runwright_core::Runbook;
use world::World;

/// Runs that are measured together with the floors beneath them.
const ROUNDS: usize = 15;

fn main() {
    let json = std::env::args().any(|argument| argument == "json");
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk of the build");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut report = Report::default();
    let step = |name: &str| eprintln!("  measuring {name} …");

    let world = Arc::new(runtime.block_on(World::open(scratch.path())));
    step("one run");
    one_run(&runtime, &world, &mut report, scratch.path());
    step("16 and 256 runs");
    many_runs(&runtime, &world, &mut report);
    step("starts of the whole process");
    drop(runtime);
    drop(world);
    processes(&mut report, scratch.path());
    match json {
        true => println!("{}", report.json()),
        false => print!("{}", report.text()),
    }
}

/// One run of 100 steps, and beneath it one fdatasync and one warm call.
fn one_run(runtime: &tokio::runtime::Runtime, world: &Arc<World>, report: &mut Report, folder: &std::path::Path) {
    let (hundred, single) = (world::runbook("hundred", 100), world::runbook("single", 1));
    let disk = disk::Floor::new(folder);
    let (mut syncs, mut warm, mut steps, mut whole, mut one) = (vec![], vec![], vec![], vec![], vec![]);
    runtime.block_on(runs::round(world, &hundred, 1));
    for _ in 0..ROUNDS {
        syncs.extend(disk.syncs(100));
        warm.extend(runtime.block_on(calls::one_by_one(world, 100)));
        let round = runtime.block_on(runs::round(world, &hundred, 1));
        steps.extend(round.steps);
        whole.push(round.took);
        one.push(runtime.block_on(runs::round(world, &single, 1)).took);
    }
    let sync = report.times("fdatasync of 512 B", &mut syncs);
    let call = report.times("warm call: instance, call, drop", &mut warm);
    let step = report.times("step of one run of 100 (W1)", &mut steps);
    let hundred = report.times("W1: run of 100 steps, from start to end", &mut whole);
    report.times("W1: run of 1 step, from start to end", &mut one);
    report.rate("W1: steps of one run", 100.0 / hundred.as_secs_f64());
    let ratio = step.as_secs_f64() / (sync + call).as_secs_f64();
    report.target(Target::at_most("a: step of one run / (fdatasync + warm call)", ratio, 1.5, "×"));
    report.target(Target::at_most("c: warm call", call.as_secs_f64() * 1e6, 100.0, "µs"));
    report.target(Target::at_most("W1 of 100 steps", hundred.as_secs_f64() * 1e3, 20.0, "ms"));
}

/// Many runs at once, and beneath them as many bare calls at once.
fn many_runs(runtime: &tokio::runtime::Runtime, world: &Arc<World>, report: &mut Report) {
    let (twenty, five) = (world::runbook("twenty", 20), world::runbook("five", 5));
    let mut bare = Vec::new();
    let mut measure = |name: &str, runbook: &Arc<Runbook>, count: usize, rounds: usize, report: &mut Report| {
        let (mut rates, mut steps) = (Vec::new(), Vec::new());
        runtime.block_on(runs::round(world, runbook, count));
        for _ in 0..rounds {
            bare.push(runtime.block_on(calls::rate(world, 256, Duration::from_millis(400))));
            let round = runtime.block_on(runs::round(world, runbook, count));
            rates.push((count * runbook.steps.len()) as f64 / round.took.as_secs_f64());
            steps.extend(round.steps);
        }
        report.times(&format!("step of {name}"), &mut steps);
        let rate = report::median(&mut rates);
        report.rate(name, rate);
        rate
    };
    measure("16 runs of 20 steps", &twenty, 16, 15, report);
    let many = measure("256 runs of 20 steps", &twenty, 256, 9, report);
    measure("1000 runs of 5 steps (W2)", &five, 1_000, 7, report);
    let bare = report::median(&mut bare);
    report.rate("bare calls, 256 at once, all cores", bare);
    report.target(Target::at_least("b: steps of 256 runs / bare calls", many / bare * 100.0, 50.0, "%"));
}

/// The whole process, with and without compiled plugins at hand.
fn processes(report: &mut Report, folder: &std::path::Path) {
    let project = process::Project::new(folder);
    let mut cold: Vec<_> = (0..3).map(|_| project.cold()).collect();
    let (mut version, mut empty, mut tiny) = (vec![], vec![], vec![]);
    for _ in 0..25 {
        version.push(project.time(&["--version"]));
        empty.push(project.time(&["run", "empty.yaml"]));
        tiny.push(project.time(&["run", "tiny.yaml"]));
    }
    report.times("process: runwright --version", &mut version);
    report.times("process: run of an empty runbook, cold cache", &mut cold);
    let warm = report.times("process: run of an empty runbook, warm cache", &mut empty);
    report.times("process: run of one empty action, warm cache", &mut tiny);
    let warm = warm.as_secs_f64() * 1e3;
    report.target(Target::at_most("d: run of an empty runbook, whole process", warm, 60.0, "ms"));
}
