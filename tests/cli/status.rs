//! `runwright status` where no engine serves; `serve` shows the other side.

use crate::support::Project;

#[test]
fn without_an_engine_it_says_how_to_start_one() {
    insta::assert_snapshot!(Project::with_plugins(&["hello"]).call(&["status"]).shown(), @r"
    exit 0
    no engine serves; start one with `runwright serve`
    plugins
      hello  0.1.0  greet
    ");
}
