//! `runwright plugin list`

use crate::support::Project;

#[test]
fn plugins_are_listed_with_their_actions_and_what_they_may_reach() {
    let project = Project::with_plugins(&["hello", "http"]);
    let grant = "http = [{ method = \"GET\", url = \"http://127.0.0.1:*/health\", private = true }]";
    project.write("runwright.toml", &format!("state-dir = 'state'\n[plugin.http.grants]\n{grant}\n"));
    insta::assert_snapshot!(project.call(&["plugin", "list"]).shown(), @r"
    exit 0
    hello 0.1.0  Greets people  (sha256:DIGEST)
      greet  read  Greets somebody
    http 0.1.0  Reads and checks URLs  (sha256:DIGEST)
      get    read  Reads a URL; an answer of any status is a success
      check  read  Fails, to be tried again, unless a URL answers as expected
      may use http: GET http://127.0.0.1:*/health (also private addresses)
    ");
    let listed = project.call(&["plugin", "list", "-o", "json"]).json();
    assert_eq!(listed["plugins"][0]["actions"][0]["name"], "greet");
    assert_eq!(listed["plugins"][1]["reach"][0]["capability"], "http");
}

#[test]
fn no_plugins_is_said() {
    insta::assert_snapshot!(Project::with_plugins(&[]).call(&["plugin", "list"]).shown(), @r"
    exit 0
    no plugins in plugins
    ");
}

#[test]
fn the_runs_that_keep_a_plugin_are_named() {
    let project = Project::new();
    // Blocked: a person must decide, so the run is not over.
    project.write(
        "stuck.yaml",
        "name: stuck\nsteps:\n  - { id: a, uses: fixture/append-blind, with: { file: FOLDER/f, line: x, fail: unknown } }\n",
    );
    assert_eq!(project.call(&["run", "stuck.yaml"]).exit, Some(4));
    insta::assert_snapshot!(kept(&project), @r"
    fixture 0.1.0  Actions for tests  (sha256:DIGEST)
      kept by RUN (stuck)
    hello 0.1.0  Greets people  (sha256:DIGEST)
    ");
    // Another binary of that name: the run keeps the one that it began with.
    std::fs::copy(crate::support::plugin("hello"), project.path("plugins/fixture.wasm")).unwrap();
    insta::assert_snapshot!(kept(&project), @r"
    hello 0.1.0  Greets people  (sha256:DIGEST)
    fixture as it was, for runs that began with it  (sha256:DIGEST)
      kept by RUN (stuck)
    ");
    let listed = project.call(&["plugin", "list", "-o", "json"]).json();
    assert_eq!(listed["older"][0]["kept-by"][0]["runbook"], "stuck");
}

/// The plugins and who keeps them.
fn kept(project: &Project) -> String {
    let shown = project.call(&["plugin", "list"]).shown();
    let lines = shown.lines().filter(|line| line.contains("DIGEST") || line.contains("kept by"));
    lines.collect::<Vec<_>>().join("\n")
}
