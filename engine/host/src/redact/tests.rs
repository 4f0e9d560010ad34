//! Every spelling is found, in every place, and what is cut gives nothing away.

use serde_json::json;

use super::*;

const SECRET: &str = "s3cr3t /+\"ü\n";

fn tainted(secrets: &[(&str, &str)]) -> Tainted {
    let tainted = Tainted::default();
    secrets.iter().for_each(|(name, value)| tainted.add(name, value).unwrap());
    tainted
}

fn percent(text: &str, kept: &str) -> String {
    let byte = |byte: &u8| match char::from(*byte) {
        char if char.is_ascii_alphanumeric() || kept.contains(char) => char.to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.as_bytes().iter().map(byte).collect()
}

#[test]
fn every_spelling_is_hidden() {
    let tainted = tainted(&[("token", SECRET)]);
    let in_json = serde_json::to_string(SECRET).unwrap();
    let in_json_twice = serde_json::to_string(&in_json).unwrap();
    let units: String = SECRET.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    for spelled in [
        SECRET.to_owned(),
        SECRET.trim().to_owned(),
        in_json.trim_matches('"').to_owned(),
        in_json_twice.trim_matches('"').to_owned(),
        in_json.replace('/', "\\/"),
        units.clone(),
        units.replace('\\', "\\\\"),
        percent(SECRET, "-_.~"),
        percent(SECRET, "-_.~/"),
        percent(SECRET, "").to_lowercase(),
        SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        percent(SECRET, "-_.~ ").replace(' ', "+"),
        percent(&percent(SECRET, ""), ""),
        SECRET.bytes().map(|byte| format!("{byte:02x}")).collect(),
        SECRET.bytes().map(|byte| format!("{byte:02X}")).collect(),
        SECRET.bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
        SECRET.chars().map(|char| format!("\\u{{{:x}}}", u32::from(char))).collect(),
        "czNjcjN0IC8rIsO8Cg==".to_owned(),
        "czNjcjN0IC8rIsO8Cg".to_owned(),
        "czNjcjN0IC8rIsO8Cg%3D%3D".to_owned(),
    ] {
        let hidden = tainted.hide(&format!("before {spelled} after")).into_owned();
        let rest = hidden.replace("[secret token]", "");
        let rest: String = rest.replace("%3D", "").chars().filter(|char| !"\"\\n".contains(*char)).collect();
        assert!(rest == "before  after" || rest == "before +after", "{spelled}: {hidden}");
        assert!(tainted.found(&spelled).is_some_and(|name| &*name == "token"), "{spelled}");
    }
    assert_eq!(tainted.hide("nothing in it, not even s3cr3"), "nothing in it, not even s3cr3");
}

#[test]
fn base64_of_a_longer_text_loses_what_stands_for_the_secret() {
    let tainted = tainted(&[("password", "hunter22")]);
    // user:hunter22, a:hunter22!, ab:hunter22?? in Base64
    for whole in ["dXNlcjpodW50ZXIyMg==", "YTpodW50ZXIyMiE", "YWI6aHVudGVyMjI_Pw=="] {
        let hidden = tainted.hide(whole);
        assert!(hidden.contains("[secret password]"), "{whole}: {hidden}");
        assert!(!hidden.contains("W50ZXIy") && !hidden.contains("odW50"), "{hidden}");
    }
}

#[test]
fn base64_in_lines_is_hidden_across_them() {
    let secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-and-some-more-of-it";
    let tainted = tainted(&[("key", secret)]);
    let wrapped = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6QUJDREVGR0hJSktMTU5PUFFSU1RV\n\
                   VldYWVotYW5kLXNvbWUtbW9yZS1vZi1pdA==\n";
    assert_eq!(tainted.hide(wrapped), "[secret key]\n");
    assert_eq!(tainted.hide(&wrapped.replace('\n', "\r\n")), "[secret key]\r\n");
    assert_eq!(tainted.hide(&wrapped.replace('\n', "\\n")), "[secret key]\\n");
}

#[test]
fn what_a_terminal_does_not_show_hides_nothing() {
    let tainted = tainted(&[("long", "hunter22hunter22!"), ("short", "hunter22!")]);
    for cut in [
        "\u{1b}[1;31m",
        "\u{1b}]0;title\u{7}",
        "\u{1b}",
        "\u{0}",
        "\u{8}",
        "\u{9b}",
        "\u{202e}",
        "\u{200f}",
        "\u{2067}",
    ] {
        let text = format!("a hun{cut}ter22hunter22! b");
        assert_eq!(tainted.hide(&text), "a [secret long] b", "{cut:?}");
        assert_eq!(tainted.hide(&format!("{cut}a hunter22! b")), format!("{cut}a [secret short] b"));
    }
    assert_eq!(tainted.hide("grüße “x” hunter22!\t"), "grüße “x” [secret short]\t");
    assert_eq!(tainted.hide_head("a hun\u{1b}[1mter22hunter22!", 12), "a ");
}

#[test]
fn secrets_that_overlap_are_hidden_together() {
    let tainted = tainted(&[("one", "abcDef-ghIj"), ("two", "f-ghIjkl"), ("three", "cDef-ghI")]);
    assert_eq!(tainted.hide("xabcDef-ghIjklx cDef-ghI"), "x[secret one]x [secret three]");
    assert_eq!(tainted.hide("abcDef-ghIjabcDef-ghIj"), "[secret one][secret one]");
}

#[test]
fn a_secret_of_several_lines_is_hidden_line_by_line() {
    let tainted = tainted(&[("key", "-----BEGIN KEY-----\nMIIBVgIBADANBg\nshort\n-----END KEY-----\n")]);
    assert_eq!(tainted.hide("line: MIIBVgIBADANBg"), "line: [secret key]");
    assert_eq!(tainted.hide("short"), "short");
    assert_eq!(tainted.hide("-----BEGIN KEY-----"), "-----BEGIN KEY-----", "what every such file has is none");
    let account = self::tainted(&[("js", "{\n  \"type\": \"service_account\",\n  \"key\": \"q8Zk2mPx91\"\n}\n")]);
    assert_eq!(account.hide("\"type\": \"service_account\","), "\"type\": \"service_account\",");
    assert_eq!(account.hide("\"key\": \"q8Zk2mPx91\""), "[secret js]");
}

#[test]
fn json_loses_them_in_texts_keys_and_numbers() {
    let tainted = tainted(&[("pin", "12345678"), ("token", "hunter22")]);
    let mut value = json!({"a": ["x hunter22"], "hunter22": {"b": 12_345_678, "c": -1.5, "d": null}});
    tainted.hide_value(&mut value);
    let expected = json!({"a": ["x [secret token]"], "[secret token]": {"b": "[secret pin]", "c": -1.5, "d": null}});
    assert_eq!(value, expected);
}

#[test]
fn what_is_cut_ends_in_no_part_of_a_secret() {
    let tainted = tainted(&[("token", "hunter22")]);
    let text = "password: hunter22 and more";
    for bytes in 0..text.len() {
        let head = tainted.hide_head(text, bytes).into_owned();
        assert!(!head.contains('h') || head.contains("[secret token]") && !head.contains("hunt"), "{bytes}: {head}");
    }
    let escaped = "password: \\u0068\\u0075nter2%32 and more";
    for bytes in 0..escaped.len() {
        let head = tainted.hide_head(escaped, bytes).into_owned();
        assert!(!head.contains("\\u") && !head.contains("nter"), "{bytes}: {head}");
    }
    assert_eq!(tainted.hide_head("grüße", 3), "gr");
    assert_eq!(tainted.settled(b"a hunter2"), 2);
    assert_eq!(tainted.settled(b"a hunter22"), 10);
    let circular = self::tainted(&[("circle", "aB-cde-aB")]);
    assert_eq!(circular.settled(b"x aB-cde-aB"), 2);
    assert_eq!(circular.hide_head("x aB-cde-aB-cde-aB", 11), "x ");
}

#[test]
fn a_short_value_is_no_secret_and_many_values_are_refused() {
    let tainted = Tainted::default();
    assert!(tainted.add("pin", "123").unwrap_err().contains("fewer than 4 bytes"));
    assert_eq!(tainted.hide("123"), "123");
    assert!(tainted.found("123").is_none() && tainted.hide_bytes(b"123").is_none());
    tainted.add("one", "same value").unwrap();
    tainted.add("two", "same value").unwrap();
    assert_eq!(tainted.hide("same value"), "[secret one]");
    assert_eq!(tainted.hide_bytes(b"\xff same value \xff").unwrap(), b"\xff [secret one] \xff");
}

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

#[test]
fn whatever_the_secret_is_every_spelling_of_two_is_found() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let characters: Vec<char> = "abcXYZ0189 +/%\\\"'{}[]:=&?#äß€😀\n\t".chars().collect();
    let spell = |how: usize, text: &str| match how {
        0 => {
            let quoted = serde_json::to_string(text).unwrap();
            quoted[1..quoted.len() - 1].to_owned()
        }
        1 => percent(text, "-_.~"),
        2 => percent(text, "-_.~/:").to_lowercase().replace("%c3%9f", "ß"),
        3 => text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect(),
        4 => text.chars().map(|char| format!("{char}\u{1b}[1m")).collect(),
        _ => text.to_owned(),
    };
    for round in 0..2000 {
        let length = 4 + dice.roll(40);
        let secret: String = (0..length).map(|_| characters[dice.roll(characters.len())]).collect();
        if is_weak(&secret) {
            continue;
        }
        let tainted = tainted(&[("it", &secret)]);
        let (first, second) = (dice.roll(6), dice.roll(6));
        // An escape sequence in an escape sequence is none.
        if first == 4 && second == 4 {
            continue;
        }
        // Small letters of percent-encoding must not make others of the secret small.
        if (first == 2 || second == 2) && secret.chars().any(char::is_uppercase) || first == 2 && second == 3 {
            continue;
        }
        let spelled = spell(second, &spell(first, &secret));
        let text = format!("{}{spelled}{}", "x".repeat(dice.roll(9)), " y".repeat(dice.roll(9)));
        assert!(tainted.hide(&text).contains("[secret it]"), "{round} {first} {second}: {secret:?} as {spelled:?}");
        for bytes in [dice.roll(text.len() + 1), dice.roll(text.len() + 1)] {
            let head = tainted.hide_head(&text, bytes);
            assert!(tainted.found(&head).is_none() && head.len() <= bytes + 11, "{head:?}");
        }
    }
}

#[test]
fn a_text_made_of_escapes_is_looked_at_too() {
    let tainted = tainted(&[("token", "hunter22"), ("letters", "aaaaaaaaaaaaaaaaa")]);
    let hidden = tainted.hide(&format!("{}hunter22", "%5c\\u0025\u{1b}[0m\n".repeat(10_000))).into_owned();
    assert!(hidden.ends_with("\n[secret token]"), "{}", &hidden[hidden.len() - 40..]);
    assert_eq!(tainted.hide(&"a".repeat(100_000)), "[secret letters]");
}

#[test]
fn a_weak_secret_is_hidden_as_a_word_and_only_where_it_was_given() {
    let engine = Tainted::default();
    let (given, other) = (engine.for_call(), engine.for_call());
    given.add("db", "test").unwrap();
    given.add("token", "hunter22").unwrap();
    assert_eq!(
        given.hide("the latest test: dGVzdA== hunter22x"),
        "the latest [secret db]: [secret db] [secret token]x"
    );
    assert_eq!(other.hide("the latest test: hunter22x"), "the latest test: [secret token]x");
    assert!(given.found("--name=test").is_none() && other.found("hunter22").is_some());
    let mut value = json!({"status": "latest", "test": ["test", true], "url": "//u:test@h/tests"});
    given.hide_value(&mut value);
    let hidden = json!({"status": "latest", "[secret db]": ["[secret db]", true], "url": "//u:[secret db]@h/tests"});
    assert_eq!(value, hidden);
}
