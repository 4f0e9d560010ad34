//! Processes that are killed while they write.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{export, open, small};
use crate::conformance::{batch, run_id};
use crate::{Journal, Options, Query};

const STATE: &str = "JOURNAL_TEST_STATE";
const RUNS: u64 = 8;

/// Not a test: the process that is killed. Eight threads append; each prints what was acknowledged.
#[test]
#[ignore = "started by the other tests here"]
fn child() {
    let Ok(state) = std::env::var(STATE) else { return };
    let (table_bytes, segment_bytes) = (40 << 10, 128 << 10);
    let options = Options { table_bytes, segment_bytes, trim_bytes: 256 << 10, ..small() };
    let journal = open(Path::new(&state), &options);
    println!("opened");
    let alone = std::env::var("RUNWRIGHT_KILL_AT").is_ok();
    std::thread::scope(|scope| {
        for n in 1..=if alone { 1 } else { RUNS } {
            let journal = &journal;
            scope.spawn(move || {
                let mut seq = journal.head(run_id(n)).unwrap().map_or(1, |head| head.seq + 1);
                loop {
                    journal.append(batch(n, seq, seq + 1)).blocking_wait().unwrap();
                    println!("acknowledged {n} {}", seq + 1);
                    seq += 2;
                }
            });
        }
    });
}

fn start(state: &Path, kill_at: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "disk::tests::crash::child", "--ignored", "--nocapture"]).env(STATE, state);
    if let Some(at) = kill_at {
        command.env("RUNWRIGHT_KILL_AT", at);
    }
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// The last record of each run that was acknowledged; whole lines only.
fn acknowledged(child: &mut Child) -> Vec<u64> {
    let mut text = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
    let mut last = vec![0; RUNS as usize + 1];
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        if let Some((run, seq)) = line.strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' ')) {
            last[run.parse::<usize>().unwrap()] = seq.parse().unwrap();
        }
    }
    last
}

#[test]
fn what_was_acknowledged_survives_kills() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..10_u64 {
        let mut child = start(dir.path(), None);
        // The other side of the pipe must be read while it writes, so read in a thread until the kill.
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut last = vec![0; RUNS as usize + 1];
            let mut line = String::new();
            while out.read_line(&mut line).unwrap() > 0 {
                let mut words = line.strip_suffix('\n').unwrap_or("").split(' ');
                if words.next() == Some("acknowledged") {
                    let run: usize = words.next().unwrap().parse().unwrap();
                    last[run] = words.next().unwrap().parse().unwrap();
                }
                line.clear();
            }
            last
        });
        std::thread::sleep(Duration::from_millis(20 + round * 37 % 200));
        child.kill().unwrap();
        child.wait().unwrap();
        let last = reader.join().unwrap();
        let journal = open(dir.path(), &small());
        for n in 1..=RUNS {
            let history = journal.history(run_id(n)).unwrap();
            assert!(history.len() as u64 >= last[n as usize], "run {n}: {} of {}", history.len(), last[n as usize]);
            assert_eq!(history.len() % 2, 0, "a batch is whole or absent");
        }
        assert_eq!(journal.verify().unwrap().damage, []);
    }
    assert!(open(dir.path(), &small()).runs(&Query::default()).unwrap().len() == RUNS as usize);
}

#[test]
#[cfg(debug_assertions)]
fn the_kill_switch_hits_the_record_it_names() {
    for (at, durable, told) in
        [("before:1", 0, 0), ("before:4", 2, 2), ("after:1", 2, 0), ("after:4", 4, 2), ("after:5", 6, 4)]
    {
        let dir = tempfile::tempdir().unwrap();
        let mut child = start(dir.path(), Some(at));
        let last = acknowledged(&mut child);
        assert!(!child.wait().unwrap().success());
        assert_eq!(last[1], told, "{at}");
        assert_eq!(open(dir.path(), &small()).history(run_id(1)).unwrap().len(), durable, "{at}");
    }
}

#[test]
fn a_kill_while_opening_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lines = super::fill(dir.path(), &super::log_only(), 200);
    for round in 0..6 {
        let mut child = start(dir.path(), Some("before:1"));
        std::thread::sleep(Duration::from_millis(round * 3));
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert_eq!(export(&open(dir.path(), &small())), lines);
}
