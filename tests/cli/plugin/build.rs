//! `runwright plugin build`, with projects whose commands need nothing but a shell's own tools.

use std::fs;

use crate::support::{Project, plugin};

/// A project whose command leaves this file.
fn project(manifest: &str, left: &[u8]) -> Project {
    let project = Project::with_plugins(&[]);
    fs::create_dir(project.path("p")).unwrap();
    fs::write(project.path("p/made.wasm"), left).unwrap();
    project.write("p/runwright-plugin.toml", manifest);
    project
}

fn manifest(name: &str, version: &str, abi: &str) -> String {
    let commands = r#"commands = [["mkdir", "-p", "out"], ["cp", "made.wasm", "out/it.wasm"]]"#;
    format!("name = '{name}'\nversion = '{version}'\nabi = '{abi}'\n[build]\n{commands}\noutput = 'out/it.wasm'\n")
}

/// Without what changes whenever the plugin is built.
fn shown(ran: &crate::support::Ran) -> String {
    regex::Regex::new(r"\d+ bytes").unwrap().replace(&ran.shown(), "SIZE bytes").into_owned()
}

/// A program for WASI preview 1 that answers everything with a description of itself.
fn program() -> Vec<u8> {
    let response = r#"{"ok": {"name": "small", "version": "1", "actions": [{"name": "do", "effect": "read", "input-schema": {}, "output-schema": {}}]}}"#;
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "\40\00\00\00\{:02x}\00\00\00")
          (data (i32.const 64) "{}")
          (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
        response.len(),
        response.replace('"', "\\22"),
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn what_the_commands_leave_is_checked_and_put_into_dist() {
    let hello = fs::read(plugin("hello")).unwrap();
    let project = project(&manifest("hello", "0.1.0", "component"), &hello);
    insta::assert_snapshot!(shown(&project.call(&["plugin", "build", "p"])), @r"
    exit 0
    built p/dist/hello.wasm: hello 0.1.0
      component, SIZE bytes, sha256:DIGEST
    --- standard error
    runwright: mkdir -p out
    runwright: cp made.wasm out/it.wasm
    ");
    assert!(fs::read(project.path("p/dist/hello.wasm")).unwrap() == hello, "a component stays as it is");
    let built = project.call(&["plugin", "build", "p", "-o", "json"]).json();
    assert_eq!((built["file"].as_str(), built["abi"].as_str()), (Some("p/dist/hello.wasm"), Some("component")));
}

#[test]
fn a_program_becomes_a_component() {
    let project = project(&manifest("small", "1", "command"), &program());
    assert_eq!(project.call(&["plugin", "build", "p"]).exit, Some(0));
    let built = fs::read(project.path("p/dist/small.wasm")).unwrap();
    assert_eq!(built[4..8], [0x0d, 0, 1, 0], "the version of components");
    let shown = project.call(&["plugin", "inspect", "p/dist/small.wasm", "-o", "json"]).json();
    assert_eq!(shown["plugin"]["kind"], "command");
}

#[test]
fn what_does_not_fit_the_project_is_not_put_into_dist() {
    let hello = fs::read(plugin("hello")).unwrap();
    let refused = |manifest: &str, left: &[u8]| {
        let project = project(manifest, left);
        let ran = project.call(&["plugin", "build", "p"]);
        assert!(!project.path("p/dist").exists(), "{ran:?}");
        ran.shown().lines().skip_while(|line| !line.starts_with("error")).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(refused(&manifest("hallo", "0.1.0", "component"), &hello), @r#"error: the plugin tells its name as "hello", but runwright-plugin.toml says "hallo""#);
    insta::assert_snapshot!(refused(&manifest("hello", "0.2.0", "component"), &hello), @r#"error: the plugin tells its version as "0.1.0", but runwright-plugin.toml says "0.2.0""#);
    insta::assert_snapshot!(refused(&manifest("hello", "0.1.0", "command"), &hello), @r#"error: runwright-plugin.toml says abi = "command", but what was built is not called so"#);
    insta::assert_snapshot!(refused(&manifest("small", "1", "component"), &program()), @r#"error: could not use p/out/it.wasm: it is a program for WASI, but runwright-plugin.toml says abi = "component""#);
    insta::assert_snapshot!(refused(&manifest("x", "1", "component"), b"hello"), @r"error: could not use p/out/it.wasm: it does not begin as WebAssembly does");
    insta::assert_snapshot!(refused(&manifest("x", "1", "component").replace("made.wasm", "none.wasm"), b""), @r"error: could not build x: cp none.wasm out/it.wasm: exit status: 1");
    insta::assert_snapshot!(refused(&manifest("x", "1", "component").replace("'out/it.wasm'", "'other.wasm'"), b""), @r"
    error: could not use p/other.wasm
      cause: No such file or directory (os error 2)
      hint: build.output in runwright-plugin.toml says where it should be
    ");
}

#[test]
fn a_missing_tool_is_named_with_how_to_get_it() {
    let tools = "tools = [{ program = 'no-such-compiler', install = 'pip install no-such-compiler==1.2' }]";
    let project = project(&format!("{}{tools}\n", manifest("x", "1", "component")), b"");
    insta::assert_snapshot!(project.call(&["plugin", "build", "p"]).shown(), @r"
    exit 3
    --- standard error
    error: could not build x: no-such-compiler is missing
      hint: no-such-compiler: pip install no-such-compiler==1.2
    ");
    assert!(!project.path("p/out").exists(), "nothing was started");
}

#[test]
fn a_wrong_manifest_is_told_with_its_place() {
    let refused = |manifest: &str| project(manifest, b"").call(&["plugin", "build", "p"]).shown();
    insta::assert_snapshot!(refused(&manifest("x", "1", "component").replace("version", "verison")), @r"
    exit 3
    --- standard error
    error: p/runwright-plugin.toml is wrong: TOML parse error at line 2, column 1
      |
    2 | verison = '1'
      | ^^^^^^^
    unknown field `verison`, expected one of `name`, `version`, `language`, `abi`, `world`, `build`
    ");
    insta::assert_snapshot!(refused(&manifest("x", "1", "module")), @r"
    exit 3
    --- standard error
    error: p/runwright-plugin.toml is wrong: TOML parse error at line 3, column 7
      |
    3 | abi = 'module'
      |       ^^^^^^^^
    unknown variant `module`, expected `component` or `command`
    ");
    insta::assert_snapshot!(refused(&manifest("X!", "1", "component")), @r#"
    exit 3
    --- standard error
    error: p/runwright-plugin.toml is wrong: name: "X!" has something else in it than a-z, 0-9, - and _
    "#);
    insta::assert_snapshot!(refused(&manifest("x", "1", "component").replace("'out/it.wasm'", "'../it.wasm'")), @r"
    exit 3
    --- standard error
    error: p/runwright-plugin.toml is wrong: build.output: it must be a path within the project's folder
    ");
    insta::assert_snapshot!(Project::with_plugins(&[]).call(&["plugin", "build"]).shown(), @r"
    exit 3
    --- standard error
    error: could not read runwright-plugin.toml
      cause: No such file or directory (os error 2)
      hint: `runwright plugin new` makes a project; give its folder, or call this in it
    ");
}
