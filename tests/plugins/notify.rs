//! `notify.wasm` against a server, and Debian's `msmtp` with a mail server, both of this test.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{fs, thread};

use runwright_core::{FailureKind, Outcome, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, happened};
use crate::support::Project;

/// What a server got, request by request.
pub(super) struct Server {
    port: u16,
    got: Receiver<String>,
}

impl Server {
    /// Serves each connection with `serve`, which returns what it got.
    fn start(serve: impl Fn(TcpStream) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, got) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(text) = serve(stream)
                    && send.send(text).is_err()
                {
                    break;
                }
            }
        });
        Self { port, got }
    }

    /// Answers every request with the status line and headers that `answer` says.
    pub(super) fn http(answer: &'static str) -> Self {
        Self::start(move |mut stream| {
            let request = request(&mut BufReader::new(&stream))?;
            write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
            Some(request)
        })
    }

    pub(super) fn next(&self) -> String {
        self.got.recv_timeout(Duration::from_secs(20)).expect("it got something")
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/T0/s3cret", self.port)
    }
}

fn request(stream: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}

/// Takes one mail as RFC 5321 has it; what was said between the greetings.
fn smtp(stream: TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let say = |line: &str| (&stream).write_all(format!("{line}\r\n").as_bytes());
    let (mut said, mut in_data) = (String::new(), false);
    say("220 sink").ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        said += &line;
        let word = line.trim_end().to_ascii_uppercase();
        match () {
            () if in_data && word == "." => in_data = false,
            () if in_data => continue,
            () if word == "DATA" => {
                in_data = true;
                say("354 go on").ok()?;
                continue;
            }
            () if word == "QUIT" || word.is_empty() => {
                say("221 bye").ok();
                return Some(said);
            }
            () if word.starts_with("RCPT") && word.contains("NOBODY@") => {
                say("550 unknown").ok()?;
                continue;
            }
            () => {}
        }
        say("250 ok").ok()?;
    }
}

const GRANTS: &str = r#"
http = [{ method = "POST", url = "http://127.0.0.1:*/hooks/*", private = true }]
secrets = { chat = { file = "FOLDER/chat" }, key = { file = "FOLDER/key" }, token = { file = "FOLDER/token" } }
"#;

fn bench(server: &Server) -> Bench {
    let bench = Bench::new("notify");
    fs::write(bench.path("chat"), server.url()).unwrap();
    fs::write(bench.path("key"), "Jefe\n").unwrap();
    fs::write(bench.path("token"), "Bearer t0ken\n").unwrap();
    bench.grant(GRANTS);
    bench
}

#[test]
fn a_webhook_carries_json_its_key_and_a_signature() {
    let server = Server::http("200 OK");
    let bench = bench(&server);
    let input = json!({
        "url": server.url(), "json": {"b": 1, "a": "ü"}, "headers": {"x-team": "ops"},
        "secret-headers": {"authorization": "token"}, "sign": {"secret": "key"},
    });
    assert_eq!(bench.verify("webhook", &input), Verdict::NotHappened);
    let plan = bench.plan("webhook", &input);
    assert!(plan.summary.ends_with("signed with the secret key"), "{plan:?}");
    assert_eq!(bench.run("webhook", &input).output, json!({"status": 200}));
    let got = server.next();
    assert!(got.ends_with("\r\n\r\n{\"b\":1,\"a\":\"ü\"}"), "{got}");
    for line in [
        "POST /hooks/T0/s3cret HTTP/1.1",
        "idempotency-key: key-1-on",
        "x-team: ops",
        "authorization: Bearer t0ken",
        // printf '{"b":1,"a":"ü"}' | openssl dgst -sha256 -hmac Jefe
        "x-hub-signature-256: sha256=c9d9fe89a5af45a1dd822cc61503551ce904ba40832823d5c5128309331d15e9",
    ] {
        assert!(got.lines().any(|found| found == line), "{line}: {got}");
    }
    assert_eq!(happened(bench.verify("webhook", &input)).output, json!({"status": 200}));
    assert!(server.got.try_recv().is_err(), "it was sent once");
}

#[test]
fn a_chat_gets_its_message_and_nobody_its_url() {
    let server = Server::http("200 OK");
    let mut bench = bench(&server);
    let input = json!({"url-secret": "chat", "text": "*down*", "fields": {"vm": "<!channel>"}});
    let plan = bench.plan("slack", &input);
    assert_eq!(plan.summary, "writes a message to the URL in the secret chat");
    assert_eq!(plan.changes[0].after.as_deref(), Some("*down*\n*vm:* &lt;!channel&gt;"));
    bench.run("slack", &input);
    assert!(server.next().ends_with("{\"text\":\"*down*\\n*vm:* &lt;!channel&gt;\"}"));

    bench.next_step();
    bench.grant("secrets = { chat = { file = 'FOLDER/chat' } }");
    let denied = bench.attempt("slack", &input);
    assert!(matches!(&denied, Outcome::Failed(failure) if failure.kind == FailureKind::Denied), "{denied:?}");
    assert!(!bench.log().contains("s3cret"), "{}", bench.log());
}

#[test]
fn an_answer_says_what_remains() {
    let answers =
        ["404 Not Found", "429 Slow\r\nretry-after: 7", "500 Oops", "302 Found\r\nlocation: http://127.0.0.1/"];
    let kinds = [FailureKind::Permanent, FailureKind::Transient, FailureKind::Partial, FailureKind::Permanent];
    for (answer, kind) in answers.into_iter().zip(kinds) {
        let server = Server::http(answer);
        let bench = bench(&server);
        let failure = bench.fail("slack", &json!({"url-secret": "chat", "text": "x"}));
        assert_eq!(failure.kind, kind, "{answer}: {failure:?}");
        assert_eq!(failure.retry_after_ms, answer.contains("retry").then_some(7000));
        server.next();
    }
}

#[test]
fn an_answer_that_breaks_off_says_what_its_status_says() {
    for (answer, kind) in [("201 Created", None), ("404 Not Found", Some(FailureKind::Permanent))] {
        let server = Server::start(move |mut stream| {
            let request = request(&mut BufReader::new(&stream))?;
            write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 9\r\n\r\nok").ok()?;
            Some(request)
        });
        let bench = bench(&server);
        let input = json!({"url": server.url(), "json": {}});
        match kind {
            None => assert_eq!(bench.run("webhook", &input).output, json!({"status": 201})),
            Some(kind) => assert_eq!(bench.fail("webhook", &input).kind, kind),
        }
        server.next();
        assert!(!matches!(bench.verify("webhook", &input), Verdict::CannotTell { .. }), "{answer}");
    }
}

#[test]
fn what_was_not_sent_may_be_sent_again_and_what_may_have_been_is_asked_about() {
    let silent = Server::start(|mut stream| request(&mut BufReader::new(&mut stream)));
    let mut bench = bench(&silent);
    let input = |url: String| json!({"url": url, "json": {}});
    bench.lose("webhook", &input(silent.url()));
    silent.next();
    match bench.verify("webhook", &input(silent.url())) {
        Verdict::CannotTell { reason } => assert!(reason.contains("on-unknown: fail"), "{reason}"),
        other => panic!("{other:?}"),
    }

    bench.next_step();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/hooks/x", listener.local_addr().unwrap());
    drop(listener);
    let failure = bench.fail("webhook", &input(gone.clone()));
    assert_eq!(failure.kind, FailureKind::Transient, "{failure:?}");
    assert_eq!(bench.verify("webhook", &input(gone)), Verdict::NotHappened);
}

fn mail_bench(server: &Server) -> Bench {
    let bench = Bench::new("notify");
    let settings =
        format!("account default\nhost 127.0.0.1\nport {}\nauto_from off\nfrom r@example.org\n", server.port);
    fs::write(bench.path("msmtprc"), settings).unwrap();
    let program = json!(["/usr/bin/msmtp", "-C", bench.text("msmtprc"), "-i", "-t"]);
    let bench = bench.config(json!({"from": "Runwright <r@example.org>", "sendmail": program}));
    bench.grant("exec = [{ program = '/usr/bin/msmtp', args = ['-C', 'FOLDER/msmtprc', '-i', '-t'] }]");
    bench
}

fn mail(to: &str) -> Value {
    json!({"to": [to], "cc": ["c@example.org"], "subject": "web-1 läuft", "text": ".\nBcc: x@example.org\n"})
}

#[test]
fn a_mail_arrives_as_it_was_meant() {
    let server = Server::start(smtp);
    let bench = mail_bench(&server);
    assert!(bench.plan("mail", &mail("Ops <ops@example.org>")).changes[0].after.as_ref().unwrap().contains("\n\n.\n"));
    assert_eq!(bench.run("mail", &mail("Ops <ops@example.org>")).output, json!({"receivers": 2}));
    let got = server.next().replace("\r\n", "\n");
    let receivers: Vec<_> = got.lines().filter(|line| line.starts_with("RCPT")).collect();
    assert_eq!(receivers, ["RCPT TO:<ops@example.org>", "RCPT TO:<c@example.org>"], "{got}");
    for line in [
        "To: \"Ops\" <ops@example.org>",
        "Subject: =?utf-8?B?d2ViLTEgbMOkdWZ0?=",
        "Message-ID: <key1on.runwright@example.org>",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(got.lines().any(|found| found == line), "{line}: {got}");
    }
    assert!(got.contains("\n\n..\nBcc: x@example.org\n"), "a dot ends no message: {got}");
    happened(bench.verify("mail", &mail("Ops <ops@example.org>")));
}

#[test]
fn a_mail_that_is_not_taken_says_why() {
    let server = Server::start(smtp);
    let mut bench = mail_bench(&server);
    let refused = bench.fail("mail", &mail("nobody@example.org"));
    assert_eq!((refused.kind, refused.code.as_deref()), (FailureKind::Permanent, Some("notify.refused")));
    assert!(refused.message.contains("550 unknown"), "{refused:?}");
    assert_eq!(bench.verify("mail", &mail("nobody@example.org")), Verdict::NotHappened);

    bench.next_step();
    // Nobody listens there: RFC 863's port.
    fs::write(bench.path("msmtprc"), "account default\nhost 127.0.0.1\nport 9\nfrom r@example.org\n").unwrap();
    let later = bench.fail("mail", &mail("ops@example.org"));
    assert_eq!((later.kind, later.code.as_deref()), (FailureKind::Transient, Some("notify.try-later")), "{later:?}");

    bench.next_step();
    let injected = bench.fail("mail", &mail("a@example.org\nBcc: all@example.org"));
    assert_eq!(injected.kind, FailureKind::InvalidInput, "{injected:?}");
    bench.grant("");
    let denied = bench.fail("mail", &mail("ops@example.org"));
    assert!(denied.message.contains("add under [plugin.notify.grants]: exec = [{ program = \"/usr/bin/msmtp\""));
}

#[test]
fn a_run_that_dies_while_it_sends_asks_and_sends_nothing_twice() {
    let server = Server::start(|mut stream| request(&mut BufReader::new(&mut stream)));
    let project = Project::with_plugins(&["notify"]);
    let grants = GRANTS.replace("FOLDER", project.folder().to_str().unwrap());
    project.write("runwright.toml", &format!("state-dir = \"state\"\n[plugin.notify.grants]{grants}"));
    let step = format!("uses: notify/webhook, with: {{ url: \"{}\", json: {{}} }}", server.url());
    project.write("asks.yaml", &format!("name: asks\nsteps:\n  - {{ id: tell, {step} }}\n"));
    project.write("fails.yaml", &format!("name: fails\nsteps:\n  - {{ id: tell, {step}, on-unknown: fail }}\n"));
    let asks = project.call(&["run", "asks.yaml"]);
    assert_eq!(asks.exit, Some(4), "a person must decide: {asks:?}");
    let fails = project.call(&["run", "fails.yaml"]);
    assert_eq!(fails.exit, Some(1), "{fails:?}");
    server.next();
    server.next();
    assert!(server.got.try_recv().is_err(), "each was sent once");
}
