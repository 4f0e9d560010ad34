//! Runs that wait for a person in the middle of a script.

use rustix::process::Signal;
use serde_json::json;

use crate::support::Project;

/// A script whose second call happens without saying so.
const FIX: &str = r#"
name: fix
steps:
  - id: fix
    script: |
      act("fixture/append", #{ file: "FOLDER/effects", line: "one" });
      act("fixture/append-blind", #{ file: "FOLDER/effects", line: "two", fail: "unknown" });
      act("fixture/append", #{ file: "FOLDER/effects", line: "three" }).line.len() > 0
"#;

/// What a person reads about it at the end.
const ASKED: &str = r"
run RUN blocked: a person must decide
  fix/2: nobody knows whether it happened: fixture/append-blind as asked
  look at it, then say what became of it with one of:
    runwright settle RUN fix/2 done    # it happened; --output gives later steps its output
    runwright settle RUN fix/2 failed  # it did not, or not in full
    runwright settle RUN fix/2 retry   # it did not: try again
";

fn blocked() -> Project {
    let project = Project::new();
    project.write("fix.yaml", FIX);
    let ran = project.call(&["run", "fix.yaml"]);
    assert_eq!(ran.exit, Some(4), "{ran:?}");
    let told = ran.shown().replace("exit 4\n", "");
    let (story, asked) = told.split_at(told.find("\nrun RUN blocked").expect("it is blocked"));
    insta::allow_duplicates! {
        insta::assert_snapshot!(story, @r"
        run RUN of fix, started by USER
        fix: started
        fix/1: started
        fix/1: succeeded in TIME
        fix/2: started
        fix/2: nobody knows whether it happened: fixture/append-blind as asked
        ");
    }
    assert!(asked.starts_with(ASKED), "{asked}");
    project
}

const SHOWN: &str = r"
fix, started DATE by USER
  · fix      running  TIME  waits for a person to say what became of its call fix/2
    ✓ fix/1  succeeded  TIME
    ? fix/2  unknown  TIME  nobody knows whether it happened: fixture/append-blind as asked";

#[test]
fn the_call_and_what_to_do_about_it_are_named_everywhere() {
    let project = blocked();
    let shown = || project.call(&["runs", "show", "latest"]).shown();
    let expected = format!("exit 0{SHOWN}{ASKED}");
    assert_eq!(shown(), expected);
    // The engine of `run` was stopped; another one takes it over, and that changes nothing.
    assert_eq!(project.call(&["runs", "resume", "latest"]).exit, Some(4));
    assert_eq!(shown(), expected);
    insta::assert_snapshot!(project.call(&["status"]).shown().lines().take(6).collect::<Vec<_>>().join("\n"), @r"
    exit 0
    no engine serves; start one with `runwright serve`
    runs that wait for a person: `runwright runs show RUN` has the commands
      RUN  fix  blocked  DATE
    what they are asked
      settle RUN fix/2 done|failed|retry  nobody knows whether it happened: fixture/append-blind as asked
    ");
    let history = project.call(&["runs", "show", "latest", "--history"]).shown();
    assert!(history.contains("     6  DATE  fix/2: nobody knows whether it happened"), "{history}");
    let watched = project.call(&["runs", "watch", "latest"]);
    assert_eq!(watched.exit, Some(4));
    assert!(watched.out.contains(" fix/2 done "), "{watched:?}");
    let view = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    let choices = json!({"about": "forward", "choices": ["done", "failed", "retry"]});
    assert_eq!((&view["steps"][0]["steps"][1]["decide"], &view["outcome"]), (&choices, &json!("blocked")));
}

#[test]
fn it_is_settled_by_its_own_name_only_and_the_script_goes_on() {
    let project = blocked();
    insta::assert_snapshot!(project.call(&["settle", "latest", "fix", "done"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not settle step fix of run latest
      cause: step "fix" is a script that waits for its call "fix/2": say what became of "fix/2"
    "#);
    insta::assert_snapshot!(project.call(&["settle", "latest", "fix/2", "done"]).shown(), @r"
    exit 0
    run RUN of fix, started by USER
    so far: fix running
    fix/2: settled as done by USER: succeeded in TIME
    fix/3: started
    fix/3: succeeded in TIME
    fix: succeeded in TIME
    run RUN succeeded in TIME
    ");
    assert_eq!(project.lines("effects").len(), 3, "no call was made twice");
}

#[test]
fn a_cancel_gets_as_far_as_it_can_and_says_what_is_left() {
    for (words, exit) in [(&["runs", "cancel", "latest"][..], 6), (&["runs", "cancel", "latest", "--rollback"], 5)] {
        let project = blocked();
        let cancelled = project.call(words);
        assert_eq!(cancelled.exit, Some(4), "{cancelled:?}");
        assert!(cancelled.out.contains("fix: failed in") && cancelled.out.contains(" fix/2 failed "), "{cancelled:?}");
        let again = project.call(words);
        assert!(again.err.contains("already; it waits for a person to say what became of fix/2"), "{again:?}");
        assert_eq!(project.call(&["settle", "latest", "fix/2", "failed"]).exit, Some(exit));
        assert!(!project.lines("effects").iter().any(|line| line.ends_with("three")));
    }
}

#[test]
fn an_engine_that_dies_in_a_call_leaves_a_run_that_says_so() {
    let project = Project::new();
    project.write("fix.yaml", &FIX.replace("fail: \"unknown\"", "\"sleep-after-ms\": 60000"));
    let serve = || project.start(&["serve"]).wait_until("serving", || project.path("state/api.sock").exists());
    let served = serve();
    assert_eq!(project.call(&["run", "fix.yaml", "--detach"]).exit, Some(0));
    let served = served.wait_until("the second call", || project.lines("effects").len() == 2);
    served.signal(Signal::KILL);
    served.wait();
    std::fs::remove_file(project.path("state/api.sock")).expect("it was left");
    let _served = serve();
    let shown = project.call(&["runs", "watch", "latest"]);
    assert_eq!(shown.exit, Some(4), "{shown:?}");
    assert!(shown.out.contains("fix/2: nobody knows whether it happened: the engine died"), "{shown:?}");
    assert!(shown.out.contains(" fix/2 retry "), "{shown:?}");
}

/// A script whose second call, and a for-each whose second item, happened without saying so, and can be taken back.
const DEEP: [(&str, &str); 2] = [
    (
        "fix/2",
        r#"
name: deep
steps:
  - id: fix
    script: |
      act("fixture/append", #{ file: "FOLDER/clear", line: "one" });
      act("fixture/append", #{ file: "FOLDER/vague", line: "two", fail: "unknown", times: 1 });
      "fixed"
"#,
    ),
    (
        "fleet/2/patch",
        r#"
name: deep
steps:
  - id: fleet
    for-each: [clear, vague]
    as: vm
    steps:
      - id: patch
        uses: fixture/append
        with: { file: "FOLDER/${{ vm }}", line: "${{ vm }}", fail: unknown, times: 1 }
"#,
    ),
];

#[test]
fn each_of_the_four_commands_that_are_shown_works_wherever_a_run_blocks() {
    for (path, runbook) in DEEP {
        for (word, exit, end) in [
            ("done", 0, "succeeded in"),
            ("failed", 1, "failed in"),
            ("retry", 0, "succeeded in"),
            ("undo", 5, "rolled back after"),
        ] {
            let project = Project::new();
            project.write("deep.yaml", runbook);
            // Nobody can read there whether the line was added.
            std::fs::write(project.path("vague"), b"\xff\n").expect("a file");
            let ran = project.call(&["run", "deep.yaml"]);
            assert_eq!(ran.exit, Some(4), "{ran:?}");
            let shown = project.call(&["runs", "show", "latest"]).out;
            let commands: Vec<&str> = shown.lines().filter(|line| line.contains(" settle ")).collect();
            assert_eq!(commands.len(), 4, "{shown}");
            let command = commands.into_iter().find(|line| line.contains(&format!(" {path} {word} ")));
            let command = command.unwrap_or_else(|| panic!("no {word} of {path} in {shown}"));
            let words: Vec<&str> = command.split("  #").next().unwrap_or_default().split_whitespace().skip(1).collect();
            // A person has looked, and mended the file.
            project.write("vague", "");
            let settled = project.call(&words);
            assert_eq!(settled.exit, Some(exit), "{path} {word}: {settled:?}");
            assert!(settled.out.contains(end), "{path} {word}: {settled:?}");
            let undone = |file: &str| project.lines(file).iter().any(|line| line.contains(" undo "));
            assert_eq!((undone("vague"), undone("clear")), (word == "undo", word == "undo"), "{path} {word}");
        }
    }
}
