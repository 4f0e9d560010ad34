//! What a shipped plugin says of itself: every field has a description and, where a type does not show it, an example;
//! every plugin has a README that names its actions.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use host::{Host, PluginEntry, Settings};
use serde_json::Value;

use crate::support::plugin;

const SHIPPED: [&str; 8] = ["alertmanager", "exec", "files", "http", "notify", "package", "service", "vm"];

/// What is missing in a schema, with its place.
fn lacks(root: &Value, schema: &Value, place: &str, found: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        if field["description"].as_str().is_none_or(str::is_empty) {
            found.push(format!("{place} has no description"));
        }
        let shape = match field["$ref"].as_str() {
            Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
            None => field,
        };
        let shown = ["examples", "enum", "oneOf", "anyOf", "properties", "items"];
        if !shown.iter().any(|key| !field[*key].is_null() || !shape[*key].is_null()) {
            found.push(format!("{place} has no example"));
        }
        lacks(root, field, &place, found);
        lacks(root, &field["items"], &place, found);
    }
    for choice in ["anyOf", "oneOf"] {
        for branch in schema[choice].as_array().into_iter().flatten() {
            lacks(root, branch, place, found);
        }
    }
}

fn readme(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins").join(name).join("README.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_grants_of_every_readme_can_be_copied() {
    for name in SHIPPED {
        let text = readme(name);
        let blocks: Vec<_> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{name} says no grants");
        for block in blocks {
            // A block that is no whole table is the content of `[plugin.NAME.grants]`.
            let whole =
                if block.contains("[plugin.") { block.to_owned() } else { format!("[plugin.{name}.grants]\n{block}") };
            let settings: toml::Table =
                toml::from_str(&whole).unwrap_or_else(|error| panic!("{name}: {error}: {whole}"));
            for (plugin, entry) in settings["plugin"].as_table().unwrap() {
                let entry: PluginEntry = entry.clone().try_into().unwrap_or_else(|error| panic!("{plugin}: {error}"));
                assert_eq!(entry.grants.problems(), [], "{plugin}");
            }
        }
    }
}

#[test]
fn every_field_of_a_shipped_plugin_is_described() {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&cache).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut found = Vec::new();
    for name in SHIPPED {
        let host = Host::new(Settings::new(cache.clone())).unwrap();
        let facts = runtime.block_on(host.load(&plugin(name))).unwrap();
        let readme = readme(name);
        for action in &facts.actions {
            let place = format!("{name}/{}", action.name);
            if !readme.contains(&format!("\n| `{}` |", action.name)) {
                found.push(format!("{place} is no row of its plugin's README"));
            }
            for (what, schema) in [("input", &action.input_schema), ("output", &action.output_schema)] {
                lacks(schema, schema, &format!("{place} {what}"), &mut found);
            }
        }
    }
    assert_eq!(found, [] as [&str; 0], "{found:#?}");
}
