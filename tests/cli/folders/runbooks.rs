//! The folder of runbooks.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::Value;

use super::{answer, bound, is_told, problems, ready, runbook, serve};
use crate::support::Project;

#[test]
fn a_subfolder_that_can_not_be_read_is_told_and_the_others_are_used() {
    let project = Project::with_plugins(&[]);
    let closed = project.path("runbooks/lost+found");
    fs::create_dir(&closed).expect("a folder");
    project.write("runbooks/lost+found/lost.yaml", &runbook("lost", 1));
    project.write("runbooks/one.yaml", &runbook("one", 1));
    let command = bound(&project, &["serve"]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("a folder");
    let served = ready(&project, project.start_as(command));
    assert!(is_told(&project, &["runbooks/lost+found", "can't be read"]), "{:?}", problems(&project));
    assert_eq!(answer(&project, "one"), 1);
    project.write("runbooks/one.yaml", &runbook("one", 2));
    let served = served.wait_until("the change", || answer(&project, "one") == 2);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("a folder");
    let served = served.wait_until("it can be read", || problems(&project).is_empty());
    assert_eq!(answer(&project, "lost"), 1);
    served.signal(Signal::TERM);
    let log = served.wait().err;
    assert_eq!(log.matches("lost+found: the folder can't be read").count(), 1, "{log}");
}

#[test]
fn a_folder_that_is_away_takes_no_runbook_with_it() {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/one.yaml", &runbook("one", 1));
    let served = serve(&project);
    fs::rename(project.path("runbooks"), project.path("away")).expect("it is moved");
    let served = served.wait_until("it is told", || is_told(&project, &["runbooks: ", "stays in use"]));
    let ran = project.call(&["run", "one", "-o", "json"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    assert_eq!(ran.json()["outputs"]["answer"], 1);
    project.write("away/one.yaml", &runbook("one", 2));
    fs::rename(project.path("away"), project.path("runbooks")).expect("it is moved");
    let served = served.wait_until("it is back", || problems(&project).is_empty() && answer(&project, "one") == 2);
    // The folder is another one than that which was watched at first.
    project.write("runbooks/one.yaml", &runbook("one", 3));
    let served = served.wait_until("the change", || answer(&project, "one") == 3);
    fs::remove_file(project.path("runbooks/one.yaml")).expect("a file");
    let _served = served.wait_until("it is gone", || project.call(&["run", "one"]).exit == Some(3));
}

#[test]
fn of_two_runbooks_with_one_name_none_wins_by_its_file() {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/recover.yaml", &runbook("recover", 1));
    let served = serve(&project);
    for copy in ["recover.sync-conflict-20260131-120000-ABCDEFG.yaml", "recover (conflicted copy 2026-01-31).yaml"] {
        project.write(&format!("runbooks/{copy}"), &runbook("recover", 2));
    }
    for copy in ["recover.yaml~", "recover.yaml.bak", "#recover.yaml#", ".#recover.yaml", "._recover.yaml"] {
        project.write(&format!("runbooks/{copy}"), &runbook("recover", 3));
    }
    let served = served.wait_until("copies are told", || problems(&project).len() == 2);
    assert!(is_told(&project, &["recover.sync-conflict-", "Syncthing"]), "{:?}", problems(&project));
    assert!(is_told(&project, &["recover (conflicted copy", "a sync tool"]), "{:?}", problems(&project));
    project.write("runbooks/a-copy.yaml", &runbook("recover", 4));
    let served = served.wait_until("the second is told", || {
        is_told(&project, &["runbooks/a-copy.yaml", "runbooks/recover.yaml is, which stays in use"])
    });
    assert_eq!(answer(&project, "recover"), 1);
    project.write("runbooks/recover.yaml", &runbook("recover", 5));
    let served = served.wait_until("an edit counts", || answer(&project, "recover") == 5);
    served.signal(Signal::TERM);
    served.wait();

    let contested = "the runbook \"recover\" is defined by 2 files: runbooks/a-copy.yaml, runbooks/recover.yaml; rename or \
                     remove all but one";
    let refused = |words: &[&str]| {
        let ran = project.call(words);
        assert!(ran.exit == Some(3) && ran.err.contains(contested), "{ran:?}");
    };
    refused(&["run", "recover"]);
    refused(&["plan", "recover"]);
    insta::assert_snapshot!(project.call(&["check", "runbooks"]).shown(), @r##"
    exit 3
    ok runbooks/a-copy.yaml
    ok runbooks/recover.yaml
    note: runbooks/#recover.yaml#: it is what an editor keeps of an edit that was not saved: it is not used
    note: runbooks/recover.yaml.bak: it is a backup: it is not used
    note: runbooks/recover.yaml~: it is a backup: it is not used
    error: runbooks/recover (conflicted copy 2026-01-31).yaml: it is the copy of a conflict that a sync tool left: merge it into the file beside it and remove it
    error: runbooks/recover.sync-conflict-20260131-120000-ABCDEFG.yaml: it is the copy of a conflict that Syncthing left: merge it into the file beside it and remove it
    error: the runbook "recover": defined by 2 files: runbooks/a-copy.yaml, runbooks/recover.yaml; rename or remove all but one
    "##);
    let served = serve(&project);
    refused(&["run", "recover"]);
    for file in ["runbooks/a-copy.yaml: ", "runbooks/recover.yaml: "] {
        assert!(is_told(&project, &[file, "none of them is used"]), "{:?}", problems(&project));
    }
    fs::remove_file(project.path("runbooks/a-copy.yaml")).expect("a file");
    let _served = served.wait_until("one is left", || answer(&project, "recover") == 5);
}

#[test]
fn a_runbook_that_is_written_in_pieces_is_not_used_before_its_end() {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/old.yaml", &runbook("old", 1));
    let mut served = serve(&project);
    // The folder is watched by now.
    project.write("runbooks/other.yaml", &runbook("other", 0));
    served = served.wait_until("the other file", || answer(&project, "other") == 0);
    // Its first half is a runbook too. One file is new, the other is written anew in its place.
    let mut open: Vec<File> = Vec::new();
    for name in ["new", "old"] {
        let mut file = File::create(project.path(&format!("runbooks/{name}.yaml"))).expect("a file");
        file.write_all(runbook(name, 2).as_bytes()).expect("it is written");
        open.push(file);
    }
    // What was written after it is in use: so both were looked at for long enough.
    for n in 1..=2 {
        project.write("runbooks/other.yaml", &runbook("other", n));
        served = served.wait_until("the other file", || answer(&project, "other") == n);
    }
    assert_eq!((answer(&project, "old"), answer(&project, "new")), (1.into(), Value::Null));
    for (name, file) in ["new", "old"].into_iter().zip(&mut open) {
        writeln!(file, "description: the whole of {name}").expect("it is written");
    }
    drop(open);
    let served = served.wait_until("both", || answer(&project, "new") == 2 && answer(&project, "old") == 2);
    let status = project.call(&["status", "-o", "json"]).json();
    let described = |name: &str| {
        let runbooks = status["runbooks"].as_array().expect("a list");
        runbooks.iter().any(|runbook| runbook["description"] == format!("the whole of {name}"))
    };
    assert!(described("new") && described("old"), "{status:#}");
    // Whoever renames it into its place is not waited for longer than others.
    project.write("other.tmp", &runbook("other", 3));
    fs::rename(project.path("other.tmp"), project.path("runbooks/other.yaml")).expect("it is moved");
    let _served = served.wait_until("the renamed one", || answer(&project, "other") == 3);
}

#[test]
fn what_may_be_meant_otherwise_and_names_in_capitals_are_told_also_without_check() {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/UP.YAML", &runbook("up", 1));
    project.write("runbooks/Up.Yml", &runbook("up", 1));
    let text = "name: doubt\ninputs: { l: { type: list, default: [1.30, 0644] } }\nsteps: [{ id: a, script: '1' }]\n";
    project.write("runbooks/doubt.yaml", text);
    let capitals = "its ending is in capitals, so it is not used: rename it to end in .yaml or .yml";
    let checked = project.call(&["check", "runbooks"]);
    assert!(checked.exit == Some(0) && checked.out.matches(capitals).count() == 2, "{checked:?}");
    let doubt = "at 2:38, `1.30` is the number 1.3 here, and is passed on as that, and 1 more of the kind";
    let warning = format!("warning: runbooks/doubt.yaml: {doubt}; `runwright check runbooks/doubt.yaml` shows more\n");
    for words in
        [&["run", "runbooks/doubt.yaml"], &["run", "doubt"], &["plan", "runbooks/doubt.yaml"], &["plan", "doubt"]]
    {
        let ran = project.call(words);
        assert!(ran.exit == Some(0) && ran.err.matches(&warning).count() == 1, "{words:?}: {ran:?}");
    }
    let served = serve(&project);
    for told in [&["runbooks/doubt.yaml: ", doubt], &["runbooks/UP.YAML", capitals], &["runbooks/Up.Yml", capitals]] {
        assert!(is_told(&project, told), "{told:?}: {:?}", problems(&project));
    }
    let ran = project.call(&["run", "doubt"]);
    assert!(ran.exit == Some(0) && ran.err.contains(&warning), "{ran:?}");
    served.signal(Signal::TERM);
    let log = served.wait().err;
    assert_eq!(log.matches(doubt).count(), 1, "{log}");
}

#[test]
fn the_copy_of_a_conflict_fails_the_check_of_a_folder() {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/one.yaml", &runbook("one", 1));
    project.write("runbooks/one.yaml.bak", &runbook("one", 1));
    assert_eq!(project.call(&["check", "runbooks"]).exit, Some(0));
    project.write("runbooks/one.sync-conflict-20260131-120000-ABCDEFG.yaml", &runbook("one", 2));
    let checked = project.call(&["check", "runbooks"]);
    assert!(checked.exit == Some(3) && checked.out.contains("Syncthing left: merge it"), "{checked:?}");
    assert_eq!(answer(&project, "one"), 1, "it is not used");
}
