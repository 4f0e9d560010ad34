//! Values of any size in a sled tree: parts of at most [`PART_MAX`] bytes under the key and the part's number.
//!
//! The value of part 0 begins with the length of the whole and its CRC-32 (with the key), 4 bytes each.

use sled::Tree;

use super::guard::guarded;
use crate::Error;
use crate::record::array;

/// Bytes in one sled value at most. sled puts larger leaves into files that it never syncs.
pub(crate) const PART_MAX: usize = 4_000;
const HEADER: usize = 8;

// The number of a part has two bytes. No value is larger than a line of an export, by which the largest come.
const _: () = assert!(crate::export::LINE_BYTES_MAX / PART_MAX < u16::MAX as usize);

const RETRIES: usize = 3;

/// The key of one part.
pub(crate) fn part_key(key: &[u8], part: usize) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 2);
    full.extend_from_slice(key);
    full.extend_from_slice(&u16::try_from(part).unwrap_or(u16::MAX).to_be_bytes());
    full
}

fn crc(key: &[u8], value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(value);
    crc.finalize()
}

/// Stores a value.
pub(crate) fn put(tree: &Tree, key: &[u8], value: &[u8]) -> Result<(), Error> {
    let first = value.len().min(PART_MAX - HEADER);
    let mut bytes = Vec::with_capacity(first + HEADER);
    bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&crc(key, value).to_le_bytes());
    bytes.extend_from_slice(&value[..first]);
    guarded(|| {
        for (part, bytes) in value[first..].chunks(PART_MAX).enumerate() {
            tree.insert(part_key(key, part + 1), bytes)?;
        }
        tree.insert(part_key(key, 0), bytes).map(drop)
    })
}

/// A value, checked.
pub(crate) fn get(tree: &Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    for _ in 0..RETRIES {
        let Some(first) = guarded(|| tree.get(part_key(key, 0)))? else { return Ok(None) };
        if let Some(value) = whole(tree, key, &first)? {
            return Ok(Some(value));
        }
        // Its parts may be of two values, while a checkpoint overwrites it.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let name = tree.name();
    Err(Error::Store(format!("a value in {:?} is not what was written", String::from_utf8_lossy(&name))))
}

/// The whole value of which `first` is part 0; none where it does not fit its checksum.
fn whole(tree: &Tree, key: &[u8], first: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let Some((header, first)) = first.split_at_checked(HEADER) else { return Ok(None) };
    let length = u32::from_le_bytes(array(&header[..4])) as usize;
    let mut value = first.to_vec();
    let mut part = 1;
    while value.len() < length {
        let Some(more) = guarded(|| tree.get(part_key(key, part)))? else { return Ok(None) };
        value.extend_from_slice(&more);
        part += 1;
    }
    let fits = value.len() == length && crc(key, &value).to_le_bytes() == header[4..];
    Ok(fits.then_some(value))
}

/// Removes a value, with all its parts.
pub(crate) fn remove(tree: &Tree, key: &[u8]) -> Result<(), Error> {
    remove_all(tree, key, key.len() + 2)
}

/// Removes everything whose key begins with `prefix` and has `key_bytes` bytes.
pub(crate) fn remove_all(tree: &Tree, prefix: &[u8], key_bytes: usize) -> Result<(), Error> {
    guarded(|| {
        for key in tree.scan_prefix(prefix).keys() {
            let key = key?;
            if key.len() == key_bytes {
                tree.remove(key)?;
            }
        }
        Ok(())
    })
}

/// The key without its part number, for part 0; none for the other parts.
pub(crate) fn first_part(full: &[u8]) -> Option<&[u8]> {
    let (key, part) = full.split_last_chunk::<2>()?;
    (*part == [0, 0]).then_some(key)
}
