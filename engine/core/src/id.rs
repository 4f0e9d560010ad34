//! Names and ids: runs, content digests, actions and idempotency keys.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::Timestamp;
use crate::event::Direction;

/// Text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseIdError {
    text: String,
    expected: &'static str,
}

impl ParseIdError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), expected }
    }
}

/// The id of one run: 48 bits of milliseconds since 1970, then 80 random bits, big-endian, so that ids sort by birth.
///
/// Its text is 26 characters of Crockford's base 32 in lower case (the alphabet and layout of a ULID,
/// <https://github.com/ulid/spec>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 16]);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RunId {
    /// The id of a run born at `at`; `random` must come from a good random source.
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at.millis().to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// The 16 bytes, big-endian: the key under which the journal sorts.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id with these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        let text: String =
            (0..26).rev().map(|digit| char::from(ALPHABET[(bits >> (digit * 5)) as usize & 31])).collect();
        f.pad(&text)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({self})")
    }
}

impl FromStr for RunId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let wrong = || ParseIdError::new(text, "a run id (26 characters of base 32)");
        if text.len() != 26 || !text.starts_with(|c: char| ('0'..='7').contains(&c)) {
            return Err(wrong());
        }
        let mut bits = 0_u128;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|known| *known == byte.to_ascii_lowercase()).ok_or_else(wrong)?;
            bits = bits << 5 | digit as u128;
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

/// The SHA-256 of some bytes: what runbooks and plugins are pinned by. Its text is `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of all these bytes, one after the other: for what is too large to be held at once.
    pub fn of_parts<E>(mut next: impl FnMut(&mut [u8]) -> Result<usize, E>) -> Result<Self, E> {
        let (mut hash, mut part) = (Sha256::new(), vec![0; 64 * 1024]);
        loop {
            match next(&mut part)? {
                0 => return Ok(Self(hash.finalize().into())),
                length => hash.update(&part[..length]),
            }
        }
    }

    /// The 32 bytes.
    pub fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// The digest with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 12 hexadecimal digits: enough for people to tell two apart.
    pub fn short(self) -> String {
        hex(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

impl FromStr for Digest {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let wrong = || ParseIdError::new(text, "a digest (sha256: and 64 hexadecimal digits)");
        let digits = text.strip_prefix("sha256:").ok_or_else(wrong)?.as_bytes();
        if digits.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let nibble = |digit: u8| char::from(digit).to_digit(16).ok_or_else(wrong);
            *byte = (nibble(pair[0])? * 16 + nibble(pair[1])?) as u8;
        }
        Ok(Self(bytes))
    }
}

/// The idempotency key of a step: the same for every attempt in one direction, different for every other step and run.
///
/// It is the first 16 bytes of SHA-256 over the run id, the step's path and the direction, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The key of `step` of `run`, done or undone.
    pub fn of(run: RunId, step: &str, direction: Direction) -> Self {
        let direction = match direction {
            Direction::Forward => b'f',
            Direction::Undo => b'u',
        };
        let hash = Sha256::new().chain_update(run.0).chain_update(step).chain_update([0, direction]).finalize();
        Self(hex(&hash[..16]))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of an action: `plugin/action`, for example `vm/restart`.
///
/// Both parts are 1 to 64 characters of `a-z`, `0-9`, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionName {
    text: String,
    slash: usize,
}

impl ActionName {
    /// The name of `action` of `plugin`.
    pub fn new(plugin: &str, action: &str) -> Result<Self, ParseIdError> {
        format!("{plugin}/{action}").parse()
    }

    /// The part before the slash.
    pub fn plugin(&self) -> &str {
        &self.text[..self.slash]
    }

    /// The part behind the slash.
    pub fn action(&self) -> &str {
        &self.text[self.slash + 1..]
    }

    /// Both parts.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for ActionName {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let part = |part: &str| {
            (1..=64).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        };
        match text.split_once('/') {
            Some((plugin, action)) if part(plugin) && part(action) => {
                Ok(Self { text: text.to_owned(), slash: plugin.len() })
            }
            _ => Err(ParseIdError::new(text, "an action (plugin/action in a-z, 0-9, - and _)")),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|nibble| char::from(b"0123456789abcdef"[usize::from(nibble)])).collect()
}

/// Bytes as hexadecimal text in JSON; none as null.
pub(crate) mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(super::hex).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let pairs = text.as_bytes().chunks(2);
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2);
        let bytes: Option<Vec<u8>> = pairs.map(byte).collect();
        bytes.map(Some).ok_or_else(|| de::Error::custom("bytes are written as pairs of hexadecimal digits"))
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(RunId, Digest, ActionName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_reads_back_and_sorts_by_birth() {
        let early = RunId::new(Timestamp::from_millis(1_000), [255; 10]);
        let late = RunId::new(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.to_string().to_uppercase().parse(), Ok(early));
        assert!("8zzzzzzzzzzzzzzzzzzzzzzzzz".parse::<RunId>().is_err(), "more than 128 bits");
    }

    #[test]
    fn a_digest_reads_back() {
        let digest = Digest::of(b"");
        assert_eq!(digest.short(), "e3b0c44298fc");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("sha256:xyz".parse::<Digest>().is_err());
    }

    #[test]
    fn a_key_depends_on_run_step_and_direction_only() {
        let run = RunId::new(Timestamp::from_millis(1), [0; 10]);
        let key = Key::of(run, "restart", Direction::Forward);
        assert_eq!(key, Key::of(run, "restart", Direction::Forward));
        assert_ne!(key, Key::of(run, "restart", Direction::Undo));
        assert_ne!(key, Key::of(run, "restar", Direction::Forward));
    }

    #[test]
    fn an_action_name_has_two_plain_parts() {
        let name: ActionName = "vm/wait-healthy".parse().unwrap();
        assert_eq!((name.plugin(), name.action()), ("vm", "wait-healthy"));
        for wrong in ["vm", "vm/", "/x", "vm/a/b", "VM/x", "../x", "vm/é"] {
            assert!(wrong.parse::<ActionName>().is_err(), "{wrong}");
        }
    }
}
