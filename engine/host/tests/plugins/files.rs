//! A granted folder is seen and no way leads out of it; what may only be read stays as it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use host::{Call, Verb};
use runwright_core::Outcome;
use serde_json::{Value, json};

use crate::support::{Bench, outcome, output};

const SECRET: &str = "not for plugins";

/// A granted folder `in` beside one that is not granted, `out`, each with a file.
async fn bench(write: bool) -> Bench {
    let bench = Bench::new().await;
    for folder in ["in", "in/sub", "out"] {
        fs::create_dir(bench.path(folder)).unwrap();
    }
    fs::write(bench.path("in/file"), "as it was").unwrap();
    fs::write(bench.path("out/file"), SECRET).unwrap();
    bench.grant(&format!("files = [{{ path = 'FOLDER/in', write = {write} }}]"));
    bench
}

fn touch(bench: &Bench, what: &str, path: &str, to: &str) -> Value {
    json!({"what": what, "path": bench.path(path), "to": bench.path(to)})
}

async fn refused(bench: &Bench, input: Value) {
    let outcome = bench.run("touch", input.clone()).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{input}: {outcome:?}");
}

fn untouched(bench: &Bench) {
    assert_eq!(fs::read_to_string(bench.path("out/file")).unwrap(), SECRET);
    assert_eq!(fs::read_dir(bench.path("out")).unwrap().count(), 1);
}

#[tokio::test]
async fn no_path_leads_out_of_a_granted_folder() {
    let bench = bench(true).await;
    let root = bench.path("");
    symlink("../out/file", bench.path("in/relative")).unwrap();
    symlink(bench.path("out/file"), bench.path("in/absolute")).unwrap();
    symlink(bench.path("out"), bench.path("in/folder")).unwrap();
    symlink("/", bench.path("in/root")).unwrap();
    symlink("in/../../out", bench.path("in/sub/twice")).unwrap();
    symlink("sub", bench.path("in/inner")).unwrap();
    for way in [
        "in/../out/file",
        "in/sub/../../out/file",
        "in/./../out/file",
        "in//../out/file",
        "in/relative",
        "in/absolute",
        "in/folder/file",
        "in/folder/",
        "in/relative/",
        "in/sub/twice/file",
        &format!("in/root{root}out/file"),
        "out/file",
        "",
    ] {
        for what in ["read", "list", "write", "truncate", "shorten", "remove", "times"] {
            let input = touch(&bench, what, way, "");
            let outcome = bench.run("touch", input).await;
            // Removing a link removes the link, in its folder.
            let link = what == "remove" && fs::symlink_metadata(bench.path(way.trim_end_matches('/'))).is_err();
            assert!(link || matches!(outcome, Outcome::Failed(_)), "{what} {way}: {outcome:?}");
            untouched(&bench);
        }
    }
    // What stays inside is no escape.
    fs::write(bench.path("in/sub/file"), "inner").unwrap();
    assert_eq!(output(bench.run("touch", touch(&bench, "read", "in/inner/file", "")).await)["text"], "inner");
    assert_eq!(output(bench.run("touch", touch(&bench, "read", "in/sub/../file", "")).await)["text"], "as it was");
}

#[tokio::test]
async fn no_link_and_no_new_name_leads_out_either() {
    let bench = bench(true).await;
    for (what, path, to) in [
        ("link", "out/file", "in/stolen"),
        ("link", "in/file", "out/given"),
        ("rename", "out/file", "in/stolen"),
        ("rename", "in/file", "out/given"),
        ("rename", "in/file", "in/../out/given"),
        ("rename", "in/../out/file", "in/stolen"),
        ("folder", "out/new", ""),
        ("folder", "in/../out/new", ""),
        ("write", "in/../out/new", ""),
    ] {
        refused(&bench, touch(&bench, what, path, to)).await;
        untouched(&bench);
    }
    // A link that the plugin makes itself leads nowhere: an absolute one is not made, one that leads up is not followed.
    let made = |target: &str, name: &str| json!({"what": "symlink", "path": target, "to": bench.path(name)});
    refused(&bench, made(&bench.path("out/file"), "in/absolute")).await;
    for target in ["../out/file", "sub/../../out/file"] {
        let _ = fs::remove_file(bench.path("in/up"));
        bench.run("touch", made(target, "in/up")).await;
        if fs::symlink_metadata(bench.path("in/up")).is_ok() {
            refused(&bench, touch(&bench, "read", "in/up", "")).await;
            refused(&bench, touch(&bench, "write", "in/up", "")).await;
        }
    }
    untouched(&bench);
    // Within its folder it may.
    fs::write(bench.path("in/long"), "long").unwrap();
    output(bench.run("touch", touch(&bench, "truncate", "in/long", "")).await);
    assert_eq!(fs::read_to_string(bench.path("in/long")).unwrap(), "");
    output(bench.run("touch", touch(&bench, "link", "in/file", "in/sub/second")).await);
    output(bench.run("touch", touch(&bench, "rename", "in/sub/second", "in/third")).await);
    assert_eq!(fs::read_to_string(bench.path("in/third")).unwrap(), "as it was");
}

#[tokio::test]
async fn what_may_be_read_only_stays_as_it_is() {
    for in_plan in [false, true] {
        // A dry run reads only, whatever the grant says.
        let bench = bench(in_plan).await;
        let before = fs::metadata(bench.path("in/file")).unwrap().modified().unwrap();
        let run = async |input: Value| {
            let call = Call { read_only: in_plan, ..bench.call(Verb::Run, "touch", input) };
            outcome(bench.perform(call).await)
        };
        assert_eq!(output(run(touch(&bench, "read", "in/file", "")).await)["text"], "as it was");
        assert!(output(run(touch(&bench, "list", "in", "")).await)["text"].as_str().unwrap().contains("sub"));
        for (what, path, to) in [
            ("write", "in/file", ""),
            ("write", "in/new", ""),
            ("truncate", "in/file", ""),
            ("shorten", "in/file", ""),
            ("times", "in/file", ""),
            ("remove", "in/file", ""),
            ("folder", "in/new", ""),
            ("link", "in/file", "in/new"),
            ("symlink", "file", "in/new"),
            ("rename", "in/file", "in/new"),
            ("write", "in/sub/new", ""),
        ] {
            let outcome = run(touch(&bench, what, path, to)).await;
            assert!(matches!(outcome, Outcome::Failed(_)), "{what} {path}: {outcome:?}");
        }
        assert_eq!(fs::read_to_string(bench.path("in/file")).unwrap(), "as it was");
        assert_eq!(fs::metadata(bench.path("in/file")).unwrap().modified().unwrap(), before);
        let mut names: Vec<_> =
            fs::read_dir(bench.path("in")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["file", "sub"]);
        assert_eq!(fs::read_dir(bench.path("in/sub")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_and_the_rest_works() {
    let bench = bench(false).await;
    bench.grant("files = [{ path = 'FOLDER/none' }, { path = 'FOLDER/in' }]");
    assert_eq!(output(bench.run("touch", touch(&bench, "read", "in/file", "")).await)["text"], "as it was");
    assert!(bench.told.text().contains("none cannot be opened"), "{}", bench.told.text());
    assert!(!Path::new(&bench.path("none")).exists());
}
