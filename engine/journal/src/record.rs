//! One record as it is on disk, in the commit log and in the store alike. Integers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | format, 1 |
//! | 1..4 | zero |
//! | 4..8 | length of the payload |
//! | 8..24 | run id |
//! | 24..32 | sequence number |
//! | 32..40 | time, milliseconds since 1970 |
//! | 40..72 | SHA-256 of the record before it (all of it but the checksum); zeros for the first |
//! | 72.. | payload: the event as JSON |
//! | last 4 | CRC-32 of everything before it |

use runwright_core::{Event, Record, RunId, Timestamp};
use sha2::{Digest as _, Sha256};

/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u8 = 1;
/// Bytes before the payload.
pub(crate) const HEADER: usize = 72;
const CRC: usize = 4;
const PREV: std::ops::Range<usize> = 40..72;

/// The hash of one record, which the next one holds.
pub(crate) type Hash = [u8; 32];

/// What the first record of a run has for the hash of the one before it.
pub(crate) const NO_HASH: Hash = [0; 32];

/// Appends the record to `out`; [`seal`] must fill in what depends on the record before it.
pub(crate) fn encode(record: &Record, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    out.extend_from_slice(&[FORMAT, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&record.run.bytes());
    out.extend_from_slice(&record.seq.to_le_bytes());
    out.extend_from_slice(&record.at.millis().to_le_bytes());
    out.extend_from_slice(&NO_HASH);
    serde_json::to_writer(&mut *out, &record.event)?;
    let length = u32::try_from(out.len() - start - HEADER).unwrap_or(u32::MAX);
    out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; CRC]);
    Ok(())
}

/// Writes the hash of the record before it and the checksum into one encoded record, and gives its own hash.
pub(crate) fn seal(bytes: &mut [u8], prev: &Hash) -> Hash {
    let end = bytes.len() - CRC;
    bytes[PREV].copy_from_slice(prev);
    let crc = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_le_bytes());
    Sha256::digest(&bytes[..end]).into()
}

/// One record that was read, before its payload is decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
}

/// Why some bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bad {
    /// They end too early.
    Short,
    /// A newer version wrote them.
    Newer(u8),
    /// The checksum does not fit.
    Checksum,
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => f.write_str("it ends too early"),
            Self::Newer(format) => write!(f, "it has format {format}, which a newer version wrote"),
            Self::Checksum => f.write_str("its checksum does not fit its bytes"),
        }
    }
}

impl<'a> View<'a> {
    /// The record at the beginning of `bytes`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Bad> {
        let header = bytes.get(..HEADER).ok_or(Bad::Short)?;
        let length = u32::from_le_bytes(array(&header[4..8])) as usize;
        let bytes = bytes.get(..HEADER + length + CRC).ok_or(Bad::Short)?;
        let (content, crc) = bytes.split_at(bytes.len() - CRC);
        if crc32fast::hash(content) != u32::from_le_bytes(array(crc)) {
            return Err(Bad::Checksum);
        }
        if bytes[0] > FORMAT {
            return Err(Bad::Newer(bytes[0]));
        }
        Ok(Self { bytes })
    }

    /// All of its bytes.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn run(self) -> RunId {
        RunId::from_bytes(array(&self.bytes[8..24]))
    }

    pub(crate) fn seq(self) -> u64 {
        u64::from_le_bytes(array(&self.bytes[24..32]))
    }

    pub(crate) fn prev(self) -> Hash {
        array(&self.bytes[PREV])
    }

    /// The hash that the next record of the run holds.
    pub(crate) fn hash(self) -> Hash {
        Sha256::digest(&self.bytes[..self.bytes.len() - CRC]).into()
    }

    pub(crate) fn decode(self) -> Result<Record, serde_json::Error> {
        let event: Event = serde_json::from_slice(&self.bytes[HEADER..self.bytes.len() - CRC])?;
        let at = Timestamp::from_millis(u64::from_le_bytes(array(&self.bytes[32..40])));
        Ok(Record { run: self.run(), seq: self.seq(), at, event })
    }
}

/// These bytes as an array; zeros where their number is another, which callers rule out.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}
