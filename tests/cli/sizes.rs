//! Journals over every limit of their files, with the real process.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::thread;

use rustix::process::Signal;

use crate::support::Project;

/// A runbook with so many steps, each of which keeps the run's input in the journal once more.
fn keeps(name: &str, steps: usize) -> String {
    let mut text = format!("name: {name}\ninputs: {{ text: {{ type: string }} }}\nsteps:\n");
    (1..=steps).for_each(|n| writeln!(text, "  - {{ id: s{n}, script: inputs.text }}").expect("it is written"));
    text
}

/// Bytes in all files of a folder.
fn bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = |path: &Path| if path.is_dir() { bytes(path) } else { path.metadata().map_or(0, |meta| meta.len()) };
    entries.map(|entry| bytes(&entry.path())).sum()
}

/// The names of the files of the log's base, sorted.
fn base_files(project: &Project) -> Vec<String> {
    let names = |dir: &Path| -> Vec<String> {
        let entries = fs::read_dir(dir).expect("a folder").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let log = project.path("state/log");
    let base = names(&log).into_iter().rfind(|name| name.starts_with("base-"));
    base.map_or(Vec::new(), |base| names(&log.join(base)))
}

/// Four clients at once, each of which runs a runbook `rounds` times through an engine that serves.
fn four_clients(project: &Project, rounds: usize, words: &(dyn Fn(usize) -> Vec<String> + Sync)) {
    four_clients_until(project, rounds, words, || true);
}

/// The same, and the engine serves on until that is so.
fn four_clients_until(
    project: &Project,
    rounds: usize,
    words: &(dyn Fn(usize) -> Vec<String> + Sync),
    done: impl FnMut() -> bool,
) {
    let served = project.serve();
    thread::scope(|scope| {
        for client in 0..4 {
            scope.spawn(move || {
                for round in 0..rounds {
                    let words = words(client * rounds + round);
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    let ran = project.call(&words);
                    assert_eq!(ran.exit, Some(0), "{}", ran.err);
                }
            });
        }
    });
    let served = served.wait_until("what the clients left to do", done);
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
}

fn is_sound(project: &Project, state: &str) {
    let verified = project.call(&["journal", "verify", "--state-dir", state]);
    assert!(verified.exit == Some(0) && verified.out.contains("everything is what was written"), "{verified:?}");
}

fn done(project: &Project, words: &[&str]) -> String {
    let ran = project.call(words);
    assert_eq!(ran.exit, Some(0), "{words:?}: {ran:?}");
    ran.out
}

/// With the limits of every real journal.
#[test]
fn a_journal_that_keeps_more_than_64_mib_is_sound_and_trimmed() {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/keeps.yaml", &keeps("keeps", 60));
    let text = format!("text={}", "x".repeat(60_000));
    let words = |_| ["run", "keeps", "-i", &text].map(str::to_owned).to_vec();
    four_clients_until(&project, 6, &words, || !base_files(&project).is_empty());
    // 88 MB are kept: more than one file of a base, and as much again may be behind it.
    assert_eq!(base_files(&project), ["000001.log", "000002.log"]);
    assert!(bytes(&project.path("state/log")) < 200 << 20);
    is_sound(&project, "state");
    done(&project, &["journal", "compact"]);
    assert!(bytes(&project.path("state/log")) < 110 << 20);
    is_sound(&project, "state");
    assert_eq!(done(&project, &["journal", "repair"]), "there is nothing to repair\n");
    done(&project, &["journal", "prune", "--older-than", "0h"]);
    done(&project, &["journal", "compact"]);
    assert!(bytes(&project.path("state/log")) < 20 << 20);
    is_sound(&project, "state");
    assert!(!project.path("state/sled.damaged-1").exists());
}

#[test]
fn every_command_keeps_a_journal_of_many_files_sound() {
    let project = Project::with_plugins(&[]).with_small_files();
    project.write("runbooks/keeps.yaml", &keeps("keeps", 12));
    let words = |n: usize| {
        // Around a segment (16 KiB), a base's file (64 KiB) and what is small.
        let length = [10, 3_000, 15_900, 16_300, 16_384, 60_000][n % 6];
        ["run", "keeps", "-i", &format!("text={}", "x".repeat(length))].map(str::to_owned).to_vec()
    };
    four_clients(&project, 6, &words);
    assert!(base_files(&project).len() > 5, "{:?}", base_files(&project));
    is_sound(&project, "state");
    assert_eq!(done(&project, &["journal", "repair", "--dry-run"]), "there is nothing to repair\n");
    done(&project, &["journal", "compact"]);
    assert_eq!(done(&project, &["journal", "repair"]), "there is nothing to repair\n");
    is_sound(&project, "state");
    let export = done(&project, &["journal", "export"]);
    assert!(project.call_with(&["journal", "import", "-", "--state-dir", "restored"], &export).exit == Some(0));
    is_sound(&project, "restored");
    assert_eq!(done(&project, &["journal", "export", "--state-dir", "restored"]), export);
    // It goes on there, is forgotten and is small again.
    for n in 0..3 {
        let words = [words(n + 3), vec!["--state-dir".to_owned(), "restored".to_owned()]].concat();
        done(&project, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    is_sound(&project, "restored");
    done(&project, &["journal", "prune", "--older-than", "0h", "--state-dir", "restored"]);
    done(&project, &["journal", "compact", "--state-dir", "restored"]);
    is_sound(&project, "restored");
    assert!(bytes(&project.path("restored/log")) < 100 << 10, "{}", bytes(&project.path("restored/log")));
    for state in ["state", "restored"] {
        assert!(!project.path(state).join("sled.damaged-1").exists(), "{state}: a healthy store was set aside");
    }
}

#[test]
fn an_engine_killed_while_its_journal_is_trimmed_loses_nothing() {
    let project = Project::with_plugins(&[]).with_small_files();
    project.write("keeps.yaml", &keeps("keeps", 8));
    let text = format!("text={}", "x".repeat(20_000));
    let (mut kills, mut records) = (0, 0);
    for nth in 1..=18 {
        // A commit has two records, the end of a step and the start of the next.
        let (when, durable) = if nth % 2 == 0 { ("before", nth - 2) } else { ("after", nth) };
        let mut command = project.command(&["run", "keeps.yaml", "-i", &text]);
        let killed = command.env("RUNWRIGHT_KILL_AT", format!("{when}:{nth}")).output().expect("it starts");
        kills += usize::from(killed.status.signal() == Some(9));
        is_sound(&project, "state");
        let now = project.call(&["journal", "verify", "-o", "json"]).json()["records"].as_u64().expect("a number");
        assert!(now >= records + durable, "{when}:{nth}: {now} after {records}");
        records = now;
    }
    assert!(kills > 15, "{kills}");
    assert!(base_files(&project).len() > 2, "{:?}", base_files(&project));
}

/// Bytes that a value of a run may take as JSON.
const VALUE_BYTES_MAX: usize = 2 << 20;

#[test]
fn outputs_that_are_too_large_to_keep_end_their_run_and_nothing_else() {
    let project = Project::with_plugins(&[]);
    let texts: Vec<String> = (0..16).map(|n| format!("\"{n:064}\": {:?}", "x".repeat(60_000))).collect();
    project.write("inputs.json", &format!("{{\"all\": {{{}}}}}", texts.join(", ")));
    // 0.96 MB each: two are kept, three are too many, and nine more than a batch of the journal.
    for (count, fits) in [(2, true), (3, false), (9, false)] {
        let mut text =
            "name: large\ninputs: { all: { type: map } }\nsteps: [{ id: a, script: '1' }]\noutputs:\n".to_owned();
        (0..count).for_each(|n| writeln!(text, "  o{n}: ${{{{ inputs.all }}}}").expect("it is written"));
        project.write("large.yaml", &text);
        let ran = project.call(&["run", "large.yaml", "--inputs-file", "inputs.json", "-o", "json"]);
        assert_eq!(ran.exit, Some(if fits { 0 } else { 1 }), "{count}: {}", ran.err);
        let shown = project.call(&["runs", "show", "latest", "-o", "json"]).out;
        assert_eq!(shown.contains("could not work out `outputs`: it takes"), !fits, "{count}: {}", &shown[..300]);
        assert!(shown.contains(if fits { "succeeded" } else { "failed" }));
    }
    is_sound(&project, "state");
}

#[test]
fn inputs_that_are_too_large_to_keep_are_refused_and_the_engine_serves_on() {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/keeps.yaml", &keeps("keeps", 1));
    let _served = project.serve();
    let start = |bytes: usize| {
        // All inputs take 11 bytes beside the text.
        let text = "x".repeat(bytes - 11);
        let by = r#"{"who": "ada"}"#;
        let body = format!(r#"{{"runbook": {{"name": "keeps"}}, "inputs": {{"text": "{text}"}}, "by": {by}}}"#);
        project.ask("POST", "/v1/runs", &body)
    };
    let (status, said) = start(VALUE_BYTES_MAX + 1);
    assert_eq!(status, 413, "{said}");
    assert!(
        said.contains("the inputs are too large: it takes 2097153 bytes as JSON, and 2097152 can be kept"),
        "{said}"
    );
    assert_eq!(project.call(&["runs", "list"]).out, "no runs\n");
    let (status, said) = start(VALUE_BYTES_MAX);
    assert!((200..300).contains(&status), "{said}");
    assert_eq!(project.call(&["runs", "watch", "latest"]).exit, Some(0));
}
