use std::os::unix::fs::PermissionsExt;

use runwright_core::{Direction, Stream, Timestamp};
use tempfile::TempDir;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn run(n: u8) -> RunId {
    RunId::from_bytes([n; 16])
}

fn line(text: &str) -> Line {
    Line {
        at: Timestamp::from_millis(1),
        step: "web/restart".into(),
        direction: Direction::Forward,
        attempt: 1,
        stream: Stream::Stdout,
        text: text.into(),
        left_out: 0,
    }
}

struct Bench {
    folder: TempDir,
    logs: LogFiles,
}

impl Bench {
    fn new(run_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = LogFiles::new(folder.path().join("logs"), run_bytes);
        Self { folder, logs }
    }

    fn keep(&self, run: RunId, texts: impl IntoIterator<Item = String>) {
        texts.into_iter().for_each(|text| self.logs.keep(run, line(&text)));
        self.logs.settle(PATIENCE);
    }

    fn of(&self, run: RunId) -> PathBuf {
        self.logs.of(run)
    }

    /// Everything that is kept of a run from `from` on, each with the lines left out before it.
    fn read_from(&self, run: RunId, from: Place) -> (Vec<(u64, String)>, Place) {
        let mut lines = Vec::new();
        let mut each = |line: Line| {
            lines.push((line.left_out, line.text));
            true
        };
        let place = self.logs.read(run, from, &mut each).unwrap();
        (lines, place)
    }

    fn read(&self, run: RunId) -> Vec<(u64, String)> {
        self.read_from(run, Place::default()).0
    }
}

fn numbered(range: std::ops::Range<u64>) -> impl Iterator<Item = String> {
    range.map(|n| format!("line {n:08}"))
}

#[test]
fn lines_are_kept_by_run_and_read_on_from_any_place() {
    let bench = Bench::new(1 << 20);
    bench.keep(run(1), ["a".into(), "b \u{fffd} \"".into()]);
    bench.keep(run(2), ["other".into()]);
    let (lines, place) = bench.read_from(run(1), Place::default());
    assert_eq!(lines, [(0, "a".into()), (0, "b \u{fffd} \"".into())]);
    assert_eq!(bench.read_from(run(1), place).0, []);
    bench.keep(run(1), ["c".into()]);
    assert_eq!(bench.read_from(run(1), place).0, [(0, "c".into())]);
    assert_eq!(bench.read(run(2)), [(0, "other".into())]);
    assert_eq!(bench.read(run(3)), []);
    let mut one = 0;
    let stopped = bench.logs.read(run(1), Place::default(), &mut |_| {
        one += 1;
        false
    });
    assert_eq!((one, bench.read_from(run(1), stopped.unwrap()).0.len()), (1, 2));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&bench.of(run(1))), mode(&bench.of(run(1)).join("1.log"))), (0o700, 0o600));
    assert_eq!(mode(&bench.folder.path().join("logs")), 0o700);
}

#[test]
fn of_a_run_that_says_too_much_the_first_and_the_newest_lines_are_kept() {
    let one = serde_json::to_vec(&line("line 00000000")).unwrap().len() as u64 + 1;
    let per_file = 10;
    let most = (FIRST + NEWEST) * per_file;
    let bench = Bench::new((FIRST + NEWEST) * per_file * one);
    bench.keep(run(1), numbered(0..most));
    assert_eq!(bench.read(run(1)).len() as u64, most, "all of it fits");
    bench.keep(run(1), numbered(most..most + 1));
    let lines = bench.read(run(1));
    let left_out = lines.iter().filter(|(left_out, _)| *left_out > 0).collect::<Vec<_>>();
    assert_eq!(left_out, [&(per_file, "line 00000050".to_owned())], "the fifth file went");
    assert_eq!(lines.len() as u64, most + 1 - per_file);
    // One by one, and by an engine that begins anew each time.
    for n in most + 1..most + 40 {
        let again = LogFiles::new(bench.folder.path().join("logs"), (FIRST + NEWEST) * per_file * one);
        again.keep(run(1), line(&format!("line {n:08}")));
        again.settle(PATIENCE);
    }
    let lines = bench.read(run(1));
    assert_eq!(lines[39], (0, "line 00000039".to_owned()), "the first stay");
    assert_eq!(lines.last().unwrap().1, format!("line {:08}", most + 39));
    let told: u64 = lines.iter().map(|(left_out, _)| left_out).sum();
    assert_eq!(lines.len() as u64 + told, most + 40, "every line is there, or counted");
    let bytes: u64 = fs::read_dir(bench.of(run(1))).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= (FIRST + NEWEST) * per_file * one + 20, "{bytes}");
}

#[test]
fn nothing_is_kept_where_no_byte_may_be() {
    let bench = Bench::new(0);
    bench.keep(run(1), ["a".into()]);
    assert!(bench.read(run(1)).is_empty() && !bench.folder.path().join("logs").exists());
}

#[test]
fn a_torn_line_costs_no_other() {
    let bench = Bench::new(1 << 20);
    bench.keep(run(1), ["a".into(), "b".into()]);
    let file = bench.of(run(1)).join("1.log");
    let text = fs::read(&file).unwrap();
    for cut in 1..text.len() {
        fs::write(&file, &text[..cut]).unwrap();
        let whole = text[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(bench.read(run(1)).len(), whole, "cut at {cut}");
        let next = LogFiles::new(bench.folder.path().join("logs"), 1 << 20);
        next.keep(run(1), line("next"));
        next.settle(PATIENCE);
        let lines = bench.read(run(1));
        assert_eq!(lines.last().unwrap().1, "next", "cut at {cut}: {lines:?}");
        let is_end = text[cut] == b'\n';
        assert_eq!(lines.len(), whole + usize::from(is_end) + 1, "cut at {cut}: {lines:?}");
    }
}

#[test]
fn lines_that_can_not_be_written_are_counted_and_told_once() {
    let bench = Bench::new(1 << 20);
    let logs = bench.folder.path().join("logs");
    fs::write(&logs, "in the way").unwrap();
    bench.keep(run(1), ["a".into()]);
    bench.keep(run(1), ["b".into()]);
    let trouble = bench.logs.trouble().unwrap();
    assert!(trouble.starts_with("what steps say can't be kept: "), "{trouble}");
    fs::remove_file(&logs).unwrap();
    bench.keep(run(1), ["c".into()]);
    assert_eq!((bench.read(run(1)), bench.logs.trouble()), (vec![(2, "c".into())], None));
}

#[test]
fn what_no_run_belongs_to_any_more_is_forgotten() {
    let bench = Bench::new(1 << 20);
    assert_eq!(bench.logs.retain(&mut |_| true).unwrap(), 0, "there is no folder yet");
    (1..=3).for_each(|n| bench.keep(run(n), ["a".into()]));
    fs::write(bench.folder.path().join("logs/not-a-run"), "").unwrap();
    assert_eq!(bench.logs.retain(&mut |known| known == run(2)).unwrap(), 2);
    assert!(bench.of(run(2)).exists() && !bench.of(run(1)).exists() && !bench.of(run(3)).exists());
    assert!(bench.folder.path().join("logs/not-a-run").exists());
}
