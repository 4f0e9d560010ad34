//! `runwright doctor`

use std::fs;

use crate::support::{Project, Ran};

/// The lines about these subjects: what the machine is like differs.
fn about(ran: &Ran, subjects: &[&str]) -> String {
    let mut wanted = false;
    let shown = ran.shown();
    let lines = shown.lines().filter(|line| {
        if !line.starts_with(' ') {
            wanted = subjects.iter().any(|subject| line.contains(&format!("  {subject}:")));
        }
        wanted
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_sound_project_is_sound() {
    let project = Project::new();
    let ran = project.call(&["doctor"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    let subjects = ["configuration", "journal", "plugin hello", "plugin fixture", "runbooks"];
    insta::assert_snapshot!(about(&ran, &subjects), @r#"
    ok    configuration: runwright.toml
    ok    journal: there is none yet: the first run makes it
    ok    plugin fixture: 0.1.0, 29 actions (DIGEST); of exec, http, secrets, unix nothing is granted
    ok    plugin hello: 0.1.0, 1 action (DIGEST)
    ok    runbooks: 0 runbooks in runbooks
    "#);
    let json = project.call(&["doctor", "-o", "json"]).json();
    assert_eq!(json["ok"], true);
}

#[test]
fn what_is_wrong_is_told_with_how_to_mend_it() {
    let project = Project::with_plugins(&["hello", "vm"]);
    project.write("runbooks/bad.yaml", "name: bad\n");
    fs::write(project.path("plugins/broken.wasm"), "no component").expect("it is written");
    project.write("runwright.toml", "state-dir = 'state'\n[plugin.vn.grants]\n");
    let ran = project.call(&["doctor"]);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    insta::assert_snapshot!(about(&ran, &["plugin", "plugin vm", "plugin vn", "runbooks"]), @r#"
    fail  plugin: plugins/broken.wasm: plugin plugins/broken.wasm can't be used: it does not begin as WebAssembly does
          → build it again, or take it out of the folder
    warn  plugin vm: 0.1.0, 9 actions (DIGEST); it asks for exec, files, http, unix, of which nothing is granted
          → where a step needs it, add to runwright.toml:
            [plugin.vm.grants]
            exec = [{ program = "/usr/bin/PROGRAM", args = ["ARGUMENT"] }]
            files = [{ path = "/FOLDER" }]
            http = [{ method = "GET", url = "https://HOST/*" }]
            unix = ["/SOCKET"]
    warn  plugin vn: [plugin.vn] is configured, but there is no such plugin
          → mend the name, or take it out
    fail  runbooks: 1 file of runbooks can't be used, 0 can
          → `runwright check runbooks` shows what is wrong
    "#);
    assert!(ran.out.contains("qemu-img") && ran.out.contains("fdatasync takes"), "{}", ran.out);
}

#[test]
fn a_configuration_that_can_not_be_read_is_the_first_thing_told() {
    let project = Project::with_plugins(&[]);
    project.write("runwright.toml", "state-dri = 'state'\n");
    let ran = project.call(&["doctor"]);
    insta::assert_snapshot!(ran.shown(), @r"
    exit 1
    fail  configuration: runwright.toml can't be used: 1 problem found
            error: unknown key `state-dri` [shape]
             --> runwright.toml:1:1
              |
            1 | state-dri = 'state'
              | ^^^^^^^^^
              = help: did you mean `state-dir`?

            runwright.toml: 1 error
          → mend the file; the rest is looked at when it can be read
    ");
    assert_eq!(project.call(&["runs", "list"]).exit, Some(3));
}
