//! `log` and `progress`: always granted, bounded, and safe to show in a terminal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bindings::log;
use crate::limits::{Limits, size};
use crate::notes::{Level, Notes};
use crate::redact::Tainted;
use crate::state::State;

/// The bounded log of one call. Its clones are one log: the plugin's, the host's and the one behind standard output.
#[derive(Clone)]
pub(crate) struct Log {
    notes: Arc<dyn Notes>,
    limits: Arc<Limits>,
    tainted: Tainted,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    lines: usize,
    bytes: usize,
    /// Bytes of messages that were looked at, also those that were cut.
    seen: usize,
    full: bool,
    progress: usize,
    /// The last lines that came over standard error: where languages say why they trap.
    stderr: Vec<String>,
}

/// How many lines of standard error are kept to explain a trap.
const STDERR_LINES: usize = 3;

impl Log {
    pub(crate) fn new(notes: Arc<dyn Notes>, limits: Arc<Limits>, tainted: Tainted) -> Self {
        Self { notes, limits, tainted, taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs each line of `message`, until the call's limit is reached.
    pub(crate) fn write(&self, level: Level, message: &str) {
        let seen_max = self.limits.log_bytes.saturating_mul(4);
        if self.full(message.len(), seen_max) {
            return;
        }
        // A secret may have several lines. What is beyond all that a call may log need not be looked at.
        let message = self.tainted.hide_head(message, self.limits.log_bytes.saturating_mul(2));
        for line in message.lines() {
            self.line(level, line);
        }
    }

    /// Is there no room for more? Looking for secrets takes time, so what is looked at is bounded too.
    fn full(&self, bytes: usize, seen_max: usize) -> bool {
        let (full, told) = {
            let mut taken = self.taken();
            let before = taken.full;
            taken.seen = taken.seen.saturating_add(bytes);
            taken.full |= taken.seen > seen_max && taken.lines > 0;
            (taken.full, before)
        };
        if full && !told {
            self.tell_full();
        }
        full
    }

    fn tell_full(&self) {
        let (lines, bytes) = (self.limits.log_lines, size(self.limits.log_bytes));
        let note = format!("further log lines of this call are dropped: its limit is {lines} lines or {bytes}");
        self.notes.log(Level::Warn, &note);
    }

    fn line(&self, level: Level, line: &str) {
        let line =
            ellipsis(&self.plain(line, self.limits.log_line_bytes.saturating_mul(2)), self.limits.log_line_bytes);
        let full = {
            let mut taken = self.taken();
            if taken.full {
                return;
            }
            taken.full = taken.lines >= self.limits.log_lines || taken.bytes + line.len() > self.limits.log_bytes;
            taken.lines += 1;
            taken.bytes += line.len();
            taken.full
        };
        if full {
            self.tell_full();
        } else {
            self.notes.log(level, &line);
        }
    }

    /// Logs a line of standard error and keeps it to explain a trap.
    pub(crate) fn stderr(&self, line: &str) {
        self.line(Level::Debug, line);
        self.keep(line);
    }

    /// Keeps a line of standard error to explain a trap.
    pub(crate) fn keep(&self, line: &str) {
        let kept = ellipsis(&self.plain(line, 1024), 512);
        let mut taken = self.taken();
        if taken.stderr.len() == STDERR_LINES {
            taken.stderr.remove(0);
        }
        taken.stderr.push(kept);
    }

    /// The last lines of standard error as one.
    pub(crate) fn last_words(&self) -> Option<String> {
        let taken = self.taken();
        (!taken.stderr.is_empty()).then(|| taken.stderr.join(" "))
    }

    fn progress(&self, percent: Option<u8>, note: &str) {
        let note = ellipsis(&self.plain(note, 1024), 256);
        {
            let mut taken = self.taken();
            taken.progress += 1;
            if taken.progress > self.limits.log_lines {
                return;
            }
        }
        self.notes.progress(percent.map(|percent| percent.min(100)), &note);
    }

    /// The first `bytes` of `text` at most, on one clean line and without secrets.
    pub(crate) fn plain(&self, text: &str, bytes: usize) -> String {
        // Cleaning only takes away, so what is cut off here could not have fitted (an escape sequence aside).
        let cleaned = clean(&self.tainted.hide_head(text, bytes));
        // What was taken away may have stood within a secret.
        if cleaned.len() < bytes {
            self.hide(&cleaned)
        } else {
            self.tainted.hide_head(&cleaned, bytes - 1).into_owned()
        }
    }

    /// `text` without secrets.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.tainted.hide(text).into_owned()
    }

    /// How many bytes at the beginning of `bytes` hold no part of a secret that may go on beyond their end.
    pub(crate) fn settled(&self, bytes: &[u8]) -> usize {
        self.tainted.settled(bytes)
    }
}

impl log::Host for State {
    async fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log.write(level, &message);
        Ok(())
    }

    async fn progress(&mut self, percent: Option<u8>, note: String) -> wasmtime::Result<()> {
        self.log.progress(percent, &note);
        Ok(())
    }
}

/// The first `bytes` of `text` at most, whole characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn ellipsis(text: &str, bytes: usize) -> String {
    if text.len() <= bytes { text.to_owned() } else { format!("{}…", cut(text, bytes.saturating_sub(3))) }
}

/// `text` on one line without what can move a terminal's cursor, colour it, rename it or turn its text around:
/// escape sequences (ECMA-48), control characters, and the direction overrides of Unicode.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => match chars.next_if(|next| matches!(next, '[' | ']' | 'P' | '_' | '^' | 'X')) {
                // a control sequence: parameters, then one final byte
                Some('[') => while chars.next().is_some_and(|next| !('@'..='~').contains(&next)) {},
                // a control string: up to BEL or ESC \
                Some(_) => while chars.next().is_some_and(|next| next != '\u{7}' && next != '\\') {},
                None => {}
            },
            '\t' | '\n' | '\r' => cleaned.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {}
            _ if char.is_control() => {}
            _ => cleaned.push(char),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    #[async_trait::async_trait]
    impl Notes for Lines {
        fn log(&self, _: Level, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }

        fn progress(&self, _: Option<u8>, _: &str) {}

        async fn note(&self, _: runwright_core::Note) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    fn what_moves_a_terminal_is_taken_out() {
        assert_eq!(clean("\u{1b}[31;1mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y\u{1b}c"), "red xyc");
        assert_eq!(clean("a\tb\rc\u{0}\u{8}\u{9b}d\u{202e}e"), "a b cde");
        assert_eq!(clean("grüße ✓"), "grüße ✓");
        assert_eq!(clean("\u{1b}["), "");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(ellipsis("äöü", 6), "äöü");
        assert_eq!(ellipsis("äöüä", 6), "ä…");
        assert_eq!(cut("äö", 3), "ä");
    }

    #[test]
    fn a_flood_ends_with_one_line_that_says_so() {
        let lines = Arc::new(Lines::default());
        let limits = Arc::new(Limits { log_lines: 3, log_bytes: 100, ..Limits::default() });
        let log = Log::new(Arc::<Lines>::clone(&lines), Arc::clone(&limits), Tainted::default());
        log.write(Level::Info, "one\ntwo");
        (0..1000).for_each(|_| log.write(Level::Info, "more"));
        let seen = std::mem::take(&mut *lines.0.lock().unwrap());
        assert_eq!(seen.len(), 4);
        assert!(seen[3].contains("dropped"), "{seen:?}");

        let log = Log::new(Arc::<Lines>::clone(&lines), limits, Tainted::default());
        log.write(Level::Info, &"x".repeat(101));
        assert_eq!(lines.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn secrets_are_hidden_before_anything_is_cut() {
        let lines = Arc::new(Lines::default());
        let limits = Arc::new(Limits { log_line_bytes: 16, ..Limits::default() });
        let tainted = Tainted::default();
        let log = Log::new(Arc::<Lines>::clone(&lines), limits, tainted.clone());
        tainted.add("token", "hunter22").unwrap();
        tainted.add("key", "first line\n2nd").unwrap();
        log.stderr("it was \u{1b}[1mhun\u{1b}[0mter22");
        assert_eq!(log.last_words().unwrap(), "it was [secret token]");
        for begin in 0..40 {
            log.write(Level::Info, &format!("{}hunter22 first line\n2nd", "x".repeat(begin)));
        }
        let lines = lines.0.lock().unwrap();
        assert!(
            lines.iter().all(|line| !line.contains("hu") && !line.contains("fi") && !line.contains("2nd")),
            "{lines:?}"
        );
    }
}
