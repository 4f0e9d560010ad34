//! `exec.wasm`: granted programs, without a shell; what fails says what remains.

use std::fs;

use runwright_core::{FailureKind, Verdict};
use serde_json::{Value, json};

use super::bench::{Bench, happened};
use crate::support::Project;

fn bench() -> Bench {
    let bench = Bench::new("exec");
    bench.grant(
        r#"
        exec = [{ program = "/bin/sh", args = ["-c", "*"], env = ["GREETING", "TOKEN"], cwd = ["FOLDER"] }]
        secrets = { token = { file = "FOLDER/token" } }
        "#,
    );
    fs::write(bench.path("token"), "t0p s3cret").unwrap();
    bench
}

fn sh(script: &str) -> Value {
    json!({"program": "/bin/sh", "args": ["-c", script]})
}

#[test]
fn a_program_gets_what_it_is_given_and_nothing_else() {
    let bench = bench();
    let mut input = sh("cat; pwd; echo $GREETING ${#TOKEN} $HOME; echo warned >&2");
    input["env"] = json!({"GREETING": "hi $(id)"});
    input["secret-env"] = json!({"TOKEN": "token"});
    input["folder"] = json!(bench.text("").trim_end_matches('/'));
    input["input"] = json!("in\n");
    let output = bench.run("run", &input).output;
    let folder = bench.text("").trim_end_matches('/').to_owned();
    assert_eq!(output["stdout"], format!("in\n{folder}\nhi $(id) 10\n"));
    assert_eq!((&output["stderr"], &output["status"]), (&json!("warned\n"), &json!(0)));
    let read = bench.run("query", &sh("echo '{\"free\": 7}'"));
    assert_eq!((read.changed, &read.output["json"]["free"]), (false, &json!(7)));
}

#[test]
fn a_failure_says_what_remains() {
    let bench = bench();
    let failed = bench.fail("run", &sh("echo half done; echo no >&2; exit 3"));
    assert_eq!((failed.kind, failed.code.as_deref()), (FailureKind::Partial, Some("exec.status-3")));
    assert_eq!(failed.message, "/bin/sh ended with status 3: no");
    assert_eq!(bench.fail("query", &sh("exit 3")).kind, FailureKind::Transient);
    let killed = bench.fail("run", &sh("kill -9 $$"));
    assert_eq!((killed.kind, killed.code.as_deref()), (FailureKind::Partial, Some("exec.signal")));
    let mut slow = sh("sleep 60");
    slow["timeout"] = json!("100ms");
    assert!(bench.lose("run", &slow).contains("did not end within 100ms"));
    assert_eq!(bench.fail("query", &slow).kind, FailureKind::Transient);
    let mut expected = sh("exit 3");
    expected["success-statuses"] = json!([0, 3]);
    assert_eq!(bench.run("run", &expected).output["status"], 3);
}

#[test]
fn of_a_flood_the_end_is_kept() {
    let mut input = sh("yes | head -c 100000; echo end");
    input["keep-bytes"] = json!(6);
    let output = bench().run("run", &input).output;
    assert_eq!((&output["stdout"], &output["truncated"]), (&json!("y\nend\n"), &json!(true)));
}

#[test]
fn what_is_not_granted_is_not_run() {
    let bench = bench();
    for input in [
        json!({"program": "/bin/true"}),
        json!({"program": "/bin/sh", "args": ["-c", "true", "more"]}),
        json!({"program": "/bin/sh", "args": ["-c", "true"], "env": {"LD_PRELOAD": "/tmp/x.so"}}),
        json!({"program": "/bin/sh", "args": ["-c", "true"], "folder": "/etc"}),
    ] {
        let failure = bench.fail("run", &input);
        assert_eq!(failure.kind, FailureKind::Denied, "{input}");
        assert!(failure.message.contains("add under [plugin.exec.grants]: exec = [{ program = "), "{failure:?}");
    }
    let mut other = sh("true");
    other["secret-env"] = json!({"TOKEN": "other"});
    assert_eq!(bench.fail("run", &other).kind, FailureKind::Denied);
    assert_eq!(bench.fail("run", &json!({"program": "sh"})).kind, FailureKind::InvalidInput);
}

#[test]
fn a_plan_runs_nothing_and_verify_asks_another_program() {
    let bench = bench();
    let file = bench.text("done");
    let mut input = sh(&format!("touch {file}"));
    let plan = bench.plan("run", &input);
    assert_eq!(plan.summary, format!("runs /bin/sh -c \"touch {file}\""));
    assert!(!bench.path("done").exists());
    assert!(matches!(bench.verify("run", &input), Verdict::CannotTell { .. }));
    input["verify"] = sh(&format!("test -e {file}"));
    assert_eq!(bench.verify("run", &input), Verdict::NotHappened);
    bench.run("run", &input);
    assert!(happened(bench.verify("run", &input)).changed);
}

#[test]
fn a_lost_program_is_verified_and_not_repeated() {
    let project = Project::with_plugins(&["exec"]);
    project.write(
        "runwright.toml",
        "state-dir = \"state\"\n[plugin.exec.grants]\nexec = [{ program = \"/bin/sh\", args = [\"-c\", \"*\"] }]\n",
    );
    // It acts, and then takes longer than it may.
    project.write(
        "lost.yaml",
        "name: lost\nsteps:\n  - id: act\n    uses: exec/run\n    with:\n      program: /bin/sh\n      \
         args: [-c, echo done >> FOLDER/effects; sleep 60]\n      timeout: 1s\n      \
         verify: { program: /bin/sh, args: [-c, grep -q done FOLDER/effects] }\n",
    );
    let ran = project.call(&["run", "lost.yaml"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    assert_eq!(project.lines("effects"), ["done"], "it ran once");
}
