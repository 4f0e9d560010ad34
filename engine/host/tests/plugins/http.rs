//! Requests by the small interface and by `wasi:http`: one allow-list, one way out, the same bounds.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use host::{Call, Limits, Verb};
use runwright_core::{FailureKind, Outcome};
use serde_json::{Value, json};

use crate::support::{Bench, denied, failed, outcome, output};

/// A server that answers as its path says, and how often it was asked.
struct Server {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), requests: Arc::default() };
        let requests = Arc::clone(&server.requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                requests.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || answer(stream));
            }
        });
        server
    }

    fn ask(&self, wasi: bool, path: &str) -> Value {
        json!({"authority": format!("127.0.0.1:{}", self.port), "path": path, "wasi": wasi})
    }
}

fn answer(mut stream: TcpStream) {
    let mut request = vec![0; 64 * 1024];
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut read = 0;
    // A body may come in a part of its own.
    while let Ok(more @ 1..) = stream.read(&mut request[read..]) {
        read += more;
        let text = String::from_utf8_lossy(&request[..read]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break;
        }
    }
    let request = String::from_utf8_lossy(&request[..read]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    if let Some(to) = path.strip_prefix("/go?") {
        write!(stream, "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").ok();
    } else if path == "/drip" {
        write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok();
        while stream.write_all(b"1\r\nx\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    } else if path == "/never" {
        thread::sleep(Duration::from_secs(30));
    } else {
        let body = if path == "/large" { "x".repeat(200_000) } else { request };
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok();
    }
}

async fn bench() -> Bench {
    Bench::with(Limits { grace_ms: 200, body_bytes: 100_000, ..Limits::default() }).await
}

#[tokio::test]
async fn what_is_granted_is_sent_and_nothing_else() {
    let (bench, server) = (bench().await, Server::start());
    for wasi in [false, true] {
        let asked = || server.ask(wasi, "/api/x?q=1");
        bench.host.clear_grants("fixture");
        let refusal = denied(bench.run("fetch", asked()).await);
        assert!(refusal.contains("runwright.toml does not grant") && refusal.contains("/api/x"), "{wasi}: {refusal}");
        assert!(!refusal.contains("q=1"), "a query may hold a secret: {refusal}");
        bench.grant("http = [{ method = 'GET', url = 'http://127.0.0.1:*/api/*', private = true }]");
        let answer = output(bench.run("fetch", asked()).await);
        assert_eq!(answer["status"], 200, "{answer}");
        assert!(answer["body"].as_str().unwrap().starts_with("GET /api/x?q=1 HTTP/1.1"), "{answer}");
        for path in ["/other", "/api/../other", "/api/%2e%2e/other"] {
            denied(bench.run("fetch", server.ask(wasi, path)).await);
        }
        let mut post = asked();
        post["method"] = json!("POST");
        denied(bench.run("fetch", post.clone()).await);
        bench.grant("http = [{ method = '*', url = 'http://127.0.0.1:*/api/*', private = true }]");
        post["body"] = json!("a body of some length");
        let answer = output(bench.run("fetch", post.clone()).await);
        let sent = answer["body"].as_str().unwrap();
        assert!(sent.contains("content-length: 21") && sent.ends_with("\r\n\r\na body of some length"), "{sent}");
        // A dry run only reads.
        output(bench.run_in_plan("fetch", asked()).await);
        denied(bench.run_in_plan("fetch", post).await);
    }
}

#[tokio::test]
async fn private_addresses_need_a_word_of_their_own() {
    let (bench, server) = (bench().await, Server::start());
    bench.grant("http = [{ method = 'GET', url = 'http://localhost:*/*' }, { method = 'GET', url = 'http://127.0.0.1:*/*' }, { method = 'GET', url = 'http://[::ffff:127.0.0.1]:*/*' }]");
    for wasi in [false, true] {
        for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
            let mut asked = server.ask(wasi, "/");
            asked["authority"] = json!(format!("{host}:{}", server.port));
            let refusal = denied(bench.run("fetch", asked).await);
            assert!(refusal.contains("private = true"), "{wasi} {host}: {refusal}");
        }
    }
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_host_is_not_followed() {
    let (bench, server, other) = (bench().await, Server::start(), Server::start());
    let own = format!("http://127.0.0.1:{}/*", server.port);
    for wasi in [false, true] {
        let to = |port: u16| server.ask(wasi, &format!("/go?http://127.0.0.1:{port}/there"));
        bench.grant(&format!("http = [{{ method = 'GET', url = '{own}', private = true }}]"));
        assert_eq!(output(bench.run("fetch", to(server.port)).await)["status"], 302, "the plugin gets it itself");
        bench.grant(&format!("http = [{{ method = 'GET', url = '{own}', private = true, redirects = 2 }}]"));
        let answer = output(bench.run("fetch", to(server.port)).await);
        assert!(answer["body"].as_str().unwrap().starts_with("GET /there"), "{answer}");
        let refusal = denied(bench.run("fetch", to(other.port)).await);
        assert!(refusal.contains(&format!("127.0.0.1:{}/there", other.port)), "{refusal}");
        assert_eq!(other.requests.load(Ordering::Relaxed), 0);
        bench.assert_works().await;
    }
}

#[tokio::test]
async fn a_refusal_after_an_effect_is_no_denial() {
    let (bench, server, other) = (bench().await, Server::start(), Server::start());
    bench.grant(&format!(
        "http = [{{ method = '*', url = 'http://127.0.0.1:{}/*', private = true, redirects = 2 }}]",
        server.port
    ));
    for wasi in [false, true] {
        let mut asked = server.ask(wasi, &format!("/go?http://127.0.0.1:{}/there", other.port));
        denied(bench.run("fetch", asked.clone()).await);
        asked["method"] = json!("POST");
        let failure = failed(bench.run("fetch", asked).await);
        assert_eq!(failure.kind, FailureKind::Partial, "{wasi}: {failure:?}");
        assert!(failure.message.contains("effects may remain") && failure.message.contains("/there"), "{failure:?}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_both_ways() {
    let (bench, server) = (bench().await, Server::start());
    bench.grant("http = [{ method = '*', url = 'http://127.0.0.1:*/*', private = true }]");
    for wasi in [false, true] {
        let failure = failed(bench.run("fetch", server.ask(wasi, "/large")).await);
        assert!(!failure.message.is_empty(), "{failure:?}");
        let mut large = server.ask(wasi, "/");
        large["method"] = json!("POST");
        large["body"] = json!("x".repeat(100_001));
        let before = server.requests.load(Ordering::Relaxed);
        failed(bench.run("fetch", large).await);
        assert_eq!(server.requests.load(Ordering::Relaxed), before, "{wasi}: it was sent");
    }
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_call() {
    let (bench, server) = (bench().await, Server::start());
    bench.grant("http = [{ method = '*', url = 'http://127.0.0.1:*/*', private = true }]");
    for (wasi, path) in [(false, "/drip"), (true, "/drip"), (false, "/never"), (true, "/never")] {
        let started = Instant::now();
        let call = Call {
            deadline: Some(Duration::from_millis(400)),
            ..bench.call(Verb::Run, "fetch", server.ask(wasi, path))
        };
        let (reply, ()) = tokio::join!(bench.perform(call), bench.assert_works());
        assert!(matches!(outcome(reply), Outcome::Failed(_) | Outcome::Lost { .. }), "{wasi} {path}");
        assert!(started.elapsed() < Duration::from_secs(5), "{wasi} {path}");
        bench.assert_works().await;
    }
}

#[tokio::test]
async fn where_a_request_goes_is_not_for_its_headers_to_say() {
    let (bench, server) = (bench().await, Server::start());
    bench.grant("http = [{ method = 'GET', url = 'http://127.0.0.1:*/*', private = true }]");
    for wasi in [false, true] {
        let mut asked = server.ask(wasi, "/");
        asked["host"] = json!("elsewhere.example");
        failed(bench.run("fetch", asked).await);
        let mut user = server.ask(wasi, "/");
        user["authority"] = json!(format!("127.0.0.1:{}@elsewhere.example", server.port));
        failed(bench.run("fetch", user).await);
    }
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);
}
