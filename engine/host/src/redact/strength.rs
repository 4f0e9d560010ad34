//! Whether a secret can be told from other text.

/// Bytes from which on a value is hardly met by chance, unless it is a word.
const DISTINCT_BYTES_MIN: usize = 8;
/// Letters that a word may have. Some services give out passwords of 16 small letters: these must stay protected.
const WORD_LETTERS_MAX: usize = 12;
/// Words and numbers of a name like `us-east-1`: a passphrase has more.
const PARTS_MAX: usize = 4;
/// Digits of a number that stands in other text by chance.
const DIGITS_MAX: usize = 12;

/// Whether `value` is so short, or so much like what people write, that it stands in other text by chance: a word
/// (`production`), a number, an address (`127.0.0.1`), a path, a name of words and numbers (`us-east-1`). Letters alone, in
/// one case or with a capital in front, are taken for a word.
pub(crate) fn is_weak(value: &str) -> bool {
    let value = value.trim();
    let is_path = value.starts_with('/') && value[1..].split('/').all(|part| part.len() <= DIGITS_MAX);
    let mut parts = value.split(['-', '_', '.', ':', '/']);
    let name = value.split(['-', '_', '.', ':', '/']).count() <= PARTS_MAX && parts.all(is_common);
    value.len() < DISTINCT_BYTES_MIN || name || is_path
}

/// Whether a line of a secret of several lines says nothing secret by itself: the frame of a key (RFC 7468), the structure of
/// JSON.
pub(super) fn is_weak_line(line: &str) -> bool {
    let frame = ["-----BEGIN ", "-----END "].iter().any(|frame| line.starts_with(frame));
    frame
        || line.split(['"', '\'', ':', ',', '{', '}', '[', ']', '=', ' ']).all(|part| part.is_empty() || is_weak(part))
}

fn is_common(part: &str) -> bool {
    let is_number = part.len() <= DIGITS_MAX && part.bytes().all(|byte| byte.is_ascii_digit());
    is_number || (part.len() <= WORD_LETTERS_MAX && is_like_a_word(part))
}

fn is_like_a_word(value: &str) -> bool {
    let rest = value.get(1..).unwrap_or_default();
    let all = |text: &str, fits: fn(&u8) -> bool| text.bytes().all(|byte| fits(&byte));
    all(value, u8::is_ascii_alphabetic) && (all(rest, u8::is_ascii_lowercase) || all(value, u8::is_ascii_uppercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_and_words_are_weak() {
        for weak in ["test", "true", "8080", "1234567", "s3cret", "password", "Production", "LOCALHOST", " admin \n"] {
            assert!(is_weak(weak), "{weak}");
        }
        for weak in
            ["us-east-1", "application", "12345678", "127.0.0.1", "/usr/bin/printf", "web-1.example.org", "pass-word"]
        {
            assert!(is_weak(weak), "{weak}");
        }
        assert!(is_weak(&"a".repeat(12)) && !is_weak(&"a".repeat(13)));
        for distinct in [
            "qmzkvwhtrbnxplfj",
            "hunter22",
            "passWord",
            "two words",
            "correct horse",
            "correct-horse-battery-staple-7",
            "a1b2-c3d4",
            "1234567890123",
        ] {
            assert!(!is_weak(distinct), "{distinct}");
        }
    }
}
