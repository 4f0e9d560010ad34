//! `runwright plugin grants`

use crate::support::Project;

#[test]
fn what_a_plugin_has_and_lacks_is_shown_with_the_lines_for_it() {
    let project = Project::with_plugins(&["vm"]);
    insta::assert_snapshot!(project.call(&["plugin", "grants", "vm"]).shown(), @r#"
    exit 0
    vm 0.1.0  (sha256:DIGEST)
      lacks  exec   run programs on the engine's machine
      lacks  files  read and write folders (some languages import this in any case)
      lacks  unix   talk to Unix sockets on the engine's machine
      lacks  http   send HTTP requests
      lacks  env    read environment variables of the engine (all programs for WASI import this)

    To grant what it lacks, narrow these down and add them to runwright.toml:
      [plugin.vm.grants]
      exec = [{ program = "/usr/bin/PROGRAM", args = ["ARGUMENT"] }]
      files = [{ path = "/FOLDER" }]
      http = [{ method = "GET", url = "https://HOST/*" }]
      unix = ["/SOCKET"]
    "#);
    let add = project.call(&["plugin", "grants", "vm", "-o", "json"]).json()["add"]["lines"].clone();
    let lines: Vec<&str> = add.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    // The lines are good as they are.
    project.write("runwright.toml", &format!("state-dir = 'state'\n{}\n", lines.join("\n")));
    assert_eq!(project.call(&["plugin", "grants", "vm", "-o", "json"]).json()["add"], serde_json::Value::Null);
}

#[test]
fn a_table_that_is_there_is_not_begun_again() {
    let project = Project::with_plugins(&["vm"]);
    let grants = "[plugin.vm.grants]\nunix = ['/vms/*/qmp.sock']\nsecrets = { token = { env = 'TOKEN' } }\n";
    project.write("runwright.toml", &format!("state-dir = 'state'\n{grants}"));
    insta::assert_snapshot!(project.call(&["plugin", "grants", "vm"]).shown(), @r#"
    exit 0
    vm 0.1.0  (sha256:DIGEST)
      lacks  exec     run programs on the engine's machine
      lacks  files    read and write folders (some languages import this in any case)
      has    unix     /vms/*/qmp.sock
      lacks  http     send HTTP requests
      lacks  env      read environment variables of the engine (all programs for WASI import this)
      has    secrets  token (from the environment variable TOKEN), which it does not import

    To grant what it lacks, narrow these down and add them to runwright.toml under [plugin.vm.grants]:
      exec = [{ program = "/usr/bin/PROGRAM", args = ["ARGUMENT"] }]
      files = [{ path = "/FOLDER" }]
      http = [{ method = "GET", url = "https://HOST/*" }]
    "#);
}

#[test]
fn a_plugin_that_is_not_there_is_told_with_those_that_are() {
    let project = Project::with_plugins(&["hello"]);
    insta::assert_snapshot!(project.call(&["plugin", "grants", "helo"]).shown(), @r#"
    exit 3
    --- standard error
    error: there is no plugin "helo"
      hint: there are: hello
    "#);
    insta::assert_snapshot!(project.call(&["plugin", "grants", "hello"]).shown(), @r"
    exit 0
    hello 0.1.0  (sha256:DIGEST)
      lacks  env  read environment variables of the engine (all programs for WASI import this)
    ");
}
