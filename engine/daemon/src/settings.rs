//! The engine's configuration: `runwright.toml`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host::{Limits, PluginEntry, regular};
use lang::{Diagnostic, Toml};
use logs::LogFiles;
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
/// [logs]
/// run-bytes = 67108864         # what is kept of what the steps of one run say; 0 keeps nothing
///
/// [registry]
/// public-key = "RWQ..."        # pulled plugins must be signed by this minisign key
///
/// [roles]
/// approver = ["alice", "@oncall"]   # who may approve what asks for this role: users, and groups with an @
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
    /// Who may approve what asks for a role: users, and groups with an `@` before them.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Bytes that are kept of what the steps of one run say; with 0 nothing is.
    pub run_log_bytes: u64,
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
    logs: LogsTable,
    registry: RegistryTable,
    roles: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct LogsTable {
    run_bytes: u64,
}

impl Default for LogsTable {
    fn default() -> Self {
        Self { run_bytes: 64 << 20 }
    }
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
            logs: LogsTable::default(),
            registry: RegistryTable::default(),
            roles: BTreeMap::new(),
        }
    }
}

impl File {
    /// What is wrong with values whose shape is right.
    fn problems(&self, toml: &Toml<'_>) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let places = (0..self.plugins.len()).map(|place| place.to_string()).collect::<Vec<_>>();
        let folders = places.iter().zip(&self.plugins).map(|(place, folder)| (vec!["plugins", place], folder));
        let configs = self.plugin.iter().filter_map(|(name, entry)| {
            Some((vec!["plugin", name.as_str(), "config-file"], entry.config_file.as_ref()?))
        });
        let own = [("state-dir", &self.state_dir), ("runbooks", &self.runbooks), ("alarms", &self.alarms)];
        let paths = own.into_iter().map(|(key, value)| (vec![key], value)).chain(folders).chain(configs);
        for (at, value) in paths {
            let text = value.to_string_lossy();
            if text.starts_with('~') || text.contains("${") || text.starts_with('$') {
                let message = format!("`{text}` would be a folder of that very name");
                let mut problem = toml.error("bad-value", &at, message);
                problem.help = Some("variables and `~` are not expanded here: write the path in full".to_owned());
                problems.push(problem);
            }
        }
        for (name, entry) in &self.plugin {
            for problem in entry.grants.problems() {
                let at = ["plugin", name, "grants", problem.key, &problem.item];
                problems.push(toml.error("bad-grant", &at, problem.what));
            }
        }
        problems
    }
}

/// Adds what helps where a key was given what another one takes.
fn helped(toml: &Toml<'_>, mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let helps = [
        ("plugin", "a table for each plugin, `[plugin.NAME]`; the folders of plugins are `plugins = [\"…\"]`"),
        ("plugins", "a list of folders: `plugins = [\"plugins\"]`"),
        ("runbooks", "one folder, with all that is in its subfolders: `runbooks = \"runbooks\"`"),
        ("alarms", "one folder: `alarms = \"alarms\"`"),
    ];
    for diagnostic in &mut diagnostics {
        let help = helps.iter().find(|(key, _)| toml.span(&[key]) == diagnostic.span);
        diagnostic.help = diagnostic.help.take().or_else(|| help.map(|(_, help)| (*help).to_owned()));
    }
    diagnostics
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

    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let name = path.display().to_string();
        let wrong = |diagnostics| Error::Settings { path: path.to_owned(), text: text.into(), diagnostics };
        let toml = Toml::read(&name, text.as_bytes()).map_err(wrong)?;
        let file: File = toml.typed().map_err(|diagnostics| wrong(helped(&toml, diagnostics)))?;
        let problems = file.problems(&toml);
        if !problems.is_empty() {
            return Err(wrong(problems));
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
            run_log_bytes: file.logs.run_bytes,
            public_key: file.registry.public_key,
            roles: file.roles,
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

    /// What steps say, kept beside the journal.
    pub fn logs(&self) -> LogFiles {
        LogFiles::new(self.state_dir.join("logs"), self.run_log_bytes)
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
    fn what_is_kept_of_a_run_is_bounded_and_may_be_nothing() {
        let bytes = |text| Settings::parse(Path::new("runwright.toml"), text).map(|settings| settings.run_log_bytes);
        assert_eq!((bytes("").unwrap(), bytes("[logs]\nrun-bytes = 0").unwrap()), (64 << 20, 0));
        assert!(bytes("[logs]\nrun-bytes = -1").is_err() && bytes("[logs]\nbytes = 1").is_err());
    }

    fn told(text: &str) -> Vec<String> {
        let Err(Error::Settings { diagnostics, .. }) = Settings::parse(Path::new("runwright.toml"), text) else {
            return Vec::new();
        };
        let told = |one: Diagnostic| match &one.help {
            Some(help) => format!("{one}; {help}"),
            None => one.to_string(),
        };
        diagnostics.into_iter().map(told).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_each_with_its_place() {
        let text = r#"
state-dri = "x"
runbooks = ["."]
plugin = ["plugins"]
grace = "10s"

[limits]
memory-bytes = "much"
"#;
        insta::assert_snapshot!(told(text).join("\n"), @r#"
        runwright.toml:2:1: error: unknown key `state-dri`; did you mean `state-dir`?
        runwright.toml:3:12: error: expected a path, found a list; one folder, with all that is in its subfolders: `runbooks = "runbooks"`
        runwright.toml:4:10: error: expected a map, found a list; a table for each plugin, `[plugin.NAME]`; the folders of plugins are `plugins = ["…"]`
        runwright.toml:5:9: error: expected a whole number, found text
        runwright.toml:8:16: error: expected a whole number, found text
        "#);
        let text = r#"
state-dir = "${HOME}/x"
plugins = ["plugins", "~/plugins"]

[plugin.vm]
config-fil = "inventory.yaml"

[plugin.vm.grants]
http = [{ method = "GET", url = "http://127.0.0.1/", privat = true }, "http://x/"]
exec = [{ args = ["*"] }, { program = "/bin/ls" }]
secrets = { token = { env = "TOKEN", file = "/etc/token" }, key = { vault = "x" } }
"#;
        insta::assert_snapshot!(told(text).join("\n"), @r#"
        runwright.toml:6:1: error: unknown key `config-fil`; did you mean `config-file`?
        runwright.toml:9:54: error: unknown key `privat`; did you mean `private`?
        runwright.toml:9:71: error: expected a map, found text
        runwright.toml:10:9: error: the key `program` is missing
        runwright.toml:11:21: error: expected one of the keys env, file, credential, found 2
        runwright.toml:11:69: error: unknown word `vault`; it is one of env, file, credential
        "#);
        let text = r#"
state-dir = "${HOME}/x"
plugins = ["plugins", "~/plugins"]
[plugin.vm.grants]
exec = [{ program = "/bin/ls" }, { program = "ls" }]
secrets = { token = { env = "" } }
"#;
        insta::assert_snapshot!(told(text).join("\n"), @r#"
        runwright.toml:2:13: error: `${HOME}/x` would be a folder of that very name; variables and `~` are not expanded here: write the path in full
        runwright.toml:3:23: error: `~/plugins` would be a folder of that very name; variables and `~` are not expanded here: write the path in full
        runwright.toml:5:34: error: the granted program ls must be an absolute path
        runwright.toml:6:21: error: the granted secret "token" must name an environment variable
        "#);
        insta::assert_snapshot!(told("a = [\nb = 1\n\"x\n").join("\n"), @r#"
        runwright.toml:2:1: error: string values must be quoted, expected literal string
        runwright.toml:2:3: error: unexpected `=` in array, expected value, `]`
        runwright.toml:2:5: error: missing comma between array elements, expected `,`
        runwright.toml:3:1: error: missing comma between array elements, expected `,`
        runwright.toml:3:3: error: unclosed array, expected `]`
        runwright.toml:3:3: error: invalid basic string, expected `"`
        "#);
    }

    /// The keys that a table may have, as serde tells them where there is another.
    fn keys<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let told = serde_json::from_str::<T>("{\"?\": 1}").err().map(|error| error.to_string()).unwrap_or_default();
        let mut keys: Vec<String> = told.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        keys.sort();
        keys
    }

    /// The rows of the first table of the page behind `after`, without its head.
    fn rows(after: &str) -> Vec<Vec<String>> {
        let page = include_str!("../../../docs/configuration.md");
        let (_, rest) = page.split_once(after).unwrap_or_else(|| panic!("the page has no {after:?}"));
        let lines = rest.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
        let row = |line: &str| line.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
        lines.take_while(|line| line.starts_with('|')).map(row).collect()
    }

    #[test]
    fn the_page_about_the_configuration_is_true_to_the_code() {
        let tables = [
            ("## The engine", keys::<File>()),
            ("## `[registry]`", keys::<RegistryTable>()),
            ("## `[logs]`", keys::<LogsTable>()),
            ("## `[plugin.NAME]`", keys::<PluginEntry>()),
            ("### `[plugin.NAME.grants]`", keys::<host::Grants>()),
            ("key of `http`", keys::<host::HttpGrant>()),
            ("key of `exec`", keys::<host::ExecGrant>()),
            ("key of `files`", keys::<host::FileGrant>()),
            ("a secret is one of", keys::<host::SecretSource>()),
            ("## `[limits]`", keys::<Limits>()),
        ];
        for (table, keys) in tables {
            let mut told: Vec<String> = rows(table).into_iter().map(|row| row[0].clone()).collect();
            told.sort();
            // The tables of the file have sections of their own.
            let of_file = |key: &String| !["plugin", "registry", "limits", "logs", "roles"].contains(&key.as_str());
            let keys: Vec<String> = keys.into_iter().filter(of_file).collect();
            assert!(!keys.is_empty(), "{table}");
            assert_eq!(told, keys, "{table}");
        }
        let limits = serde_json::to_value(Limits::default()).unwrap();
        for row in rows("## `[limits]`") {
            assert_eq!(row[1].replace(',', ""), limits[&row[0]].to_string(), "{}", row[0]);
        }
        let usual = File::default();
        let paths = [usual.state_dir, usual.runbooks, usual.alarms];
        for (row, path) in rows("## The engine").into_iter().zip(paths) {
            assert_eq!(Path::new(&row[2]), path, "{}", row[0]);
        }
        let blocks = include_str!("../../../docs/configuration.md").split("```toml\n").skip(1);
        for block in blocks.filter_map(|block| block.split("```").next()) {
            assert_eq!(told(block), Vec::<String>::new(), "{block}");
        }
    }
}
