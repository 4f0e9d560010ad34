//! The API of the engine that serves a project, spoken to byte by byte.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use super::{Called, PATIENCE, Project};

impl Project {
    /// Starts an engine that serves the project, and waits until it answers.
    pub(crate) fn serve(&self) -> Called {
        self.serve_with(|_| {})
    }

    /// The same with more in its environment.
    pub(crate) fn serve_with(&self, change: impl FnOnce(&mut std::process::Command)) -> Called {
        let _ = std::fs::remove_file(self.path("state/api.sock"));
        let mut command = self.command(&["serve"]);
        change(&mut command);
        let served = Called::new(command.spawn().expect("runwright starts"), self.folder());
        served.wait_until("serving", || {
            self.connect().is_some_and(|stream| said(stream, "GET", "/v1/status", "").0 == 200)
        })
    }

    /// A connection to the engine; none if it does not answer.
    pub(crate) fn connect(&self) -> Option<UnixStream> {
        let stream = UnixStream::connect(self.path("state/api.sock")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Some(stream)
    }

    /// Sends one request; gives the status and the body.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        said(self.connect().expect("it serves"), method, path, body)
    }

    /// The engine's status.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.ask("GET", "/v1/status", "").1).expect("a status")
    }

    /// The runs that there are, by `runs list`.
    pub(crate) fn runs(&self) -> Vec<Value> {
        let runs: Value = serde_json::from_str(&self.ask("GET", "/v1/runs", "").1).expect("runs");
        runs.as_array().expect("a list").clone()
    }
}

/// The bytes of a request.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").into()
}

fn said(mut stream: UnixStream, method: &str, path: &str, body: &str) -> (u16, String) {
    stream.set_write_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    if stream.write_all(&request(method, path, body)).is_err() {
        return (0, "it was not read to its end".to_owned());
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status, if chunked { joined(body) } else { body.to_owned() })
}

/// A body that came in chunks.
fn joined(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let Some(length) = usize::from_str_radix(length, 16).ok().filter(|length| *length > 0) else { break };
        whole.push_str(&rest[..length]);
        body = rest[length..].trim_start_matches("\r\n");
    }
    whole
}
