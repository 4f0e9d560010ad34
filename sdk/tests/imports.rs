//! A component asks for what its code uses, and for nothing else.

use std::{collections::BTreeSet, path::Path, process::Command};

use wasmparser::{Parser, Payload};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The interfaces of the engine that the shipped plugin `name` imports.
fn imports(name: &str) -> Result<BTreeSet<String>> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    assert!(Command::new(plugins.join("build")).status()?.success(), "plugins/build failed");
    let bytes = std::fs::read(plugins.join(format!("dist/{name}.wasm")))?;
    let mut depth = 0;
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    found.extend(interface(import?.name.name));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// `clock` of `runwright:plugin/clock@0.1.0`.
fn interface(import: &str) -> Option<String> {
    let name = import.strip_prefix("runwright:plugin/")?;
    name.split('@').next().map(Into::into)
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(Into::into).into()
}

#[test]
fn a_guest_imports_only_what_it_uses() {
    assert_eq!(imports("hello").unwrap(), set(["types"]));
}
