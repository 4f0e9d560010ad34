//! Requests to a server that answers as its path says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::*;
use crate::notes::Silent;
use crate::state::{Shared, bare, bare_with};

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
        "/see-other" => "303 See Other\r\nlocation: /other".to_owned(),
        "/again" => "308 Permanent Redirect\r\nlocation: /other".to_owned(),
        "/circle" => "302 Found\r\nlocation: /circle".to_owned(),
        "/user" => "302 Found\r\nlocation: http://user@127.0.0.1/".to_owned(),
        away if away.starts_with("/away/") => format!("307 Away\r\nlocation: http://127.0.0.1:{}/other", &away[6..]),
        "/endless" => "200 OK\r\ntransfer-encoding: chunked".to_owned(),
        "/cut" | "/stalled" => "201 Created".to_owned(),
        "/slow" => return thread::sleep(Duration::from_secs(2)),
        "/headers" => format!("200 OK\r\n{}a: b", "a: b\r\n".repeat(200)),
        _ => "418 Teapot\r\nx-own: \u{e4}".to_owned(),
    };
    write!(stream, "HTTP/1.1 {head}\r\n").ok();
    if path == "/cut" || path == "/stalled" {
        write!(stream, "content-length: 3\r\n\r\nok").ok();
        thread::sleep(Duration::from_secs(if path == "/cut" { 0 } else { 2 }));
    } else if path == "/endless" {
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
    assert!(matches!(state().send(large).await, Err(HttpError::Invalid(_))));
}

#[tokio::test]
async fn a_dry_run_only_reads() {
    let server = serve();
    let url = || format!("http://127.0.0.1:{}/", server.port);
    let mut state = state();
    state.courier.read_only = true;
    assert!(state.send(request("GET", url())).await.is_ok());
    assert!(state.send(request("HEAD", url())).await.is_ok());
    assert!(matches!(state.send(request("POST", url())).await, Err(HttpError::Denied(_))));
}

#[tokio::test]
async fn what_was_asked_for_after_the_end_was_not_sent() {
    let server = serve();
    let mut state = state();
    state.ending = crate::ending::Ending::after(Duration::ZERO);
    let sent = state.send(request("POST", format!("http://127.0.0.1:{}/pot", server.port))).await;
    let unsent =
        matches!(&sent, Err(HttpError::Failed(why)) if why.starts_with("could not connect: the call was over"));
    assert!(unsent, "{sent:?}");
    let report = state.refusals.take();
    assert!(report.late && report.acts == 0 && server.requests.load(Ordering::Relaxed) == 0, "{report:?}");
}

#[tokio::test]
async fn a_request_that_was_sent_may_have_changed_something_unless_it_only_reads() {
    let server = serve();
    let acts = async |method: &str, port: u16, path: &str| {
        let mut state = state();
        let asked = request(method, format!("http://127.0.0.1:{port}{path}"));
        _ = state.send(Request { timeout_ms: Some(1_000), ..asked }).await;
        state.refusals.take().acts
    };
    for (method, path, count) in [("GET", "/pot", 0), ("HEAD", "/pot", 0), ("POST", "/pot", 1), ("PUT", "/slow", 1)] {
        assert_eq!(acts(method, server.port, path).await, count, "{method} {path}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(acts("POST", closed, "/pot").await, 0, "nobody was there");
}

/// A server that takes connections and never says a word.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn what_failed_before_there_was_a_connection_was_not_sent() {
    let (_listener, port) = silent();
    let closed = silent().1;
    let failed = async |grant: &str, url: String| {
        let mut state = bare(&format!("http = [{{ method = '*', private = true, {grant} }}]"), Arc::new(Silent));
        let sent = state.send(Request { timeout_ms: Some(500), ..request("POST", url) }).await;
        assert_eq!(state.refusals.take().acts, 0, "{sent:?}");
        let Err(HttpError::Failed(why)) = sent else { panic!("{sent:?}") };
        why
    };
    let tls = "url = 'https://127.0.0.1:*/*'";
    assert_eq!(failed(tls, format!("https://127.0.0.1:{port}/")).await, "could not connect: no answer in time");
    let refused = failed("url = 'http://127.0.0.1:*/*'", format!("http://127.0.0.1:{closed}/")).await;
    assert!(refused.starts_with("could not connect: Connection refused"), "{refused}");
    let ca = failed(&format!("{tls}, ca = '/no/such.pem'"), format!("https://127.0.0.1:{port}/")).await;
    assert!(ca.starts_with("could not connect: the granted file of certificates"), "{ca}");
    // With a connection nobody knows.
    let asked = Request { timeout_ms: Some(500), ..request("POST", format!("http://127.0.0.1:{port}/")) };
    let mut state = state();
    assert!(matches!(state.send(asked).await, Err(HttpError::TimedOut)));
    assert_eq!(state.refusals.take().acts, 1);
}

#[tokio::test]
async fn of_an_answer_that_broke_off_the_status_is_known() {
    let server = serve();
    for (path, why) in
        [("/cut", "end of file before message length reached"), ("/stalled", "the rest did not come in time")]
    {
        let asked = request("POST", format!("http://127.0.0.1:{}{path}", server.port));
        let sent = state().send(Request { timeout_ms: Some(1_000), ..asked }).await;
        let Err(HttpError::Failed(told)) = sent else { panic!("{path}: {sent:?}") };
        assert_eq!(told, format!("answered 201, and broke off: {why}"));
    }
}

#[tokio::test]
async fn wasi_http_tells_what_was_not_sent_too() {
    use http_body_util::{BodyExt, Empty};
    use wasmtime_wasi_http::{Error, RequestOptions, WasiHttpHooks};
    let (_listener, port) = silent();
    let sent = async |scheme: &str| {
        let grant = format!("http = [{{ method = '*', url = '{scheme}://127.0.0.1:*/*', private = true }}]");
        let body = Empty::<bytes::Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        let request = hyper::Request::post(format!("{scheme}://127.0.0.1:{port}/")).body(body).unwrap();
        let half = Some(Duration::from_millis(250));
        let options = RequestOptions { connect_timeout: half, first_byte_timeout: half, ..RequestOptions::default() };
        let mut state = bare(&grant, Arc::new(Silent));
        let sent = state.outgoing.send_request(request, Some(options), Box::new(async { Ok(()) }));
        std::pin::Pin::from(sent).await.err()
    };
    assert!(matches!(sent("https").await, Some(Error::ConnectionTimeout)));
    assert!(matches!(sent("http").await, Some(Error::HttpResponseTimeout)));
}

/// Follows up to `redirects` from `from` to wherever the grant says.
fn following(redirects: u8, url: &str) -> State {
    let grant = format!("http = [{{ method = '*', url = '{url}', private = true, redirects = {redirects} }}]");
    bare(&grant, Arc::new(Silent))
}

#[tokio::test]
async fn a_redirect_is_followed_where_the_grant_says_and_only_so_often() {
    let server = serve();
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", server.port);
    let post = |path: &str| Request { body: b"tea".to_vec(), ..request("POST", url(path)) };
    let all = || following(1, "http://127.0.0.1:*/*");
    let seen = || server.seen.lock().unwrap().clone();
    assert_eq!(all().send(request("GET", url("/redirect"))).await.unwrap().status, 418);
    assert_eq!(all().send(post("/see-other")).await.unwrap().status, 418);
    assert!(seen().starts_with("GET /other") && !seen().contains("tea"), "{}", seen());
    assert_eq!(all().send(post("/redirect")).await.unwrap().status, 418);
    assert!(seen().starts_with("GET /other"), "{}", seen());
    assert_eq!(all().send(post("/again")).await.unwrap().status, 418);
    assert!(seen().starts_with("POST /other") && seen().ends_with("tea"), "{}", seen());
    // A redirect that asks for a user is none.
    assert_eq!(all().send(request("GET", url("/user"))).await.unwrap().status, 302);
    let before = server.requests.load(Ordering::Relaxed);
    let circle = following(4, "http://127.0.0.1:*/*").send(request("GET", url("/circle"))).await.unwrap();
    assert_eq!((circle.status, server.requests.load(Ordering::Relaxed) - before), (302, 5));
}

#[tokio::test]
async fn a_redirect_to_what_is_not_granted_is_denied_and_secrets_stay_behind() {
    let (server, other) = (serve(), serve());
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", server.port);
    let away = url(&format!("/away/{}", other.port));
    let headers = ["Authorization", "Cookie", "X-Api-Key", "Accept"].map(|name| (name.to_owned(), "mine".to_owned()));
    let asked = || Request { headers: headers.to_vec(), ..request("GET", away.clone()) };
    let refused = following(3, &url("/*")).send(asked()).await;
    let Err(HttpError::Denied(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains(&format!("127.0.0.1:{}/other", other.port)), "{why}");
    assert_eq!(other.requests.load(Ordering::Relaxed), 0);
    assert_eq!(following(3, "http://127.0.0.1:*/*").send(asked()).await.unwrap().status, 418);
    assert!(server.seen.lock().unwrap().contains("authorization: mine"));
    let seen = other.seen.lock().unwrap();
    assert!(seen.contains("accept: mine"), "{seen}");
    assert!(!["authorization", "cookie", "x-api-key"].iter().any(|name| seen.contains(name)), "{seen}");
}

/// A name server that gives one answer after the other.
#[derive(Debug, Default)]
struct Rebinding {
    answers: Mutex<Vec<Vec<&'static str>>>,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl Lookup for Rebinding {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        assert_eq!(host, "rebinding.example");
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.lock().unwrap().remove(0);
        Ok(answer.into_iter().map(|address| address.parse().unwrap()).collect())
    }
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    let server = serve();
    let lookup = Arc::new(Rebinding::default());
    let shared = Shared { clients: Arc::new(Clients::with(Arc::<Rebinding>::clone(&lookup))), ..Shared::default() };
    let send = async |private: bool, answers: &[&[&'static str]]| {
        *lookup.answers.lock().unwrap() = answers.iter().map(|answer| answer.to_vec()).collect();
        lookup.asked.store(0, Ordering::Relaxed);
        let grant = format!("http = [{{ method = '*', url = 'http://rebinding.example:*/*', private = {private} }}]");
        let url = format!("http://rebinding.example:{}/", server.port);
        let asked = Request { timeout_ms: Some(300), ..request("GET", url) };
        let sent = bare_with(&grant, Arc::new(Silent), &shared).send(asked).await;
        (sent, lookup.asked.load(Ordering::Relaxed))
    };
    let private = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1"];
    for address in private.into_iter().chain(["100.64.0.1", "224.0.0.1", "0.0.0.0"]) {
        let (sent, asked) = send(false, &[&[address]]).await;
        assert!(matches!(sent, Err(HttpError::Denied(_))), "{address}: {sent:?}");
        assert_eq!(asked, 1);
    }
    // Public first, private for whoever asks again: nobody does, and what is private is left out.
    for first in [&["192.88.98.1"][..], &["192.88.98.1", "127.0.0.1"]] {
        let (sent, asked) = send(false, &[first, &["127.0.0.1"]]).await;
        assert!(matches!(sent, Err(HttpError::TimedOut | HttpError::Failed(_))), "{sent:?}");
        assert_eq!(asked, 1);
    }
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);
    assert_eq!(send(true, &[&["127.0.0.1"]]).await.0.unwrap().status, 418);
}

/// Serves HTTPS for `localhost`; gives the port and the certificate of who signed for it.
async fn serve_tls() -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            if stream.read(&mut request).await.unwrap_or(0) == 0 {
                continue;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.ok();
            stream.shutdown().await.ok();
        }
    });
    (port, cert.pem())
}

#[tokio::test]
async fn a_server_must_be_who_its_certificate_says() {
    let (port, pem) = serve_tls().await;
    let (_, other) = serve_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!(", ca = '{}'", path.display())
    };
    let send = async |host: &str, ca: &str| {
        let grant = format!("http = [{{ method = 'GET', url = 'https://{host}:*/*', private = true{ca} }}]");
        bare(&grant, Arc::new(Silent)).send(request("GET", format!("https://{host}:{port}/"))).await
    };
    let failed = |sent: Result<Response, HttpError>| match sent {
        Err(HttpError::Failed(why)) => why,
        other => panic!("{other:?}"),
    };
    let granted = file("own.pem", &pem);
    assert_eq!(send("localhost", &granted).await.unwrap().body, b"ok");
    // The file may change while the engine runs.
    file("own.pem", &other);
    assert!(failed(send("localhost", &granted).await).contains("certificate"));
    file("own.pem", &pem);
    assert_eq!(send("localhost", &granted).await.unwrap().status, 200);
    assert!(failed(send("127.0.0.1", &granted).await).contains("not valid for name"));
    // Nobody whom the system trusts has signed for it.
    assert!(failed(send("localhost", "").await).contains("certificate"));
    assert!(failed(send("localhost", &file("none.pem", "none")).await).contains("there is none in it"));
    assert!(failed(send("localhost", ", ca = '/no/such.pem'").await).contains("cannot be read"));
}

#[tokio::test]
async fn few_requests_of_a_call_are_under_way_at_a_time() {
    use http_body_util::{BodyExt, Empty};
    use wasmtime_wasi_http::{Error, WasiHttpHooks};
    let server = serve();
    let mut outgoing = state().outgoing;
    let mut send = async || {
        let body = Empty::<bytes::Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        let uri = format!("http://127.0.0.1:{}/", server.port);
        let request = hyper::Request::builder().uri(uri).body(body).unwrap();
        let sent = outgoing.send_request(request, None, Box::new(async { Ok(()) }));
        std::pin::Pin::from(sent).await.map(|(response, _)| response)
    };
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(send().await.unwrap());
    }
    assert!(matches!(send().await, Err(Error::ConnectionLimitReached)));
    let read = open.pop().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(read.len(), 10_000);
    assert_eq!(send().await.unwrap().status(), 418);
}
