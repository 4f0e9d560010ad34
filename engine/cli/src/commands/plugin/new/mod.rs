//! `runwright plugin new`

mod embedded;
mod name;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::manifest::{FILE_NAME, Manifest};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright plugin new --lang rust disk-check
  runwright plugin new --lang python disk-check

Writes a project into a new folder of that name: two actions, a helper for the language, the contract where it is \
needed, and cases for `runwright plugin test`. Everything comes out of this program; nothing is fetched.";

/// Begin a plugin in one of many languages
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct New {
    /// The language, one of those that templates are for
    #[arg(long, value_name = "LANG", value_parser = language)]
    lang: &'static str,
    /// What the plugin is called: words of a-z and 0-9 with dashes between them
    #[arg(value_name = "NAME")]
    name: String,
}

/// Short forms that people use.
const SHORT: [(&str, &str); 6] = [
    ("as", "assemblyscript"),
    ("golang", "go"),
    ("js", "javascript"),
    ("py", "python"),
    ("rs", "rust"),
    ("ts", "typescript"),
];

fn language(text: &str) -> Result<&'static str, String> {
    let wanted = SHORT.into_iter().find(|(short, _)| *short == text).map_or(text, |(_, language)| language);
    let known = embedded::languages();
    known.iter().copied().find(|language| *language == wanted).ok_or_else(|| {
        format!(
            "there is a template for {}; for others see the command ABI: any language with a compiler for WASI will do",
            known.join(", ")
        )
    })
}

impl New {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        if let Some(problem) = name::problem(&self.name) {
            let error = Error::new(exit::INVALID, format!("the name {:?} {problem}", self.name));
            return Err(match name::instead(&self.name) {
                Some(instead) => error.hint(format!("runwright plugin new --lang {} {instead}", self.lang)),
                None => error,
            });
        }
        let folder = PathBuf::from(&self.name);
        if fs::symlink_metadata(&folder).is_ok() {
            let what = format!("could not make {}: there is something of that name here", folder.display());
            return Err(Error::new(exit::INVALID, what).hint("choose another name, or another working folder"));
        }
        let files = self.files();
        // A whole project or none: it is written beside and renamed.
        let part = PathBuf::from(format!(".{}.{}.part", self.name, std::process::id()));
        let written = write(&part, &files).and_then(|()| fs::rename(&part, &folder));
        written.map_err(|error| {
            fs::remove_dir_all(&part).ok();
            Error::because(exit::INVALID, format!("could not make {}", folder.display()), &error)
        })?;
        let next = self.next(&files);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        context.screen.json(&json!({ "folder": folder, "language": self.lang, "files": paths, "next": next }));
        context.screen.line(format!("made {} for {}: {} files", folder.display(), self.lang, files.len()));
        context.screen.line("next:");
        context.screen.lines(next.iter().map(|line| format!("  {line}")));
        Ok(exit::SUCCEEDED)
    }

    /// The files of the project, with its name in them.
    fn files(&self) -> Vec<File> {
        let folder = format!("templates/{}", self.lang);
        let mut files: Vec<File> =
            embedded::below(&folder).map(|(path, bytes)| File::new(&self.named(path), self.filled(bytes))).collect();
        if files.iter().any(|file| file.path.starts_with("wit/")) {
            let contract = embedded::below("wit").filter(|(path, _)| path.ends_with(".wit"));
            files.extend(
                contract.map(|(path, bytes)| File::new(&format!("wit/deps/runwright-plugin/{path}"), bytes.to_vec())),
            );
        }
        if self.lang == "rust" {
            files.push(File::new("runwright-sdk/Cargo.toml", embedded::sdk_manifest().into_bytes()));
            for folder in ["src", "wit"] {
                let sources =
                    embedded::below(folder).filter(|(path, _)| path.ends_with(".rs") || path.ends_with(".wit"));
                files.extend(
                    sources.map(|(path, bytes)| File::new(&format!("runwright-sdk/{folder}/{path}"), bytes.to_vec())),
                );
            }
        }
        files
    }

    /// `text` with the plugin's name for its placeholders.
    fn named(&self, text: &str) -> String {
        text.replace("{{name}}", &self.name).replace("{{name_snake}}", &self.name.replace('-', "_"))
    }

    /// The same of a file; one that is no text stays as it is.
    fn filled(&self, bytes: &[u8]) -> Vec<u8> {
        str::from_utf8(bytes).map_or_else(|_| bytes.to_vec(), |text| self.named(text).into_bytes())
    }

    /// What to do with it now: commands, and how to get what they need.
    fn next(&self, files: &[File]) -> Vec<String> {
        let mut next = vec![format!("cd {}", self.name)];
        let manifest = files.iter().find(|file| file.path == FILE_NAME);
        let manifest = manifest.and_then(|file| Manifest::parse(&String::from_utf8_lossy(&file.bytes)).ok());
        for tool in manifest.iter().flat_map(|manifest| manifest.missing(Path::new(&self.name))) {
            next.push(format!("# {} is missing: {}", tool.program, tool.install));
        }
        next.push("runwright plugin build".to_owned());
        next.push(format!("runwright plugin test dist/{}.wasm cases.yaml", self.name));
        next
    }
}

/// A file of a project.
struct File {
    /// Within the project.
    path: String,
    bytes: Vec<u8>,
}

impl File {
    fn new(path: &str, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), bytes }
    }
}

fn write(folder: &Path, files: &[File]) -> io::Result<()> {
    fs::create_dir(folder)?;
    for file in files {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).open(path)?.write_all(&file.bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_makes_a_project_without_placeholders() {
        for lang in embedded::languages() {
            let new = New { lang, name: "disk-check".to_owned() };
            let files = new.files();
            for file in &files {
                let text = String::from_utf8_lossy(&file.bytes);
                assert!(!text.contains("{{name") && !file.path.contains("{{"), "{lang}: {}", file.path);
            }
            let manifest = files.iter().find(|file| file.path == FILE_NAME).unwrap();
            let manifest = Manifest::parse(&String::from_utf8_lossy(&manifest.bytes)).unwrap();
            assert_eq!((manifest.name.as_str(), manifest.language.as_str()), ("disk-check", lang));
        }
    }
}
