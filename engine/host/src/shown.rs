//! Paths as errors, logs and listings show them.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `path` on one line of text: what could move a terminal's cursor, or reorder what it shows, is escaped, and so are bytes
/// that are not UTF-8.
pub fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            match c.is_control() || reorders {
                true => text.extend(c.escape_default()),
                false => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn names_can_not_drive_a_terminal() {
        let shown = |name: &[u8]| shown(Path::new(OsStr::from_bytes(name)));
        assert_eq!(shown("alarms/über uns.json".as_bytes()), "alarms/über uns.json");
        assert_eq!(shown(b"a\x1b[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(shown(b"caf\xe9.json"), "caf\\xe9.json");
        assert_eq!(shown("\u{202e}lmay.x".as_bytes()), "\\u{202e}lmay.x");
    }
}
