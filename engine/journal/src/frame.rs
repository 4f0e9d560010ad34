//! The frame around one commit in the log. Integers are little-endian; a frame begins at a multiple of 8.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `RWF1` |
//! | 4..8 | length of the contents |
//! | 8..16 | number of the commit; always grows |
//! | 16..24 | the position up to which the log was durable when this was written |
//! | 24..28 | number of runs that have records in it |
//! | 28..32 | CRC-32 of the contents |
//! | 32.. | per run 32 bytes: its id, the first and the last sequence number |
//! | 4 more | CRC-32 of this frame's position and everything before it |
//! | … | the contents, then zeros up to a multiple of 8 |
//!
//! The runs stand outside the contents so that damage in either part can still be told by run and record. The durable
//! position tells a commit that was never acknowledged (a torn tail, which may be cut) from one that was (damage).

use runwright_core::RunId;

use crate::record::array;

const MAGIC: &[u8; 4] = b"RWF1";
const FIXED: usize = 32;
const PER_RUN: usize = 32;
const CRC: usize = 4;
/// A frame begins at a multiple of this.
pub(crate) const ALIGN: usize = 8;
/// More runs than this in one frame are refused.
pub(crate) const RUNS_MAX: usize = 65_536;

/// A place in the log: the segment's number, then the offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position(pub(crate) u64);

impl Position {
    pub(crate) fn new(segment: u32, offset: usize) -> Self {
        Self(u64::from(segment) << 32 | offset as u64)
    }

    pub(crate) fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(crate) fn offset(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }

    pub(crate) fn plus(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:06}.log at {}", self.segment(), self.offset())
    }
}

/// The records of one run in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) run: RunId,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Where the contents of a frame with that many runs begin.
pub(crate) fn contents_at(runs: usize) -> usize {
    FIXED + PER_RUN * runs + CRC
}

/// Writes the frame's header into `bytes`, which hold room for it and the contents, and fills up to the alignment.
pub(crate) fn seal(bytes: &mut Vec<u8>, touched: &[Touched], number: u64, durable: Position, position: Position) {
    let start = contents_at(touched.len());
    let length = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX);
    let crc = crc32fast::hash(&bytes[start..]);
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..24].copy_from_slice(&durable.0.to_le_bytes());
    bytes[24..28].copy_from_slice(&u32::try_from(touched.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    for (touched, room) in touched.iter().zip(bytes[FIXED..start - CRC].chunks_exact_mut(PER_RUN)) {
        room[..16].copy_from_slice(&touched.run.bytes());
        room[16..24].copy_from_slice(&touched.first.to_le_bytes());
        room[24..].copy_from_slice(&touched.last.to_le_bytes());
    }
    let crc = header_crc(&bytes[..start - CRC], position);
    bytes[start - CRC..start].copy_from_slice(&crc.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
}

fn header_crc(header: &[u8], position: Position) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&position.0.to_le_bytes());
    crc.update(header);
    crc.finalize()
}

/// A frame whose header is whole. Its contents may not be.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    pub(crate) number: u64,
    pub(crate) durable: Position,
    pub(crate) touched: Vec<Touched>,
    /// The contents; none where they are damaged.
    pub(crate) contents: Option<&'a [u8]>,
    /// From its beginning to where the next frame begins.
    pub(crate) length: usize,
    /// Whether the zeros before the next frame are zeros.
    pub(crate) padded: bool,
}

impl<'a> Frame<'a> {
    /// The frame at the beginning of `bytes`, which stand at `position`; none where there is none.
    pub(crate) fn read(bytes: &'a [u8], position: Position) -> Option<Self> {
        let fixed = bytes.get(..FIXED)?;
        if fixed[..4] != *MAGIC {
            return None;
        }
        let runs = u32::from_le_bytes(array(&fixed[24..28])) as usize;
        if runs > RUNS_MAX {
            return None;
        }
        let start = contents_at(runs);
        let header = bytes.get(..start - CRC)?;
        if header_crc(header, position).to_le_bytes() != bytes.get(start - CRC..start)? {
            return None;
        }
        let end = start + u32::from_le_bytes(array(&fixed[4..8])) as usize;
        let contents = bytes.get(start..end)?;
        let whole = crc32fast::hash(contents).to_le_bytes() == fixed[28..32];
        let touched = header[FIXED..].chunks_exact(PER_RUN).map(|room| Touched {
            run: RunId::from_bytes(array(&room[..16])),
            first: u64::from_le_bytes(array(&room[16..24])),
            last: u64::from_le_bytes(array(&room[24..])),
        });
        Some(Self {
            number: u64::from_le_bytes(array(&fixed[8..16])),
            durable: Position(u64::from_le_bytes(array(&fixed[16..24]))),
            touched: touched.collect(),
            contents: whole.then_some(contents),
            length: end.next_multiple_of(ALIGN),
            padded: bytes[end..end.next_multiple_of(ALIGN).min(bytes.len())].iter().all(|byte| *byte == 0),
        })
    }

    /// The offset of the first frame in `bytes[from..]`, wherever it begins; `base` is the position of `bytes[0]`.
    pub(crate) fn find(bytes: &[u8], from: usize, base: Position) -> Option<usize> {
        (from.next_multiple_of(ALIGN)..bytes.len())
            .step_by(ALIGN)
            .find(|at| Frame::read(&bytes[*at..], base.plus(*at)).is_some())
    }
}
