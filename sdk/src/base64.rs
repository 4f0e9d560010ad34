//! Base64 (RFC 4648, section 4), for bytes in JSON and in e-mail.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes as base64, padded, on one line.
///
/// ```
/// assert_eq!(runwright_sdk::base64::encode(b"foob"), "Zm9vYg==");
/// ```
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let of = |index: usize| chunk.get(index).map_or(0, |byte| u32::from(*byte));
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for index in 0..4 {
            let six = (bits >> (18 - 6 * index)) & 0x3f;
            text.push(if index <= chunk.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}

/// The bytes of which `text` is the base64; none where it is no base64. Line ends are left out, padding must be there.
///
/// ```
/// assert_eq!(runwright_sdk::base64::decode("Zm9v\nYg=="), Some(b"foob".to_vec()));
/// assert_eq!(runwright_sdk::base64::decode("Zm9vYg"), None);
/// ```
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for (chunk, group) in text[..text.len() - padding].chunks(4).zip(text.chunks(4)) {
        let mut bits = 0;
        for index in 0..group.len() {
            bits = bits << 6 | chunk.get(index).map_or(Some(0), |byte| six(*byte))?;
        }
        let whole = bits.to_be_bytes();
        bytes.extend_from_slice(&whole[1..chunk.len()]);
    }
    Some(bytes)
}

fn six(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    #[test]
    fn the_vectors_of_the_rfc_hold() {
        let vectors = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("fooba", "Zm9vYmE=")];
        for (plain, encoded) in vectors {
            assert_eq!(encode(plain.as_bytes()), encoded);
            assert_eq!(decode(encoded).unwrap(), plain.as_bytes());
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)).unwrap(), all);
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for wrong in ["Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9-", "Zm 9"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
