//! `runwright status` where no engine serves; `serve` shows the other side.

use crate::support::Project;

#[test]
fn without_an_engine_it_says_how_to_start_one() {
    let project = Project::with_plugins(&["hello"]);
    assert_eq!(project.call(&["status", "--require-engine"]).exit, Some(1));
    insta::assert_snapshot!(project.call(&["status"]).shown(), @r"
    exit 0
    no engine serves; start one with `runwright serve`
    there is no journal in state yet: the first run makes it
    plugins
      hello  0.1.0  greet
    ");
}
