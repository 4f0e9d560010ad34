//! The folders of plugins.

use std::fs;

use rustix::process::Signal;

use super::{alarm, is_told, problems, ran, serve};
use crate::support::{Project, plugin};

const GREET: &str = "name: greet
on: { alarm: { where: alarm.name == \"greet\" } }
steps: [{ id: a, uses: hello/greet, with: { name: Ada } }]
";

fn plugins(project: &Project) -> usize {
    project.call(&["status", "-o", "json"]).json()["plugins"].as_array().expect("a list").len()
}

#[test]
fn a_folder_that_is_away_withdraws_nothing_and_a_file_that_is_gone_is_withdrawn() {
    let project = Project::with_plugins(&["hello"]);
    project.write("runbooks/greet.yaml", GREET);
    let served = serve(&project);
    fs::rename(project.path("plugins"), project.path("away")).expect("it is moved");
    let served = served.wait_until("it is told", || is_told(&project, &["plugins: ", "stays in use"]));
    project.write("alarms/a.json.tmp", &alarm("greet"));
    fs::rename(project.path("alarms/a.json.tmp"), project.path("alarms/a.json")).expect("it is moved");
    let served = served.wait_until("the alarm", || ran(&project) == ["greet"]);
    assert_eq!(project.call(&["runs", "watch", "latest"]).exit, Some(0));
    assert_eq!(plugins(&project), 1);

    fs::rename(project.path("away"), project.path("plugins")).expect("it is moved");
    let served = served.wait_until("it is back", || problems(&project).is_empty());
    fs::remove_file(project.path("plugins/hello.wasm")).expect("a file");
    let served = served.wait_until("it is withdrawn", || plugins(&project) == 0);
    assert_ne!(project.call(&["run", "greet"]).exit, Some(0));
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
}

#[test]
fn of_two_plugins_with_one_name_none_wins_by_its_file() {
    let project = Project::with_plugins(&["hello"]);
    project.write("runbooks/greet.yaml", GREET);
    let mut other = fs::read(plugin("hello")).expect("a plugin");
    // A custom section at the end: another binary that does the same.
    other.extend([0, 5, 4, b'm', b'o', b'r', b'e']);
    let served = serve(&project);
    fs::write(project.path("plugins/a.wasm"), &other).expect("a file");
    fs::write(project.path("plugins/hello.sync-conflict-20260131-120000-ABCDEFG.wasm"), &other).expect("a file");
    let served = served.wait_until("it is told", || {
        is_told(&project, &["plugins/a.wasm", "plugins/hello.wasm", "stays in use"])
            && is_told(&project, &["plugins/hello.sync-conflict", "Syncthing"])
    });
    let used = project.call(&["status", "-o", "json"]).json()["plugins"][0]["digest"].clone();
    served.signal(Signal::TERM);
    served.wait();
    let listed = project.call(&["plugin", "list"]);
    assert!(!listed.out.contains("Greets people"), "none was in use before: {listed:?}");
    assert!(listed.out.contains("none of them is used: rename or remove all but one"), "{listed:?}");
    fs::remove_file(project.path("plugins/a.wasm")).expect("a file");
    let listed = project.call(&["plugin", "list", "-o", "json"]).json();
    assert_eq!(listed["plugins"][0]["digest"], used);
}
