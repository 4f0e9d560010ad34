//! `runwright plugin new`

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{Project, Ran};

/// Without what changes with the SDK.
fn counted(text: &str) -> String {
    regex::Regex::new(r"\d+ files").unwrap().replace(text, "COUNT files").into_owned()
}

#[test]
fn a_project_is_made_with_all_that_it_needs() {
    let project = Project::with_plugins(&[]);
    let ran = project.call(&["plugin", "new", "--lang", "rust", "disk-check"]);
    let shown = ran.shown();
    let shown: Vec<&str> = shown.lines().filter(|line| !line.contains("is missing")).collect();
    insta::assert_snapshot!(counted(&shown.join("\n")), @r"
    exit 0
    made disk-check for rust: COUNT files
    next:
      cd disk-check
      runwright plugin build
      runwright plugin test dist/disk-check.wasm cases.yaml
    ");
    for file in ["src/lib.rs", "cases.yaml", "runwright-sdk/src/lib.rs", "runwright-sdk/wit/types.wit", ".gitignore"] {
        assert!(project.path("disk-check").join(file).is_file(), "{file}");
    }
    let listed = project.call(&["plugin", "new", "--lang", "rust", "other", "-o", "json"]).json();
    assert!(listed["files"].as_array().unwrap().iter().any(|file| file == "runwright-plugin.toml"));
}

#[test]
fn nothing_is_overwritten_and_a_bad_name_has_a_good_one_for_it() {
    let project = Project::with_plugins(&[]);
    project.write("taken", "mine");
    let new = |lang: &str, name: &str| -> Ran { project.call(&["plugin", "new", "--lang", lang, name]) };
    insta::assert_snapshot!(new("rust", "taken").shown(), @r"
    exit 3
    --- standard error
    error: could not make taken: there is something of that name here
      hint: choose another name, or another working folder
    ");
    assert_eq!(project.lines("taken"), ["mine"]);
    insta::assert_snapshot!(new("rust", "Disk Check").shown(), @r#"
    exit 3
    --- standard error
    error: the name "Disk Check" must be words of a-z and 0-9 that begin with a letter, with dashes between them
      hint: runwright plugin new --lang rust disk-check
    "#);
    insta::assert_snapshot!(new("rust", "../x").shown(), @r#"
    exit 3
    --- standard error
    error: the name "../x" must be words of a-z and 0-9 that begin with a letter, with dashes between them
      hint: runwright plugin new --lang rust x
    "#);
    insta::assert_snapshot!(new("rust", "world").shown(), @r#"
    exit 3
    --- standard error
    error: the name "world" is a word of one of the languages that plugins are written in
      hint: runwright plugin new --lang rust my-world
    "#);
    assert_eq!(new("cobol", "x").exit, Some(2));
    assert_eq!(new("rs", "short-form").exit, Some(0));
}

/// The whole way in Rust: what is made compiles at once, keeps its own cases, and runs.
#[test]
fn a_plugin_in_rust_goes_from_new_to_its_first_run() {
    let project = Project::with_plugins(&[]);
    assert_eq!(project.call(&["plugin", "new", "--lang", "rust", "disk-check"]).exit, Some(0));
    // What is compiled of its dependencies stays from test to test.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("template-rust");
    fs::create_dir_all(&target).unwrap();
    symlink(&target, project.path("disk-check/target")).unwrap();
    let built = long(project.command(&["plugin", "build", "disk-check"]));
    assert!(built.contains("built disk-check/dist/disk-check.wasm: disk-check 0.1.0"), "{built}");
    let tested = project.call(&["plugin", "test", "disk-check/dist/disk-check.wasm", "disk-check/cases.yaml"]);
    assert_eq!(tested.exit, Some(0), "{tested:?}");
    fs::copy(project.path("disk-check/dist/disk-check.wasm"), project.path("plugins/disk-check.wasm")).unwrap();
    project.write("r.yaml", "name: r\nsteps:\n  - { id: a, uses: disk-check/greet, with: { name: Ada } }\n");
    let ran = project.call(&["run", "r.yaml", "-o", "json"]).json();
    assert_eq!(ran["steps"][0]["output"]["text"], "Hello, Ada!", "{ran}");
}

/// Waits as long as a compiler takes. What an outer cargo set must not reach into the inner one.
fn long(mut command: Command) -> String {
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"] {
        command.env_remove(variable);
    }
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{out}{err}");
    out
}
