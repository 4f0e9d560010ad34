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

/// A project whose step `act` notes that it began, and then takes a minute; then comes `next`.
fn slow(step: &str) -> Project {
    let project = Project::with_plugins(&["exec"]);
    project.write(
        "runwright.toml",
        "state-dir = \"state\"\n[plugin.exec.grants]\nexec = [{ program = \"/bin/sh\", args = [\"-c\", \"*\"] }]\n",
    );
    project.write(
        "slow.yaml",
        &format!(
            "name: slow\nsteps:\n  - id: act\n    uses: exec/run\n    with:\n      program: /bin/sh\n      \
             args: [-c, echo begun >> FOLDER/effects; sleep 60]\n{step}  - id: next\n    uses: exec/run\n    \
             with: {{ program: /bin/sh, args: [-c, echo next >> FOLDER/effects] }}\n"
        ),
    );
    project
}

#[test]
fn a_run_whose_program_was_killed_is_cancelled_and_says_what_remains() {
    let project = slow("");
    let called = project.start(&["run", "slow.yaml"]);
    let called = called.wait_until("the program", || project.lines("effects") == ["begun"]);
    called.signal(rustix::process::Signal::INT);
    insta::assert_snapshot!(called.wait().shown(), @r"
    exit 6
    run RUN of slow, started by USER
    act: started
    cancelling: the step in flight was asked to stop; Ctrl-C again leaves the run to be resumed
    cancelled by USER (Ctrl-C)
    act: failed in TIME: /bin/sh was killed before it ended: the run was cancelled after TIME
    next: skipped: the run ended before it
    run RUN cancelled after TIME
    ");
    let shown = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    assert_eq!(shown["steps"][0]["error"]["kind"], "partial", "{shown:#}");
    assert_eq!(project.lines("effects"), ["begun"], "nothing is repeated");
}

#[test]
fn the_timeout_of_the_step_is_told_and_not_that_of_the_program() {
    let ran = slow("    timeout: 1s\n    on-unknown: fail\n").call(&["run", "slow.yaml"]);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert!(ran.out.contains("/bin/sh did not end and was killed: the step's timeout of 1s was over"), "{ran:?}");
    assert!(!ran.out.contains("5m"), "{ran:?}");
}

#[test]
fn a_secret_that_is_a_word_stops_no_step_and_changes_no_decision() {
    let project = Project::with_plugins(&["exec"]);
    project.write(
        "runwright.toml",
        "state-dir = \"state\"\n[plugin.exec.grants]\nsecrets = { db = { file = \"FOLDER/db\" } }\n\
         exec = [{ program = \"/bin/sh\", args = [\"-c\", \"*\"], env = [\"DB\"] }]\n",
    );
    project.write("db", "test\n");
    project.write(
        "word.yaml",
        r#"
name: word
steps:
  - id: status
    uses: exec/query
    with: { program: /bin/sh, args: [-c, 'echo "{\"status\": \"latest\", \"stage\": \"test\"}"'] }
  - id: decide
    if: steps.status.output.json.status == "latest" && steps.status.output.json.stage == "test"
    uses: exec/query
    with: { program: /bin/sh, args: [-c, 'echo $DB is up; echo the latest'], secret-env: { DB: db } }
outputs:
  said: ${{ steps.decide.output.stdout }}
"#,
    );
    let ran = project.call(&["run", "word.yaml"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    assert!(ran.out.contains("[secret db] is up") && ran.out.contains("the latest"), "{ran:?}");
    let told = |text: &str| text.matches("too short or too common to be told from other text").count();
    assert_eq!((told(&ran.err), told(&ran.out)), (1, 1), "the engine says it once, and the step that gets it: {ran:?}");
    let doctor = project.call(&["doctor"]);
    assert_eq!(told(&doctor.out), 1, "{doctor:?}");
    fs::remove_file(project.path("db")).unwrap();
    let doctor = project.call(&["doctor"]);
    let missing = format!("the secret db is granted, but its file {}", project.path("db").display());
    assert!(doctor.out.contains(&missing), "{doctor:?}");
    let failed = project.call(&["run", "word.yaml"]);
    assert!(failed.out.contains("the secret db has no value") && failed.out.contains(&missing), "{failed:?}");
}

#[test]
fn a_denied_probe_restarts_nothing() {
    let project = slow("");
    project.write(
        "heal.yaml",
        "name: heal\nsteps:\n  - id: probe\n    uses: exec/query\n    with: { program: /usr/bin/curl }\n    \
         on-failure: continue\n  - id: restart\n    if: \"!steps.probe.succeeded\"\n    uses: exec/run\n    \
         with: { program: /bin/sh, args: [-c, echo restarted >> FOLDER/effects] }\n",
    );
    let ran = project.call(&["run", "heal.yaml"]);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert!(ran.out.contains("restart: skipped"), "{ran:?}");
    assert!(project.lines("effects").is_empty());
}

#[test]
fn grants_that_give_more_than_they_say_are_told() {
    let project = slow("");
    let told = project.call(&["plugin", "grants", "exec"]);
    assert!(
        told.out.contains("careful: /bin/sh -c *: with arguments that the plugin chooses, sh may run any"),
        "{told:?}"
    );
    let doctor = project.call(&["doctor"]);
    assert!(doctor.out.contains("sh may run any program"), "{doctor:?}");
}
