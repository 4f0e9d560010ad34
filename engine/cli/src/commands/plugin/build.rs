//! `runwright plugin build`

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use host::{Form, Limits};
use serde_json::json;

use super::manifest::{Abi, Manifest};
use super::workbench::Workbench;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright plugin build
  runwright plugin build hello -o json

Runs the commands of the project's runwright-plugin.toml, makes a component of what they leave where it is not one, \
checks that it loads and says what it should of itself, and writes dist/NAME.wasm. No other tool is needed than those \
that the commands name.";

/// How a core module of WebAssembly begins; a component has another version.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Build the plugin of a project
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Build {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

impl Build {
    pub(super) async fn run(mut self, context: &Context) -> Result<u8, Error> {
        if self.folder == Path::new(".") {
            // So that paths are shown as people write them.
            self.folder = PathBuf::new();
        }
        let manifest = Manifest::read(&self.folder)?;
        self.make(context, &manifest)?;
        let output = self.folder.join(&manifest.build.output);
        let bytes = self.packed(&output, &manifest)?;
        let file = self.folder.join("dist").join(format!("{}.wasm", manifest.name));
        let bench = Workbench::load_bytes(&file, bytes.clone(), Limits::default()).await?;
        agree(&manifest, &bench).map_err(|what| Error::new(exit::INVALID, what))?;
        write(&file, &bytes)
            .map_err(|error| Error::because(exit::INTERNAL, format!("could not write {}", file.display()), &error))?;
        context.screen.json(&json!({
            "file": file, "name": bench.facts.name, "version": bench.facts.version, "abi": manifest.abi.to_string(),
            "language": manifest.language, "digest": bench.facts.digest, "bytes": bytes.len(),
        }));
        let facts = &bench.facts;
        context.screen.line(format!("built {}: {} {}", file.display(), facts.name, facts.version));
        context.screen.line(format!("  {}, {} bytes, {}", manifest.abi, bytes.len(), facts.digest));
        Ok(exit::SUCCEEDED)
    }

    /// Runs the commands.
    fn make(&self, context: &Context, manifest: &Manifest) -> Result<(), Error> {
        let missing = manifest.missing(&self.folder);
        if !missing.is_empty() {
            let names: Vec<&str> = missing.iter().map(|tool| tool.program.as_str()).collect();
            let how: Vec<String> = missing.iter().map(|tool| format!("{}: {}", tool.program, tool.install)).collect();
            let what = format!("could not build {}: {} is missing", manifest.name, names.join(", "));
            return Err(Error::new(exit::INVALID, what).hint(how.join("\n")));
        }
        if let Some(place) = self.folder.join(&manifest.build.output).parent() {
            // Compilers write into folders that are there.
            let made = fs::create_dir_all(place);
            made.map_err(|error| Error::because(exit::INVALID, format!("could not make {}", place.display()), &error))?;
        }
        for command in &manifest.build.commands {
            let shown = command.join(" ");
            context.screen.remark(format!("runwright: {shown}"));
            let failed =
                |why: String| Error::new(exit::FAILED, format!("could not build {}: {shown}: {why}", manifest.name));
            let status = self.command(command).status().map_err(|error| failed(error.to_string()))?;
            if !status.success() {
                return Err(failed(status.to_string()));
            }
        }
        Ok(())
    }

    fn here(&self) -> &Path {
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }

    /// The plugin that the commands left: what is no component is made one.
    fn packed(&self, output: &Path, manifest: &Manifest) -> Result<Vec<u8>, Error> {
        let what = || format!("could not use {}", output.display());
        let bytes = read(output).map_err(|error| {
            Error::because(exit::FAILED, what(), &error)
                .hint("build.output in runwright-plugin.toml says where it should be")
        })?;
        let wrong = |why: String| Error::new(exit::FAILED, format!("{}: {why}", what()));
        let bytes = match &manifest.world {
            Some(world) if is_untold(&bytes, manifest.abi) => {
                host::embed(bytes, &self.folder.join("wit"), world).map_err(wrong)?
            }
            _ => bytes,
        };
        match (host::form(&bytes).map_err(wrong)?, manifest.abi) {
            (Form::Command, Abi::Component) => {
                Err(wrong("it is a program for WASI, but runwright-plugin.toml says abi = \"component\"".to_owned()))
            }
            (Form::Typed, Abi::Command) => {
                Err(wrong("it is a component's module, but runwright-plugin.toml says abi = \"command\"".to_owned()))
            }
            _ => host::pack(bytes).map_err(wrong),
        }
    }

    /// What it says goes to standard error: standard output is ours.
    fn command(&self, argv: &[String]) -> Command {
        let program = &argv[0];
        // A relative path is one within the project, wherever this is called.
        let program = match fs::canonicalize(self.folder.join(program)) {
            Ok(path) if program.contains('/') => path,
            _ => PathBuf::from(program),
        };
        let mut command = Command::new(program);
        command.args(&argv[1..]).current_dir(self.here()).stdin(Stdio::null()).stdout(io::stderr());
        command
    }
}

/// Whether it is a module for a component that does not know its type: the compilers of Go and C can't tell it.
fn is_untold(bytes: &[u8], abi: Abi) -> bool {
    abi == Abi::Component && bytes.starts_with(CORE_MODULE) && host::form(bytes).is_err()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let limit = Limits::default().component_bytes as u64;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than {limit} bytes, which no plugin may have")));
    }
    Ok(bytes)
}

/// Whether the plugin says of itself what its project says.
fn agree(manifest: &Manifest, bench: &Workbench) -> Result<(), String> {
    let facts = &bench.facts;
    for (what, told, says) in [("name", &facts.name, &manifest.name), ("version", &facts.version, &manifest.version)] {
        if told != says {
            return Err(format!("the plugin tells its {what} as {told:?}, but runwright-plugin.toml says {says:?}"));
        }
    }
    match bench.host.kind(facts.digest) {
        Some(kind) if kind != manifest.abi.into() => {
            Err(format!("runwright-plugin.toml says abi = \"{}\", but what was built is not called so", manifest.abi))
        }
        _ => Ok(()),
    }
}

/// A crash leaves the whole file or the one before.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    });
    if written.is_err() {
        fs::remove_file(&part).ok();
    }
    written
}
