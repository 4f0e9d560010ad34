//! What is granted works; what is not is denied with the line that would allow it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use host::PluginEntry;
use runwright_core::{Note, Outcome};
use serde_json::{Value, json};

use crate::support::{Bench, denied, failed, gone, output};

fn ask(capability: &str, subject: &str) -> Value {
    json!({"capability": capability, "subject": subject})
}

/// What follows `to allow it, add under …: ` in a refusal.
fn line(refusal: &str) -> String {
    let (_, line) = refusal.split_once("add under [plugin.fixture.grants]: ").unwrap_or_else(|| panic!("{refusal}"));
    line.to_owned()
}

#[tokio::test]
async fn a_refusal_names_the_line_that_allows_it() {
    let bench = Bench::new().await;
    let socket = bench.path("x.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    for (capability, subject) in [
        ("exec", "/bin/true"),
        ("detached", "/bin/true"),
        ("unix", &socket),
        ("http", "http://127.0.0.1:9/x"),
        ("secret", "token"),
    ] {
        bench.host.clear_grants("fixture");
        let refusal = denied(bench.run("deny", ask(capability, subject)).await);
        let line = line(&refusal);
        assert!(!bench.told.text().contains(&line), "{capability}: it is told once");
        let line = line.replace("\"…\"", "\"PATH\"");
        let entry: PluginEntry = toml::from_str(&format!("[grants]\n{line}")).unwrap_or_else(|e| panic!("{line}: {e}"));
        bench.host.set_grants("fixture", &entry, None).unwrap();
        match bench.run("deny", ask(capability, subject)).await {
            Outcome::Succeeded(_) => {}
            Outcome::Failed(failure) if capability == "http" => {
                assert!(failure.message.contains("refused"), "{failure:?}")
            }
            other => panic!("{capability}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn files_are_seen_only_where_granted_and_written_only_where_said() {
    let bench = Bench::new().await;
    let append = |name: &str| json!({"file": bench.path(name), "line": "x"});
    failed(bench.run("append", append("a")).await);
    bench.grant("files = [{ path = 'FOLDER' }]");
    failed(bench.run("append", append("a")).await);
    assert!(!Path::new(&bench.path("a")).exists());
    bench.grant("files = [{ path = 'FOLDER', write = true }]");
    output(bench.run("append", append("a")).await);
    denied(bench.run("deny", ask("files", "/etc/hostname")).await);
    std::os::unix::fs::symlink("/etc/hostname", bench.path("link")).unwrap();
    denied(bench.run("deny", ask("files", &bench.path("link"))).await);
    // A dry run only reads.
    failed(bench.run_in_plan("append", append("b")).await);
    output(bench.run_in_plan("deny", ask("files", &bench.path("a"))).await);
    assert!(!Path::new(&bench.path("b")).exists());
}

#[tokio::test]
async fn a_program_is_told_while_it_runs_and_nothing_of_it_stays() {
    let bench = Bench::new().await;
    let script = bench.path("script");
    fs::write(&script, "#!/bin/sh\nsleep 60 &\necho $! > \"${0%/*}/child\"\nenv > \"${0%/*}/env\"\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bench.grant("exec = [{ program = 'FOLDER/script' }]");
    let started = Instant::now();
    output(bench.run("deny", ask("exec", &script)).await);
    assert!(started.elapsed() < Duration::from_secs(10), "the child that holds the pipes must not be waited for");
    let child = fs::read_to_string(bench.path("child")).unwrap();
    assert!(gone(child.trim()).await, "the group of an ended program is killed");
    let env = fs::read_to_string(bench.path("env")).unwrap();
    assert!(
        env.lines().all(|line| ["PATH=", "LANG=", "PWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own))),
        "{env}"
    );
    let notes = bench.told.notes.lock().unwrap();
    assert!(matches!(&notes[..], [Note::Child { detached: false, program, .. }] if *program == script), "{notes:?}");
}

#[tokio::test]
async fn a_program_dies_with_its_call() {
    let bench = Bench::new().await;
    let script = bench.path("script");
    fs::write(&script, "#!/bin/sh\necho $$ > \"${0%/*}/pid\"\nsleep 60\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bench.grant("exec = [{ program = 'FOLDER/script' }]");
    let call = host::Call {
        deadline: Some(Duration::from_millis(500)),
        ..bench.call(host::Verb::Run, "deny", ask("exec", &script))
    };
    let reply = bench.perform(call).await;
    let pid = fs::read_to_string(bench.path("pid")).unwrap();
    assert!(gone(pid.trim()).await, "{reply:?}");
}

#[tokio::test]
async fn a_detached_program_is_noted_first_outlives_the_call_and_leaves_no_zombie() {
    let mut bench = Bench::new().await;
    let script = bench.path("script");
    let text = "#!/bin/sh\necho $$ > \"${0%/*}/pid\"\nsleep 0.5\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bench.grant("exec = [{ program = 'FOLDER/script', detached = true }]");
    output(bench.run("deny", ask("detached", &script)).await);
    let note = bench.told.notes.lock().unwrap().remove(0);
    let Note::Child { pid, started, detached: true, .. } = note else { panic!("{note:?}") };
    assert!(started > 0 && Path::new(&format!("/proc/{pid}")).exists());
    let session = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session: Vec<_> = session.rsplit_once(')').unwrap().1.split_ascii_whitespace().map(str::to_owned).collect();
    assert_eq!(session[3], pid.to_string(), "it leads a session of its own");
    assert!(gone(&pid.to_string()).await, "it is reaped when it ends");

    // A note that can't be made durable: the program is never run.
    fs::remove_file(bench.path("pid")).unwrap();
    bench.told = std::sync::Arc::new(crate::support::Told { refuse: true, ..Default::default() });
    let outcome = format!("{:?}", bench.run("deny", ask("detached", &script)).await);
    assert!(outcome.contains("disk is full"), "{outcome}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!Path::new(&bench.path("pid")).exists());
    denied(bench.run_in_plan("deny", ask("detached", &script)).await);
}

#[tokio::test]
async fn programs_and_sockets_work_in_a_dry_run_only_where_said() {
    let bench = Bench::new().await;
    let socket = bench.path("x.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    bench.grant("exec = [{ program = '/bin/true' }]\nunix = ['FOLDER/*.sock']");
    for (capability, subject) in [("exec", "/bin/true"), ("unix", socket.as_str())] {
        output(bench.run("deny", ask(capability, subject)).await);
        let refusal = denied(bench.run_in_plan("deny", ask(capability, subject)).await);
        assert!(refusal.contains("in-plan = true"), "{refusal}");
    }
    bench.grant(
        "exec = [{ program = '/bin/true', in-plan = true }]\nunix = [{ path = 'FOLDER/*.sock', in-plan = true }]",
    );
    for (capability, subject) in [("exec", "/bin/true"), ("unix", socket.as_str())] {
        output(bench.run_in_plan("deny", ask(capability, subject)).await);
    }
}

#[tokio::test]
async fn requests_go_where_granted_and_not_to_private_addresses_by_a_name() {
    let bench = Bench::new().await;
    let port = serve();
    bench.grant("http = [{ method = 'GET', url = 'http://127.0.0.1:*/health', private = true }]");
    let url = |host: &str, path: &str| format!("http://{host}:{port}{path}");
    output(bench.run("deny", ask("http", &url("127.0.0.1", "/health"))).await);
    output(bench.run_in_plan("deny", ask("http", &url("127.0.0.1", "/health"))).await);
    denied(bench.run("deny", ask("http", &url("127.0.0.1", "/other"))).await);
    denied(bench.run("deny", ask("http", &url("localhost", "/health"))).await);
    bench.grant(
        "http = [{ method = 'GET', url = 'http://localhost:*/*' }, { method = 'GET', url = 'http://127.0.0.1:*/*' }]",
    );
    for host in ["localhost", "127.0.0.1", "0x7f.1"] {
        let refusal = denied(bench.run("deny", ask("http", &url(host, "/health"))).await);
        assert!(line(&refusal).contains("private = true"), "{refusal}");
    }
    bench.grant("http = [{ method = 'GET', url = 'http://localhost:*/*', private = true }]");
    output(bench.run("deny", ask("http", &url("localhost", "/health"))).await);
}

#[tokio::test]
async fn secrets_are_given_by_name() {
    let bench = Bench::new().await;
    fs::write(bench.path("token"), "s3cret\n").unwrap();
    bench.grant("secrets = { token = { file = 'FOLDER/token' }, none = { env = 'RUNWRIGHT_NO_SUCH' } }");
    output(bench.run("deny", ask("secret", "token")).await);
    assert!(matches!(bench.run("deny", ask("secret", "none")).await, Outcome::Failed(_)));
    assert!(line(&denied(bench.run("deny", ask("secret", "other")).await)).contains("other"));
}

/// Answers every request with 200 for as long as the process lives.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok();
        }
    });
    port
}

#[tokio::test]
async fn a_program_dies_with_all_its_children_when_its_call_is_cancelled() {
    let bench = Bench::new().await;
    let script = bench.path("script");
    fs::write(&script, "#!/bin/sh\nsleep 60 &\necho $! > \"${0%/*}/child\"\necho $$ > \"${0%/*}/pid\"\nwait\n")
        .unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bench.grant("exec = [{ program = 'FOLDER/script' }]");
    let cancel = async {
        while fs::read_to_string(bench.path("pid")).unwrap_or_default().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bench.cancel.send_replace(true);
    };
    let started = Instant::now();
    let (outcome, ()) = tokio::join!(bench.run("deny", ask("exec", &script)), cancel);
    assert!(matches!(outcome, Outcome::Lost { .. }), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
    for file in ["pid", "child"] {
        let pid = fs::read_to_string(bench.path(file)).unwrap();
        assert!(gone(pid.trim()).await, "{file}");
    }
    bench.assert_works().await;
}

#[test]
fn the_page_about_capabilities_is_true_to_the_code() {
    let page = include_str!("../../../../docs/capabilities.md");
    let digest = runwright_core::Digest::of(b"x").to_string();
    let blocks: Vec<_> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 6);
    for block in blocks {
        let text = block.replace("sha256:…", &digest);
        let text = if text.starts_with('[') { text } else { format!("[plugin.deploy.grants]\n{text}") };
        let table: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let entry: PluginEntry = table["plugin"]["deploy"].clone().try_into().unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(entry.grants.problems(), [], "{text}");
    }
    let limits: toml::Table = toml::Table::try_from(host::Limits::default()).unwrap();
    for key in limits.keys() {
        assert!(page.contains(&format!("`{key}`")), "the page does not say what {key} bounds");
    }
}

#[tokio::test]
async fn nothing_is_inherited_and_there_is_no_network() {
    let bench = Bench::new().await;
    let (server, packets) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    server.set_nonblocking(true).unwrap();
    packets.set_nonblocking(true).unwrap();
    for address in [server.local_addr().unwrap(), packets.local_addr().unwrap()] {
        let seen = output(bench.run("look-around", json!({"server": address.to_string()})).await);
        let nothing = json!({
            "variables": [], "arguments": [], "input": "", "root": [], "folder": null,
            "tcp": false, "listen": false, "udp": false, "name": false
        });
        assert_eq!(seen, nothing);
    }
    assert_eq!(server.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(packets.recv(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}
