//! Simulates histories of the driver for as long as it is told to, and stops at the first broken promise.
//!
//! `make soak SECONDS=60`. The simulation is that of `tests/sim`; it begins at a seed of its own, which it prints, or at
//! `SEED`.
#![expect(clippy::print_stdout, reason = "an example: it prints")]

#[path = "../tests/sim/books.rs"]
mod books;
#[path = "../tests/sim/dice.rs"]
mod dice;
#[path = "../tests/sim/disk.rs"]
mod disk;
#[path = "../tests/sim/history.rs"]
mod history;
#[path = "../tests/sim/invariants.rs"]
mod invariants;
#[path = "../tests/sim/outside.rs"]
mod outside;
#[path = "../tests/sim/person.rs"]
mod person;
#[path = "../tests/sim/runbooks.rs"]
mod runbooks;
#[path = "../tests/sim/schedule.rs"]
mod schedule;
#[path = "../tests/sim/world.rs"]
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds between two lines of progress.
const EVERY: Duration = Duration::from_secs(5);

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn main() -> ExitCode {
    let time = Duration::from_secs(setting("SECONDS").unwrap_or(60));
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let first = setting("SEED").unwrap_or(since.as_secs() << 20);
    let (began, mut told) = (Instant::now(), Instant::now());
    let (mut count, mut kills, mut faults, mut effects, mut deep) = (0_u64, 0, 0, 0_u64, 0_u64);
    println!("from seed {first}, for {} s", time.as_secs());
    while began.elapsed() < time {
        let history = history::history(first + count);
        count += 1;
        (kills, faults, effects) =
            (kills + history.kills, faults + history.faults, effects + u64::from(history.effects));
        deep += u64::from(history.depth >= 4);
        if let Some(broken) = &history.broken {
            println!("seed {}: {broken}\nrepeat it with `make sim SEED={}`", history.seed, history.seed);
            return ExitCode::FAILURE;
        }
        if told.elapsed() >= EVERY {
            told = Instant::now();
            println!("{count} histories, {kills} kills, {faults} faults, {effects} effects");
        }
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("{count} histories ({rate:.0} histories/s), {kills} kills, {faults} faults, {effects} effects");
    println!("{deep} histories with steps at depth 4");
    ExitCode::SUCCESS
}
