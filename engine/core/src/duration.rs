//! Durations as people write them.

/// The longest duration: 30 days.
const MOST_MS: u64 = 30 * 24 * 60 * 60 * 1000;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The milliseconds of a text such as `90s`, `5m`, `1h30m` or `250ms`, at least 1 and at most 30 days; otherwise what is
/// wrong with it.
///
/// ```
/// assert_eq!(runwright_core::duration_ms("1h30m"), Ok(5_400_000));
/// assert!(runwright_core::duration_ms("90").is_err());
/// ```
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is not a duration like `90s`, `5m`, `1h30m` or `250ms`", short(text));
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = &rest[digits..][..rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits)];
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        if *ms >= smallest {
            return Err(wrong());
        }
        smallest = *ms;
        total = total.saturating_add(count.saturating_mul(*ms));
        rest = &rest[digits + unit.len()..];
    }
    match total {
        _ if text.is_empty() => Err(wrong()),
        0 => Err(format!("`{}` is no time at all; at least 1ms is needed", short(text))),
        _ if total > MOST_MS => Err(format!("`{}` is longer than 30 days", short(text))),
        _ => Ok(total),
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_units_from_large_to_small() {
        for (text, ms) in [
            ("90s", 90_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1s500ms", 1_500),
            ("30d", MOST_MS),
        ] {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
        }
        for text in [
            "",
            "90",
            "s",
            "90 s",
            "1.5s",
            "-1s",
            "1m1h",
            "1m1m",
            "1w",
            "0s",
            "31d",
            "99999999999999999999s",
            "1ſ",
            "1sé",
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
    }
}
