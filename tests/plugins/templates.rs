//! Each template goes the way that its README tells: new, build, test, run. Compilers come from `tests/toolchains`.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::Project;

/// What decides how a project becomes a plugin, besides the project; testing and running it are never left out.
const BUILDERS: [&str; 4] = [
    "engine/host/src/pack.rs",
    "engine/host/src/embed.rs",
    "engine/cli/src/commands/plugin/build.rs",
    "engine/cli/src/commands/plugin/manifest.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn templates() -> PathBuf {
    root().join("sdk/templates")
}

/// What building leaves for the next time: compilers' caches and finished plugins.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates")
}

/// Where `tests/toolchains` puts things.
fn toolchains() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("toolchains")
}

/// Runs it to its end, and fails loudly with all that it said.
fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    );
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The files below a folder, sorted; links are not followed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}

/// A project that was made of a template, and what belongs to it.
struct Made {
    project: Project,
    language: &'static str,
}

impl Made {
    /// A project of this language, by `runwright plugin new`; its compiler is there.
    fn new(language: &'static str) -> Self {
        let target = toolchains().parent().expect("the target folder").to_owned();
        succeed(Command::new(root().join("tests/toolchains")).arg(language).env("CARGO_TARGET_DIR", target));
        let made = Self { project: Project::with_plugins(&[]), language };
        succeed(&mut made.runwright(&["plugin", "new", "--lang", language, "hello"]));
        let modules = toolchains().join("npm").join(language).join("node_modules");
        if modules.is_dir() {
            std::os::unix::fs::symlink(modules, made.project.path("hello/node_modules")).unwrap();
        }
        made
    }

    /// `runwright` with the compilers in its path, and without what cargo told this test.
    fn runwright(&self, words: &[&str]) -> Command {
        let mut command = self.project.command(words);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", toolchains().join("python/bin").display()));
        command.env("XDG_CACHE_HOME", kept().join("cache"));
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "GOFLAGS"] {
            command.env_remove(variable);
        }
        command
    }

    /// What the plugin is built from and by, as a number.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let project = self.project.path("hello");
        for file in files(&project).into_iter().chain(BUILDERS.map(|file| root().join(file))) {
            file.strip_prefix(&project).unwrap_or(&file).hash(&mut hasher);
            fs::read(&file).unwrap().hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Builds it, or takes what the same files were built to before. `what` tells the plugins of a language apart.
    fn build(&self, what: &str) {
        let folder = kept().join(self.language).join(what);
        let kept = folder.join(format!("{:016x}.wasm", self.fingerprint()));
        let built = self.project.path("hello/dist/hello.wasm");
        if kept.is_file() {
            fs::create_dir_all(built.parent().unwrap()).unwrap();
            fs::copy(&kept, &built).unwrap();
            return;
        }
        succeed(&mut self.runwright(&["plugin", "build", "hello"]));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let part = kept.with_extension(format!("{}.part", std::process::id()));
        fs::copy(&built, &part).unwrap();
        fs::rename(&part, &kept).unwrap();
    }

    /// Lets it import secrets, as a README says.
    fn may_ask_for_secrets(&self) {
        let add = |file: &str, before: &str, text: &str| {
            let file = self.project.path("hello").join(file);
            let old = fs::read_to_string(&file).unwrap();
            let at = old.rfind(before).unwrap_or_else(|| panic!("no {before} in {old}"));
            fs::write(&file, format!("{}{text}{}", &old[..at], &old[at..])).unwrap();
        };
        add("wit/world.wit", "}", "  import runwright:plugin/secrets@0.1.0;\n");
        if self.language == "typescript" {
            let module = "declare module \"runwright:plugin/secrets@0.1.0\" {\n  const secrets: { get(name: string): string };\n  \
                          export default secrets;\n}\n\n";
            add("src/engine.d.ts", "declare module", module);
        }
    }

    /// The runbook of its README.
    fn runbook(&self) -> String {
        let readme = fs::read_to_string(self.project.path("hello/README.md")).unwrap();
        let block = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
        block.expect("a README shows a runbook").to_owned()
    }
}

/// The way from nothing to a run, as the README of the template tells it. Gives what the plugin asks for.
fn whole_way(language: &'static str) -> BTreeSet<String> {
    let made = Made::new(language);
    made.build("hello");
    let tested = succeed(&mut made.runwright(&["plugin", "test", "hello/dist/hello.wasm", "hello/cases.yaml"]));
    let said = String::from_utf8(tested.stdout).unwrap();
    assert!(said.contains("says when effects may remain"), "{said}");

    fs::copy(made.project.path("hello/dist/hello.wasm"), made.project.path("plugins/hello.wasm")).unwrap();
    made.project.write("hello.yaml", &made.runbook());
    let ran = json(&succeed(&mut made.runwright(&["run", "hello.yaml", "-i", "who=Ada", "-o", "json"])));
    assert_eq!(ran["outputs"]["text"], "Hello, Ada!", "{ran:#}");

    let inspected = json(&succeed(&mut made.runwright(&["plugin", "inspect", "plugins/hello.wasm", "-o", "json"])));
    let asks = inspected["plugin"]["asks-for"].as_array().unwrap_or_else(|| panic!("{inspected:#}"));
    let asks: BTreeSet<String> =
        asks.iter().map(|ask| ask["capability"].as_str().expect("a word").to_owned()).collect();
    for unused in ["exec", "http", "secrets", "checkpoint", "unix"] {
        assert!(!asks.contains(unused), "{language} asks for {unused}, which its template never uses");
    }
    asks
}

#[test]
fn c() {
    let asks = whole_way("c");
    assert_eq!(asks, BTreeSet::from(["log".to_owned()]), "the compiler leaves out what is not called");
}

#[test]
fn go() {
    whole_way("go");
}

#[test]
fn javascript() {
    whole_way("javascript");
}

#[test]
fn typescript() {
    whole_way("typescript");
}

#[test]
fn python() {
    whole_way("python");
}

#[test]
fn zig() {
    whole_way("zig");
}

#[test]
fn assemblyscript() {
    whole_way("assemblyscript");
}

/// Plugins that answer everything that there is, and where each belongs in a project of its language.
const EVERY: [(&str, &str, &str); 7] = [
    ("c", "every.c", "src/plugin.c"),
    ("go", "every.go", "plugin.go"),
    ("javascript", "every.js", "src/plugin.js"),
    ("typescript", "every.ts", "src/plugin.ts"),
    ("python", "every.py", "plugin.py"),
    ("zig", "every.zig", "src/plugin.zig"),
    ("assemblyscript", "every.as.ts", "assembly/plugin.ts"),
];

/// The languages in which an error of a capability is thrown.
const THROWS: [&str; 3] = ["javascript", "typescript", "python"];

/// The template's helper carries every verb, outcome and failure to the engine.
fn every_answer(language: &'static str) {
    let every = root().join("tests/plugins/every");
    let (_, source, place) = EVERY.iter().find(|(of, ..)| *of == language).expect("such a language");
    let made = Made::new(language);
    fs::copy(every.join(source), made.project.path("hello").join(place)).unwrap();
    // Where an error of a capability may go uncaught, what the engine refused is no fault of the plugin.
    let throws = THROWS.contains(&language);
    if throws {
        made.may_ask_for_secrets();
    }
    made.build("every");
    for cases in ["every.yaml"].into_iter().chain(throws.then_some("refused.yaml")) {
        fs::copy(every.join(cases), made.project.path(cases)).unwrap();
        succeed(&mut made.runwright(&["plugin", "test", "hello/dist/hello.wasm", cases]));
    }
    let inspected = json(&succeed(&mut made.runwright(&["plugin", "inspect", "hello/dist/hello.wasm", "-o", "json"])));
    let actions = &inspected["plugin"]["actions"];
    let told = |action: usize| {
        let of = |name: &str| actions[action][name].clone();
        ["name", "effect", "destructive", "has-plan", "has-verify", "has-undo", "undo-safe-if-not-run"].map(of)
    };
    let (yes, no) = (Value::from(true), Value::from(false));
    let [every, plain] = [told(0), told(1)];
    assert_eq!(every[..2], ["every", "unsafe"].map(Value::from));
    assert!(every[2..].iter().all(|fact| *fact == yes), "{actions:#}");
    assert_eq!(plain[0], "plain");
    assert!(plain[2..].iter().all(|fact| *fact == no), "{actions:#}");
}

#[test]
fn the_helper_for_c() {
    every_answer("c");
}

#[test]
fn the_helper_for_go() {
    every_answer("go");
}

#[test]
fn the_helper_for_javascript() {
    every_answer("javascript");
}

#[test]
fn the_helper_for_typescript() {
    every_answer("typescript");
}

#[test]
fn the_helper_for_python() {
    every_answer("python");
}

#[test]
fn the_helper_for_zig() {
    every_answer("zig");
}

#[test]
fn the_helper_for_assemblyscript() {
    every_answer("assemblyscript");
}

#[test]
fn no_template_is_without_a_test() {
    let languages: BTreeSet<String> =
        fs::read_dir(templates()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let tests = fs::read_to_string(root().join("tests/plugins/templates.rs")).unwrap();
    for language in languages.iter().filter(|language| *language != "rust") {
        for way in ["whole_way", "every_answer"] {
            assert!(tests.contains(&format!("{way}(\"{language}\")")), "no test for the template of {language}");
        }
    }
}

#[test]
fn what_a_template_needs_has_one_exact_version() {
    for file in files(&templates()) {
        let text = || fs::read_to_string(&file).unwrap();
        match file.file_name().unwrap().to_str().unwrap() {
            "requirements.txt" => {
                let manifest = fs::read_to_string(file.with_file_name("runwright-plugin.toml")).unwrap();
                for pin in text().lines() {
                    assert!(pin.contains("==") && manifest.contains(&format!("pip install {pin}")), "{pin}");
                }
            }
            "package.json" => {
                let package: Value = serde_json::from_str(&text()).unwrap();
                for (name, version) in package["devDependencies"].as_object().unwrap() {
                    assert!(version.as_str().unwrap().starts_with(char::is_numeric), "{name} {version}");
                }
            }
            _ => {}
        }
    }
}
