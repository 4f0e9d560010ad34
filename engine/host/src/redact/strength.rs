//! Whether a secret can be told from other text.

/// Bytes from which on a value is hardly met by chance, unless it is a word.
const DISTINCT_BYTES_MIN: usize = 8;
/// Letters that a word may have. Some services give out passwords of 16 small letters: these must stay protected.
const WORD_LETTERS_MAX: usize = 10;

/// Whether `value` is so short, or so much like a word, that it stands in other text by chance: `test`, `production`,
/// `8080`. Letters alone, in one case or with a capital in front, are taken for a word.
pub(crate) fn is_weak(value: &str) -> bool {
    let value = value.trim();
    value.len() < DISTINCT_BYTES_MIN || (value.len() <= WORD_LETTERS_MAX && is_like_a_word(value))
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
        assert!(is_weak(&"a".repeat(10)) && !is_weak(&"a".repeat(11)));
        for distinct in
            ["qmzkvwhtrbnxplfj", "12345678", "hunter22", "passWord", "pass-word", "two words", "correct horse"]
        {
            assert!(!is_weak(distinct), "{distinct}");
        }
    }
}
