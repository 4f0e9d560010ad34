//! HTTP/1.0 over TCP (RFC 1945), just enough for tests: `http://HOST:PORT/PATH`, the body until the end.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::bindings::runwright::plugin::http::{HttpError, Request, Response};

pub(crate) fn send(request: &Request) -> Result<Response, HttpError> {
    let rest = request
        .url
        .strip_prefix("http://")
        .ok_or_else(|| HttpError::Invalid("only http:// without an engine".into()))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream =
        TcpStream::connect(host).map_err(|error| HttpError::Failed(format!("could not connect: {error}")))?;
    let timeout = request.timeout_ms.map(|ms| Duration::from_millis(ms.max(1).into()));
    stream.set_read_timeout(timeout).map_err(failed)?;
    let mut head = format!("{} /{path} HTTP/1.0\r\nhost: {host}\r\n", request.method);
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", request.body.len());
    stream.write_all(head.as_bytes()).map_err(failed)?;
    stream.write_all(&request.body).map_err(failed)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(failed)?;
    parse(&bytes).ok_or_else(|| HttpError::Failed("the answer is no HTTP".into()))
}

fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().into(), value.trim().into()))
        .collect();
    Some(Response { status, headers, body: bytes[end + 4..].to_vec() })
}

fn failed(error: io::Error) -> HttpError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => HttpError::TimedOut,
        _ => HttpError::Failed(error.to_string()),
    }
}
