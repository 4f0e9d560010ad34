//! House rules that a compiler does not check: floors, names, and files that nobody would miss.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below `folder` for which `wanted` holds, sorted.
fn files(folder: &str, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "dist" && !name.starts_with('.') {
                folders.push(path);
            } else if path.is_file() && wanted(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// The crates of the engine and the floor that each stands on.
fn floors() -> BTreeMap<&'static str, u32> {
    let floors = [
        ("core", 0),
        ("script", 1),
        ("lang", 1),
        ("trigger", 1),
        ("journal", 1),
        ("logs", 1),
        ("host", 1),
        ("driver", 2),
        ("daemon", 3),
        ("cli", 4),
    ];
    floors.into_iter().collect()
}

/// The crates of this workspace that a manifest names below `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.trim().strip_prefix("runwright-"));
    names.map(|rest| rest.split(['.', ' ', '=']).next().unwrap().to_owned()).collect()
}

#[test]
fn imports_go_down_only() {
    let floors = floors();
    let folders: Vec<String> = fs::read_dir(root().join("engine"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    for name in &folders {
        let floor = floors.get(name.as_str()).unwrap_or_else(|| panic!("engine/{name} stands on no floor"));
        for below in dependencies(&read(format!("engine/{name}/Cargo.toml"))) {
            let allowed = floors[below.as_str()] < *floor || (name == "lang" && below == "script");
            assert!(allowed, "{name} (floor {floor}) must not know {below}");
        }
    }
    assert!(!dependencies(&read("engine/driver/Cargo.toml")).contains(&"lang".to_owned()));
}

#[test]
fn core_meets_no_world() {
    for path in files("engine/core/src", &is_rust) {
        let text = fs::read_to_string(&path).unwrap();
        for forbidden in ["std::fs", "std::net", "std::process", "SystemTime", "Instant::now", "async fn", "std::env"] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", path.display());
        }
    }
}

#[test]
fn guests_stay_out_of_the_host_build() {
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("exclude = [\"plugins\"]"));
    assert!(read("plugins/Cargo.toml").contains("[workspace]"));
}

/// Features that one plugin alone asks for would change the bytes of all others that are built beside it.
#[test]
fn a_plugin_is_the_same_bytes_built_alone() {
    let manifests = files("plugins", &|path| path.ends_with("Cargo.toml"));
    let members = manifests.iter().filter(|path| path.parent() != Some(&root().join("plugins")));
    for manifest in members {
        let features = read(manifest).contains("features");
        assert!(!features, "{}: say features in plugins/Cargo.toml, for all plugins", manifest.display());
    }
}

#[test]
fn only_the_cli_prints() {
    let printing = ["println!", "eprintln!", "print!(", "dbg!("];
    for path in files("engine", &is_rust) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        if shown.contains("/tests") || shown.contains("/examples/") || shown.starts_with("engine/cli") {
            continue;
        }
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(!printing.iter().any(|print| line.contains(print)), "{shown}: {line}");
        }
    }
}

#[test]
fn every_test_file_is_compiled() {
    for path in files("tests", &is_rust) {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if stem == "main" {
            continue;
        }
        let (name, parent) = if stem == "mod" {
            let folder = path.parent().unwrap();
            (folder.file_name().unwrap().to_str().unwrap().to_owned(), folder.parent().unwrap().to_owned())
        } else {
            (stem, path.parent().unwrap().to_owned())
        };
        let above = [parent.join("mod.rs"), parent.join("main.rs")];
        let declared = above.iter().filter_map(|file| fs::read_to_string(file).ok());
        let line = format!("mod {name};");
        assert!(declared.into_iter().any(|text| text.contains(&line)), "nobody says `{line}` of {}", path.display());
    }
}

#[test]
fn every_plugin_is_used_by_a_test() {
    let tested = |path: &&PathBuf| read(path).contains("#[test]") || read(path).contains("tokio::test");
    let tests = ["tests", "engine", "plugins"].iter().flat_map(|folder| files(folder, &is_rust)).collect::<Vec<_>>();
    let tests: String = tests.iter().filter(tested).map(read).collect();
    for manifest in files("plugins", &|path| path.ends_with("Cargo.toml")) {
        let folder = manifest.parent().unwrap();
        if folder == root().join("plugins") {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        // Its file, or one of its actions: a folder `files/` in a path is no use of the plugin `files`.
        let uses = [format!("{name}.wasm"), format!("uses: {name}/"), format!("\"{name}/"), format!("[\"{name}\"")];
        assert!(uses.iter().any(|uses| tests.contains(uses)), "no test uses the plugin {name}");
    }
}

#[test]
fn no_file_is_called_by_a_word_that_says_nothing() {
    let empty = ["util", "utils", "common", "helper", "helpers", "misc", "manager"];
    // Package managers are what this file is about.
    let meant = root().join("plugins/package/src/manager.rs");
    for path in ["engine", "sdk", "plugins", "tests", "benches"].iter().flat_map(|folder| files(folder, &is_rust)) {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!empty.contains(&stem.as_str()) || path == meant, "{}: what is it for?", path.display());
    }
}

#[test]
fn the_commands_of_the_readme_are_those_of_the_ci() {
    let readme = read("README.md");
    for command in ["make demo", "make test"] {
        assert!(readme.contains(command), "the README does not say `{command}`");
    }
    assert!(read(".ci/run").contains("\nmake test\n"));
}

#[test]
fn the_tree_names_no_place_of_a_machine() {
    let text = |path: &Path| {
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
        matches!(extension.as_str(), "rs" | "md" | "toml" | "yaml" | "sh" | "wit" | "")
    };
    let here = format!("{}/", root().display());
    for folder in ["engine", "sdk", "plugins", "runbooks", "tests", "benches"] {
        for path in files(folder, &text) {
            let found = fs::read_to_string(&path).unwrap_or_default().contains(&here);
            assert!(!found, "{} names a folder of this machine", path.display());
        }
    }
}

#[test]
fn files_stay_small() {
    for folder in ["engine", "sdk", "plugins", "tests"] {
        for path in files(folder, &is_rust) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines: is it two rooms in one?", path.display());
        }
    }
}

/// The tests that a text names.
fn tests_named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() >= 3)
}

#[test]
fn every_test_that_the_promises_name_exists() {
    let sources: Vec<String> =
        ["engine", "tests"].iter().flat_map(|folder| files(folder, &is_rust)).map(read).collect();
    for page in ["docs/guarantees.md", "docs/runbook.md"] {
        let promises = read(page);
        let named: Vec<&str> = tests_named(&promises).collect();
        assert!(named.len() > 15, "{named:?}");
        for test in named {
            let exists = sources.iter().any(|source| source.contains(&format!("fn {test}()")));
            assert!(exists, "{page} names the test {test}, which there is not");
        }
    }
}

/// The sentences of a page, and the rows of its tables; examples are none.
fn sentences(page: &str) -> Vec<String> {
    let prose: String = page.split("```").step_by(2).collect();
    let is_row = |line: &str| line.starts_with('|');
    let (rows, lines): (Vec<&str>, Vec<&str>) = prose.lines().partition(|line| is_row(line));
    let text = lines.join("\n");
    let blocks = text.split("\n\n").flat_map(|block| block.split("\n- ")).map(|block| block.replace('\n', " "));
    let sentences = blocks.flat_map(|block| block.split(". ").map(str::to_owned).collect::<Vec<_>>());
    rows.into_iter().map(str::to_owned).chain(sentences).collect()
}

#[test]
fn what_the_language_says_must_or_never_be_names_its_test() {
    let mut promises = 0;
    for sentence in sentences(&read("docs/runbook.md")) {
        let words: String = sentence.split('`').step_by(2).collect();
        let mut words = words.split(|c: char| !c.is_alphabetic());
        if words.any(|word| matches!(word.to_lowercase().as_str(), "must" | "never" | "always")) {
            assert!(tests_named(&sentence).next().is_some(), "name the test that shows it: {sentence}");
            promises += 1;
        }
    }
    assert!(promises >= 5, "{promises}");
}
