//! Runbooks with errors: each is told with its place and a hint, and none takes long.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::Project;

/// The files beside the tests of the language, and one that is too large to keep.
fn files(project: &Project) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lang/bad");
    fs::create_dir(project.path("bad")).expect("a folder");
    let mut names = vec!["bad/large.yaml".to_owned()];
    for entry in fs::read_dir(folder).expect("the folder") {
        let entry = entry.expect("an entry");
        let name = format!("bad/{}", entry.file_name().into_string().expect("UTF-8"));
        fs::copy(entry.path(), project.path(&name)).expect("a copy");
        names.push(name);
    }
    let line = "description: lorem ipsum\n";
    let large = format!("name: large\n{}", line.repeat(10 * 1024 * 1024 / line.len()));
    fs::write(project.path("bad/large.yaml"), large).expect("it is written");
    names.sort();
    names
}

#[test]
fn each_is_refused_with_its_place_and_a_hint() {
    let project = Project::with_plugins(&["vm"]);
    let names = files(&project);
    assert!(names.len() >= 10, "{names:?}");
    for name in &names {
        let started = Instant::now();
        let ran = project.call(&["check", name]);
        assert!(started.elapsed() < Duration::from_secs(20), "{name} takes {:?}", started.elapsed());
        assert_eq!(ran.exit, Some(3), "{name}: {ran:?}");
        assert!(ran.out.contains(&format!("--> {name}:")), "{name}: {}", ran.out);
        let checked = project.call(&["check", name, "-o", "json"]).json();
        let diagnostics = checked["files"][0]["diagnostics"].as_array().expect("a list");
        for diagnostic in diagnostics {
            assert!(diagnostic["line"].as_u64() > Some(0) && diagnostic["column"].as_u64() > Some(0), "{diagnostic}");
        }
        let hints = diagnostics.iter().filter(|diagnostic| diagnostic["help"].is_string());
        assert!(hints.count() > 0, "{name} has no hint: {checked:#}");
        for command in ["run", "plan"] {
            let ran = project.call(&[command, name]);
            assert_eq!(ran.exit, Some(3), "{command} {name}: {ran:?}");
            assert!(ran.err.contains(&format!("--> {name}:")), "{command} {name}: {}", ran.err);
        }
    }
}

#[test]
fn all_errors_of_a_file_are_told_at_once() {
    let project = Project::with_plugins(&["vm"]);
    files(&project);
    let checked = project.call(&["check", "bad/several-errors.yaml", "-o", "json"]).json();
    let count = checked["files"][0]["diagnostics"].as_array().map(Vec::len);
    assert!(count > Some(5), "{checked:#}");
}

#[test]
fn what_is_doubtful_is_warned_of_and_can_be_run() {
    let project = Project::with_plugins(&["vm"]);
    let text = "name: release\nsteps: [{ id: a, script: '1' }]\noutputs: { release: 1.30, mode: 0644, \
                name: \"\u{202e}gnp.exe\", sha: 9509425349e4, right: \"1.30\" }\n";
    fs::write(project.path("release.yaml"), text).expect("it is written");
    let ran = project.call(&["check", "release.yaml"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    for told in
        ["`1.30` is the number 1.3 here", "\"0644\"", "U+202E (right-to-left override)", "`9509425349e4` is the number"]
    {
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
    assert!(ran.out.contains("4 warnings"), "{}", ran.out);
    assert!(!ran.out.contains('\u{202e}'), "what turns the terminal around is not printed");
}
