//! Plain text of YAML to values: the core schema of YAML 1.2 (<https://yaml.org/spec/1.2.2/#103-core-schema>).
//!
//! `yes`, `no`, `on` and `off` are text, so the key `on` is one like any other.

use runwright_core::Value;
use serde_json::Number;

/// The value of an unquoted scalar. Infinities and numbers that are none stay text, as JSON lacks them.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| i64::from_str_radix(digits, 16).ok())?
            .map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| i64::from_str_radix(digits, 8).ok())?
            .map(Number::from);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !unsigned.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    if !unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+')) {
        return None;
    }
    let integer = unsigned.bytes().all(|b| b.is_ascii_digit());
    let signed = text.strip_prefix('+').unwrap_or(text);
    match integer {
        true => signed.parse::<i64>().map(Number::from).or_else(|_| signed.parse::<u64>().map(Number::from)).ok(),
        false => None,
    }
    .or_else(|| Number::from_f64(signed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_core_schema() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("true", json!(true)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("No", json!("No")),
            ("12", json!(12)),
            ("-7", json!(-7)),
            ("+7", json!(7)),
            ("007", json!(7)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("0x", json!("0x")),
            ("18446744073709551615", json!(18446744073709551615_u64)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("-1.5E-3", json!(-0.0015)),
            ("1e999", json!("1e999")),
            (".inf", json!(".inf")),
            (".nan", json!(".nan")),
            ("inf", json!("inf")),
            ("1_000", json!("1_000")),
            ("1.2.3", json!("1.2.3")),
            ("2026-01-31", json!("2026-01-31")),
            ("10:30", json!("10:30")),
            (".", json!(".")),
            ("-", json!("-")),
            ("90s", json!("90s")),
            ("vm-1", json!("vm-1")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }
}
