//! `read`: the content of a file, or the beginning or end of a large one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, Outcome, Result, base64};
use serde::{Deserialize, Serialize};

use crate::place;

/// What may be read at once: as base64 it still is an output.
const BYTES_MAX: u64 = 512 * 1024;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    /// The absolute path.
    #[schemars(example = &"/var/log/app/app.log")]
    path: String,
    /// How many bytes at most.
    #[serde(default = "some")]
    #[schemars(range(min = 1, max = 524_288), example = 65_536)]
    max_bytes: u64,
    /// Which end of a larger file is read.
    #[serde(default)]
    #[schemars(example = json!("end"))]
    from: From,
}

use serde_json::json;

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum From {
    /// Its beginning.
    #[default]
    Start,
    /// Its end.
    End,
}

fn some() -> u64 {
    64 * 1024
}

/// What a file has.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Content {
    /// The content as text; null where it is not UTF-8.
    #[schemars(example = &"listen = 8080\n")]
    text: Option<String>,
    /// The content in base64 where it is not UTF-8; else null.
    #[schemars(example = &"/w==")]
    base64: Option<String>,
    /// The size of the whole file in bytes.
    #[schemars(example = 14)]
    bytes: u64,
    /// Whether some of it was left out.
    #[schemars(example = false)]
    truncated: bool,
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Content>> {
    let path = place::checked(&input.path)?;
    if input.max_bytes == 0 || input.max_bytes > BYTES_MAX {
        return Err(Error::invalid_input(format!("max-bytes must be 1 to {BYTES_MAX}")).code("files.max-bytes"));
    }
    let failed = |error| place::failure("read", path, &error);
    // A pipe would keep the step waiting.
    place::look_at_file(path)?;
    let mut file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if input.from == From::End && bytes > input.max_bytes {
        file.seek(SeekFrom::Start(bytes - input.max_bytes)).map_err(failed)?;
    }
    let mut content = Vec::new();
    file.take(input.max_bytes).read_to_end(&mut content).map_err(failed)?;
    let truncated = (content.len() as u64) < bytes;
    let (text, base64) = match text(&content, truncated) {
        Some(text) => (Some(text), None),
        None => (None, Some(base64::encode(&content))),
    };
    Ok(Outcome::unchanged(Content { text, base64, bytes, truncated }))
}

/// The content as text. Where it was cut, a character that is cut in two is left out.
fn text(content: &[u8], truncated: bool) -> Option<String> {
    let content = if truncated {
        let start = content.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
        &content[start..]
    } else {
        content
    };
    match std::str::from_utf8(content) {
        Ok(text) => Some(text.to_owned()),
        Err(error) if truncated && error.error_len().is_none() => {
            Some(String::from_utf8_lossy(&content[..error.valid_up_to()]).into_owned())
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn a_cut_character_makes_no_binary() {
        let content = "aü".as_bytes();
        assert_eq!(text(content, false).as_deref(), Some("aü"));
        assert_eq!(text(&content[..2], true).as_deref(), Some("a"));
        assert_eq!(text(&content[..2], false), None);
        assert_eq!(text(&content[2..], true).as_deref(), Some(""));
        assert_eq!(text(b"a\xffb", true), None);
    }
}
