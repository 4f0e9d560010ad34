//! What a call says is bounded, in order, and without secrets.

use super::*;
use crate::notes::Notes;

#[derive(Default)]
struct Heard(Mutex<Vec<Said>>);

#[async_trait::async_trait]
impl Notes for Heard {
    fn say(&self, said: Said) {
        self.0.lock().unwrap().push(said);
    }

    fn progress(&self, _: Option<u8>, _: &str) {}

    async fn note(&self, _: runwright_core::Note) -> Result<(), String> {
        Ok(())
    }
}

struct Bench {
    heard: Arc<Heard>,
    tainted: Tainted,
    log: Log,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let (heard, tainted) = (Arc::<Heard>::default(), Tainted::default());
        let log = Log::new(Arc::<Heard>::clone(&heard), Arc::new(limits), tainted.clone());
        Self { heard, tainted, log }
    }

    fn lines_max(log_lines: usize) -> Self {
        Self::new(Limits { log_lines, ..Limits::default() })
    }

    /// What was said so far and stays, and how many lines were left out before each.
    fn said(&self) -> Vec<(u64, Stream, String)> {
        let said = self.heard.0.lock().unwrap();
        let kept = said.iter().filter(|said| !said.passes);
        kept.map(|said| (said.left_out, said.stream, said.text.clone())).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.said().into_iter().map(|(_, _, text)| text).collect()
    }

    fn program(&self, text: impl AsRef<[u8]>) {
        self.log.bytes(Source::ProgramOut, text.as_ref());
    }
}

#[test]
fn lines_are_said_when_they_end_or_when_nothing_more_comes() {
    let bench = Bench::lines_max(100);
    bench.program("one\r\ntw");
    assert_eq!(bench.texts(), ["one"]);
    bench.program("o\nPassword: ");
    assert_eq!(bench.texts(), ["one", "two"]);
    bench.log.pause();
    assert_eq!(bench.texts().len(), 2, "more may come at once");
    bench.log.pause();
    assert_eq!(bench.texts()[2..], ["Password: "]);
    bench.log.bytes(Source::ProgramErr, b"oops");
    bench.program("end");
    bench.log.finish();
    assert_eq!(bench.said()[3..], [(0, Stream::Stdout, "end".into()), (0, Stream::Stderr, "oops".into())]);
}

#[test]
fn of_too_many_lines_the_first_and_the_last_are_said_and_the_others_counted() {
    for (lines, expected) in [(75, 75), (76, 76), (100, 100), (101, 100), (50_000, 100)] {
        let bench = Bench::lines_max(100);
        (0..lines).for_each(|n| bench.program(format!("{n}\n")));
        bench.log.finish();
        let said = bench.said();
        assert_eq!(said.len(), expected, "{lines}");
        assert_eq!((said[0].2.as_str(), said[74].2.as_str()), ("0", "74"), "{lines}");
        assert_eq!(said.last().unwrap().2, (lines - 1).to_string());
        let left_out: Vec<_> = said.iter().filter(|(left_out, ..)| *left_out > 0).collect();
        match lines - expected {
            0 => assert!(left_out.is_empty(), "{left_out:?}"),
            more => assert_eq!(left_out, [&(more as u64, Stream::Stdout, (lines - 25).to_string())]),
        }
    }
}

#[test]
fn the_bytes_of_all_lines_are_bounded_and_a_long_one_is_cut() {
    let bench = Bench::new(Limits { log_bytes: 800, log_line_bytes: 40, ..Limits::default() });
    (0..1_000).for_each(|n| bench.log.write(Stream::Info, &format!("{n:039}")));
    bench.log.finish();
    let said = bench.said();
    let bytes: usize = said.iter().map(|(_, _, text)| text.len()).sum();
    assert!((700..=800).contains(&bytes), "{bytes}");
    assert_eq!(said.iter().map(|(left_out, ..)| left_out).sum::<u64>() + said.len() as u64, 1_000);
    let bench = Bench::new(Limits { log_line_bytes: 40, ..Limits::default() });
    bench.log.write(Stream::Info, &"x".repeat(41));
    bench.program("ä".repeat(30) + "\n");
    let texts = bench.texts();
    assert_eq!((texts[0].len(), texts[1].as_str(), texts[2].as_str()), (40, &*"ä".repeat(20), &*"ä".repeat(10)));
}

#[test]
fn a_flood_without_an_end_costs_bounded_memory_and_is_told() {
    let bench = Bench::lines_max(100);
    let chunk = [0xff; 64 * 1024];
    (0..500).for_each(|_| bench.program(chunk));
    let held: usize = bench.log.spoken().tails.values().map(Tail::held).sum();
    assert!(held < 1 << 20, "{held}");
    bench.log.finish();
    let said = bench.said();
    let (left_out, _, text) = said.last().unwrap();
    assert!((1..=2).contains(left_out) && text.is_empty(), "{left_out} {text}");
    assert!(said.len() <= 100 && said.iter().all(|(_, _, text)| text.len() <= 4096));
}

#[test]
fn what_goes_by_is_shown_now_and_then() {
    let bench = Bench::lines_max(4);
    (0..5_000).for_each(|n| bench.program(format!("{n}\n")));
    let passing = bench.heard.0.lock().unwrap().iter().filter(|said| said.passes).count();
    assert!((1..50).contains(&passing), "{passing}");
}

#[test]
fn the_answers_of_programs_leave_room_for_what_people_should_see() {
    let bench = Bench::lines_max(100);
    (0..90).for_each(|n| bench.log.bytes(Source::Answer, format!("{n}\n").as_bytes()));
    bench.program("seen\n");
    let said = bench.said();
    assert_eq!((said.len(), &said[18]), (19, &(0, Stream::Stdout, "seen".into())));
    bench.log.finish();
    assert_eq!(bench.said().len(), 19 + 25, "and its end");
}

#[test]
fn a_secret_is_hidden_however_a_program_writes_it() {
    let folded = "aHVudGVyMjIgaXMgYSBsb25nIHNlY3JldCB0aGF0IHRha2VzIG1vcmUgdGhhbiBvbmUgbGluZSBv\nZiBCYXNlNjQ=\n";
    let secret = "hunter22 is a long secret that takes more than one line of Base64";
    for split in 1..secret.len() {
        let bench = Bench::lines_max(100);
        bench.tainted.add("token", secret).unwrap();
        bench.program(&secret[..split]);
        bench.log.pause();
        bench.log.pause();
        bench.program(&secret[split..]);
        bench.program("\n");
        bench.log.finish();
        assert_eq!(bench.texts(), ["[secret token]"], "{split}");
    }
    for split in 1..folded.len() {
        let bench = Bench::lines_max(100);
        bench.tainted.add("token", secret).unwrap();
        bench.program("x");
        bench.program(&folded[..split]);
        bench.log.pause();
        bench.program(&folded[split..]);
        bench.log.finish();
        assert_eq!(bench.texts().join("\n").trim_end_matches('='), "x[secret token]", "{split}");
    }
}

#[test]
fn no_line_waits_for_the_next_because_its_last_letters_begin_a_secret() {
    let bench = Bench::lines_max(100);
    bench.tainted.add("token", "hunter22").unwrap();
    bench.program("push\n");
    bench.program("hunte\n");
    assert_eq!(bench.texts(), ["push", "hunte"]);
    bench.program("r22 is the rest\n");
    assert_eq!(bench.texts()[2..], ["[secret token] is the rest"], "also of one that a line's end splits");
    for line in ["\u{1b}[32mok\u{1b}[0m", "100%", "C:\\", "grüße"] {
        let before = bench.texts().len();
        bench.program(format!("{line}\n"));
        assert_eq!(bench.texts().len(), before + 1, "{line}");
    }
}

#[test]
fn no_part_of_a_secret_is_seen_in_a_flood() {
    let secret = "hunter22 is a secret";
    for padding in 0..60 {
        let bench = Bench::new(Limits { log_lines: 40, log_bytes: 2_000, ..Limits::default() });
        bench.tainted.add("token", secret).unwrap();
        bench.program("x".repeat(padding));
        (0..4_000).for_each(|_| bench.program(format!("{secret} {secret}\n")));
        bench.program(secret);
        bench.log.finish();
        let said = bench.heard.0.lock().unwrap();
        let parts = ["hunter", "er22 ", "is a", "ecret "];
        let seen = said.iter().find(|said| {
            let rest = said.text.replace("[secret token]", "");
            parts.iter().any(|part| rest.contains(part))
        });
        assert_eq!(seen, None, "{padding}");
        assert!(said.iter().any(|said| said.left_out > 3_000));
    }
}

#[test]
fn secrets_are_hidden_before_anything_is_cut() {
    let bench = Bench::new(Limits { log_line_bytes: 16, ..Limits::default() });
    bench.tainted.add("token", "hunter22").unwrap();
    bench.tainted.add("key", "first line\n2nd").unwrap();
    bench.log.bytes(Source::Err, b"it was \x1b[1mhun\x1b[0mter22\n");
    let words = bench.log.last_words().unwrap();
    assert!(words.starts_with("it was [secr") && !words.contains("hun") && !words.contains("ter22"), "{words}");
    for begin in 0..40 {
        bench.log.write(Stream::Info, &format!("{}hunter22 first line\n2nd", "x".repeat(begin)));
    }
    let texts = bench.texts();
    assert!(
        texts.iter().all(|line| !line.contains("hu") && !line.contains("fi") && !line.contains("2nd")),
        "{texts:?}"
    );
}

#[test]
fn the_last_words_are_known_though_they_are_left_out() {
    let bench = Bench::lines_max(4);
    (0..100).for_each(|n| bench.log.bytes(Source::Err, format!("{n}\n").as_bytes()));
    assert_eq!(bench.log.last_words().unwrap(), "97 98 99");
}
