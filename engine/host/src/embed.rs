//! Tells a core module the type of its component: not every language's tools do.

use std::path::Path;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// `bytes`, a core module, with the type of `world` from the WIT files below `folder` in a custom section of its own.
///
/// Bindings for Go and C call the engine's functions by name and leave it to this to say what their types are; a module that
/// does not have them becomes no component. Strings are UTF-8. Nothing is run. An error is a fragment that says why not.
pub fn embed(mut bytes: Vec<u8>, folder: &Path, world: &str) -> Result<Vec<u8>, String> {
    let mut resolve = Resolve::default();
    let pushed = resolve.push_path(folder);
    let (package, _) = pushed.map_err(|error| resolve.render_error(&error))?;
    let found = resolve.select_world(&[package], Some(world)).map_err(|error| format!("world {world}: {error:#}"))?;
    embed_component_metadata(&mut bytes, &resolve, found, StringEncoding::UTF8)
        .map_err(|error| format!("the type of the world {world} can't be put into it: {error:#}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The header of a core module.
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn a_module_is_told_the_type_of_its_world() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("world.wit"), "package author:a;\nworld a {\n  export b: func();\n}\n").unwrap();
        let typed = embed(EMPTY.to_vec(), folder.path(), "a").unwrap();
        assert!(typed.starts_with(EMPTY));
        assert!(typed.windows(14).any(|part| part == b"component-type"));
        let error = embed(EMPTY.to_vec(), folder.path(), "other").unwrap_err();
        assert!(error.contains("world other"), "{error}");
    }

    #[test]
    fn wrong_wit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = embed(EMPTY.to_vec(), &folder.path().join("nothing"), "a").unwrap_err();
        assert!(error.contains("nothing"), "{error}");
        fs::write(folder.path().join("world.wit"), "package author:a;\nworld a {\n  export b: funk();\n}\n").unwrap();
        let error = embed(EMPTY.to_vec(), folder.path(), "a").unwrap_err();
        assert!(error.contains("world.wit:3"), "{error}");
    }
}
