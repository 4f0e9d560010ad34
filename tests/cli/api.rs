//! The API against requests that are wrong, too large, too slow or too many.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Project;

/// The message of an error, which has the form that all errors have.
fn message((status, body): (u16, String)) -> (u16, String) {
    let error: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status}: {error}: {body}"));
    (status, error["error"]["message"].as_str().expect("a message").to_owned())
}

#[test]
fn every_error_has_one_form() {
    let project = Project::new();
    let _served = project.serve();
    let asked = |method: &str, path: &str, body: &str| message(project.ask(method, path, body));
    assert_eq!(asked("GET", "/v1/nothing", ""), (404, "the API has nothing there".into()));
    assert_eq!(asked("DELETE", "/v1/runs", ""), (405, "the API does not take this method there".into()));
    assert_eq!(asked("GET", "/v1/runs?limit=many", "").0, 400);
    assert_eq!(asked("GET", "/v1/runs?status=odd", "").0 / 100, 4);
    assert_eq!(asked("GET", "/v1/runs/%ff", "").0, 400);
    assert_eq!(asked("GET", "/v1/runs/01m7y3m6kg7ynja5a7tys8m4tw", "").0, 404);
    assert_eq!(asked("POST", "/v1/runs", "{").0, 422);
    assert_eq!(asked("POST", "/v1/alarms/alertmanager", "{").0, 400);
    assert_eq!(asked("POST", "/v1/alarms/unstarted/retry", r#"{"keys": ["x"], "by": {"who": "me"}}"#).0, 404);
}

#[test]
fn a_body_that_is_too_large_is_answered() {
    let project = Project::new();
    let _served = project.serve();
    let at_most = format!("[]{}", " ".repeat((4 << 20) - 2));
    assert_eq!(project.ask("POST", "/v1/alarms/alertmanager", &at_most).0, 202);
    for more in [1, 8 << 20] {
        let body = format!("{at_most}{}", " ".repeat(more));
        let (status, text) = message(project.ask("POST", "/v1/alarms/alertmanager", &body));
        assert_eq!((status, text.as_str()), (413, "it is larger than 4096 KiB"));
    }
}

/// The resident memory of a process, in MiB.
fn memory_mib(pid: u64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// Sends as much as is taken within a short time.
fn send_some(stream: &mut UnixStream, mut bytes: &[u8]) {
    stream.set_write_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn clients_that_promise_much_and_send_it_slowly_hold_little() {
    let project = Project::new();
    let _served = project.serve();
    let pid = project.status()["pid"].as_u64().expect("a pid");
    let before = memory_mib(pid);
    let most = vec![b' '; 3_000_000];
    let mut slow: Vec<UnixStream> = (0..250)
        .map(|_| {
            let mut stream = project.connect().expect("it serves");
            stream
                .write_all(b"POST /v1/alarms/alertmanager HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n")
                .expect("sent");
            send_some(&mut stream, &most);
            stream
        })
        .collect();
    let held = memory_mib(pid).saturating_sub(before);
    assert!(held < 200, "{held} MiB");
    let began = Instant::now();
    assert_eq!(project.ask("GET", "/v1/status", "").0, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let mut answer = String::new();
    slow.pop().expect("one").read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert!(["408", "503"].contains(&status), "{answer}");
}

#[test]
fn connections_that_say_nothing_end_and_keep_nobody_out() {
    let project = Project::new();
    let _served = project.serve();
    let mut idle: Vec<UnixStream> = (0..300).map(|_| project.connect().expect("it serves")).collect();
    let mut slow = idle.remove(0);
    slow.write_all(b"GET /v1/status HTTP/1.1\r\nhost:").expect("sent");
    assert_eq!(project.ask("GET", "/v1/status", "").0, 200, "there is room when the idle ones have ended");
    slow.read_to_end(&mut Vec::new()).expect("it is closed");
    assert_eq!(idle[0].read(&mut [0; 1]).expect("it is closed"), 0);
}

#[test]
fn a_client_that_reads_no_answers_loses_its_connection() {
    let project = Project::new();
    let _served = project.serve();
    let mut stream = project.connect().expect("it serves");
    stream.set_write_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let request = b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n";
    let (began, mut asked) = (Instant::now(), 0);
    let ended = loop {
        match stream.write(request) {
            Ok(_) => asked += 1,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => break error.kind(),
        }
        assert!(began.elapsed() < Duration::from_secs(90), "it is still open, {asked} requests later");
    };
    assert!(matches!(ended, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{ended}");
    assert!(began.elapsed() > Duration::from_secs(25), "{:?}: a short pause is no harm", began.elapsed());
}
