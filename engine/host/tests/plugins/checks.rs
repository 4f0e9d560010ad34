//! `http.wasm` against the odd answers of real servers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use host::Limits;
use runwright_core::FailureKind;
use serde_json::{Value, json};

use crate::support::{Bench, failed, output};

const UP: &str = r#"{"status": "up"}"#;

/// What a server says to this path, byte by byte.
fn said(path: &str) -> Vec<u8> {
    let ok = |head: &str, body: &[u8]| {
        [format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
    };
    match path {
        "/204" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/up" => ok("", UP.as_bytes()),
        "/empty" => ok("", b""),
        "/chunked" => {
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8;x=y\r\n{\"status\r\n8\r\n\": \"up\"}\r\n0\r\nx-trailer: 1\r\n\r\n"
                .to_vec()
        }
        "/chunked-empty" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
        "/gzip" => ok("content-encoding: gzip\r\n", b"\x1f\x8b\x08\0\0\0\0\0"),
        "/no-length" => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{UP}").into_bytes(),
        "/short" => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello".to_vec(),
        "/twice" => format!("HTTP/1.1 200 OK\r\ncontent-length: 16\r\ncontent-length: 16\r\n\r\n{UP}").into_bytes(),
        "/continue" => [b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), ok("", UP.as_bytes())].concat(),
        "/heads" => {
            let lines: String = (0..200).map(|line| format!("x-{line}: y\r\n")).collect();
            ok(&lines, b"")
        }
        "/large" => ok("", &vec![b'x'; 5 << 20]),
        "/around" => b"HTTP/1.1 302 Found\r\nlocation: /around\r\ncontent-length: 0\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno".to_vec(),
    }
}

/// A server, by its port.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 8192];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            // A client may have seen enough before all was sent.
            stream.write_all(&said(path)).ok();
        }
    });
    port
}

/// The plugin with a grant for the server that follows this many redirects, and what a step asks of a path.
async fn bench(redirects: u8) -> (Bench, impl Fn(&str, Value) -> Value) {
    let bench = Bench::of("http", Limits::default()).await;
    bench.grant(&format!(
        "http = [{{ method = 'GET', url = 'http://127.0.0.1:*/*', private = true, redirects = {redirects} }}]"
    ));
    let port = serve();
    let input = move |path: &str, more: Value| {
        let mut input = json!({"url": format!("http://127.0.0.1:{port}{path}"), "timeout": "10s"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    (bench, input)
}

#[tokio::test]
async fn a_check_of_the_status_reads_no_body() {
    let (bench, input) = bench(0).await;
    for path in
        ["/204", "/up", "/empty", "/chunked-empty", "/gzip", "/no-length", "/short", "/twice", "/continue", "/large"]
    {
        let checked = output(bench.run("check", input(path, json!({}))).await);
        assert_eq!(checked["status"], if path == "/204" { 204 } else { 200 }, "{path}");
    }
    let missed = failed(bench.run("check", input("/204", json!({"status": [200]}))).await);
    assert!(missed.message.ends_with("the status is 204, not 200"), "{missed:?}");
    let missed = failed(bench.run("check", input("/gone", json!({}))).await);
    assert_eq!((missed.kind, missed.code.as_deref()), (FailureKind::Transient, Some("http.404")));
    let heads = failed(bench.run("check", input("/heads", json!({}))).await);
    assert_eq!((heads.kind, heads.code.as_deref()), (FailureKind::Transient, Some("http.failed")));
}

#[tokio::test]
async fn a_body_that_is_compared_is_read_as_it_is_or_refused_by_name() {
    let (bench, input) = bench(0).await;
    let up = json!({"json": {"status": "up"}});
    for path in ["/up", "/chunked", "/no-length", "/twice", "/continue"] {
        output(bench.run("check", input(path, up.clone())).await);
        assert_eq!(output(bench.run("get", input(path, json!({}))).await)["json"]["status"], "up", "{path}");
    }
    for (path, code) in [("/gzip", "http.encoding"), ("/short", "http.failed"), ("/large", "http.too-large")] {
        for (action, more) in [("check", up.clone()), ("get", json!({}))] {
            let failure = failed(bench.run(action, input(path, more)).await);
            assert_eq!(failure.code.as_deref(), Some(code), "{path}: {failure:?}");
        }
    }
    let encoded = failed(bench.run("get", input("/gzip", json!({}))).await);
    assert!(encoded.message.contains("content-encoding: gzip"), "{encoded:?}");
    for path in ["/empty", "/chunked-empty", "/204"] {
        let missed = failed(bench.run("check", input(path, up.clone())).await);
        assert!(missed.message.contains("the body is no JSON"), "{path}: {missed:?}");
    }
}

#[tokio::test]
async fn where_redirects_ended_is_told() {
    for (redirects, told) in [(0, "and its grant follows no redirects)"), (3, "(still a redirect after 3)")] {
        let (bench, input) = bench(redirects).await;
        for more in [json!({}), json!({"contains": "up"})] {
            let missed = failed(bench.run("check", input("/around", more)).await);
            assert!(missed.message.contains("the status is 302, not 2xx"), "{missed:?}");
            assert!(missed.message.ends_with(told), "{missed:?}");
        }
    }
}

#[tokio::test]
async fn the_head_alone_is_asked_for_under_the_same_rules() {
    let (bench, input) = bench(0).await;
    bench.grant("");
    let denied = failed(bench.run("check", input("/up", json!({}))).await);
    assert_eq!((denied.kind, denied.code.as_deref()), (FailureKind::Denied, Some("http.denied")));
    assert!(denied.message.contains("to allow it, add under [plugin.http.grants]: http = "), "{denied:?}");
    for url in ["ftp://127.0.0.1/", "nonsense", "http://", "http://127.0.0.1:x/"] {
        let wrong = failed(bench.run("check", json!({"url": url})).await);
        assert_eq!(wrong.code.as_deref(), Some("http.invalid"), "{url}: {wrong:?}");
    }
}
