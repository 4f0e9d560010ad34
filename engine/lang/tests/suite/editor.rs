//! The JSON Schema for editors, on the runbooks that there are.

use std::path::{Path, PathBuf};

use crate::support::engine;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{error}"));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// Why an editor would underline something in this runbook, if it would.
fn underlined(validator: &jsonschema::Validator, name: &str, text: &str) -> Vec<String> {
    let value = lang::value(name, text.as_bytes(), &engine()).unwrap_or_else(|all| panic!("{name}: {all:?}"));
    validator.iter_errors(&value).map(|error| format!("{name}: {}: {error}", error.instance_path())).collect()
}

#[test]
fn every_good_runbook_is_one_to_an_editor_and_broken_ones_are_none() {
    let validator = jsonschema::draft202012::new(&lang::editor_schema()).unwrap();
    let mut checked = 0;
    let runbooks = files("runbooks");
    for path in runbooks {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display().to_string();
        assert!(text.starts_with("# yaml-language-server: $schema=../docs/runbook.schema.json\n"), "{name}");
        assert_eq!(underlined(&validator, &name, &text), Vec::<String>::new());
        checked += 1;
    }
    for page in ["README.md", "docs/runbook.md"] {
        let page = std::fs::read_to_string(root().join(page)).unwrap();
        let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for block in blocks.filter(|block| block.starts_with("name:")) {
            assert_eq!(underlined(&validator, "a page", block), Vec::<String>::new(), "{block}");
            checked += 1;
        }
    }
    assert!(checked > 8, "{checked}");
    for broken in ["unknown-key", "wrong-type"] {
        let text = std::fs::read_to_string(root().join(format!("tests/lang/bad/{broken}.yaml"))).unwrap();
        assert_ne!(underlined(&validator, broken, &text), Vec::<String>::new(), "{broken}");
    }
}

#[test]
fn what_a_check_refuses_by_its_shape_an_editor_underlines() {
    let validator = jsonschema::draft202012::new(&lang::editor_schema()).unwrap();
    let wrong = |text: &str| !underlined(&validator, "x.yaml", text).is_empty();
    let step = |step: &str| format!("name: x\nsteps: [{{ id: a, {step} }}]\n");
    for right in [
        "uses: vm/restart, with: { vm: a }, timeout: 1h30m",
        "script: '1', if: true",
        "wait: 5m",
        "wait-until: { uses: a/b, if: output.ok, timeout: 1m }",
        "steps: [{ id: b, wait: 1s }]",
        "parallel: [{ id: b, wait: 1s }], at-once: 2",
        "for-each: [1], steps: [{ id: b, wait: 1s }], waves: [1, 10%], max-failures: 5%",
        "runbook: other, with: { vm: a }, lock: vm/a, timeout: 1m",
        "uses: a/b, undo: { script: '1' }, retry: { attempts: 3 }, on-failure: rollback-wave",
        "script: '1', on-failure: { continue: [denied, partial] }",
    ] {
        assert!(!wrong(&step(right)), "{right}");
    }
    for broken in [
        "when: x, script: '1'",
        "uses: a/b, script: '1'",
        "timeout: 5m",
        "uses: vm",
        "wait-until: { uses: a/b }",
        "for-each: [1]",
        "script: '1', timeout: 90",
        "script: '1', on-failure: ignore",
        "runbook: other, script: '1'",
        "runbook: Other name",
        "script: '1', on-failure: { continue: [] }",
        "script: '1', on-failure: { continue: [denid] }",
        "script: '1', retry: { attempts: 0 }",
        "script: '1', undo: { uses: a/b, script: '1' }",
    ] {
        assert!(wrong(&step(broken)), "{broken}");
    }
    let with_defaults = |defaults: &str| format!("name: x\ndefaults: {{ {defaults} }}\nsteps: []\n");
    assert!(!wrong(&with_defaults(
        "timeout: 5m, retry: { attempts: 2 }, on-failure: { continue: [denied] }, on-unknown: fail"
    )));
    for defaults in ["on-unknown: retry", "always: true", "on-failure: rollback-wave"] {
        assert!(wrong(&with_defaults(defaults)), "{defaults}");
    }
    for inputs in ["a: { type: strin }", "a: {}", "a: { type: list, of: { min: 1 } }", "7a: { type: string }"] {
        assert!(wrong(&format!("name: x\ninputs: {{ {inputs} }}\nsteps: []\n")), "{inputs}");
    }
}

#[test]
fn the_schema_in_the_project_is_the_one_that_is_printed() {
    let printed = serde_json::to_string_pretty(&lang::editor_schema()).unwrap() + "\n";
    let path = root().join("docs/runbook.schema.json");
    assert!(
        std::fs::read_to_string(path).unwrap() == printed,
        "`runwright schema > docs/runbook.schema.json` makes it new"
    );
}
