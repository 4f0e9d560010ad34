//! Plugins that were built for other versions than this engine's: told in those words, before a linker finds no match.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::said::clean;

/// The version of the contract in `sdk/wit`.
const CONTRACT: (u32, u32) = (0, 1);
/// The version of WASI that is offered, whatever its patch.
const WASI: (u32, u32) = (0, 2);
/// The interfaces of the contract that the engine offers.
const OFFERED: [&str; 8] = ["types", "log", "clock", "secrets", "checkpoint", "exec", "http", "unix"];

/// Why `component` can't be linked here, where that is a matter of versions or of a stranger's interface.
pub(crate) fn skew(component: &Component, engine: &Engine) -> Option<String> {
    let component = component.component_type();
    let imports = component.imports(engine).map(|(name, _)| (name, true));
    let exports = component.exports(engine).map(|(name, _)| (name, false));
    imports.chain(exports).find_map(|(name, imported)| of(name, imported)).map(|why| clean(&why))
}

/// What is wrong with one import or export, if anything is.
fn of(name: &str, imported: bool) -> Option<String> {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let version = parsed(version);
    let told = |(major, minor): (u32, u32)| format!("{major}.{minor}");
    if interface.starts_with("wasi:") {
        let found = version.filter(|version| *version != WASI)?;
        return Some(format!(
            "it is built for WASI {} ({name}); this engine has WASI {}: build it for that",
            told(found),
            told(WASI)
        ));
    }
    let Some(own) = interface.strip_prefix("runwright:plugin/") else {
        return imported.then(|| format!("it imports {name}, which is neither WASI nor the contract of plugins"));
    };
    if let Some(found) = version.filter(|version| *version != CONTRACT) {
        let mend = if found > CONTRACT { "update the engine" } else { "build it again with the SDK of this engine" };
        return Some(format!("it speaks contract {}, this engine {}: {mend}", told(found), told(CONTRACT)));
    }
    (imported && !OFFERED.contains(&own))
        .then(|| format!("it imports {name}, which this engine does not know yet: update the engine"))
}

/// The linker's words for an interface that nobody offers, in ours; its other words as they are.
pub(crate) fn unmatched(error: &str) -> String {
    match (error.contains("was not found in the linker"), error.split('`').nth(1)) {
        (true, Some(name)) => format!("it imports {name}, which this engine does not have"),
        _ => error.to_owned(),
    }
}

/// Major and minor of a semantic version.
fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_told_as_that() {
        for (name, told) in [
            ("wasi:io/streams@0.9.0", "it is built for WASI 0.9 (wasi:io/streams@0.9.0); this engine has WASI 0.2"),
            ("wasi:cli/run@0.3.0", "it is built for WASI 0.3"),
            ("runwright:plugin/log@0.8.0", "it speaks contract 0.8, this engine 0.1: update the engine"),
            ("runwright:plugin/log@1.0.0", "it speaks contract 1.0, this engine 0.1: update the engine"),
            ("runwright:plugin/log@0.0.9", "it speaks contract 0.0, this engine 0.1: build it again"),
            ("runwright:plugin/queue@0.1.3", "which this engine does not know yet: update the engine"),
            ("acme:db/query@1.0.0", "it imports acme:db/query@1.0.0, which is neither"),
        ] {
            assert!(of(name, true).is_some_and(|why| why.contains(told)), "{name}: {:?}", of(name, true));
        }
        for (name, imported) in [
            ("wasi:io/streams@0.2.99", true),
            ("runwright:plugin/exec@0.1.7", true),
            ("runwright:plugin/actions@0.1.0", false),
            ("acme:db/query@1.0.0", false),
        ] {
            assert_eq!(of(name, imported), None, "{name}");
        }
        assert!(of("runwright:plugin/actions@0.8.0", false).unwrap().contains("contract 0.8"));
    }

    #[test]
    fn the_contract_is_that_of_the_wit() {
        let package = format!("package runwright:plugin@{}.{}.", CONTRACT.0, CONTRACT.1);
        assert!(include_str!("../../../sdk/wit/types.wit").contains(&package));
    }
}
