//! `runwright runs logs`: what steps say is shown while they say it, kept within bounds, and forgotten with its run.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Called, Project, Ran};

const SECRET: &str = "hunter22 is a secret that is long enough to be broken into two lines of Base64";

/// A project whose programs run in a shell, with this as the first lines of its configuration.
fn project(settings: &str) -> Project {
    let project = Project::with_plugins(&["exec"]);
    project.write(
        "runwright.toml",
        &format!(
            "state-dir = \"state\"\ngrace = 2\n{settings}\n[plugin.exec.grants]\n\
             exec = [{{ program = \"/bin/sh\", args = [\"-c\", \"*\"], env = [\"TOKEN\"] }}]\n\
             secrets = {{ token = {{ file = \"FOLDER/token\" }} }}\n"
        ),
    );
    project.write("token", SECRET);
    project
}

/// A runbook of one step `say` that runs this in a shell.
fn says(project: &Project, script: &str) {
    project.write("script.sh", script);
    project.write(
        "runbooks/says.yaml",
        "name: says\nsteps:\n  - id: say\n    uses: exec/run\n    with:\n      program: /bin/sh\n      \
         args: [-c, \". FOLDER/script.sh\"]\n      secret-env: { TOKEN: token }\n",
    );
}

fn served(project: &Project) -> Called {
    project.start(&["serve"]).wait_until("serving", || project.path("state/api.sock").exists())
}

/// Each line of an output of `-o json`.
fn lines(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn texts(ran: &Ran) -> Vec<String> {
    lines(ran).iter().map(|line| line["text"].as_str().expect("text").to_owned()).collect()
}

/// Bytes of all files below a folder; none of them holds `SECRET`, or the beginning or end of it.
fn bytes_without_secret(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.file_type().expect("a type") {
            kind if kind.is_dir() => bytes += bytes_without_secret(&entry.path()),
            kind if kind.is_file() => {
                let text = fs::read(entry.path()).expect("it reads");
                assert_without_secret(&entry.path().display().to_string(), &String::from_utf8_lossy(&text));
                bytes += text.len() as u64;
            }
            _ => {}
        }
    }
    bytes
}

fn assert_without_secret(what: &str, text: &str) {
    for part in ["hunter22", "is a secret", "lines of Base64", "aHVudGVyMjI", "aW5lcyBvZiBCYXNlNjQ"] {
        assert!(!text.contains(part), "{what} has {part:?}: {}", &text[..text.len().min(2000)]);
    }
}

#[test]
fn each_print_of_a_loop_is_shown_when_it_is_printed_and_all_of_it_is_kept() {
    let project = project("");
    project.write(
        "prints.yaml",
        "name: prints\nsteps:\n  - id: loop\n    script: |\n      for n in 0..300 { print(`line ${n}`); }\n      \
         act(\"exec/run\", #{ program: \"/bin/sh\", args: [\"-c\", \"echo begun; until test -e FOLDER/go; do sleep 0.02; \
         done; echo done >&2\"] });\n      print(\"end\");\n",
    );
    let called = project.start(&["run", "prints.yaml"]);
    let called = called.wait_until_printed("loop | line 0\n").wait_until_printed("loop | line 299\n");
    let called = called.wait_until_printed("loop/1 | begun\n");
    assert!(!project.path("go").exists(), "it was shown while the step went on");
    project.write("go", "");
    let ran = called.wait();
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    assert!(ran.out.contains("loop/1 | done\n") && ran.out.contains("loop | end\n"), "{ran:?}");
    let logged = project.call(&["runs", "logs", "latest", "loop", "-o", "json"]);
    let mut expected: Vec<String> = (0..300).map(|n| format!("line {n}")).collect();
    expected.extend(["begun", "done", "end"].map(str::to_owned));
    assert_eq!(texts(&logged), expected);
    assert_eq!(texts(&project.call(&["runs", "logs", "latest", "-o", "json"])), expected);
    insta::assert_snapshot!(project.call(&["runs", "logs", "latest", "loop/1"]).shown(), @r"
    exit 0
    DATE  loop/1  stdout: begun
    DATE  loop/1  stderr: done
    ");
    let other = project.call(&["runs", "logs", "latest", "--attempt", "2"]);
    assert_eq!(other.out, "run latest has said nothing\n");
}

#[test]
fn a_secret_that_a_program_prints_is_neither_shown_nor_kept() {
    let project = project("");
    // As it is; in two writes with a pause between them; broken into lines of Base64; without an end.
    says(
        &project,
        "echo \"$TOKEN\"; printf '%.11s' \"$TOKEN\"; sleep 0.7; printf '%s\\n' \"${TOKEN#???????????}\"\n\
         echo \"$TOKEN\" >&2; printf %s \"$TOKEN\" | base64; printf 'end %s' \"$TOKEN\"\n",
    );
    let ran = project.call(&["run", "says", "-v"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    for words in
        [&["runs", "logs", "latest"][..], &["runs", "logs", "latest", "-o", "json"], &["runs", "show", "latest"]]
    {
        let shown = project.call(words);
        assert_without_secret(&words.join(" "), &(shown.out + &shown.err));
    }
    assert_without_secret("run", &(ran.out.clone() + &ran.err));
    assert_eq!(ran.out.matches("say | [secret token]").count(), 4, "{ran:?}");
    assert!(ran.out.contains("say | end [secret token]"), "{ran:?}");
    assert!(bytes_without_secret(&project.path("state/logs")) > 0);
    bytes_without_secret(&project.path("state"));
}

#[test]
fn a_program_that_never_stops_talking_is_bounded_and_said_to_be() {
    let project = project("");
    says(
        &project,
        "echo first; printf '\\033[2J\\033]0;title\\007red\\n'; yes '\\033[31mflood' | head -c 6000000\n\
         head -c 2000000 /dev/urandom; head -c 6000000 /dev/zero; echo; echo last\n",
    );
    let ran = project.call(&["run", "says"]);
    assert_eq!(ran.exit, Some(0), "{}", &ran.out[..ran.out.len().min(2000)]);
    assert!(ran.out.len() < 3 << 20, "{}", ran.out.len());
    assert!(!ran.out.contains('\u{1b}') && ran.out.contains("say | red\n"));
    let kept = bytes_without_secret(&project.path("state/logs"));
    assert!((100_000..4 << 20).contains(&kept), "{kept}");
    let logged = project.call(&["runs", "logs", "latest", "-o", "json"]);
    let logged = lines(&logged);
    let text = |line: Option<&Value>| line.and_then(|line| line["text"].as_str()).map(str::to_owned);
    assert_eq!((text(logged.first()), text(logged.last())), (Some("first".into()), Some("last".into())));
    let left_out: u64 = logged.iter().filter_map(|line| line["left-out"].as_u64()).sum();
    assert!(left_out > 100_000, "{left_out}");
    assert!(logged.len() <= 10_000, "{}", logged.len());
    let shown = project.call(&["runs", "logs", "latest"]).out;
    assert!(shown.contains("lines left out\n") && !shown.contains('\u{1b}'));
}

#[test]
fn a_run_keeps_so_much_and_may_keep_nothing() {
    let script = "yes 0123456789 | head -n 5000";
    let kept = |settings: &str| {
        let project = project(settings);
        says(&project, script);
        assert_eq!(project.call(&["run", "says"]).exit, Some(0));
        let folder = project.path("state/logs");
        (if folder.exists() { bytes_without_secret(&folder) } else { 0 }, project.call(&["runs", "logs", "latest"]).out)
    };
    assert_eq!(kept("[logs]\nrun-bytes = 0\n"), (0, "run latest has said nothing\n".to_owned()));
    let (bytes, shown) = kept("[logs]\nrun-bytes = 80000\n");
    assert!((60_000..=80_100).contains(&bytes) && shown.contains("lines left out\n"), "{bytes}");
    let (bytes, shown) = kept("[logs]\nrun-bytes = 8000000\n");
    assert!(bytes > 300_000 && !shown.contains("left out"), "{bytes}");
}

#[test]
fn what_a_run_says_is_followed_to_its_end_with_a_server_and_without() {
    for serves in [true, false] {
        let project = project("");
        says(&project, "printf 'one\\ntwo\\nPassword: '; until test -e FOLDER/go; do sleep 0.02; done; echo three");
        let engine = if serves { served(&project) } else { project.start(&["run", "says"]) };
        if serves {
            assert_eq!(project.call(&["run", "says", "--detach"]).exit, Some(0));
        }
        let engine = engine.wait_until("a run", || project.path("state/logs").exists());
        let follower = project.start(&["runs", "logs", "latest", "say", "-f"]);
        // Its line has no end yet.
        let follower = follower.wait_until_printed("stdout: two\n").wait_until_printed("stdout: Password: \n");
        project.write("go", "");
        let followed = follower.wait();
        let said: Vec<&str> =
            followed.out.lines().filter_map(|line| line.split_once("stdout: ").map(|it| it.1)).collect();
        assert_eq!((followed.exit, said), (Some(0), vec!["one", "two", "Password: ", "three"]), "{followed:?}");
        if serves {
            engine.signal(Signal::TERM);
        }
        assert_eq!(engine.wait().exit, Some(0));
    }
}

#[test]
fn a_run_or_step_that_there_is_not_is_an_error_that_says_what_there_is() {
    let project = project("");
    says(&project, "echo hello");
    project.call(&["run", "says"]);
    let ran = project.call(&["runs", "logs", "latest", "sya"]);
    insta::assert_snapshot!(ran.shown(), @r#"
    exit 3
    --- standard error
    error: could not show what run latest said
      cause: there is no step "sya" in this run (its steps: say); did you mean "say"?
    "#);
    let ran = project.call(&["runs", "logs", "nope"]);
    assert_eq!(ran.exit, Some(3), "{ran:?}");
    assert!(ran.err.contains("there is no run \"nope\""), "{ran:?}");
    let served = served(&project);
    let ran = project.call(&["runs", "logs", "latest", "sya"]);
    assert!(ran.exit == Some(3) && ran.err.contains("did you mean \"say\"?"), "{ran:?}");
    served.signal(Signal::TERM);
    served.wait();
}

#[test]
fn a_failed_step_shows_what_it_said_last_and_says_nothing_twice() {
    let project = project("");
    says(&project, "for n in 1 2 3 4 5 6; do echo \"looked at $n\"; done; echo 'no such disk' >&2; exit 3");
    assert_eq!(project.call(&["run", "says"]).exit, Some(1));
    insta::assert_snapshot!(project.call(&["runs", "show", "latest"]).shown(), @r"
    exit 0
    says, started DATE by USER
      ✗ say  failed  TIME  /bin/sh ended with status 3: no such disk
          | looked at 2
          | looked at 3
          | looked at 4
          | looked at 5
          | looked at 6
          all of it: `runwright runs logs RUN say`
    run RUN failed in TIME: say: /bin/sh ended with status 3: no such disk
    ");
}

#[test]
fn what_was_said_is_forgotten_with_its_run_also_where_a_crash_came_between() {
    let project = project("");
    says(&project, "echo hello");
    project.call(&["run", "says"]);
    let folder = project.path("state/logs");
    let kept = || fs::read_dir(&folder).expect("a folder").count();
    // What a crash leaves between forgetting a run and removing what it said.
    fs::create_dir(project.path("state/logs/01m7y3fvg6nctaftgqvxn01e55")).expect("a folder");
    assert_eq!(kept(), 2);
    let served = served(&project).wait_until("the orphan is gone", || kept() == 1);
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
    assert_eq!(texts(&project.call(&["runs", "logs", "latest", "-o", "json"])), ["hello"]);
    project.call(&["journal", "prune", "--older-than", "0h", "--dry-run"]);
    assert_eq!(kept(), 1);
    let pruned = project.call(&["journal", "prune", "--older-than", "0h"]);
    assert!(pruned.out.starts_with("forgot 1 run "), "{pruned:?}");
    assert_eq!(kept(), 0);
}

#[test]
fn where_nothing_can_be_kept_runs_go_on_and_the_status_says_so_once() {
    let project = project("");
    says(&project, "echo hello");
    project.write("state/logs", "in the way");
    let served = served(&project);
    for _ in 0..3 {
        let ran = project.call(&["run", "says"]);
        assert!(ran.exit == Some(0) && ran.out.contains("say | hello\n"), "{ran:?}");
    }
    let status = project.call(&["status"]).out;
    assert_eq!(status.matches("what steps say can't be kept: ").count(), 1, "{status}");
    served.signal(Signal::TERM);
    let ran = served.wait();
    assert_eq!(ran.err.matches("what steps say can't be kept: ").count(), 1, "{ran:?}");
    assert_eq!(ran.exit, Some(0));
}
