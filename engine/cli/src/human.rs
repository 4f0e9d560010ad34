//! Times, durations and values as people read them.

use runwright_core::{Timestamp, Value};

/// A duration in the two units that matter: `320ms`, `1.2s`, `2m 05s`, `3h 02m`, `4d 01h`.
pub(crate) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis}ms"),
        1..60 if millis % 1000 < 100 => format!("{seconds}s"),
        1..60 => format!("{seconds}.{}s", millis % 1000 / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A point in time in UTC, to the second: `2026-11-21 03:16:16Z`.
pub(crate) fn time(at: Timestamp) -> String {
    let millis = i64::try_from(at.millis()).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => format!("{}ms", at.millis()),
    }
}

/// Now, by the wall clock.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A value on one line: text as it is, everything else as JSON.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        Value::Number(number) => plain(number),
        other => clean(&other.to_string()),
    }
}

/// A number without an exponent where it is a whole one that people write so.
fn plain(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e21 => format!("{float:.0}"),
        _ => number.to_string(),
    }
}

/// `count` of a thing: `1 file`, `2 files`.
pub(crate) fn count(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Text from outside (plugins, files, alarms) on one line: what could move a terminal's cursor, or change its colours or
/// title, is shown instead of done.
pub(crate) fn clean(text: &str) -> String {
    let unsafe_ = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(unsafe_) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.trim_end_matches(['\r', '\n']).chars() {
        match c {
            '\t' => shown.push(' '),
            c if unsafe_(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// Text from outside that has several lines, on one.
pub(crate) fn one_line(text: &str) -> String {
    clean(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// At most `chars` characters of `text`, the last one a `…` where something is cut off.
pub(crate) fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Rows under each other, columns aligned by character count; the last one is not padded. Two blanks are between them.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let cases = [
            (0, "0ms"),
            (999, "999ms"),
            (1_250, "1.2s"),
            (5_000, "5s"),
            (59_999, "59.9s"),
            (125_000, "2m 05s"),
            (10_920_000, "3h 02m"),
            (350_000_000, "4d 01h"),
        ];
        for (millis, shown) in cases {
            assert_eq!(duration(millis), shown);
        }
    }

    #[test]
    fn times_are_utc_to_the_second() {
        assert_eq!(time(Timestamp::from_millis(1_700_000_000_999)), "2023-11-14 22:13:20Z");
        assert_eq!(time(Timestamp::from_millis(u64::MAX)), "18446744073709551615ms");
    }

    #[test]
    fn text_from_outside_can_not_drive_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\rc\n"), "a\\u{1b}[2Jb\\rc");
        assert_eq!(clean("tab\there, ünïcode ✓"), "tab here, ünïcode ✓");
        assert_eq!(clean("\u{202e}txt.exe"), "\\u{202e}txt.exe");
    }

    #[test]
    fn what_is_cut_off_is_seen() {
        assert_eq!((cut("ünïcode", 7), cut("ünïcode", 6)), ("ünïcode".to_owned(), "ünïco…".to_owned()));
        assert_eq!((cut("a b", 3), cut("a bc", 3), cut("", 0)), ("a b".to_owned(), "a…".to_owned(), String::new()));
    }

    #[test]
    fn a_table_is_aligned_and_has_no_trailing_blanks() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<Vec<String>> = vec![row(&["a", "ö", "x"]), row(&["long", "", ""])];
        assert_eq!(table(&rows), ["a     ö  x", "long"]);
    }
}
