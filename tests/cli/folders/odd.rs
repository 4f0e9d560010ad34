//! Pipes, sockets, links and folders where files are expected.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::process::Signal;

use super::{answer, fifo, is_told, runbook, serve};
use crate::support::Project;

#[test]
fn what_is_no_file_among_plugins_runbooks_and_alarms_holds_up_nothing() {
    let project = Project::with_plugins(&["hello"]);
    project.write("runbooks/good.yaml", &runbook("good", 7));
    let mut sockets = Vec::new();
    for (folder, ending) in [("plugins", "wasm"), ("runbooks", "yaml"), ("alarms", "json")] {
        let at = |name: &str| project.path(&format!("{folder}/{name}.{ending}"));
        fifo(&at("a-pipe"));
        symlink(at("a-pipe"), at("link-to-pipe")).expect("a link");
        symlink("nowhere", at("dangling")).expect("a link");
        symlink("/dev/zero", at("device")).expect("a link");
        sockets.push(UnixListener::bind(at("socket")).expect("a socket"));
        fs::create_dir(at("folder")).expect("a folder");
    }
    let listed = project.call(&["plugin", "list"]);
    assert!(listed.out.contains("plugins/a-pipe.wasm can't be used: could not be read: it is a pipe"), "{listed:?}");
    assert_eq!(answer(&project, "good"), 7, "without an engine that serves");
    let checked = project.call(&["check", "runbooks"]);
    assert_eq!(checked.exit, Some(3));
    assert!(checked.out.contains("ok runbooks/good.yaml"), "{checked:?}");
    assert!(checked.out.contains("error: runbooks/a-pipe.yaml: it is a pipe, not a regular file"), "{checked:?}");

    let served = serve(&project);
    for (folder, ending) in [("plugins", "wasm"), ("runbooks", "yaml")] {
        for (name, why) in
            [("a-pipe", "a pipe"), ("link-to-pipe", "a pipe"), ("socket", "a socket"), ("dangling", "No such file")]
        {
            assert!(is_told(&project, &[&format!("{folder}/{name}.{ending}"), why]), "{folder}/{name}");
        }
    }
    let served =
        served.wait_until("odd alarms are moved away", || project.path("alarms/rejected/a-pipe.json").exists());
    let reason = || fs::read_to_string(project.path("alarms/rejected/a-pipe.json.reason.txt")).unwrap_or_default();
    assert_eq!(reason(), "it is a pipe, not a regular file\n");
    assert_eq!(answer(&project, "good"), 7);
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
}

#[test]
fn a_pipe_for_a_configuration_is_refused() {
    let project = Project::with_plugins(&["hello"]);
    project.write("runbooks/good.yaml", &runbook("good", 7));
    fifo(&project.path("pipe"));
    let refused = |words: &[&str]| {
        let ran = project.call(words);
        assert!(ran.exit == Some(3) && ran.err.contains("it is a pipe, not a regular file"), "{words:?}: {ran:?}");
    };
    refused(&["--config", "pipe", "status"]);
    refused(&["run", "good", "--inputs-file", "pipe"]);
    refused(&["run", "./pipe"]);
    refused(&["check", "pipe"]);
    refused(&["plugin", "inspect", "pipe"]);
    fifo(&project.path("plugins.lock"));
    refused(&["plugin", "lock"]);
    let listed = project.call(&["plugin", "list"]);
    assert!(
        listed.out.contains("plugins.lock") && !listed.out.contains("hello 0.1.0"),
        "not known to be pinned: {listed:?}"
    );
    project.write("runwright.toml", "state-dir = 'state'\n[plugin.hello]\nconfig-file = 'pipe'\n");
    refused(&["run", "good"]);
}

#[test]
fn a_plugin_whose_configuration_can_not_be_read_is_withheld_while_others_serve() {
    let project = Project::with_plugins(&["hello"]);
    project.write("runwright.toml", "state-dir = 'state'\n[plugin.hello]\nconfig-file = 'pipe'\n");
    project.write("runbooks/good.yaml", &runbook("good", 7));
    fifo(&project.path("pipe"));
    let _served = serve(&project);
    let words = ["plugins/hello.wasm", "could not read pipe: it is a pipe", "start the engine again"];
    assert!(is_told(&project, &words), "{:?}", super::problems(&project));
    assert_eq!(answer(&project, "good"), 7);
    project.write("greet.yaml", "name: greet\nsteps: [{ id: a, uses: hello/greet, with: { name: Ada } }]\n");
    assert_eq!(project.call(&["run", "greet.yaml"]).exit, Some(3));
}
