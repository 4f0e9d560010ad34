//! What differs between two texts, for a preview.

/// The lines that differ, without those that both begin and end with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// One line for people.
    pub(crate) summary: String,
    /// The lines that would go.
    pub(crate) before: String,
    /// The lines that would come.
    pub(crate) after: String,
}

/// Compares two contents; what is no text is only counted.
pub(crate) fn between(before: &[u8], after: &[u8]) -> Difference {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        let summary = format!("{} bytes become {}; they are no text", before.len(), after.len());
        return Difference { summary, before: String::new(), after: String::new() };
    };
    let old: Vec<_> = old.split_inclusive('\n').collect();
    let new: Vec<_> = new.split_inclusive('\n').collect();
    let head = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let (rest_old, rest_new) = (&old[head..], &new[head..]);
    let tail = rest_old.iter().rev().zip(rest_new.iter().rev()).take_while(|(one, other)| one == other).count();
    let gone = &rest_old[..rest_old.len() - tail];
    let come = &rest_new[..rest_new.len() - tail];
    let summary = format!("from line {}: {} become {}", head + 1, lines(gone.len()), come.len());
    Difference { summary, before: gone.concat(), after: come.concat() }
}

fn lines(count: usize) -> String {
    if count == 1 { "1 line".into() } else { format!("{count} lines") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let difference = between(b"a\nb\nc\n", b"a\nB\nB\nc\n");
        assert_eq!(
            difference,
            Difference { summary: "from line 2: 1 line become 2".into(), before: "b\n".into(), after: "B\nB\n".into() }
        );
        let grown = between(b"a\na\n", b"a\na\na\n");
        assert_eq!((grown.before.as_str(), grown.after.as_str()), ("", "a\n"));
        assert_eq!(between(b"", b"x").after, "x");
        assert_eq!(between(b"\xff", b"x").summary, "1 bytes become 1; they are no text");
    }
}
