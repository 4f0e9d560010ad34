//! Words in the place of what differs from call to call.

use std::path::Path;

use regex::Regex;

/// What differs, and the words that stand for it; applied in this order.
const RULES: [(&str, &str); 11] = [
    (r"\b01[0-9a-hjkmnp-tv-z]{24}\b", "RUN"),
    (r"\b[0-9a-f]{64}\b", "DIGEST"),
    (r"\b[0-9a-f]{32}\b", "KEY"),
    (r"\([0-9a-f]{12}\)", "(DIGEST)"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "DATE"),
    (r"\b1[0-9]{12}\b", "MILLIS"),
    (r#"("took-ms": )\d+"#, "${1}MILLIS"),
    (r"\b(in|after|for|takes) \d[\d.]* ?(ms|s|µs)\b", "$1 TIME"),
    // In a table; what follows is aligned to the widest.
    (r" {2,}\d[\d.]*(ms|s)\b *", "  TIME  "),
    (r"\bFOR +BY +INPUTS", "FOR  BY  INPUTS"),
    (r"\bpid \d+|(\x22pid\x22: )\d+", "${1}PID"),
];

/// `text` without what differs from call to call.
pub(crate) fn redact(text: &str, folder: &Path) -> String {
    let user = std::process::Command::new("id").arg("-un").output().expect("id exists");
    let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
    let text = text.replace(folder.to_str().expect("UTF-8"), "FOLDER").replace(&format!("by {user}"), "by USER");
    let text = text.replace(&format!("\"who\": \"{user}\""), "\"who\": \"USER\"");
    let text = text.replace(&format!("{user} settled"), "USER settled");
    let text = RULES.iter().fold(text, |text, (pattern, word)| {
        let pattern = Regex::new(pattern).expect("a pattern");
        pattern.replace_all(&text, *word).into_owned()
    });
    let in_table = Regex::new(&format!("(?m) {{2,}}{user}(?: +|$)")).expect("a pattern");
    let text = in_table.replace_all(&text, "  USER  ");
    // A busy machine is slow, and the engine says so.
    let slow =
        |line: &&str| line.starts_with("WARN compiling ") && line.ends_with(": a large plugin takes a while, once");
    text.lines().map(str::trim_end).filter(|line| !slow(&line.trim_start())).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn what_differs_is_replaced() {
    let text =
        "run 01m7y3fvg6nctaftgqvxn01e55 of two succeeded in 1.5s at 2026-11-21 03:48:07Z in /tmp/x (5ef02237a51a)";
    let expected = "run RUN of two succeeded in TIME at DATE in FOLDER (DIGEST)\n";
    assert_eq!(redact(text, Path::new("/tmp/x")), expected);
}
