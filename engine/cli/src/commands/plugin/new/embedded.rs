//! What lies in this program for new projects.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

const SDK_MANIFEST: &str = include_str!("../../../../../../sdk/Cargo.toml");
const ROOT_MANIFEST: &str = include_str!("../../../../../../Cargo.toml");

/// The languages of which there is a template, sorted.
pub(super) fn languages() -> Vec<&'static str> {
    let mut languages: Vec<&str> =
        FILES.iter().filter_map(|(path, _)| path.strip_prefix("templates/")?.split('/').next()).collect();
    languages.dedup();
    languages
}

/// The files below `folder` of the SDK, by their paths in it.
pub(super) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let folder = format!("{folder}/");
    FILES.iter().filter_map(move |(path, bytes)| Some((path.strip_prefix(folder.as_str())?, *bytes)))
}

/// The manifest of the SDK in Rust, without the workspace that it has here.
pub(super) fn sdk_manifest() -> String {
    standalone(SDK_MANIFEST, ROOT_MANIFEST)
}

/// `manifest` with what it takes from the workspace of `root` written out, and without what only its tests need.
fn standalone(manifest: &str, root: &str) -> String {
    let mut text = String::new();
    let mut tested = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            tested = line == "[dev-dependencies]";
        }
        match line.strip_suffix(".workspace = true") {
            _ if tested => continue,
            Some(key) => text.push_str(line_of(root, key).unwrap_or(line)),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    format!("{}\n", text.trim_end())
}

/// The line of `root` that gives `key` its value.
fn line_of<'r>(root: &'r str, key: &str) -> Option<&'r str> {
    root.lines().find(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" = ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_s_manifest_stands_alone() {
        let manifest: toml::Table = sdk_manifest().parse().unwrap();
        assert_eq!(manifest["package"]["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
        let dependencies = manifest["dependencies"].as_table().unwrap();
        assert!(dependencies.contains_key("wit-bindgen") && dependencies["serde"]["version"].is_str());
        assert!(!sdk_manifest().contains("workspace = true") && !manifest.contains_key("dev-dependencies"));
    }

    #[test]
    fn every_template_is_whole() {
        assert!(languages().contains(&"rust"), "{:?}", languages());
        for language in languages() {
            let files: Vec<&str> = below(&format!("templates/{language}")).map(|(path, _)| path).collect();
            for needed in ["README.md", "cases.yaml", "runwright-plugin.toml", ".gitignore"] {
                assert!(files.contains(&needed), "the template of {language} has no {needed}");
            }
        }
        assert!(below("wit").any(|(path, _)| path == "types.wit"));
    }
}
