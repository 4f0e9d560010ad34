//! The engine's configuration: `runwright.toml`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host::{Limits, PluginEntry, regular};
use serde::Deserialize;

use crate::Error;

/// What `runwright.toml` says, with every path absolute or relative to the working folder.
///
/// ```toml
/// state-dir = "state"          # the journal; one engine at a time
/// runbooks  = "runbooks"       # watched by `runwright serve`
/// alarms    = "alarms"         # watched by `runwright serve`
/// plugins   = ["plugins"]      # folders of *.wasm
/// grace     = 10               # seconds that steps in flight get when the engine stops
/// keep-days = 90               # `runwright serve` forgets runs that were over before that; without it none
///
/// [registry]
/// public-key = "RWQ..."        # pulled plugins must be signed by this minisign key
///
/// [plugin.vm]
/// config-file = "inventory.yaml"
/// [plugin.vm.grants]           # what the plugin may reach; nothing else
/// unix = ["/run/vms/*/qmp.sock"]
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The file that they came from; none for the defaults.
    pub path: Option<PathBuf>,
    /// The folder of the journal, of pinned plugins and of the API's socket.
    pub state_dir: PathBuf,
    /// The watched folder of runbooks.
    pub runbooks: PathBuf,
    /// The watched folder into which alarm files are dropped.
    pub alarms: PathBuf,
    /// Folders of plugins.
    pub plugins: Vec<PathBuf>,
    /// The file that says which binary each plugin's name means: `plugins.lock` beside the configuration.
    pub plugin_lock: PathBuf,
    /// What each plugin is given, by its name.
    pub plugin: BTreeMap<String, PluginEntry>,
    /// The bounds on plugins and calls.
    pub limits: Limits,
    /// How long steps in flight may take when the engine stops.
    pub grace: Duration,
    /// For how long runs that are over are kept; for ever where there is none.
    pub keep: Option<Duration>,
    /// The minisign key that must have signed plugins that are pulled.
    pub public_key: Option<String>,
}

/// Bytes that the file may have.
const BYTES_MAX: usize = 1 << 20;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct File {
    state_dir: PathBuf,
    runbooks: PathBuf,
    alarms: PathBuf,
    plugins: Vec<PathBuf>,
    plugin: BTreeMap<String, PluginEntry>,
    limits: Limits,
    grace: u32,
    keep_days: Option<NonZeroU32>,
    registry: RegistryTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct RegistryTable {
    public_key: Option<String>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            state_dir: ".runwright".into(),
            runbooks: "runbooks".into(),
            alarms: "alarms".into(),
            plugins: vec!["plugins".into()],
            plugin: BTreeMap::new(),
            limits: Limits::default(),
            grace: 10,
            keep_days: None,
            registry: RegistryTable::default(),
        }
    }
}

impl Settings {
    /// The file that is looked for where none is named.
    pub const FILE_NAME: &str = "runwright.toml";

    /// The settings of this file; without one, of `runwright.toml` in the working folder, or the defaults if there is
    /// none.
    pub fn load(explicit: Option<&Path>) -> Result<Self, Error> {
        let path = explicit.unwrap_or_else(|| Path::new(Self::FILE_NAME));
        match regular::read_text(path, BYTES_MAX) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound && explicit.is_none() => {
                Ok(Self::of(File::default(), None, Path::new("")))
            }
            Err(error) => Err(Error::io("read", path, error)),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::Settings { path: path.to_owned(), what };
        let file: File = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        for (plugin, entry) in &file.plugin {
            let problems = entry.grants.problems();
            if !problems.is_empty() {
                return Err(wrong(format!("[plugin.{plugin}.grants]: {}", problems.join("; "))));
            }
        }
        Ok(Self::of(file, Some(path), path.parent().unwrap_or(Path::new(""))))
    }

    fn of(file: File, path: Option<&Path>, folder: &Path) -> Self {
        let at = |path: PathBuf| folder.join(path);
        let plugin = file.plugin.into_iter().map(|(name, mut entry)| {
            entry.config_file = entry.config_file.map(at);
            (name, entry)
        });
        Self {
            path: path.map(Path::to_owned),
            state_dir: at(file.state_dir),
            runbooks: at(file.runbooks),
            alarms: at(file.alarms),
            plugins: file.plugins.into_iter().map(at).collect(),
            plugin_lock: at(PathBuf::from("plugins.lock")),
            plugin: plugin.collect(),
            limits: file.limits,
            grace: Duration::from_secs(file.grace.into()),
            keep: file.keep_days.map(|days| DAY * days.get()),
            public_key: file.registry.public_key,
        }
    }

    /// Whether the state directory has a journal. One that can't be looked into is taken to have one: opening it then tells
    /// what is wrong.
    pub fn has_journal(&self) -> bool {
        let is_there = |name: &str| match std::fs::symlink_metadata(self.state_dir.join(name)) {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        };
        is_there("log") || is_there("sled")
    }

    /// The engine's folder of compiled plugins.
    pub(crate) fn compiled(&self) -> PathBuf {
        self.state_dir.join("cache")
    }

    /// The API's socket.
    pub fn socket(&self) -> PathBuf {
        self.state_dir.join("api.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_file() {
        let text = "state-dir = \"s\"\nplugins = [\"p\", \"/abs\"]\n[plugin.vm]\nconfig-file = \"inventory.yaml\"\n";
        let settings = Settings::parse(Path::new("/etc/rw/runwright.toml"), text).unwrap();
        assert_eq!(settings.state_dir, Path::new("/etc/rw/s"));
        assert_eq!(settings.plugins, [Path::new("/etc/rw/p"), Path::new("/abs")]);
        assert_eq!(settings.plugin["vm"].config_file.as_deref(), Some(Path::new("/etc/rw/inventory.yaml")));
        assert_eq!(settings.runbooks, Path::new("/etc/rw/runbooks"));
    }

    #[test]
    fn runs_are_kept_for_ever_or_for_so_many_days() {
        let keep = |text| Settings::parse(Path::new("runwright.toml"), text).map(|settings| settings.keep);
        assert_eq!(keep("").unwrap(), None);
        assert_eq!(keep("keep-days = 2").unwrap(), Some(Duration::from_secs(172_800)));
        assert!(keep("keep-days = 0").is_err(), "that would forget what just ended");
    }

    #[test]
    fn a_wrong_key_is_told_with_its_place() {
        let error = Settings::parse(Path::new("runwright.toml"), "plugins = []\nstate-dri = \"x\"\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("line 2") && text.contains("state-dri") && text.contains("state-dir"), "{text}");
    }
}
