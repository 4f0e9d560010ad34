//! `runwright check`

use crate::support::Project;

const GOOD: &str = "name: good\nsteps:\n  - id: a\n    uses: hello/greet\n    with: { name: Ada }\n";
const BAD: &str = "name: bad\nsteps:\n  - id: a\n    uses: hello/gret\n    tiemout: 3s\n  - id: a\n    script: 1 +\n";

fn project() -> Project {
    let project = Project::new();
    std::fs::create_dir(project.path("runbooks/more")).expect("a folder");
    project.write("runbooks/good.yaml", GOOD);
    project.write("runbooks/more/bad.yml", BAD);
    project.write("runbooks/good.test.yaml", "cases: []\n");
    project.write("runbooks/notes.txt", "no runbook\n");
    project
}

#[test]
fn a_folder_is_checked_with_all_that_is_in_it() {
    insta::assert_snapshot!(project().call(&["check", "runbooks"]).shown(), @r"
    exit 3
    ok runbooks/good.yaml
    error: the plugin `hello` has no action `gret` [unknown-action]
     --> runbooks/more/bad.yml:4:11
      |
    4 |     uses: hello/gret
      |           ^^^^^^^^^^
      = help: did you mean `hello/greet`?

    error: unknown key `tiemout` in a step [unknown-key]
     --> runbooks/more/bad.yml:5:5
      |
    5 |     tiemout: 3s
      |     ^^^^^^^
      = help: did you mean `timeout`?

    error: there is a step `a` already [duplicate-step]
     --> runbooks/more/bad.yml:6:9
      |
    6 |   - id: a
      |         ^
      = note: its first place is line 3
      = help: give each step an id of its own

    error: it ends too soon [expression]
     --> runbooks/more/bad.yml:7:16
      |
    7 |     script: 1 +
      |                ^
      = help: expressions look like this: inputs.count > 2 && !steps.test.succeeded

    runbooks/more/bad.yml: 4 errors
    1 of 2 files can't be used
    ");
}

#[test]
fn good_files_are_good() {
    let project = project();
    insta::assert_snapshot!(project.call(&["check", "runbooks/good.yaml"]).shown(), @r"
    exit 0
    ok runbooks/good.yaml
    ");
    insta::assert_snapshot!(project.call(&["check", "runbooks/good.yaml", "-o", "json"]).shown(), @r#"
    exit 0
    {
      "files": [
        {
          "file": "runbooks/good.yaml",
          "runbook": "good",
          "diagnostics": []
        }
      ],
      "notes": [],
      "problems": []
    }
    "#);
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    insta::assert_snapshot!(project().call(&["check", "none.yaml"]).shown(), @r"
    exit 3
    --- standard error
    error: could not read none.yaml
      cause: No such file or directory (os error 2)
    ");
}

#[test]
fn a_folder_without_runbooks_is_told() {
    let project = Project::new();
    insta::assert_snapshot!(project.call(&["check", "runbooks", "alarms"]).shown(), @r"
    exit 0
    no runbooks in runbooks, alarms
    ");
}
