//! Notes of a step that may be longer than one checkpoint.

use runwright_sdk::{Error, Result, checkpoint};
use serde::{Serialize, de::DeserializeOwned};

/// Bytes of one checkpoint.
const PART: usize = 4096;
/// Parts: a step has 64 checkpoints.
const PARTS_MAX: usize = 60;

/// Notes `value` under `key`; durable when it returns.
pub(crate) fn set(key: &str, value: &impl Serialize) -> Result<()> {
    let bytes = serde_json::to_vec(value).map_err(|error| Error::permanent(error.to_string()))?;
    let parts: Vec<_> = bytes.chunks(PART).collect();
    if parts.len() > PARTS_MAX {
        let message = "that are too many packages for one step: what would change can't be noted";
        return Err(Error::permanent(message).code("package.too-many"));
    }
    for (number, part) in parts.iter().enumerate() {
        checkpoint::set_bytes(&format!("{key}-{number}"), part)?;
    }
    // Last, so that it counts parts that are there.
    checkpoint::set(key, &parts.len())
}

/// What an attempt of this step noted under `key`.
pub(crate) fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    let Some(parts) = checkpoint::get::<usize>(key)? else { return Ok(None) };
    let mut bytes = Vec::new();
    for number in 0..parts {
        bytes.extend(checkpoint::get_bytes(&format!("{key}-{number}"))?.unwrap_or_default());
    }
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| Error::permanent(format!("the note {key} is damaged: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_reads_back() {
        assert_eq!(get::<String>("none").unwrap(), None);
        let long = "x".repeat(100_000);
        set("long", &long).unwrap();
        assert_eq!(get::<String>("long").unwrap().unwrap(), long);
        assert!(set("longer", &"x".repeat(300_000)).is_err());
    }
}
