//! What the host refuses before it acts is known not to have happened, whatever the capability.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use host::{Call, Limits, Verb};
use runwright_core::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::support::{Bench, failed, output};

/// The commands that can't be run, whoever grants them, around each limit; and those that are not granted.
fn refused_commands(script: &str) -> Vec<(Value, FailureKind)> {
    let mut commands = Vec::new();
    let mut add = |kind, more: Value| {
        let mut command = json!({"program": script});
        command.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        commands.push((command, kind));
    };
    for bytes in [131_072, 131_073, 200_000] {
        add(FailureKind::InvalidInput, json!({"args": ["x".repeat(bytes)]}));
        add(FailureKind::InvalidInput, json!({"env": {"A": "x".repeat(bytes - 2)}}));
        add(FailureKind::InvalidInput, json!({"args": ["x".repeat(bytes / 2 + 1), "x".repeat(bytes / 2)]}));
    }
    for count in [1_025, 5_000] {
        add(FailureKind::InvalidInput, json!({"args": vec!["x"; count]}));
    }
    for nul in [json!({"args": ["a\0b"]}), json!({"env": {"A": "\0"}}), json!({"folder": "/\0"})] {
        add(FailureKind::InvalidInput, nul);
    }
    add(FailureKind::InvalidInput, json!({"env": {"A=B": "c"}}));
    for denied in [json!({"program": "/bin/true"}), json!({"env": {"B": "c"}}), json!({"folder": "/etc"})] {
        add(FailureKind::Denied, denied);
    }
    add(FailureKind::Denied, json!({"secret-env": {"A": "none"}}));
    commands
}

#[tokio::test]
async fn a_program_that_was_refused_was_never_started() {
    let bench = Bench::of("exec", Limits { grace_ms: 200, ..Limits::default() }).await;
    let script = bench.path("script");
    fs::write(&script, "#!/bin/sh\ntouch \"${0%/*}/effect\"\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(bench.path("plain"), "no program").unwrap();
    bench.grant(
        "exec = [{ program = 'FOLDER/script', args = ['**'], env = ['A'] }, { program = 'FOLDER/plain' },
                 { program = 'FOLDER' }]",
    );
    let mut commands = refused_commands(&script);
    for program in [bench.path("plain"), bench.path("").trim_end_matches('/').to_owned()] {
        commands.push((json!({"program": program}), FailureKind::InvalidInput));
    }
    for action in ["run", "query"] {
        for (command, kind) in &commands {
            let failure = failed(bench.run(action, command.clone()).await);
            let shown: String = command.to_string().chars().take(100).collect();
            assert_eq!(failure.kind, *kind, "{action} {shown}: {failure:?}");
            assert!(failure.message.len() < 4096, "{shown}");
        }
    }
    assert!(!fs::exists(bench.path("effect")).unwrap());
    // What fits is run.
    for fits in [json!(["x".repeat(131_071)]), json!(vec!["x"; 1_024]), json!(["--option", ""])] {
        output(bench.run("query", json!({"program": script, "args": fits})).await);
    }
    assert!(fs::exists(bench.path("effect")).unwrap());
}

/// What the fixture asks of each capability, and is refused.
async fn refused(bench: &Bench, capability: &str) -> Vec<Failure> {
    let deny = |subject: String| ("deny", json!({"capability": capability, "subject": subject}));
    let fetch = |more: Value| {
        let mut input = json!({"authority": "127.0.0.1:9", "path": "/"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("fetch", input)
    };
    let asked = match capability {
        "exec" | "detached" => vec![deny("/bin/true".into()), deny("true".into()), deny("/no/such".into())],
        "unix" => vec![deny("/run/none.sock".into()), deny("relative".into()), deny(format!("/{}", "x".repeat(5000)))],
        "http" => vec![
            deny("http://127.0.0.1:9/".into()),
            deny("nonsense".into()),
            deny("ftp://127.0.0.1/".into()),
            deny("http://u:p@127.0.0.1:9/".into()),
            fetch(json!({"method": "POST"})),
            fetch(json!({"method": "odd"})),
            fetch(json!({"host": "other"})),
            fetch(json!({"method": "POST", "body": "x".repeat(5_000)})),
            fetch(json!({"wasi": true})),
        ],
        "secret" => vec![deny("none".into()), deny(String::new())],
        "files" => vec![deny("/etc/hostname".into()), deny("/".into()), deny("../x".into())],
        other => panic!("what is refused of {other}?"),
    };
    let mut failures = Vec::new();
    for (action, input) in asked {
        failures.push(failed(bench.run(action, input).await));
    }
    failures
}

#[tokio::test]
async fn no_capability_leaves_a_refusal_unknown() {
    let bench = Bench::with(Limits { body_bytes: 4_000, ..Limits::default() }).await;
    let facts = bench.host.facts_of(bench.plugin).unwrap();
    let needed: BTreeSet<_> =
        host::asks(&facts).iter().filter(|ask| ask.needs == "needs a grant").map(|ask| ask.capability).collect();
    assert_eq!(
        needed,
        ["env", "exec", "files", "http", "secrets", "unix"].into(),
        "each is asked below; `env` has no call"
    );
    for capability in ["exec", "detached", "unix", "http", "secret", "files"] {
        for failure in refused(&bench, capability).await {
            let known = matches!(failure.kind, FailureKind::Denied | FailureKind::InvalidInput);
            assert!(known, "{capability}: {failure:?}");
        }
    }
}

#[tokio::test]
async fn a_denial_is_told_once() {
    let bench = Bench::new().await;
    let failure = failed(bench.run("deny", json!({"capability": "exec", "subject": "/bin/true"})).await);
    assert_eq!(failure.message.matches("to allow it, add").count(), 1, "{failure:?}");
    assert_eq!(bench.told.text(), "", "the failure tells it");
}

#[tokio::test]
async fn a_program_that_was_killed_says_why() {
    let bench = Bench::of("exec", Limits::default()).await;
    bench.grant("exec = [{ program = '/bin/sh', args = ['-c', '*'] }]");
    let sh = |script: &str| json!({"program": "/bin/sh", "args": ["-c", script]});
    let killed = failed(bench.run("run", sh("ulimit -c 0; echo half >&2; kill -SEGV $$")).await);
    assert_eq!(killed.kind, FailureKind::Partial);
    assert_eq!(killed.message, "/bin/sh did not end by itself: half (the program was killed by SIGSEGV)");

    let late = Call { deadline: Some(Duration::from_secs(1)), ..bench.call(Verb::Run, "run", sh("sleep 60")) };
    let reason = crate::support::lost(crate::support::outcome(bench.perform(late).await));
    assert_eq!(reason, "exec/run /bin/sh did not end and was killed: the step's timeout of 1s was over");

    let started = sh(&format!("touch {}; sleep 60", bench.path("begun")));
    let cancel = async {
        while !fs::exists(bench.path("begun")).unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bench.cancel.send_replace(true);
    };
    let (outcome, ()) = tokio::join!(bench.run("run", started), cancel);
    let cancelled = failed(outcome);
    assert_eq!((cancelled.kind, cancelled.code.as_deref()), (FailureKind::Partial, Some("exec.cancelled")));
    let told = "/bin/sh was killed before it ended: the run was cancelled after ";
    assert!(cancelled.message.starts_with(told), "{cancelled:?}");
}
