//! What a new plugin can be called.

/// Words that are no names in one of the languages, in WIT or for their tools.
const TAKEN: [&str; 93] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "bool",
    "borrow",
    "break",
    "byte",
    "case",
    "catch",
    "chan",
    "char",
    "class",
    "const",
    "constructor",
    "continue",
    "core",
    "crate",
    "def",
    "default",
    "defer",
    "do",
    "double",
    "dyn",
    "else",
    "enum",
    "export",
    "extern",
    "f32",
    "f64",
    "fallthrough",
    "false",
    "final",
    "flags",
    "float",
    "fn",
    "for",
    "from",
    "func",
    "future",
    "go",
    "goto",
    "if",
    "import",
    "in",
    "include",
    "int",
    "interface",
    "let",
    "list",
    "long",
    "loop",
    "main",
    "match",
    "mod",
    "move",
    "mut",
    "none",
    "null",
    "option",
    "own",
    "package",
    "plugin",
    "pub",
    "record",
    "ref",
    "resource",
    "result",
    "return",
    "runwright",
    "self",
    "static",
    "std",
    "stream",
    "string",
    "struct",
    "super",
    "switch",
    "test",
    "trait",
    "true",
    "tuple",
    "type",
    "u32",
    "union",
    "unsafe",
    "use",
    "var",
    "variant",
    "where",
    "while",
    "world",
];
/// Bytes of a name.
const BYTES_MAX: usize = 40;

/// What is wrong with `name`, if anything is, as the rest of a sentence about it.
pub(super) fn problem(name: &str) -> Option<String> {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.is_empty() || !name.split('-').all(word) {
        return Some("must be words of a-z and 0-9 that begin with a letter, with dashes between them".to_owned());
    }
    if name.len() > BYTES_MAX {
        return Some(format!("must not be longer than {BYTES_MAX} characters"));
    }
    TAKEN.contains(&name).then(|| "is a word of one of the languages that plugins are written in".to_owned())
}

/// A name that is like `name` and can be one.
pub(super) fn instead(name: &str) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    let mut upper = true;
    for c in name.chars() {
        let begins = !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && !upper) || words.is_empty();
        upper = c.is_ascii_uppercase() || !c.is_ascii_alphanumeric();
        if begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    let words: Vec<&str> = words
        .iter()
        .map(|word| word.trim_start_matches(|c: char| c.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .collect();
    let mut name = words.join("-");
    name.truncate(BYTES_MAX);
    let name = name.trim_end_matches('-').to_owned();
    let name = if TAKEN.contains(&name.as_str()) { format!("my-{name}") } else { name };
    problem(&name).is_none().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_every_language_takes() {
        for good in ["hello", "my-plugin", "s3-sync", "a"] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in ["", "Hello", "my_plugin", "-a", "a-", "a--b", "a-1", "../x", "world", "naïve", &"a".repeat(41)] {
            assert!(problem(bad).is_some(), "{bad}");
        }
        assert!(TAKEN.is_sorted());
    }

    #[test]
    fn a_bad_name_has_a_good_one_like_it() {
        let cases = [
            ("Hello World", "hello-world"),
            ("myPlugin", "my-plugin"),
            ("my_plugin", "my-plugin"),
            ("HTTP", "http"),
            ("world", "my-world"),
            ("2fa-check", "fa-check"),
            ("../x", "x"),
        ];
        for (bad, good) in cases {
            assert_eq!(instead(bad).as_deref(), Some(good), "{bad}");
        }
        assert_eq!(instead("日本"), None);
    }
}
