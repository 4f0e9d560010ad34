//! `alertmanager.wasm` against Debian's `prometheus-alertmanager`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runwright_core::{FailureKind, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, happened};

/// A server of this test's own, on loopback; it ends with the test.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
}

/// Debian's program, that `tests/tools` unpacked; it finds its templates in `/usr/share` only.
fn program() -> Command {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unpacked = tree.join("target/tools/prometheus-alertmanager");
    assert!(unpacked.is_dir(), "there is no {}: run tests/setup", unpacked.display());
    let mut command = Command::new(tree.join("tests/plugins/run-unpacked"));
    command.arg(unpacked).arg("prometheus-alertmanager");
    command
}

impl Server {
    pub(super) fn start(bench: &Bench) -> Self {
        std::fs::write(bench.path("config.yml"), "route: { receiver: none }\nreceivers: [{ name: none }]\n").unwrap();
        // Free a moment ago; another process that takes it now makes this test fail, not lie.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = program()
            .arg(format!("--config.file={}", bench.text("config.yml")))
            .arg(format!("--storage.path={}", bench.text("data")))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, address };
        let end = Instant::now() + Duration::from_secs(30);
        while !server.ask("GET", "/-/ready", "").starts_with("HTTP/1.1 200") {
            assert!(Instant::now() < end, "the Alertmanager does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// What it answers; nothing while it does not listen.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return String::new() };
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: alertmanager\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Lets an alert fire.
    fn fire(&self, name: &str, instance: &str) {
        let alert = json!([{"labels": {"alertname": name, "instance": instance}, "annotations": {"summary": "full"}}]);
        let answer = self.ask("POST", "/api/v2/alerts", &alert.to_string());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// How many silences there are that count.
    pub(super) fn silences(&self) -> usize {
        self.ask("GET", "/api/v2/silences", "").matches(r#""state":"active""#).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bench() -> (Bench, Server) {
    let bench = Bench::new("alertmanager");
    let server = Server::start(&bench);
    let address = &server.address;
    let bench = bench.config(json!({"url": format!("http://{address}/")}));
    bench.grant(&format!(r#"http = [{{ method = "*", url = "http://{address}/api/v2/*", private = true }}]"#));
    (bench, server)
}

fn disk_full() -> Value {
    let instance = json!({"name": "instance", "value": "web-1:9100"});
    json!({"matchers": ["alertname=DiskFull", instance], "for": "2h", "comment": "the disk is replaced"})
}

#[test]
fn a_silence_is_made_once_and_undone() {
    let (bench, server) = bench();
    server.fire("DiskFull", "web-1:9100");
    server.fire("DiskFull", "web-2:9100");
    let plan = bench.plan("silence", &disk_full());
    assert!(plan.summary.ends_with("for 2h; 1 of its alerts fire now"), "{}", plan.summary);
    assert_eq!(server.silences(), 0, "a plan changes nothing");
    assert_eq!(bench.verify("silence", &disk_full()), Verdict::NotHappened);

    let made = bench.run("silence", &disk_full());
    assert!(made.changed);
    let again = bench.run("silence", &disk_full());
    assert_eq!((again.output["id"].clone(), server.silences()), (made.output["id"].clone(), 1));
    let verified = happened(bench.verify("silence", &disk_full()));
    assert_eq!(verified.output["id"], made.output["id"]);

    let alerts = bench.run("alerts", &json!({})).output;
    assert_eq!(alerts["count"], 1, "the other one is muted: {alerts}");
    assert_eq!(alerts["alerts"][0]["labels"]["instance"], "web-2:9100");
    let muted = bench.run("alerts", &json!({"matchers": ["instance=~web-1.*"], "muted": true})).output;
    assert_eq!(muted["alerts"][0]["silenced-by"], json!([made.output["id"]]), "{muted}");
    let listed = bench.run("silences", &json!({"matchers": ["alertname=DiskFull"]})).output;
    assert_eq!(listed["silences"][0]["comment"], "the disk is replaced [runwright key-1-on]", "{listed}");

    assert!(bench.undone("silence", &disk_full(), Some(&made)).changed);
    assert!(!bench.undone("silence", &disk_full(), Some(&made)).changed, "an undo may be repeated");
    assert_eq!(server.silences(), 0);
    assert_eq!(bench.run("alerts", &json!({})).output["count"], 2);
    assert_eq!(bench.run("silences", &json!({"expired": true})).output["silences"][0]["state"], "expired");
}

#[test]
fn an_undo_finds_the_silence_whose_answer_was_lost() {
    let (mut bench, server) = bench();
    assert!(!bench.undone("silence", &disk_full(), None).changed, "nothing happened");
    bench.run("silence", &disk_full());
    bench.next_step();
    bench.run("silence", &disk_full());
    assert_eq!(server.silences(), 2, "each step has its own");
    assert!(bench.undone("silence", &disk_full(), None).changed);
    assert_eq!(server.silences(), 1);
}

#[test]
fn an_expired_silence_comes_back() {
    let (mut bench, server) = bench();
    let made = bench.run("silence", &disk_full());
    bench.next_step();
    let id = json!({"id": made.output["id"]});
    assert!(bench.plan("expire", &id).summary.starts_with("unmutes alertname=\"DiskFull\""));
    assert_eq!(bench.verify("expire", &id), Verdict::NotHappened);
    let ended = bench.run("expire", &id);
    assert!(ended.changed && server.silences() == 0);
    assert_eq!(bench.run("expire", &id), ended, "an attempt that is repeated answers the same");
    happened(bench.verify("expire", &id));
    for _ in 0..2 {
        bench.undone("expire", &id, None);
        assert_eq!(server.silences(), 1);
    }
    let back = bench.run("silences", &json!({})).output;
    assert_eq!(back["silences"][0]["ends-at"].as_str().unwrap()[..19], made.output["ends-at"].as_str().unwrap()[..19]);

    bench.next_step();
    let already = bench.run("expire", &id);
    assert_eq!((already.changed, &already.output["already"]), (false, &json!(true)));
    assert!(!bench.undone("expire", &id, Some(&already)).changed, "it was over before");
    let unknown = bench.fail("expire", &json!({"id": "0f7c2b54-0d6b-4b6c-a3e7-6d0e0f5b9c11"}));
    assert_eq!((unknown.kind, unknown.code.as_deref()), (FailureKind::Permanent, Some("alertmanager.404")));
}

#[test]
fn what_is_wrong_is_said_and_changes_nothing() {
    let (bench, server) = bench();
    let mut wrong = disk_full();
    wrong["matchers"] = json!(["instance=~\"(\""]);
    let failure = bench.fail("silence", &wrong);
    assert_eq!(failure.kind, FailureKind::InvalidInput, "{failure:?}");
    assert!(failure.message.contains("POST /silences: status 400"), "{failure:?}");
    wrong["matchers"] = json!([{"name": "instance", "valeu": "x"}]);
    assert_eq!(bench.fail("silence", &wrong).kind, FailureKind::InvalidInput);
    assert_eq!(server.silences(), 0);

    bench.grant("");
    let denied = bench.fail("silence", &disk_full());
    assert_eq!(denied.kind, FailureKind::Denied);
    assert!(denied.message.contains("add under [plugin.alertmanager.grants]: http = "), "{denied:?}");

    let address = server.address.clone();
    drop(server);
    bench.grant(&format!(r#"http = [{{ method = "*", url = "http://{address}/api/v2/*", private = true }}]"#));
    let gone = bench.fail("silence", &disk_full());
    assert_eq!(gone.kind, FailureKind::Transient, "it looks before it acts: {gone:?}");
}
