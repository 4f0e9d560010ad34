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
    let scene = Scene::new("test/fixture.wasm", "fixture", RUNBOOK, &[]);
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

#[test]
fn a_run_whose_plugin_is_lost_waits_for_it_or_is_cancelled() {
    let lost = |scene: &Scene| {
        scene.remove("plugins/plugin.wasm");
        std::fs::rename(scene.path("state/plugins"), scene.path("aside")).unwrap();
    };
    let scene = Scene::new("test/fixture.wasm", "fixture", RUNBOOK, &[]);
    assert!(was_killed(&scene.run(Some("after:3"))));
    lost(&scene);
    let refused = scene.runwright(&["runs", "resume", "latest"], None);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && told.contains("which can't be used"), "{told}");
    assert_eq!(scene.latest().unwrap()["outcome"], "running");
    std::fs::remove_dir_all(scene.path("state/plugins")).unwrap();
    std::fs::rename(scene.path("aside"), scene.path("state/plugins")).unwrap();
    scene.runwright(&["runs", "resume", "latest"], None);
    assert_eq!(scene.latest().unwrap()["outcome"], "succeeded");

    let scene = Scene::new("test/fixture.wasm", "fixture", RUNBOOK, &[]);
    assert!(was_killed(&scene.run(Some("after:3"))));
    lost(&scene);
    let cancelled = scene.runwright(&["runs", "cancel", "latest"], None);
    // Nobody can tell any more whether the step in flight happened.
    assert_eq!(cancelled.status.code(), Some(4), "{cancelled:?}");
    let settled = scene.runwright(&["settle", "latest", "second", "failed", "--reason", "the plugin is gone"], None);
    assert_eq!(settled.status.code(), Some(6), "{settled:?}");
}
