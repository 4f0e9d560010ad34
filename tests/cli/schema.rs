//! `runwright schema`

use crate::support::Project;

#[test]
fn the_schema_that_is_printed_is_the_one_that_the_examples_name() {
    let project = Project::with_plugins(&[]);
    let ran = project.call(&["schema"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbook.schema.json");
    let kept = std::fs::read_to_string(root).unwrap();
    assert!(ran.out == kept, "`runwright schema > docs/runbook.schema.json` makes it new");
}
