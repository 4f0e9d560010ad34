//! An e-mail as text (RFC 5322, MIME).

use std::time::SystemTime;

use runwright_sdk::{Error, Result, base64, clock};

/// Bytes of an address (RFC 5321, 4.5.3.1).
const ADDRESS_MAX: usize = 254;
/// Bytes of a name or a subject.
const TEXT_MAX: usize = 512;
/// Bytes of one encoded word's text: with its frame it stays below 75 (RFC 2047, 2).
const WORD_MAX: usize = 42;

/// An address, with or without a name: `ops@example.org`, `Operations <ops@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    name: String,
    address: String,
}

impl Address {
    /// Reads it. What could begin another header or name another receiver is refused.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let message = format!("{text:?} is no e-mail address: {why}");
            Err(Error::invalid_input(message).code("notify.address"))
        };
        if text.chars().any(char::is_control) {
            return wrong("it has a line end or another control character in it");
        }
        let (name, address) = match text.trim().strip_suffix('>').and_then(|text| text.split_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"'), address.trim()),
            None => ("", text.trim()),
        };
        let Some((local, domain)) = address.split_once('@') else { return wrong("it has no `@`") };
        let odd = |c: char| c.is_whitespace() || "<>()[],;:\\\"@".contains(c) || !c.is_ascii();
        if local.is_empty() || domain.is_empty() || local.contains(odd) || domain.contains(odd) {
            return wrong("it must be one plain address like ops@example.org");
        }
        // It could be read as an option by what gets it.
        if local.starts_with('-') || address.len() > ADDRESS_MAX || name.len() > TEXT_MAX {
            return wrong("it begins with `-` or is too long");
        }
        Ok(Self { name: name.to_owned(), address: address.to_owned() })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, address } = self;
        if name.is_empty() {
            f.write_str(address)
        } else if name.is_ascii() {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            write!(f, "\"{quoted}\" <{address}>")
        } else {
            write!(f, "{} <{address}>", words(name))
        }
    }
}

/// An e-mail.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) from: Address,
    pub(crate) to: Vec<Address>,
    pub(crate) cc: Vec<Address>,
    pub(crate) reply_to: Option<Address>,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl Message {
    /// Its text with line ends as Unix programs want them on their standard input.
    ///
    /// The id is made of the idempotency key: a message that was sent twice can be told by it.
    pub(crate) fn render(&self, key: &str, now: SystemTime) -> Result<String> {
        if self.subject.chars().any(char::is_control) || self.subject.len() > TEXT_MAX {
            let message = format!("the subject must be one line of at most {TEXT_MAX} bytes");
            return Err(Error::invalid_input(message).code("notify.subject"));
        }
        let list = |all: &[Address]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",\n ");
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        let domain = self.from.address.split_once('@').map_or("localhost", |(_, domain)| domain);
        let mut head = format!("From: {}\nTo: {}\n", self.from, list(&self.to));
        if !self.cc.is_empty() {
            head += &format!("Cc: {}\n", list(&self.cc));
        }
        if let Some(reply_to) = &self.reply_to {
            head += &format!("Reply-To: {reply_to}\n");
        }
        let subject = if self.subject.is_ascii() { self.subject.clone() } else { words(&self.subject) };
        head += &format!("Subject: {subject}\nDate: {}\nMessage-ID: <{key}.runwright@{domain}>\n", date(now));
        // RFC 3834: no holiday greeting shall come back.
        head += "Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n";
        Ok(head + &body(&self.text))
    }
}

/// The last headers and the body: as it is where every program takes it so, otherwise in base64.
fn body(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let plain = text.is_ascii() && !text.contains(['\r', '\0']) && text.lines().all(|line| line.len() <= 900);
    if plain {
        return format!("Content-Transfer-Encoding: 7bit\n\n{}\n", text.trim_end_matches('\n'));
    }
    let encoded = base64::encode(text.as_bytes());
    let mut lines = String::from("Content-Transfer-Encoding: base64\n\n");
    for line in encoded.as_bytes().chunks(76) {
        lines.extend(line.iter().map(|byte| char::from(*byte)));
        lines.push('\n');
    }
    lines
}

/// Text in encoded words (RFC 2047): no character is cut in two.
fn words(text: &str) -> String {
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        if word.len() + character.len_utf8() > WORD_MAX {
            words.push(std::mem::take(&mut word));
        }
        word.push(character);
    }
    words.push(word);
    let encoded = words.iter().map(|word| format!("=?utf-8?B?{}?=", base64::encode(word.as_bytes())));
    encoded.collect::<Vec<_>>().join("\n ")
}

/// The time as RFC 5322 has it.
fn date(now: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let text = clock::rfc3339(now);
    let month: usize = text[5..7].parse().unwrap_or(1);
    let weekday = DAYS[(seconds / 86_400 % 7) as usize];
    format!("{weekday}, {} {} {} {} +0000", &text[8..10], MONTHS[(month - 1) % 12], &text[..4], &text[11..19])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message(subject: &str, text: &str) -> Message {
        Message {
            from: Address::parse("runwright@example.org").unwrap(),
            to: vec![Address::parse("Ops <ops@example.org>").unwrap(), Address::parse("b@example.org").unwrap()],
            cc: Vec::new(),
            reply_to: None,
            subject: subject.into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_message_has_its_headers_and_its_text() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400);
        assert_eq!(
            message("down", "one\ntwo\n").render("k-1", now).unwrap(),
            "From: runwright@example.org\nTo: \"Ops\" <ops@example.org>,\n b@example.org\nSubject: down\n\
             Date: Tue, 29 Feb 2000 00:00:00 +0000\nMessage-ID: <k1.runwright@example.org>\n\
             Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: 7bit\n\none\ntwo\n"
        );
    }

    #[test]
    fn what_is_not_ascii_is_encoded() {
        let text = message(&"ü".repeat(30), "größer").render("k", SystemTime::now()).unwrap();
        assert!(text.contains("Content-Transfer-Encoding: base64\n\nZ3LDtsOfZXI=\n"), "{text}");
        assert_eq!(text.matches("=?utf-8?B?").count(), 2, "{text}");
        assert!(text.is_ascii() && text.lines().all(|line| line.len() < 78), "{text}");
        let named = Address::parse("Ärger <a@example.org>").unwrap().to_string();
        assert_eq!(named, "=?utf-8?B?w4RyZ2Vy?= <a@example.org>");
    }

    #[test]
    fn nothing_gets_into_the_headers() {
        for wrong in [
            "a@x\nBcc: all@x",
            "a@x\r\nBcc: all@x",
            "a@x, b@x",
            "a@x b@x",
            "N\n <a@x>",
            "<a@x>,<b@x>",
            "-oQ/tmp@x",
            "@x",
            "a@",
            "a",
            "a@b@c",
            "",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong:?}: {:?}", Address::parse(wrong));
        }
        for wrong in ["a\nBcc: all@x", "a\rb", "a\0b", &"x".repeat(600)] {
            assert_eq!(
                message(wrong, "").render("k", SystemTime::now()).unwrap_err().code_text(),
                Some("notify.subject")
            );
        }
        let named = Address::parse("\"A\" \\\" <a@x>").unwrap().to_string();
        assert!(named.starts_with('"') && named.ends_with("\" <a@x>"), "{named}");
        // A text may say what it wants: it comes behind the headers.
        let text = message("s", "Bcc: all@x\n.\n").render("k", SystemTime::now()).unwrap();
        assert!(text.contains("\n\nBcc: all@x\n.\n"), "{text}");
    }
}
