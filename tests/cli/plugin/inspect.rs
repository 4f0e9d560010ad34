//! `runwright plugin inspect`

use crate::support::{Project, plugin};

fn inspect(file: &str, more: &[&str]) -> crate::support::Ran {
    let file = plugin(file);
    let words = [&["plugin", "inspect", file.to_str().unwrap()], more].concat();
    let project = Project::with_plugins(&[]);
    let ran = project.call(&words);
    assert!(!project.path(".runwright").exists(), "it needs no engine and leaves nothing behind");
    ran
}

/// Without what changes whenever the plugin is built.
fn shown(ran: &crate::support::Ran) -> String {
    let text = ran.shown().replace(env!("CARGO_MANIFEST_DIR"), "REPO");
    regex::Regex::new(r"\d+ bytes").unwrap().replace(&text, "SIZE bytes").into_owned()
}

#[test]
fn a_component_is_shown_with_all_that_it_can_ask_for() {
    insta::assert_snapshot!(shown(&inspect("hello", &[])), @r"
    exit 0
    hello 0.1.0  Greets people
      file     REPO/plugins/dist/hello.wasm
      size     SIZE bytes
      digest   sha256:DIGEST
      kind     component
      exports  runwright:plugin/actions@0.1.0

    Can ask for:
      env               needs a grant  read environment variables of the engine (all programs for WASI import this)
      random            always there   get random numbers
      standard streams  always there   read its request, write its response and log lines

    Actions:
      greet  read  Greets somebody
        takes  name  string  Who is greeted.
        gives  text  string
    ");
    let ran = inspect("http", &["-o", "json"]);
    let shown = &ran.json()["plugin"];
    assert_eq!(shown["kind"], "component");
    assert_eq!(shown["exports"][0], "runwright:plugin/actions@0.1.0");
    assert!(shown["bytes"].as_u64().unwrap() > 1000 && shown["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(shown["actions"][0]["input-schema"]["type"], "object");
    assert!(shown["asks-for"].as_array().unwrap().iter().any(|ask| ask["capability"] == "http"));
}

#[test]
fn a_program_is_shown_as_one() {
    insta::assert_snapshot!(shown(&inspect("command-fixture", &[])), @r#"
    exit 0
    command-fixture 0.1.0  A program as a plugin
      file     REPO/plugins/dist/test/command-fixture.wasm
      size     SIZE bytes
      digest   sha256:DIGEST
      kind     command: a program that is asked on its standard input
      exports  wasi:cli/run@0.2.0

    Can ask for:
      files             needs a grant  read and write folders (some languages import this in any case)
      env               needs a grant  read environment variables of the engine (all programs for WASI import this)
      clock             always there   tell the time and sleep until it is told to stop
      random            always there   get random numbers
      standard streams  always there   read its request, write its response and log lines

    Actions:
      echo         read                            Does echo
      environment  read                            Does environment
      write        idempotent, plan, verify, undo  Does write
        takes  file  string
        takes  line  string
      fail         unsafe                          Does fail
      misbehave    read                            Does misbehave

    To grant what it can ask for, narrow these down and add them to runwright.toml:
      [plugin.command-fixture.grants]
      files = [{ path = "/FOLDER" }]
    "#);
}

#[test]
fn exec_is_seen_before_it_is_used_and_refused_with_the_line_that_grants_it() {
    let asks = inspect("fixture", &["-o", "json"]).json()["plugin"]["asks-for"].clone();
    assert_eq!(asks[0]["capability"], "exec");
    let project = Project::with_plugins(&["fixture"]);
    let step = "{ id: it, uses: fixture/deny, with: { capability: exec, subject: /bin/true } }";
    project.write("x.yaml", &format!("name: x\nsteps:\n  - {step}\n"));
    let ran = project.call(&["run", "x.yaml", "-o", "json"]);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    let message = ran.json()["steps"][0]["error"]["message"].as_str().unwrap().to_owned();
    let lines = message.split_once("add under ").unwrap().1.split_once(": ").unwrap();
    insta::assert_snapshot!(format!("{}\n{}", lines.0, lines.1), @r#"
    [plugin.fixture.grants]
    exec = [{ program = "/bin/true", args = [] }]
    "#);
    // The lines are the very ones.
    project.write("runwright.toml", &format!("state-dir = 'state'\n{}\n{}\n", lines.0, lines.1));
    assert_eq!(project.call(&["run", "x.yaml"]).exit, Some(0));
}

#[test]
fn what_is_no_plugin_says_why() {
    let project = Project::with_plugins(&[]);
    let refused = |name: &str, bytes: &[u8]| {
        std::fs::write(project.path(name), bytes).unwrap();
        project.call(&["plugin", "inspect", name]).shown()
    };
    insta::assert_snapshot!(refused("text.wasm", b"hello"), @r"
    exit 3
    --- standard error
    error: could not load the plugin text.wasm
      cause: plugin text.wasm can't be used: it does not begin as WebAssembly does
    ");
    insta::assert_snapshot!(refused("module.wasm", b"\0asm\x01\0\0\0"), @r"
    exit 3
    --- standard error
    error: could not load the plugin module.wasm
      cause: plugin module.wasm can't be used: it is a core module that neither exports _start, as programs for WASI do, nor has the type of a component in it, as the bindings from sdk/wit leave it
    ");
    insta::assert_snapshot!(refused("component.wasm", b"\0asm\x0d\0\x01\0"), @r"
    exit 3
    --- standard error
    error: could not load the plugin component.wasm
      cause: plugin component.wasm can't be used: it exports nothing, where a plugin exports runwright:plugin/actions or wasi:cli/run
    ");
    insta::assert_snapshot!(project.call(&["plugin", "inspect", "none.wasm"]).shown(), @r"
    exit 3
    --- standard error
    error: could not load the plugin none.wasm
      cause: plugin none.wasm could not be read
      cause: No such file or directory (os error 2)
    ");
}
