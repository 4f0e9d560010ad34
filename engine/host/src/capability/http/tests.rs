//! Requests to a server that answers as its path says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::*;
use crate::notes::Silent;
use crate::state::bare;

/// A server; what it was sent, and how often.
struct Server {
    port: u16,
    seen: Arc<Mutex<String>>,
    requests: Arc<AtomicUsize>,
}

fn serve() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server { port, seen: Arc::default(), requests: Arc::default() };
    let (seen, requests) = (Arc::clone(&server.seen), Arc::clone(&server.requests));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            requests.fetch_add(1, Ordering::Relaxed);
            answer(stream, &seen);
        }
    });
    server
}

fn answer(mut stream: TcpStream, seen: &Mutex<String>) {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..read]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    *seen.lock().unwrap() = request;
    let body = "x".repeat(if path == "/large" { 10_001 } else { 10_000 });
    let head = match path.as_str() {
        "/redirect" => "302 Found\r\nlocation: /other".to_owned(),
        "/endless" => "200 OK\r\ntransfer-encoding: chunked".to_owned(),
        "/slow" => return thread::sleep(Duration::from_secs(2)),
        "/headers" => format!("200 OK\r\n{}a: b", "a: b\r\n".repeat(200)),
        _ => "418 Teapot\r\nx-own: \u{e4}".to_owned(),
    };
    write!(stream, "HTTP/1.1 {head}\r\n").ok();
    if path == "/endless" {
        let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
        write!(stream, "\r\n").ok();
        while stream.write_all(chunk.as_bytes()).is_ok() {}
    } else {
        write!(stream, "content-length: {}\r\n\r\n{body}", body.len()).ok();
    }
}

fn request(method: &str, url: String) -> Request {
    Request { method: method.to_owned(), url, headers: vec![], body: vec![], timeout_ms: None }
}

fn state() -> State {
    bare("http = [{ method = '*', url = 'http://127.0.0.1:*/*', private = true }]", Arc::new(Silent))
}

async fn send(server: &Server, path: &str) -> Result<Response, HttpError> {
    state().send(request("GET", format!("http://127.0.0.1:{}{path}", server.port))).await
}

#[tokio::test]
async fn a_request_and_its_response_pass_through() {
    let server = serve();
    let url = format!("http://127.0.0.1:{}/pot?a=b", server.port);
    let headers = vec![("X-Mine".to_owned(), "1".to_owned()), ("x-mine".to_owned(), "2".to_owned())];
    let request = Request { headers, body: b"tea".to_vec(), ..request("POST", url) };
    let response = state().send(request).await.unwrap();
    assert_eq!((response.status, response.body.len()), (418, 10_000));
    assert!(response.headers.iter().any(|(name, _)| name == "x-own"));
    let seen = server.seen.lock().unwrap();
    for part in ["POST /pot?a=b HTTP/1.1", "x-mine: 1", "x-mine: 2", "user-agent: runwright/", "\r\n\r\ntea"] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
}

#[tokio::test]
async fn a_response_is_bounded_in_size_and_time_and_no_redirect_is_followed() {
    let server = serve();
    assert_eq!(send(&server, "/redirect").await.unwrap().status, 302);
    assert_eq!(server.requests.load(Ordering::Relaxed), 1);
    for path in ["/large", "/endless"] {
        assert!(matches!(send(&server, path).await, Err(HttpError::TooLarge)), "{path}");
    }
    assert!(send(&server, "/headers").await.is_err());
    let started = Instant::now();
    let slow = Request { timeout_ms: Some(100), ..request("GET", format!("http://127.0.0.1:{}/slow", server.port)) };
    assert!(matches!(state().send(slow).await, Err(HttpError::TimedOut)));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_malformed_request_is_not_sent() {
    let url = || "http://127.0.0.1:1/".to_owned();
    let header = |name: &str, value: &str| Request {
        headers: vec![(name.to_owned(), value.to_owned())],
        ..request("GET", url())
    };
    for wrong in [
        request("get", url()),
        request("CONNECT", url()),
        request("GET /x HTTP/1.1\r\nhost:", url()),
        request("GET", "127.0.0.1/".to_owned()),
        request("GET", "file:///etc/passwd".to_owned()),
        request("GET", "http://user:password@127.0.0.1/".to_owned()),
        header("Host", "other"),
        header("content-length", "0"),
        header("transfer-encoding", "chunked"),
        header("x", "a\r\nb: c"),
        header("x y", "a"),
    ] {
        let told = format!("{wrong:?}");
        assert!(matches!(state().send(wrong).await, Err(HttpError::Invalid(_))), "{told}");
    }
    let large = Request { body: vec![0; 10_001], ..request("POST", url()) };
    assert!(matches!(state().send(large).await, Err(HttpError::TooLarge)));
}

#[tokio::test]
async fn a_dry_run_only_reads() {
    let server = serve();
    let url = || format!("http://127.0.0.1:{}/", server.port);
    let mut state = state();
    state.read_only = true;
    assert!(state.send(request("GET", url())).await.is_ok());
    assert!(state.send(request("HEAD", url())).await.is_ok());
    assert!(matches!(state.send(request("POST", url())).await, Err(HttpError::Denied(_))));
}
