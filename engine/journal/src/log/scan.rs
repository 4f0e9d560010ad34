//! Reading the log from a position to its end, past whatever is damaged.
//!
//! Every frame holds the position up to which the log was durable when it was written. So where bytes are found that
//! are no frame, the frames behind them decide: if one of them was written when those bytes were durable already, they
//! were an acknowledged commit, and this is damage (a [`Hole`]). If none was, the bytes are the unfinished last write
//! of a crash, whose commits nobody was told of: the log ends before them.

use std::path::Path;

use super::{salvage, segment, segments};
use crate::Error;
use crate::commit::{Commit, Undecodable};
use crate::frame::{Frame, Position, Touched};

/// What a scan meets, in order.
#[derive(Debug)]
pub(crate) enum Found {
    /// A whole commit.
    Commit { at: Position, number: u64, commit: Commit },
    /// Acknowledged commits that can't be read. Commits that were found in it follow.
    Hole(Hole),
    /// Something that is not what was written, by which nothing is lost.
    Spoiled(String),
}

/// A part of the log that was durable once and can't be read now.
#[derive(Debug, Clone)]
pub(crate) struct Hole {
    pub(crate) from: Position,
    pub(crate) to: Position,
    /// The records that are known to be lost.
    pub(crate) lost: Vec<Touched>,
    /// Whether more may be lost than that.
    pub(crate) more: bool,
    /// The segment of the base that it is in, where it is in one.
    pub(crate) base: Option<u32>,
}

impl std::fmt::Display for Hole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.base {
            Some(base) => write!(f, "base-{base:06}: {} to {}", self.from, self.to),
            None => write!(f, "{} to {}", self.from, self.to),
        }
    }
}

/// Where the log ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct End {
    pub(crate) position: Position,
    /// The number of the last commit.
    pub(crate) number: u64,
    /// Whether something stands behind the end.
    pub(crate) garbage: bool,
    /// Bytes that were read.
    pub(crate) bytes: u64,
}

/// Frames behind something that is no frame, until it is known which they are.
#[derive(Default)]
struct Doubt {
    frames: Vec<(Position, u64, Commit)>,
    lost: Vec<Touched>,
    more: bool,
}

struct Scan<'a> {
    end: End,
    doubt: Option<Doubt>,
    upto: Position,
    visit: &'a mut dyn FnMut(Found) -> Result<(), Error>,
}

/// Reads the log from `from` (with the number of the commit before it) to its end, or to `upto`. Everything before
/// `durable` is known to have been durable.
pub(crate) fn scan(
    dir: &Path,
    from: (Position, u64),
    durable: Position,
    upto: Option<Position>,
    visit: &mut dyn FnMut(Found) -> Result<(), Error>,
) -> Result<End, Error> {
    let from = (from.0.max(Position::new(1, segment::HEADER)), from.1);
    let end = End { position: from.0, number: from.1, ..End::default() };
    let mut scan = Scan { end, doubt: None, upto: upto.unwrap_or(Position(u64::MAX)), visit };
    let mut truncated = Position::default();
    for (number, path) in segments(dir)? {
        if number < from.0.segment() || Position::new(number, 0) >= scan.upto {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        if !segment::check_header(&bytes, number, &path)? {
            scan.spoiled(format!("the header of {} is damaged", path.display()))?;
        }
        let start = if number == from.0.segment() { from.0.offset() } else { 0 };
        scan.segment(&bytes, Position::new(number, 0), start.max(segment::HEADER))?;
        if bytes.len() < segment::full_bytes(&bytes) && Position::new(number, bytes.len()) < scan.upto {
            truncated = Position::new(number, bytes.len());
        }
        scan.end.bytes += bytes.len() as u64;
    }
    // The zeros behind the last frame are there before it is: a file that ends in between was cut off.
    let durable = durable.max(truncated);
    if scan.end.position < durable {
        scan.settle(durable)?;
        scan.end.position = durable;
    }
    scan.end.garbage = scan.doubt.is_some();
    Ok(scan.end)
}

impl Scan<'_> {
    fn segment(&mut self, bytes: &[u8], base: Position, mut at: usize) -> Result<(), Error> {
        while at < bytes.len() && base.plus(at) < self.upto {
            let place = base.plus(at);
            let frame = Frame::read(&bytes[at..], place).filter(|frame| frame.number > self.last_number());
            if let Some(frame) = frame {
                at += frame.length;
                if !frame.padded {
                    self.spoiled(format!("the padding before {} is damaged", base.plus(at)))?;
                }
                self.frame(place, frame)?;
                continue;
            }
            if bytes[at..].iter().all(|byte| *byte == 0) {
                return Ok(());
            }
            let next = self.next_frame(bytes, at + 1, base);
            let doubt = self.doubt.get_or_insert_default();
            match next.and_then(|next| salvage::touched(&bytes[at..next])) {
                Some(touched) => doubt.lost.extend(touched),
                None => doubt.more = true,
            }
            let Some(next) = next else { return Ok(()) };
            at = next;
        }
        Ok(())
    }

    /// The offset of the first frame from here on that is newer than what was read.
    fn next_frame(&self, bytes: &[u8], mut from: usize, base: Position) -> Option<usize> {
        let last = self.last_number();
        loop {
            let found = Frame::find(bytes, from, base)?;
            match Frame::read(&bytes[found..], base.plus(found)) {
                Some(frame) if frame.number > last => return Some(found),
                _ => from = found + 1,
            }
        }
    }

    fn spoiled(&mut self, what: String) -> Result<(), Error> {
        tracing::warn!(what, "nothing is lost by this damage");
        (self.visit)(Found::Spoiled(what))
    }

    fn last_number(&self) -> u64 {
        let doubted = self.doubt.as_ref().and_then(|doubt| doubt.frames.last());
        doubted.map_or(self.end.number, |(_, number, _)| *number)
    }

    fn frame(&mut self, at: Position, frame: Frame<'_>) -> Result<(), Error> {
        let durable = self.durable_before(at, &frame);
        if durable > self.end.position {
            self.settle(durable)?;
        }
        let next = at.segment() > self.end.position.segment() && durable == self.end.position;
        if next && self.doubt.as_ref().is_some_and(|doubt| doubt.frames.is_empty() && doubt.lost.is_empty()) {
            // A segment is left only when all of it is durable: what stood there was behind its last frame.
            self.doubt = None;
            self.spoiled(format!("there is something behind the end of the frames, {}", self.end.position))?;
        }
        let after = at.plus(frame.length);
        let decoded = match frame.contents.map(|contents| Commit::decode(frame.touched.clone(), contents)) {
            Some(Ok(commit)) => Some(commit),
            Some(Err(Undecodable::Newer { found, known })) => {
                let what = format!("a commit in {at}");
                return Err(Error::NewerFormat { what, found: found.into(), known: known.into() });
            }
            Some(Err(Undecodable::Bad(why))) => {
                tracing::warn!(%at, why, "a bad commit");
                None
            }
            None => None,
        };
        match (decoded, &mut self.doubt) {
            (Some(commit), None) => {
                (self.end.position, self.end.number) = (after, frame.number);
                (self.visit)(Found::Commit { at, number: frame.number, commit })?;
            }
            (Some(commit), Some(doubt)) => doubt.frames.push((at, frame.number, commit)),
            (None, _) => self.doubt.get_or_insert_default().lost.extend(frame.touched),
        }
        Ok(())
    }

    /// The position up to which the log was durable when this frame was written.
    ///
    /// Bases of older versions name the beginning of the file there in the first frame of each file, not the end of the
    /// file before it. The frames of a base are numbered without gaps, so the next number says that none is missing.
    fn durable_before(&self, at: Position, frame: &Frame<'_>) -> Position {
        let end = self.end;
        let begins_file = at == Position::new(end.position.segment() + 1, segment::HEADER);
        if begins_file && frame.durable == at && frame.number == end.number + 1 { end.position } else { frame.durable }
    }

    /// Everything before `durable` was acknowledged: what was in doubt is a hole with whole commits around it.
    fn settle(&mut self, durable: Position) -> Result<(), Error> {
        let doubt = self.doubt.take().unwrap_or(Doubt { more: true, ..Doubt::default() });
        let (from, to) = (self.end.position, durable);
        let hole = Hole { from, to, lost: doubt.lost, more: doubt.more, base: None };
        (self.visit)(Found::Hole(hole))?;
        for (at, number, commit) in doubt.frames {
            self.end.number = number;
            (self.visit)(Found::Commit { at, number, commit })?;
        }
        self.end.position = durable;
        Ok(())
    }
}
