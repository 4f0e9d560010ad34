//! A plugin that was built against an earlier state of the contract: it is not built again, and still runs.

use std::fs;
use std::path::Path;

use crate::support::Project;

#[test]
fn a_plugin_of_long_ago_still_loads_and_runs() {
    let older = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugins/fixtures/older-0.1.0.wasm");
    let project = Project::with_plugins(&[]);
    fs::copy(&older, project.path("plugins/older.wasm")).unwrap();
    project.write("r.yaml", "name: r\nsteps:\n  - { id: say, uses: older/say, with: { text: still here } }\n");
    let ran = project.call(&["run", "r.yaml", "-o", "json"]).json();
    let said = ran["steps"][0]["output"]["text"].as_str().unwrap_or_else(|| panic!("{ran:#}"));
    assert!(said.starts_with("still here (") && said.len() > "still here ()".len(), "{said}");
    let shown = project.call(&["plugin", "inspect", "plugins/older.wasm", "-o", "json"]).json();
    let imports = shown["plugin"]["imports"].as_array().unwrap();
    assert!(imports.iter().any(|import| import == "runwright:plugin/log@0.1.0"), "{imports:?}");
    // The bytes are those of then.
    assert_eq!(shown["plugin"]["digest"], DIGEST);
}

const DIGEST: &str = "sha256:3983327dcfb4565f16b50f997fa0d11fe5db7c58984649e04d15cb8c43b76ff0";
