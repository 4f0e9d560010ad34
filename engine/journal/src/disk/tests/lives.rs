//! Whole lives of journals: everything that may be done to one, at random, over many segments and bases of many files,
//! beside a journal in memory. Whatever was done, both say the same, nothing is damaged and the log stays bounded.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::soak::{Chance, rounds};
use super::trimming::log_bytes;
use super::{difference, export, folder};
use crate::conformance::{head, record, run_id, succeeded};
use crate::log::Base;
use crate::{Batch, Handled, InboxWrite, Journal, Memory, Options, Repair, SledJournal, compact, import, repair};
use runwright_core::{Digest, Direction, Event, Record, RunStatus, Timestamp, Value};

const STEPS: usize = 300;
/// The largest record has about this many bytes: more than a segment or a file of a base.
const RECORD_BYTES_MAX: usize = 150_000;

/// A run that was begun: its number and its last record.
#[derive(Debug, Clone, Copy)]
struct Run {
    n: u64,
    seq: u64,
    over: bool,
}

/// A journal on disk, and the one in memory that tells what must be in it.
struct Life {
    home: tempfile::TempDir,
    state: PathBuf,
    options: Options,
    journal: Option<SledJournal>,
    truth: Memory,
    chance: Chance,
    runs: Vec<Run>,
    begun: u64,
    accepted: u64,
    waiting: Vec<String>,
    /// The most that was kept so far, in bytes of an export.
    kept_most: usize,
    /// The most files that a base had.
    files_most: usize,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut kib = |least: usize, most: usize| (least + chance.below(most - least)) << 10;
        let options = Options {
            segment_bytes: kib(8, 64),
            table_bytes: kib(4, 16),
            trim_bytes: kib(16, 64),
            base_file_bytes: kib(4, 32),
            ..Options::default()
        };
        let home = folder();
        let state = home.path().join("state-0");
        let journal = Some(SledJournal::open_with(&state, &options).unwrap());
        Self {
            home,
            state,
            options,
            journal,
            truth: Memory::new(),
            chance,
            runs: Vec::new(),
            begun: 0,
            accepted: 0,
            waiting: Vec::new(),
            kept_most: 0,
            files_most: 0,
        }
    }

    fn journal(&self) -> &SledJournal {
        self.journal.as_ref().unwrap()
    }

    fn append(&self, batch: Batch) {
        let told = self.truth.append(batch.clone()).blocking_wait().unwrap();
        assert_eq!(self.journal().append(batch).blocking_wait().unwrap(), told);
    }

    /// A record of any size.
    fn record(&mut self, n: u64, seq: u64) -> Record {
        let bytes = match self.chance.below(40) {
            0 => self.chance.below(RECORD_BYTES_MAX),
            1..=4 => self.chance.below(40_000),
            _ => self.chance.below(600),
        };
        let (step, direction) = (format!("step-{seq}"), Direction::Forward);
        let event = Event::Ended { step, direction, attempt: 1, outcome: succeeded("x".repeat(bytes)) };
        if seq == 1 { record(n, seq) } else { Record { event, ..record(n, seq) } }
    }

    /// The next records of a run, with its head.
    fn go_on(&mut self, run: &mut Run) -> Batch {
        let first = run.seq + 1;
        run.seq += 1 + self.chance.below(4) as u64;
        run.over = self.chance.one_in(3);
        let status = if run.over { RunStatus::Succeeded } else { RunStatus::Running };
        let records = (first..=run.seq).map(|seq| self.record(run.n, seq)).collect();
        Batch::of(records, head(run.n, run.seq, status))
    }

    fn begin(&mut self) -> (Run, Batch) {
        self.begun += 1;
        let mut run = Run { n: self.begun, seq: 0, over: false };
        let mut batch = self.go_on(&mut run);
        if self.chance.one_in(3) {
            let source = format!("source {}", self.begun % 20).repeat(self.chance.below(300)).into_bytes();
            batch.sources.push((Digest::of(&source), source));
        }
        (run, batch)
    }

    fn write(&mut self) {
        match self.chance.below(12) {
            0..=4 => {
                let (run, batch) = self.begin();
                self.append(batch);
                self.runs.push(run);
            }
            5..=7 => {
                let open: Vec<usize> = (0..self.runs.len()).filter(|at| !self.runs[*at].over).collect();
                if let Some(at) = open.get(self.chance.below(open.len())) {
                    let mut run = self.runs[*at];
                    let batch = self.go_on(&mut run);
                    self.append(batch);
                    self.runs[*at] = run;
                }
            }
            8 | 9 => {
                self.accepted += 1;
                let key = format!("key-{}", self.accepted);
                let payload = Value::from("y".repeat(self.chance.below(3_000)));
                self.append(Batch::accept(&key, payload, Timestamp::from_millis(self.accepted)));
                self.waiting.push(key);
            }
            10 if !self.waiting.is_empty() => {
                let key = self.waiting.remove(self.chance.below(self.waiting.len()));
                let (run, mut batch) = self.begin();
                let Handled { runs, note } = Handled { runs: vec![run_id(run.n)], note: "matched".to_owned() };
                batch.inbox.push(InboxWrite::Handle { key, runs, note });
                self.append(batch);
                self.runs.push(run);
            }
            _ => {
                let value = (!self.chance.one_in(4)).then(|| Value::from("z".repeat(self.chance.below(6_000))));
                let meta = vec![(format!("name-{}", self.chance.below(9)), value)];
                self.append(Batch { meta, ..Batch::default() });
            }
        }
    }

    /// Forgets most runs that are over.
    fn forget(&mut self) {
        let gone: Vec<Run> = self.runs.iter().copied().filter(|run| run.over && run.n % 5 > 0).collect();
        self.runs.retain(|run| !(run.over && run.n % 5 > 0));
        let prune = gone.iter().map(|run| run_id(run.n)).collect();
        self.append(Batch { prune, ..Batch::default() });
    }

    /// Does what a person may do to a journal that nobody has open.
    fn maintain(&mut self) -> &'static str {
        self.journal.take().unwrap().close().unwrap();
        let mut rebuild = false;
        let what = match self.chance.below(6) {
            0 => "opened again",
            1 => {
                fs::remove_file(self.state.join("lock")).unwrap();
                "the machine started anew"
            }
            2 => {
                rebuild = true;
                "rebuilt"
            }
            3 => {
                compact(&self.state, &self.options).unwrap();
                "compacted"
            }
            4 => {
                let dry_run = self.chance.one_in(2);
                assert_eq!(repair(&self.state, &self.options, dry_run).unwrap(), Repair::default());
                "repaired"
            }
            _ => {
                let text = export(&self.truth).join("\n") + "\n";
                self.state = self.home.path().join(format!("state-{}", self.begun));
                if !self.state.exists() {
                    import(&self.state, &mut text.as_bytes(), &self.options).unwrap();
                }
                "imported"
            }
        };
        let options = Options { rebuild, ..self.options.clone() };
        self.journal = Some(SledJournal::open_with(&self.state, &options).unwrap());
        let aside = self.state.join("sled.damaged-1");
        assert_eq!(aside.exists(), rebuild, "{what}: the store was set aside");
        if rebuild {
            fs::remove_dir_all(aside).unwrap();
        }
        what
    }

    /// Whether both journals say the same, nothing is damaged, and the log is as small as it should be.
    fn check(&mut self, what: &str) {
        let (found, expected) = (export(self.journal()), export(&self.truth));
        assert_eq!(difference(&found, &expected), None, "{what}");
        assert_eq!(self.journal().verify().unwrap().damage, [], "{what}");
        self.kept_most = self.kept_most.max(expected.iter().map(String::len).sum());
        self.files_most = self.files_most.max(base_files(&self.state.join("log")));
        let Options { segment_bytes, table_bytes, trim_bytes, .. } = self.options;
        let bound = 2 * self.kept_most + trim_bytes + 5 * table_bytes + 4 * (segment_bytes + RECORD_BYTES_MAX);
        let began = Instant::now();
        // It is trimmed beside the work, and the third copy goes with that.
        while log_bytes(&self.state.join("log")) > bound as u64 {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}: the log is larger than {bound} bytes");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// How many files the log's base has.
pub(super) fn base_files(log: &Path) -> usize {
    let base = Base::newest(log).unwrap();
    base.map_or(0, |base| fs::read_dir(base.dir).map_or(0, Iterator::count))
}

#[test]
fn a_journal_says_what_was_written_whatever_is_done_to_it() {
    rounds("steps in lives of journals", |seed| {
        let mut life = Life::new(seed);
        for step in 0..STEPS {
            match life.chance.below(30) {
                0 => {
                    let what = life.maintain();
                    life.check(&format!("seed {seed}, step {step}: {what}"));
                }
                1 => life.forget(),
                _ => life.write(),
            }
        }
        life.check(&format!("seed {seed}: at the end"));
        assert!(life.files_most > 2, "seed {seed}: bases of one file only");
        STEPS
    });
}
