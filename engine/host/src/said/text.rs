//! Text that is safe to show in a terminal.

/// The first `bytes` of `text` at most, whole characters.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

pub(super) fn ellipsis(text: &str, bytes: usize) -> String {
    if text.len() <= bytes { text.to_owned() } else { format!("{}…", cut(text, bytes.saturating_sub(3))) }
}

/// `text` on one line without what can move a terminal's cursor, colour it, rename it or turn its text around:
/// escape sequences (ECMA-48), control characters, and the direction overrides of Unicode.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => match chars.next_if(|next| matches!(next, '[' | ']' | 'P' | '_' | '^' | 'X')) {
                // a control sequence: parameters, then one final byte
                Some('[') => while chars.next().is_some_and(|next| !('@'..='~').contains(&next)) {},
                // a control string: up to BEL or ESC \
                Some(_) => while chars.next().is_some_and(|next| next != '\u{7}' && next != '\\') {},
                None => {}
            },
            '\t' | '\n' | '\r' => cleaned.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {}
            _ if char.is_control() => {}
            _ => cleaned.push(char),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_terminal_is_taken_out() {
        assert_eq!(clean("\u{1b}[31;1mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y\u{1b}c"), "red xyc");
        assert_eq!(clean("a\tb\rc\u{0}\u{8}\u{9b}d\u{202e}e"), "a b cde");
        assert_eq!(clean("grüße ✓"), "grüße ✓");
        assert_eq!(clean("\u{1b}["), "");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(ellipsis("äöü", 6), "äöü");
        assert_eq!(ellipsis("äöüä", 6), "ä…");
        assert_eq!(cut("äö", 3), "ä");
    }
}
