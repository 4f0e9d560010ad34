//! What one call says while it runs: bounded, on clean lines, without secrets.
//!
//! The first lines are told at once. When they are as many as a call may say, what follows goes by: only its end is held,
//! as it came, and once a second the newest line is told as one that passes. When the call ends, the last lines are told,
//! with how many were left out. So a call that never stops talking costs little time and a bounded amount of memory.

mod begun;
mod source;
mod tail;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use runwright_core::Stream;

use crate::limits::Limits;
use crate::notes::{Notes, Said};
use crate::redact::Tainted;
use begun::Begun;
use tail::Tail;
use text::ellipsis;

pub(crate) use source::Source;
pub(crate) use text::{clean, cut};

/// How many lines of standard error are kept to explain a trap.
const WORDS_MAX: usize = 3;

/// How often a line is told of what is left out.
const PASSING: Duration = Duration::from_secs(1);

/// The bounded log of one call, or of one script. Its clones are one log: the plugin's, the host's, and those behind
/// standard output and standard error of the plugin and of its programs.
#[derive(Clone)]
pub struct Log {
    notes: Arc<dyn Notes>,
    limits: Arc<Limits>,
    tainted: Tainted,
    spoken: Arc<Mutex<Spoken>>,
}

#[derive(Default)]
struct Spoken {
    /// Lines that were told, their bytes, and how many of them are answers of programs.
    lines: usize,
    bytes: usize,
    answers: usize,
    /// Bytes of messages that were looked at, also those that were cut.
    seen: usize,
    /// There is room for the last lines only.
    full: bool,
    progress: usize,
    begun: BTreeMap<Source, Begun>,
    tails: BTreeMap<Source, Tail>,
    /// When a line was told that passes.
    passed: Option<Instant>,
    /// The last lines that came over standard error: where languages say why they trap.
    words: Vec<String>,
}

impl Log {
    pub(crate) fn new(notes: Arc<dyn Notes>, limits: Arc<Limits>, tainted: Tainted) -> Self {
        Self { notes, limits, tainted, spoken: Arc::default() }
    }

    /// A log within the usual limits that knows no secrets: for scripts where no host is.
    pub fn plain_of(notes: Arc<dyn Notes>) -> Self {
        Self::new(notes, Arc::default(), Tainted::default())
    }

    fn spoken(&self) -> MutexGuard<'_, Spoken> {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says each line of what a script prints.
    pub fn print(&self, text: &str) {
        self.write(Stream::Print, text);
    }

    /// Says each line of `message`.
    pub(crate) fn write(&self, stream: Stream, message: &str) {
        let (spoken, source) = (&mut *self.spoken(), Source::Message(stream));
        // Looking for secrets takes time, so what is looked at is bounded too.
        spoken.seen = spoken.seen.saturating_add(message.len());
        spoken.full |= spoken.seen > self.limits.log_bytes.saturating_mul(4) && spoken.lines > 0;
        if self.is_full(spoken, source) {
            self.goes_by(spoken, source, message.as_bytes());
            self.goes_by(spoken, source, b"\n");
            return;
        }
        // A secret may have several lines. What is beyond all that a call may say need not be looked at.
        let message = self.tainted.hide_head(message, self.limits.log_bytes.saturating_mul(2));
        for line in message.lines() {
            self.line(spoken, source, line);
        }
    }

    /// Says what a stream gives: lines, of which the last may go on with what comes next.
    pub(crate) fn bytes(&self, source: Source, bytes: &[u8]) {
        /// Bytes that are looked at together.
        const PIECE_BYTES: usize = 16 * 1024;
        let spoken = &mut *self.spoken();
        for piece in bytes.chunks(PIECE_BYTES) {
            if self.is_full(spoken, source) {
                self.goes_by(spoken, source, piece);
                continue;
            }
            let mut begun = spoken.begun.remove(&source).unwrap_or_default();
            begun.take(piece, &self.tainted);
            while !self.is_full(spoken, source)
                && let Some(line) = begun.line(self.limits.log_line_bytes)
            {
                self.line(spoken, source, &String::from_utf8_lossy(&line));
            }
            match self.is_full(spoken, source) {
                // What is left of it goes by like what follows.
                true => self.goes_by(spoken, source, &begun.into_rest()),
                false => _ = spoken.begun.insert(source, begun),
            }
        }
    }

    /// Says what stands there of lines that go on, where nothing came for a while.
    pub(crate) fn pause(&self) {
        let spoken = &mut *self.spoken();
        let mut said = Vec::new();
        for (source, begun) in &mut spoken.begun {
            said.extend(begun.pause().map(|line| (*source, line)));
        }
        for (source, line) in said {
            self.line(spoken, source, &String::from_utf8_lossy(&line));
        }
    }

    /// Says a last line that has no end.
    pub(crate) fn end(&self, source: Source) {
        self.end_in(&mut self.spoken(), source);
    }

    fn end_in(&self, spoken: &mut Spoken, source: Source) {
        let Some(mut begun) = spoken.begun.remove(&source) else { return };
        begun.end(&self.tainted);
        while let Some(line) = begun.line(self.limits.log_line_bytes).or_else(|| begun.last()) {
            self.line(spoken, source, &String::from_utf8_lossy(&line));
        }
    }

    /// Says the last lines of all streams, whether they have an end or not.
    pub(crate) fn end_all(&self) {
        let spoken = &mut *self.spoken();
        let sources: Vec<Source> = spoken.begun.keys().copied().collect();
        sources.into_iter().for_each(|source| self.end_in(spoken, source));
    }

    /// The call, or the script, is over: says the last lines of what went by, with how many were left out.
    pub fn finish(&self) {
        self.end_all();
        let tails = std::mem::take(&mut self.spoken().tails);
        let (lines_max, bytes_max) = (self.tail_lines() / tails.len().max(1), self.tail_bytes() / tails.len().max(1));
        for (source, tail) in tails {
            let (mut left_out, lines) = tail.end(&self.tainted, lines_max, bytes_max);
            if lines.is_empty() && left_out > 0 {
                let (stream, _) = source.leveled("");
                self.notes.say(Said { stream, text: String::new(), left_out, passes: false });
            }
            for line in lines {
                self.say(source, &line, std::mem::take(&mut left_out), false);
            }
        }
    }

    /// Says a whole line that is without secrets, if there is room.
    fn line(&self, spoken: &mut Spoken, source: Source, line: &str) {
        if source.explains() {
            spoken.explain(self.in_short(source.leveled(line).1));
        }
        let bytes = line.len().min(self.limits.log_line_bytes);
        let (lines_max, bytes_max) = (self.head_lines(), self.limits.log_bytes - self.tail_bytes());
        spoken.full |= spoken.lines >= lines_max || spoken.bytes + bytes > bytes_max;
        if self.is_full(spoken, source) {
            self.goes_by(spoken, source, line.as_bytes());
            self.goes_by(spoken, source, b"\n");
            return;
        }
        spoken.lines += 1;
        spoken.bytes += bytes;
        spoken.answers += usize::from(source == Source::Answer);
        self.say(source, line, 0, false);
    }

    fn say(&self, source: Source, line: &str, left_out: u64, passes: bool) {
        let (stream, line) = source.leveled(line);
        let text = self.plain(line, self.limits.log_line_bytes.saturating_mul(2));
        self.notes.say(Said { stream, text: ellipsis(&text, self.limits.log_line_bytes), left_out, passes });
    }

    /// Is there no room for more but at the end? Answers of programs, which are for their plugin, get a quarter.
    fn is_full(&self, spoken: &Spoken, source: Source) -> bool {
        spoken.full || source == Source::Answer && spoken.answers >= self.head_lines() / 4
    }

    /// Holds the end of what is not told.
    fn goes_by(&self, spoken: &mut Spoken, source: Source, bytes: &[u8]) {
        let tail = spoken.tails.entry(source).or_default();
        tail.push(bytes, self.tail_bytes());
        // Where no line ended there is none to show, and looking for it takes time.
        if !bytes.contains(&b'\n') || spoken.passed.is_some_and(|passed| passed.elapsed() < PASSING) {
            return;
        }
        spoken.passed = Some(Instant::now());
        if let Some(line) = tail.newest(&self.tainted) {
            self.say(source, &line, 0, true);
        }
    }

    fn head_lines(&self) -> usize {
        self.limits.log_lines - self.tail_lines()
    }

    fn tail_lines(&self) -> usize {
        self.limits.log_lines / 4
    }

    fn tail_bytes(&self) -> usize {
        self.limits.log_bytes / 8
    }

    fn in_short(&self, line: &str) -> String {
        ellipsis(&self.plain(line, 1024), 512)
    }

    /// The last lines of standard error as one.
    pub(crate) fn last_words(&self) -> Option<String> {
        let spoken = self.spoken();
        let held = spoken.tails.iter().filter(|(source, _)| source.explains());
        let lines = held.flat_map(|(source, tail)| {
            let last = tail.last(&self.tainted, WORDS_MAX).into_iter();
            last.map(|line| self.in_short(source.leveled(&line).1))
        });
        let mut words: Vec<String> = lines.collect();
        if words.is_empty() {
            words.clone_from(&spoken.words);
        }
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// Says how far it is.
    pub(crate) fn progress(&self, percent: Option<u8>, note: &str) {
        {
            let mut spoken = self.spoken();
            spoken.progress += 1;
            if spoken.progress > self.limits.log_lines {
                return;
            }
        }
        let note = ellipsis(&self.plain(note, 1024), 256);
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
}

impl Spoken {
    /// Keeps a line of standard error to explain a trap.
    fn explain(&mut self, line: String) {
        if self.words.len() == WORDS_MAX {
            self.words.remove(0);
        }
        self.words.push(line);
    }
}

/// Ends a log when it is dropped, wherever its call ended.
pub(crate) struct Finished(pub(crate) Log);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.finish();
    }
}
