//! A secret that a plugin prints in many spellings is nowhere afterwards: not on the disk, not in what people see.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::support::Project;

/// It has what URLs, JSON and shells escape, and it is not ASCII only.
const SECRET: &str = "hunter22 & co/\"ü\"";

/// Spellings of this test's own; of those that go on, the beginning.
const SPELLINGS: [&str; 10] = [
    SECRET,
    "hunter22",
    "aHVudGVyMjIg",
    "h1bnRlcjIyIC",
    "odW50ZXIyMiAm",
    "hunter22%20%26",
    "68756e7465723232",
    "68756E7465723232",
    "\\u0068\\u0075\\u006e\\u0074\\u0065\\u0072",
    "\\\\u0068\\\\u0075\\\\u006e",
];

const LEAKING: &str = r#"
name: leaking
on-failure: stop
steps:
  # Nobody has asked for the secret yet; another way leads to it.
  - { id: reads, uses: fixture/touch, with: { what: read, path: FOLDER/token } }
  - { id: answers, uses: fixture/leak, with: { secret: token, note: true } }
  - { id: fails, uses: fixture/leak, with: { secret: token, how: error, note: true }, on-failure: continue }
  - { id: unknown, uses: fixture/leak, with: { secret: token, how: unknown }, on-unknown: fail, on-failure: continue }
  - { id: panics, uses: fixture/leak, with: { secret: token, how: panic }, on-unknown: fail, on-failure: continue }
  - { id: babbles, uses: fixture/leak, with: { secret: token, how: not-json }, on-unknown: fail, on-failure: continue }
  - { id: environment, uses: fixture/leak, with: { secret: variable } }
  - { id: passes-on, uses: fixture/echo, with: { value: "${{ steps.answers.output.spelled }}" } }
  - { id: refused, uses: fixture/deny, with: { capability: secret, subject: other } }
"#;

const UNDONE: &str = r#"
name: undone
on-failure: rollback
steps:
  - { id: answers, uses: fixture/leak, with: { secret: token, note: true } }
  - { id: refused, uses: fixture/deny, with: { capability: secret, subject: other } }
"#;

fn assert_silent(what: &str, bytes: &[u8]) {
    for spelling in SPELLINGS {
        let found = bytes.windows(spelling.len()).position(|window| window == spelling.as_bytes());
        let around =
            |at: usize| String::from_utf8_lossy(&bytes[at.saturating_sub(100)..bytes.len().min(at + 100)]).into_owned();
        assert!(found.is_none(), "{what} has {spelling:?}: … {} …", found.map(around).unwrap_or_default());
    }
}

/// Looks into every file below `folder`; gives how many there were.
fn search(folder: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
        if kind.is_dir() {
            files += search(&path);
        } else if kind.is_file() {
            files += 1;
            assert_silent(&path.display().to_string(), &fs::read(&path).expect("it reads"));
        }
    }
    files
}

#[test]
fn a_secret_that_a_plugin_prints_is_found_nowhere() {
    let project = Project::new();
    let grants = "state-dir = \"state\"\ngrace = 2\n[plugin.fixture.grants]\nfiles = [{ path = \"FOLDER\" }]\n\
                  secrets = { token = { file = \"FOLDER/token\" }, variable = { env = \"RUNWRIGHT_TEST_TOKEN\" } }\n";
    project.write("runwright.toml", grants);
    project.write("token", &format!("{SECRET}\n"));
    project.write("leaking.yaml", LEAKING);
    project.write("undone.yaml", UNDONE);
    // What it says is much, and goes to files: nobody reads it meanwhile.
    let start = |words: &[&str], to: &str| {
        let file = |name: &str| fs::File::create(project.path(&format!("{to}.{name}"))).expect("a file");
        let mut command = project.command(words);
        command.env("RUNWRIGHT_TEST_TOKEN", SECRET.replace("hunter22", "hunter22hunter22"));
        command.env("RUNWRIGHT_LOG", "trace");
        command.stdout(file("out")).stderr(file("err")).spawn().expect("runwright starts")
    };
    let said = |to: &str| {
        let read = |name: &str| fs::read(project.path(&format!("{to}.{name}"))).expect("it reads");
        (to.to_owned(), read("out"), read("err"))
    };
    // The engine that does it, by itself and as a service; and one that finds it all in the journal.
    start(&["run", "leaking.yaml", "-vv"], "run").wait().expect("an end");
    let mut shown = vec![said("run")];
    for words in [&["runs", "show", "latest"][..], &["runs", "show", "latest", "--history", "-o", "json"]] {
        let ran = project.call(words);
        shown.push((format!("alone: {}", words.join(" ")), ran.out.into_bytes(), ran.err.into_bytes()));
    }
    let mut service = start(&["serve", "-vv"], "serve");
    while !project.path("state/api.sock").exists() {
        assert!(service.try_wait().expect("a child").is_none(), "it serves");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    for words in [
        &["run", "undone.yaml", "-o", "json", "-vv"][..],
        &["runs", "show", "latest", "--history"],
        &["runs", "show", "latest", "--history", "-o", "json"],
        &["runs", "watch", "latest", "-o", "json", "-vv"],
        &["runs", "list", "-o", "json"],
        &["plan", "undone.yaml", "-o", "json"],
        &["plugin", "list", "-o", "json"],
    ] {
        let ran = project.call(words);
        shown.push((words.join(" "), ran.out.into_bytes(), ran.err.into_bytes()));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&service), Signal::TERM).expect("it runs");
    service.wait().expect("an end");
    shown.push(said("serve"));
    for (what, out, err) in &shown {
        assert_silent(what, out);
        assert_silent(what, err);
    }
    // It was there to be found: the plugin had it, and said it in every place.
    let of = |words: &str| {
        let (_, out, err) = shown.iter().find(|(what, ..)| what == words).expect("it was called");
        format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
    };
    for (what, times) in
        [("run", 50), ("alone: runs show latest --history -o json", 50), ("run undone.yaml -o json -vv", 15)]
    {
        let text = of(what);
        let found = text.matches("[secret token]").count();
        assert!(found >= times, "{what} has only {found}: {text}");
    }
    assert!(of("run").contains("[secret variable]") && of("run").contains("it is [secret token]"));
    let alone =
        shown.iter().find(|(what, ..)| what == "alone: runs show latest --history -o json").expect("it was called");
    let alone: serde_json::Value = serde_json::from_slice(&alone.1).expect("JSON");
    assert_eq!(alone["steps"][0]["output"], serde_json::json!({"text": "[secret token]\n"}), "{alone:#}");
    assert!(search(&project.path("state")) > 3);
    let exported = project.call(&["journal", "export"]);
    assert!(exported.out.contains("[secret token]"), "{exported:?}");
    assert_silent("the export", exported.out.as_bytes());
}
