//! How fast appends become durable, beside what the disk itself allows.
//!
//! `cargo run --release -p runwright-journal --example append_rate [FOLDER] [SECONDS]`
//!
//! The floor is one 512-byte write into an allocated file and one fdatasync, alone and in the same process. Then 1, 16
//! and 256 tasks append commits of two records (about 300 bytes each) and a head. CPU is of the whole process, per
//! commit.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example: prints, and stops at the first error")]

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::conformance::{batch, head};
use journal::{Journal, SledJournal};
use runwright_core::RunStatus;

/// Commits of one run; then its task begins another.
const COMMITS_PER_RUN: u64 = 4;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "target/append-rate".to_owned()));
    let seconds = arguments.next().map_or(3, |text| text.parse().unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    println!(
        "{:>6} {:>12} {:>10} {:>10} {:>10} {:>12}",
        "tasks", "commits/s", "p50 us", "p90 us", "p99 us", "CPU us each"
    );
    let state = folder.join("state");
    let _ = std::fs::remove_dir_all(&state);
    alone(&folder, &state);
    for tasks in [1, 16, 256, 256] {
        let _ = std::fs::remove_dir_all(&state);
        let journal = Arc::new(SledJournal::open(&state).unwrap());
        run(&journal, tasks, Duration::from_secs(seconds));
        let began = Instant::now();
        drop(journal);
        let closed = began.elapsed();
        let began = Instant::now();
        drop(SledJournal::open(&state).unwrap());
        println!("       closed in {closed:.1?}, opened and closed in {:.1?}", began.elapsed());
        std::fs::remove_dir_all(&state).unwrap();
    }
}

/// The floor and one run by turns, so that whatever else the machine does meets both.
fn alone(folder: &Path, state: &Path) {
    let began = Instant::now();
    let journal = SledJournal::open(state).unwrap();
    println!("       a new state directory opened in {:.1?}", began.elapsed());
    let path = folder.join("floor");
    let file = std::fs::File::create(&path).unwrap();
    file.write_all_at(&vec![0; 4 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for n in 0..4_000 {
        let began = Instant::now();
        file.write_all_at(&[1; 512], n * 512).unwrap();
        file.sync_data().unwrap();
        floor.push(began.elapsed());
        let next = batch(n / COMMITS_PER_RUN, n % COMMITS_PER_RUN * 2 + 1, n % COMMITS_PER_RUN * 2 + 2);
        let began = Instant::now();
        runtime.block_on(journal.append(next)).unwrap();
        ours.push(began.elapsed());
    }
    std::fs::remove_file(path).unwrap();
    report("floor", &mut floor, 0.0, 0.0);
    report("alone", &mut ours, 0.0, 0.0);
    let ratio = ours[ours.len() / 2].as_secs_f64() / floor[floor.len() / 2].as_secs_f64();
    println!("       a commit alone takes {ratio:.2} times the floor");
    drop(journal);
    let began = Instant::now();
    let journal = SledJournal::open(state).unwrap();
    println!("       opened again in {:.1?}", began.elapsed());
    drop(journal);
}

fn run(journal: &Arc<SledJournal>, tasks: u64, time: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let workers: Vec<_> = (0..tasks)
        .map(|task| {
            let journal = Arc::clone(journal);
            runtime.spawn(async move {
                let mut times = Vec::new();
                for n in 0.. {
                    let run = n * tasks + task;
                    for commit in 0..COMMITS_PER_RUN {
                        let mut next = batch(run, commit * 2 + 1, commit * 2 + 2);
                        if commit == COMMITS_PER_RUN - 1 {
                            next.heads = vec![head(run, commit * 2 + 2, RunStatus::Succeeded)];
                        }
                        let sent = Instant::now();
                        journal.append(next).await.unwrap();
                        times.push(sent.elapsed());
                    }
                    if began.elapsed() > time {
                        return times;
                    }
                }
                times
            })
        })
        .collect();
    let mut times: Vec<Duration> = workers.into_iter().flat_map(|worker| runtime.block_on(worker).unwrap()).collect();
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    let cpu = (cpu_seconds() - cpu) * 1e6 / times.len() as f64;
    report(&tasks.to_string(), &mut times, rate, cpu);
}

fn report(name: &str, times: &mut [Duration], rate: f64, cpu: f64) {
    times.sort();
    let at = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1e6;
    println!("{name:>6} {rate:>12.0} {:>10.0} {:>10.0} {:>10.0} {cpu:>12.1}", at(50), at(90), at(99));
}

/// CPU time of this process, in steps of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
