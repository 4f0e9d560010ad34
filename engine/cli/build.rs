//! Puts what `runwright plugin new` writes into the program: the templates, the contract and the SDK in Rust.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders that building a template leaves; no template has one of its own.
const LEFT: [&str; 5] = ["target", "dist", "build", "node_modules", "__pycache__"];

fn main() -> io::Result<()> {
    let sdk = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("../../sdk").canonicalize()?;
    let mut table = "pub(super) const FILES: &[(&str, &[u8])] = &[\n".to_owned();
    for folder in ["templates", "wit", "src"] {
        println!("cargo::rerun-if-changed={}", sdk.join(folder).display());
        for path in files(&sdk.join(folder))? {
            let name = path.strip_prefix(&sdk).map_err(io::Error::other)?;
            let line = writeln!(table, "    ({:?}, include_bytes!({:?})),", name.display().to_string(), path);
            line.map_err(io::Error::other)?;
        }
    }
    table.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("embedded.rs"), table)
}

/// The files below `folder`, sorted.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let left = path.file_name().is_some_and(|name| LEFT.iter().any(|left| name == *left));
            if path.is_dir() && !left {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
