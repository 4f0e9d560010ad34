//! A folder in which an engine runs, dies and is started again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A project with one plugin, one runbook and a state directory.
pub(super) struct Scene {
    folder: TempDir,
    runbook: PathBuf,
    inputs: Vec<String>,
}

impl Scene {
    /// A scene with this built plugin under this name, and this runbook; `FOLDER` in its text is the scene's folder.
    pub(super) fn new(wasm: &str, name: &str, runbook: &str, inputs: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().to_str().unwrap();
        fs::create_dir(folder.path().join("plugins")).unwrap();
        fs::create_dir(folder.path().join("runbooks")).unwrap();
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist").join(wasm);
        let copied = fs::copy(&built, folder.path().join("plugins/plugin.wasm"));
        copied.unwrap_or_else(|error| panic!("no {}: {error}; run `make plugins`", built.display()));
        let config = format!(
            "state-dir = 'state'\nplugins = ['plugins']\n[plugin.{name}]\nconfig-file = 'config.yaml'\n\
             [plugin.{name}.grants]\nfiles = [{{ path = '{path}', write = true }}]\n"
        );
        fs::write(folder.path().join("runwright.toml"), config).unwrap();
        fs::write(folder.path().join("config.yaml"), format!("folder: {path}\n")).unwrap();
        let file = folder.path().join("runbook.yaml");
        fs::write(&file, runbook.replace("FOLDER", path)).unwrap();
        Self { runbook: file, folder, inputs: inputs.iter().map(|input| (*input).to_owned()).collect() }
    }

    /// The same scene before anything happened, with what `self` has compiled.
    pub(super) fn again(&self) -> Self {
        let folder = TempDir::new().unwrap();
        let (old, new) = (self.folder.path().to_str().unwrap(), folder.path().to_str().unwrap());
        for file in ["runwright.toml", "config.yaml", "runbook.yaml"] {
            let text = fs::read_to_string(self.folder.path().join(file)).unwrap();
            fs::write(folder.path().join(file), text.replace(old, new)).unwrap();
        }
        fs::create_dir(folder.path().join("runbooks")).unwrap();
        for entry in fs::read_dir(self.folder.path().join("runbooks")).unwrap() {
            let name = entry.unwrap().file_name();
            let text = fs::read_to_string(self.folder.path().join("runbooks").join(&name)).unwrap();
            fs::write(folder.path().join("runbooks").join(name), text.replace(old, new)).unwrap();
        }
        copy_folder(&self.folder.path().join("plugins"), &folder.path().join("plugins"));
        copy_folder(&self.folder.path().join("state/cache"), &folder.path().join("state/cache"));
        Self { runbook: folder.path().join("runbook.yaml"), folder, inputs: self.inputs.clone() }
    }

    /// Writes a file in the scene's folder; `FOLDER` in its text is that folder.
    pub(super) fn write(&self, file: &str, text: &str) {
        let text = text.replace("FOLDER", self.folder.path().to_str().unwrap());
        fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// Removes a file from the scene's folder.
    pub(super) fn remove(&self, file: &str) {
        fs::remove_file(self.folder.path().join(file)).unwrap();
    }

    /// Puts another built plugin in the place of the scene's.
    pub(super) fn plugin(&self, wasm: &str) {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist").join(wasm);
        fs::copy(built, self.folder.path().join("plugins/plugin.wasm")).unwrap();
    }

    /// Runs the command in the scene. With `kill_at` the engine kills itself at that record.
    pub(super) fn runwright(&self, args: &[&str], kill_at: Option<&str>) -> Output {
        self.command(args, kill_at).output().unwrap()
    }

    /// The command, to be run in the scene.
    pub(super) fn command(&self, args: &[&str], kill_at: Option<&str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runwright"));
        command.args(args).current_dir(self.folder.path()).env_remove("RUNWRIGHT_KILL_AT");
        if let Some(kill_at) = kill_at {
            command.env("RUNWRIGHT_KILL_AT", kill_at);
        }
        command
    }

    /// A path in the scene's folder.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Runs the runbook.
    pub(super) fn run(&self, kill_at: Option<&str>) -> Output {
        let mut args = vec!["run", self.runbook.to_str().unwrap(), "-o", "json"];
        for input in &self.inputs {
            args.extend(["-i", input]);
        }
        self.runwright(&args, kill_at)
    }

    /// The newest run, as `runs show` has it; none if there is no run.
    pub(super) fn latest(&self) -> Option<Value> {
        let shown = self.runwright(&["runs", "show", "latest", "-o", "json"], None);
        shown.status.success().then(|| serde_json::from_slice(&shown.stdout).unwrap())
    }

    /// How many records the newest run has.
    pub(super) fn records(&self) -> usize {
        let listed = self.runwright(&["runs", "list", "-o", "json"], None);
        let runs: Value = serde_json::from_slice(&listed.stdout).unwrap();
        usize::try_from(runs["runs"][0]["seq"].as_u64().unwrap()).unwrap()
    }

    /// The lines of this file in the scene's folder: effects, counted outside of the engine.
    pub(super) fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Whether the process was ended by SIGKILL.
pub(super) fn was_killed(output: &Output) -> bool {
    output.status.signal() == Some(9)
}

/// What effects did, without the keys and attempts that differ from run to run, and how often each key acted.
pub(super) fn counted(lines: &[String]) -> (Vec<String>, BTreeMap<String, usize>) {
    let mut acts = Vec::new();
    let mut by_key = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let [key, act, rest] = words[..] else { panic!("an effect without its words: {line:?}") };
        let text = rest.split_once(' ').map_or("", |(_, text)| text);
        acts.push(format!("{act} {text}").trim().to_owned());
        *by_key.entry(format!("{key} {act}")).or_default() += 1;
    }
    (acts, by_key)
}

fn copy_folder(from: &Path, to: &Path) {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let mode = fs::metadata(from).unwrap().permissions().mode() & 0o777;
    fs::DirBuilder::new().recursive(true).mode(mode.max(0o700)).create(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
