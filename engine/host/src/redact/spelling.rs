//! The ways in which a secret is spelled out by accident.

use super::strength::is_weak_line;
use crate::redact::SECRET_BYTES_MIN;

/// Bytes of a line of a secret of several lines that is hidden on its own: logs show texts line by line.
const LINE_BYTES_MIN: usize = 8;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Everything that gives `value` away when it stands in a text.
///
/// Escapes are not among them: texts are looked at as what their escapes stand for, too.
pub(super) fn spellings(value: &str) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut add = |bytes: Vec<u8>| {
        if bytes.len() >= SECRET_BYTES_MIN && !all.contains(&bytes) {
            all.push(bytes);
        }
    };
    for text in [value, value.trim()] {
        let bytes = text.as_bytes();
        if bytes.len() < SECRET_BYTES_MIN {
            continue;
        }
        add(bytes.to_vec());
        // As forms encode it (application/x-www-form-urlencoded).
        add(text.replace(' ', "+").into_bytes());
        add(hex(bytes, b"0123456789abcdef"));
        add(hex(bytes, b"0123456789ABCDEF"));
        for alphabet in [STANDARD, URL_SAFE] {
            base64(bytes, alphabet).into_iter().for_each(&mut add);
        }
    }
    for line in value.lines().map(str::trim).filter(|line| line.len() >= LINE_BYTES_MIN && !is_weak_line(line)) {
        add(line.as_bytes().to_vec());
    }
    all
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]).collect()
}

/// The Base64 (RFC 4648) of `bytes` alone, and what stands of it in the Base64 of any longer text: three bytes are four
/// digits, so there are three ways in which it can begin, and its outer digits depend on its neighbours.
fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> Vec<Vec<u8>> {
    let alone = digits(bytes, alphabet);
    let padded = [&alone[..], &b"=="[..(3 - bytes.len() % 3) % 3]].concat();
    let within = (0..3_usize).map(|before| {
        let shifted = digits(&[&[0; 2][..before], bytes].concat(), alphabet);
        let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
        shifted[first..end].to_vec()
    });
    [alone.clone(), padded].into_iter().chain(within).collect()
}

fn digits(bytes: &[u8], alphabet: &[u8; 64]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(bytes.len() * 4 / 3 + 2);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let all = [18, 12, 6, 0].map(|shift| alphabet[(bits >> shift & 63) as usize]);
        digits.extend_from_slice(&all[..=three.len()]);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in [("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")]
        {
            assert_eq!(digits(text.as_bytes(), STANDARD), expected.as_bytes());
        }
        assert_eq!(base64(b"foob", STANDARD)[1], b"Zm9vYg==");
        assert_eq!(base64(b"fooba", STANDARD)[1], b"Zm9vYmE=");
        assert_eq!(base64(b"foobar", STANDARD)[1], b"Zm9vYmFy");
        assert_eq!(digits(&[0xfb, 0xff], URL_SAFE), b"-_8");
    }

    #[test]
    fn a_part_of_a_longer_base64_is_known_wherever_it_begins() {
        let secret = b"s3cr";
        for before in 0..6 {
            for after in 0..4 {
                let text = [&b"??????"[..before], secret, &b"!!!!"[..after]].concat();
                let whole = String::from_utf8(digits(&text, STANDARD)).unwrap();
                let known = base64(secret, STANDARD);
                let seen = known.iter().any(|part| whole.contains(std::str::from_utf8(part).unwrap()));
                assert!(seen, "{before} {after} {whole}");
            }
        }
    }
}
