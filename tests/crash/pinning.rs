//! A run keeps what it began with: its runbook and its plugins, whatever happens to the files meanwhile.

use super::scene::{Scene, was_killed};

const RUNBOOK: &str = r#"
name: pinned
steps:
  - { id: first, uses: fixture/append, with: { file: FOLDER/effects, line: "first" } }
  - { id: second, uses: fixture/append, with: { file: FOLDER/effects, line: "second" } }
outputs: { last: "${{ steps.second.output.line }}" }
"#;

/// The engine dies between the two steps; what `change` does to the files must not matter to the run.
fn goes_on_after(change: impl Fn(&Scene)) {
    let scene = Scene::new("fixture.wasm", "fixture", RUNBOOK, &[]);
    assert!(was_killed(&scene.run(Some("after:3"))));
    assert_eq!(scene.lines("effects").len(), 1);
    change(&scene);
    scene.runwright(&["runs", "resume", "latest"], None);
    let run = scene.latest().unwrap();
    assert_eq!(run["outcome"], "succeeded", "{run:#}");
    assert!(scene.lines("effects")[1].ends_with(" second"));
}

#[test]
fn editing_or_deleting_the_runbook_changes_new_runs_only() {
    goes_on_after(|scene| scene.write("runbook.yaml", "name: pinned\nsteps: [{ id: other, script: '1' }]\n"));
    goes_on_after(|scene| scene.remove("runbook.yaml"));
}

#[test]
fn replacing_or_removing_the_plugin_changes_new_runs_only() {
    goes_on_after(|scene| scene.remove("plugins/plugin.wasm"));
    goes_on_after(|scene| scene.write("plugins/plugin.wasm", "this is no plugin"));
    goes_on_after(|scene| scene.plugin("hello.wasm"));
}
