//! A body that is no JSON as a whole: its alerts one by one, so that only those that can't be read are lost.

use std::collections::BTreeMap;
use std::ops::Range;

use runwright_core::Value;

use crate::Error;

/// A body without its broken alerts.
#[derive(Debug, Default)]
pub(crate) struct Mended {
    /// The body; in the place of each broken alert stands null.
    pub(crate) body: Value,
    /// Its text.
    pub(crate) text: Vec<u8>,
    /// What was wrong with the broken alerts and their text, by their place in the list.
    pub(crate) broken: Broken,
}

/// Broken alerts by their place in the list: what is wrong, and the text.
pub(crate) type Broken = BTreeMap<usize, (Error, String)>;

/// Takes the broken alerts out of a body; none where that is not what is wrong with it, or no alert is good.
pub(crate) fn mend(body: &[u8]) -> Option<Mended> {
    let alerts = alerts(body)?;
    let mut mended = body[..alerts.first()?.start].to_vec();
    let mut broken = Broken::new();
    for (index, alert) in alerts.iter().enumerate() {
        if index > 0 {
            mended.push(b',');
        }
        let text = &body[alert.clone()];
        match serde_json::from_slice::<Value>(text) {
            Ok(_) => mended.extend(text),
            Err(error) => {
                mended.extend(b"null");
                let before = String::from_utf8_lossy(&body[..alert.start]);
                let error = no_json(&before, &error);
                broken.insert(index, (error, String::from_utf8_lossy(text).trim().to_owned()));
            }
        }
    }
    mended.extend(&body[alerts.last()?.end..]);
    let is_some_good = broken.len() < alerts.len();
    let body = serde_json::from_slice(&mended).ok().filter(|_| is_some_good)?;
    Some(Mended { body, text: mended, broken })
}

/// What is wrong with text that is no JSON, where `before` it other text stands.
pub(crate) fn no_json(before: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    let lines = before.matches('\n').count();
    let same_line = before.rsplit('\n').next().unwrap_or_default().len();
    let column = if error.line() == 1 { same_line + error.column() } else { error.column() };
    Error::new(format!("line {}, column {column}", lines + error.line()), format!("no JSON: {message}"))
}

/// Where the alerts stand: the elements of the list that the body is, or of its list `alerts`. Only strings and brackets
/// are looked at.
fn alerts(body: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let (mut depth, mut key, mut last) = (0_usize, false, 0..0);
    // The depth within the list, and where the current alert begins.
    let mut list: Option<(usize, usize)> = None;
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        match byte {
            b'"' => {
                let end = string(body, at)?;
                last = at + 1..end;
                at = end;
            }
            b'[' | b'{' => {
                depth += 1;
                let starts = *byte == b'[' && (depth == 1 || (depth == 2 && key));
                if starts && list.is_none() {
                    list = Some((depth, at + 1));
                }
            }
            b']' | b'}' => {
                if let Some((inside, from)) = list.filter(|(inside, _)| *inside == depth) {
                    debug_assert!(inside <= 2);
                    let empty = found.is_empty() && body[from..at].trim_ascii().is_empty();
                    return (*byte == b']' && !empty).then(|| {
                        found.push(from..at);
                        found
                    });
                }
                depth = depth.checked_sub(1)?;
            }
            b':' if depth == 1 => key = &body[last.clone()] == b"alerts",
            b',' => match &mut list {
                Some((inside, from)) if *inside == depth => {
                    found.push(*from..at);
                    *from = at + 1;
                }
                _ if depth == 1 => key = false,
                _ => {}
            },
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the string that begins at `start` ends: the place of its last quote.
fn string(body: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match body.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alerts_of_a_body_are_found() {
        let found = |body: &str| -> Vec<String> {
            alerts(body.as_bytes()).unwrap_or_default().into_iter().map(|alert| body[alert].to_owned()).collect()
        };
        assert_eq!(found(r#"[{"a": [1, 2]},"]", 3]"#), [r#"{"a": [1, 2]}"#, r#""]""#, " 3"]);
        assert_eq!(found(r#"{"x": ["alerts"], "alerts":[{"l":"\"]"} , {}], "y": [1]}"#), [r#"{"l":"\"]"} "#, " {}"]);
        for none in ["", "{}", "[]", "[ ]", "[1", r#"{"a": {"alerts": [1]}}"#, r#"["#, r#"["a"#, "]"] {
            assert_eq!(found(none), [""; 0], "{none}");
        }
    }
}
