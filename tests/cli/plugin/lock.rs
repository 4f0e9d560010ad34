//! `runwright plugin lock`, and plugins that change while an engine serves.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Project, plugin};

#[test]
fn another_binary_under_a_pinned_name_is_refused_until_it_is_accepted() {
    let project = Project::with_plugins(&["hello"]);
    insta::assert_snapshot!(project.call(&["plugin", "lock"]).shown(), @r"
    exit 0
    hello: pinned to sha256:DIGEST (0.1.0)
    ");
    let mut changed = fs::read(plugin("hello")).expect("a plugin");
    // A custom section at the end: another binary that does the same.
    changed.extend([0, 5, 4, b'm', b'o', b'r', b'e']);
    fs::write(project.path("plugins/hello.wasm"), &changed).expect("it is written");
    project.write("greet.yaml", "name: greet\nsteps: [{ id: a, uses: hello/greet, with: { name: Ada } }]\n");
    assert_eq!(project.call(&["run", "greet.yaml"]).exit, Some(3));
    insta::assert_snapshot!(project.call(&["plugin", "list"]).shown(), @r"
    exit 1
    plugins/hello.wasm can't be used: plugins.lock pins hello to sha256:DIGEST (0.1.0), and this is sha256:DIGEST (0.1.0); look at it with `runwright plugin inspect`, and accept it with `runwright plugin lock hello`
    ");
    insta::assert_snapshot!(project.call(&["plugin", "lock"]).shown(), @r"
    exit 1
    hello: stays pinned to sha256:DIGEST; the file is sha256:DIGEST (0.1.0)
    ");
    insta::assert_snapshot!(project.call(&["plugin", "lock", "hello"]).shown(), @r"
    exit 0
    hello: pinned to sha256:DIGEST (0.1.0)
    ");
    assert_eq!(project.call(&["run", "greet.yaml"]).exit, Some(0));
    insta::assert_snapshot!(project.call(&["plugin", "lock", "helo"]).shown(), @r"
    exit 3
    --- standard error
    error: could not pin helo: there is no such plugin
      hint: there are: hello
    ");
    project.write("plugins.lock", "[plugin.hello]\ndigset = 1\n");
    insta::assert_snapshot!(project.call(&["plugin", "lock"]).shown(), @r"
    exit 3
    --- standard error
    error: unknown key `digset` [shape]
     --> plugins.lock:2:1
      |
    2 | digset = 1
      | ^^^^^^
      = help: did you mean `digest`?

    plugins.lock: 1 error

    error: plugins.lock can't be used: 1 problem found
    ");
}

#[test]
fn new_runs_use_a_plugin_that_changed_while_an_engine_serves() {
    let project = Project::with_plugins(&["fixture"]);
    project.write("greet.yaml", "name: greet\nsteps: [{ id: a, uses: hello/greet, with: { name: Ada } }]\n");
    let served = project.start(&["serve"]);
    let _served = served.wait_until("serving", || project.path("state/api.sock").exists());
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(60), "{what} did not happen");
            sleep(Duration::from_millis(20));
        }
    };
    let status = || project.call(&["status", "-o", "json"]).json();
    let digest = || {
        let plugins = status()["plugins"].clone();
        let plugins = plugins.as_array().expect("a list").clone();
        plugins.into_iter().find(|plugin| plugin["name"] == "hello").map(|plugin| plugin["digest"].clone())
    };
    assert_eq!(project.call(&["run", "greet.yaml"]).exit, Some(3), "it is not there yet");
    let whole = fs::read(plugin("hello")).expect("a plugin");
    fs::write(project.path("plugins/hello.wasm"), &whole).expect("it is written");
    until("a new plugin", &|| digest().is_some());
    assert_eq!(project.call(&["run", "greet.yaml"]).exit, Some(0));
    let first = digest();
    fs::write(project.path("plugins/hello.wasm"), &whole[..whole.len() / 2]).expect("it is written");
    until("a problem", &|| status()["problems"].as_array().is_some_and(|problems| !problems.is_empty()));
    assert_eq!(digest(), first, "a broken file does not replace a good one");
    assert_eq!(project.call(&["run", "greet.yaml"]).exit, Some(0));
    let mut changed = whole;
    changed.extend([0, 5, 4, b'm', b'o', b'r', b'e']);
    fs::write(project.path("plugins/hello.wasm"), &changed).expect("it is written");
    until("the changed plugin", &|| digest() != first);
    assert_eq!(status()["problems"], json!([]));
    fs::remove_file(project.path("plugins/hello.wasm")).expect("it is there");
    until("its end", &|| digest().is_none());
}

#[test]
fn a_pin_to_another_binary_withdraws_the_one_that_is_in_use() {
    let project = Project::with_plugins(&["hello"]);
    let served = project.serve();
    assert_eq!(project.status()["plugins"][0]["name"], json!("hello"));
    assert_eq!(project.call(&["plugin", "lock"]).exit, Some(0));
    let lock = fs::read_to_string(project.path("plugins.lock")).expect("it is there");
    let (before, digest) = lock.split_once("sha256:").expect("a digest");
    let other = format!("{before}sha256:{}{}", "0".repeat(64), &digest[64..]);
    fs::write(project.path("plugins.lock"), other).expect("it is written");
    let served = served.wait_until("it is withdrawn", || project.status()["plugins"] == json!([]));
    let problems = project.status()["problems"].to_string();
    assert!(problems.contains("plugins.lock pins hello"), "{problems}");
    fs::write(project.path("plugins.lock"), lock).expect("it is written");
    let _served = served.wait_until("it is back", || project.status()["plugins"][0]["name"] == json!("hello"));
}

#[test]
fn a_run_in_flight_keeps_its_plugin_when_the_file_changes() {
    let project = Project::with_plugins(&["hello"]);
    let greet = "uses: hello/greet, with: { name: Ada }";
    let steps = format!("  - {{ id: a, {greet} }}\n  - {{ id: pause, wait: 3s }}\n  - {{ id: b, {greet} }}\n");
    project.write("slow.yaml", &format!("name: slow\nsteps:\n{steps}"));
    let served = project.start(&["serve"]);
    let _served = served.wait_until("serving", || project.path("state/api.sock").exists());
    let status = || project.call(&["status", "-o", "json"]).json();
    let plugin_now = || status()["plugins"][0]["digest"].clone();
    let first = plugin_now();
    assert_eq!(project.call(&["run", "slow.yaml", "--detach"]).exit, Some(0));
    let mut changed = fs::read(plugin("hello")).expect("a plugin");
    changed.extend([0, 5, 4, b'm', b'o', b'r', b'e']);
    fs::write(project.path("plugins/hello.wasm"), &changed).expect("it is written");
    let began = Instant::now();
    while plugin_now() == first {
        assert!(began.elapsed() < Duration::from_secs(60), "the changed plugin is not taken");
        sleep(Duration::from_millis(20));
    }
    assert_eq!(project.call(&["runs", "watch", "latest"]).exit, Some(0));
    let called = || {
        let shown = project.call(&["runs", "show", "latest", "--history", "-o", "json"]).json();
        let history = shown["history"].as_array().expect("a list").clone();
        let plugins = history.iter().map(|record| record["event"]["plugin"].clone()).filter(|plugin| !plugin.is_null());
        plugins.collect::<Vec<_>>()
    };
    assert_eq!(called(), [first.clone(), first], "both steps ran in the plugin that the run began with");
    assert_eq!(project.call(&["run", "slow.yaml"]).exit, Some(0));
    assert_eq!(called(), [plugin_now(), plugin_now()], "a new run uses the new one");
}
