//! Names of runbooks whose files have errors, and names that there are not.

use serde_json::json;

use crate::support::Project;

const GOOD: &str = "name: heal\nsteps:\n  - { id: a, uses: hello/greet, with: { name: x } }\n";
const BROKEN: &str = "name: heal\nsteps:\n  - { id: a, uses: hello/gret, with: { name: x } }\n";

#[test]
fn the_errors_of_a_file_are_shown_to_who_asks_for_its_name() {
    let project = Project::new();
    project.write("runbooks/heal.yaml", BROKEN);
    insta::assert_snapshot!(project.call(&["run", "heal"]).shown(), @r"
    exit 3
    --- standard error
    error: the plugin `hello` has no action `gret` [unknown-action]
     --> runbooks/heal.yaml:3:20
      |
    3 |   - { id: a, uses: hello/gret, with: { name: x } }
      |                    ^^^^^^^^^^
      = help: did you mean `hello/greet`?

    runbooks/heal.yaml: 1 error

    error: could not run heal
      cause: runbooks/heal.yaml is not a runbook that can run: 1 problem found
    ");
    let planned = project.call(&["plan", "heal"]);
    assert_eq!(planned.exit, Some(3));
    assert!(planned.err.contains("--> runbooks/heal.yaml:3:20"), "{planned:?}");
    // The name counts as it stands in the file, and as that of the file.
    project.write("runbooks/heal.yaml", &GOOD.replace("heal", "well"));
    project.write("runbooks/other.yaml", BROKEN);
    for name in ["heal", "other"] {
        let ran = project.call(&["run", name]);
        assert!(ran.err.contains("--> runbooks/other.yaml:3:20"), "{ran:?}");
    }
    assert_eq!(project.call(&["run", "well"]).exit, Some(0));
}

#[test]
fn a_name_that_is_not_there_is_told_with_the_one_that_is_near() {
    let project = Project::new();
    project.write("runbooks/heal.yaml", GOOD);
    insta::assert_snapshot!(project.call(&["run", "hael"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not run hael
      cause: there is no runbook "hael"; did you mean `heal`?
    "#);
    insta::assert_snapshot!(project.call(&["plan", "disk-full"]).shown(), @r#"
    exit 3
    --- standard error
    error: could not plan disk-full
      cause: there is no runbook "disk-full"; there are: heal
    "#);
}

#[test]
fn the_last_good_version_is_run_with_a_warning() {
    let project = Project::new();
    project.write("runbooks/heal.yaml", GOOD);
    let served = project.start(&["serve"]);
    let served = served.wait_until("serving", || project.path("state/api.sock").exists());
    assert_eq!(project.call(&["run", "heal"]).err, "");
    project.write("runbooks/heal.yaml", BROKEN);
    let is_stale = || project.call(&["status", "-o", "json"]).json()["runbooks"][0]["stale"] == json!(true);
    let _served = served.wait_until("the errors are seen", is_stale);
    insta::assert_snapshot!(project.call(&["run", "heal"]).shown(), @r"
    exit 0
    run RUN of heal, started by USER
    a: started
    a: succeeded in TIME
    run RUN succeeded in TIME
    --- standard error
    warning: runbooks/heal.yaml has errors now, so this is the last good version of it; `runwright check runbooks/heal.yaml` shows them
    ");
}
