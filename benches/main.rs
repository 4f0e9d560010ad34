//! What a durable step costs, beside what the same machine allows: `make bench`, or
//! `cargo bench --workspace --bench engine`, after `plugins/build`. `-- -o json` prints one JSON document instead, and
//! `-- large` measures large runs only.
//!
//! Everything is measured in one run and by turns, so that whatever else the machine does meets both sides of a ratio.
//! Nothing is asserted: the figures, and what they mean, are in `benches/README.md`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a program that stops at the first error")]

mod calls;
mod cpu;
mod disk;
mod process;
mod report;
mod restart;
mod runs;
mod trees;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use report::{Report, Target, median};
use runwright_core::Runbook;
use tokio::runtime::Runtime;
use world::World;

fn main() {
    let is_asked = |what: &str| std::env::args().any(|argument| argument == what);
    let json = is_asked("json");
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk of the build");
    let runtime = Runtime::new().unwrap();
    let mut report = Report::default();
    let world = Arc::new(runtime.block_on(World::open(scratch.path())));
    if !is_asked("large") {
        eprintln!("  one run, a disk and a plugin …");
        one_run(&runtime, &world, &mut report, scratch.path());
        eprintln!("  many runs at once …");
        many_runs(&runtime, &world, &mut report);
    }
    eprintln!("  large runs …");
    large_runs(&runtime, &world, &mut report);
    drop(runtime);
    drop(world);
    if !is_asked("large") {
        eprintln!("  whole processes …");
        processes(&mut report, scratch.path());
        eprintln!("  an engine with 1,000 runs at work, killed …");
        at_work(&mut report, scratch.path());
        eprintln!("  10,000 runs that sleep …");
        asleep(&mut report, scratch.path());
    }
    match json {
        true => println!("{}", report.json()),
        false => print!("{}", report.text()),
    }
}

/// One run of 100 steps, and beneath it one fdatasync and one warm call.
fn one_run(runtime: &Runtime, world: &Arc<World>, report: &mut Report, folder: &Path) {
    let (hundred, single) = (world::runbook(world, "hundred", 100), world::runbook(world, "single", 1));
    let disk = disk::Floor::new(folder);
    let (mut syncs, mut warm, mut steps, mut whole, mut one) = (vec![], vec![], vec![], vec![], vec![]);
    runtime.block_on(runs::round(world, &hundred, 1));
    for _ in 0..30 {
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
    report.rate("steps of one run (W1)", 100.0 / hundred.as_secs_f64());
    let ratio = step.as_secs_f64() / (sync + call).as_secs_f64();
    report.target(Target::at_most("a: step of one run / (fdatasync + warm call)", ratio, 1.5, "×"));
    report.target(Target::at_most("c: warm call", call.as_secs_f64() * 1e6, 100.0, "µs"));
    report.target(Target::at_most("W1: run of 100 steps", hundred.as_secs_f64() * 1e3, 20.0, "ms"));
}

/// Many runs at once, each time after as many bare calls at once.
fn many_runs(runtime: &Runtime, world: &Arc<World>, report: &mut Report) {
    let (twenty, five) = (world::runbook(world, "twenty", 20), world::runbook(world, "five", 5));
    let mut bare = Vec::new();
    many(runtime, world, report, ("16 runs of 20 steps", &twenty, 16), 15, &mut bare);
    let share = many(runtime, world, report, ("256 runs of 20 steps", &twenty, 256), 9, &mut bare);
    many(runtime, world, report, ("1000 runs of 5 steps (W2)", &five, 1_000), 7, &mut bare);
    report.rate("bare calls, 256 at once", median(&mut bare));
    report.target(Target::at_least("b: steps of 256 runs / bare calls", share * 100.0, 50.0, "%"));
}

/// One run of many items, beside as many runs as it has items at once; the way back; and one run of many steps.
fn large_runs(runtime: &Runtime, world: &Arc<World>, report: &mut Report) {
    use trees::{AT_ONCE, ITEMS, STEPS};
    let all = (ITEMS * STEPS) as f64;
    let (fleet, beside) = (trees::fleet(world), trees::sequence(world, ITEMS * STEPS / AT_ONCE));
    runtime.block_on(runs::round(world, &beside, AT_ONCE));
    let (mut rates, mut beside_rates, mut shares, mut backs, mut last) = (vec![], vec![], vec![], vec![], None);
    for _ in 0..5 {
        let of_runs = all / runtime.block_on(runs::round(world, &beside, AT_ONCE)).took.as_secs_f64();
        let (id, there) = runtime.block_on(trees::there(world, &fleet));
        let back = runtime.block_on(trees::back(world, id));
        let rate = all / there.as_secs_f64();
        rates.push(rate);
        beside_rates.push(of_runs);
        shares.push(rate / of_runs);
        backs.push(back.as_secs_f64() / there.as_secs_f64());
        last = Some(id);
    }
    report.rate("steps of 50 runs of 100", median(&mut beside_rates));
    report.rate("steps of one run of 1000 items of 5, 50 at once", median(&mut rates));
    report.target(Target::at_least("h: steps of one run of 1000 items / of 50 runs", median(&mut shares), 0.7, "×"));
    report.target(Target::at_most("h: rolling those steps back / doing them", median(&mut backs), 3.0, "×"));
    let bytes = last.map_or(0.0, |id| trees::memory_of_a_node(world, id));
    report.target(Target::at_most("h: memory of a node of that run", bytes / 1024.0, 2.0, "KiB"));
    let (long, short) = (trees::sequence(world, 10_000), trees::sequence(world, 100));
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let short = (0..30).map(|_| runtime.block_on(trees::there(world, &short)).1).sum::<Duration>() / 30;
        let long = runtime.block_on(trees::there(world, &long)).1;
        ratios.push(long.as_secs_f64() / 100.0 / short.as_secs_f64());
    }
    report.target(Target::at_most("h: step of a run of 10000 / of one of 100", median(&mut ratios), 1.2, "×"));
}

/// Measures one kind; gives the median of its shares of the bare calls just before it.
fn many(
    runtime: &Runtime,
    world: &Arc<World>,
    report: &mut Report,
    (name, runbook, count): (&str, &Arc<Runbook>, usize),
    rounds: usize,
    bare: &mut Vec<f64>,
) -> f64 {
    let steps_all = (count * runbook.steps.len()) as f64;
    let (mut rates, mut shares, mut steps, mut cpu, mut cpu_bare) = (vec![], vec![], vec![], vec![], vec![]);
    runtime.block_on(runs::round(world, runbook, count));
    for _ in 0..rounds {
        let began = cpu::used();
        let calls = runtime.block_on(calls::at_once(world, 256, Duration::from_millis(400)));
        cpu_bare.push((cpu::used() - began).div_f64(calls.count));
        let began = cpu::used();
        let round = runtime.block_on(runs::round(world, runbook, count));
        cpu.push((cpu::used() - began).div_f64(steps_all));
        let rate = steps_all / round.took.as_secs_f64();
        rates.push(rate);
        shares.push(rate / calls.per_second);
        bare.push(calls.per_second);
        steps.extend(round.steps);
    }
    report.times(&format!("step of {name}"), &mut steps);
    report.times(&format!("CPU of a step of {name}"), &mut cpu);
    report.times("CPU of a bare call between them", &mut cpu_bare);
    report.rate(name, median(&mut rates));
    median(&mut shares)
}

/// The whole process, with and without compiled plugins at hand.
fn processes(report: &mut Report, folder: &Path) {
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

/// Kills an engine with a thousand runs at work, and measures how soon the next one has all of them at work.
fn at_work(report: &mut Report, folder: &Path) {
    let place = restart::Place::new(folder, "at-work");
    let served = place.serve();
    place.alarms("Work", restart::AT_WORK);
    // Created; the first step's start and end; the long one's start. Each death adds two.
    place.until(restart::AT_WORK, 4);
    drop(served);
    let (mut ready, mut back, mut floor, mut ratios) = (vec![], vec![], vec![], vec![]);
    let mut calls = 0;
    // Three deaths with a step in flight would put it into quarantine.
    for death in 1..=2 {
        let read = place.read_once().0;
        let began = Instant::now();
        let served = place.serve();
        place.until(restart::AT_WORK, 4 + 2 * death);
        let took = began.elapsed();
        // The last calls may still be on their way into their sandboxes.
        std::thread::sleep(Duration::from_secs(3));
        calls = served.memory();
        ready.push(served.ready);
        back.push(took);
        floor.push(read);
        ratios.push(took.as_secs_f64() / read.as_secs_f64());
    }
    report.times("restart: the journal's files read once", &mut floor);
    report.times("restart: 1000 unfinished runs, until it serves", &mut ready);
    let back = report.times("restart: 1000 unfinished runs, all at work again", &mut back);
    report.target(Target::at_most("e: 1000 unfinished runs at work again", back.as_secs_f64() * 1e3, 1_000.0, "ms"));
    report.rate("restart: at work again / files read once", median(&mut ratios));
    let memory = calls as f64 / f64::from(1 << 20);
    report.target(Target::at_most("g: memory of an engine with 1000 calls in flight", memory, 1_024.0, "MiB"));
}

/// What ten thousand runs hold that only wait.
fn asleep(report: &mut Report, folder: &Path) {
    let place = restart::Place::new(folder, "asleep");
    let served = place.serve();
    let before = served.memory();
    place.alarms("Sleep", restart::ASLEEP);
    place.until(restart::ASLEEP, 4);
    let grown = served.memory() - before;
    drop(served);
    let served = place.serve();
    let restarted = served.memory() - before;
    let each = |bytes: u64| bytes as f64 / 1024.0 / restart::ASLEEP as f64;
    report.target(Target::at_most("f: memory of a sleeping run", each(grown), 32.0, "KiB"));
    report.target(Target::at_most("f: the same, after a restart", each(restarted), 32.0, "KiB"));
    report.times("restart: 10000 sleeping runs, until it serves", &mut [served.ready]);
}
