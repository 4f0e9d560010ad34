//! What the operator lets a plugin reach: `[plugin.NAME]` in `runwright.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use runwright_core::Digest;
use serde::de::{self, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use crate::binding::{Binding, VersionRange};
use crate::capability::{exec, files, http, secrets, unix};
use crate::environment;

/// One `[plugin.NAME]` table of `runwright.toml`.
///
/// ```
/// let entry: host::PluginEntry = toml::from_str(r#"
///     config-file = "inventory.yaml"
///     [grants]
///     unix = ["/run/vms/*/qmp.sock"]
///     exec = [{ program = "/usr/bin/qemu-img", args = ["**"] }]
/// "#).unwrap();
/// assert_eq!(entry.grants.exec.len(), 1);
/// assert!(entry.grants.problems().is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginEntry {
    /// The plugin's own configuration, for example an inventory: read by the engine, given to the plugin as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_file: Option<PathBuf>,
    /// The grants hold for the binary with this digest only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The grants hold for binaries that call themselves a version of this range. Without this and `digest` they hold
    /// for any binary of the name; with both, both must fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionRange>,
    /// What the plugin may reach. Nothing else.
    pub grants: Grants,
}

/// What a plugin may reach outside. Empty means nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grants {
    /// Unix sockets.
    pub unix: Vec<UnixGrant>,
    /// HTTP requests.
    pub http: Vec<HttpGrant>,
    /// Programs.
    pub exec: Vec<ExecGrant>,
    /// Folders.
    pub files: Vec<FileGrant>,
    /// Environment variables of the engine that it sees, by name: for programs that read their settings there.
    /// No secrets: nothing hides their values in what the plugin says.
    pub env: Vec<String>,
    /// Secrets by the name that the plugin asks for.
    pub secrets: BTreeMap<String, SecretSource>,
}

/// Something that is wrong with a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantProblem {
    /// The key in the table of grants.
    pub key: &'static str,
    /// The place in its list, from 0, or the name in its table.
    pub item: String,
    /// What is wrong: a lowercase fragment.
    pub what: String,
}

impl Grants {
    /// Everything that is wrong with these grants; empty when nothing is.
    pub fn problems(&self) -> Vec<GrantProblem> {
        let secret = |(name, source): (&String, _)| Some((name.clone(), secrets::problem(name, source)?));
        let found = [
            ("unix", listed(&self.unix, unix::problem)),
            ("http", listed(&self.http, |grant| http::Rule::new(grant).err())),
            ("exec", listed(&self.exec, exec::problem)),
            ("files", listed(&self.files, files::problem)),
            ("secrets", self.secrets.iter().filter_map(secret).collect()),
            ("env", listed(&self.env, |name| environment::problem(name))),
        ];
        let of = |(key, items): (_, Vec<(String, String)>)| {
            items.into_iter().map(move |(item, what)| GrantProblem { key, item, what })
        };
        found.into_iter().flat_map(of).collect()
    }
}

/// The places of a list at which `problem` finds something.
fn listed<T>(grants: &[T], problem: impl Fn(&T) -> Option<String>) -> Vec<(String, String)> {
    grants.iter().enumerate().filter_map(|(place, grant)| Some((place.to_string(), problem(grant)?))).collect()
}

/// A unix socket, or several by a pattern: `"/abs/*/qmp.sock"` or `{ path = "…", in-plan = true }`.
///
/// `*` stands for any characters within one part of the path. Symbolic links are resolved before the path is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UnixGrant {
    /// The absolute path.
    pub path: String,
    /// Whether it may be used in a dry run too.
    pub in_plan: bool,
}

impl<'de> Deserialize<'de> for UnixGrant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct Table {
            path: String,
            #[serde(default)]
            in_plan: bool,
        }
        struct TextOrTable;
        impl<'de> de::Visitor<'de> for TextOrTable {
            type Value = UnixGrant;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a table with `path` and `in-plan`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<UnixGrant, E> {
                Ok(UnixGrant { path: path.to_owned(), in_plan: false })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<UnixGrant, A::Error> {
                let Table { path, in_plan } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(UnixGrant { path, in_plan })
            }
        }
        deserializer.deserialize_any(TextOrTable)
    }
}

/// HTTP requests of one method to one place. In a dry run only GET and HEAD are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpGrant {
    /// The method in capitals, or `*` for any.
    pub method: String,
    /// `scheme://host:port/path`. The port may be `*`; a path that ends in `*` stands for all that begin so. The query
    /// is free.
    pub url: String,
    /// Whether the host may have a private address: loopback, link-local, RFC 1918 and the like.
    #[serde(default)]
    pub private: bool,
    /// How many redirects are followed, at most 10; each hop must be granted too. Without it the plugin gets the redirect
    /// itself as the answer.
    #[serde(default)]
    pub redirects: u8,
    /// A file of certificates in PEM of which one must have signed the server's; the system's do not count then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// A program on the engine's host with the arguments that it may be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExecGrant {
    /// The absolute path. This file is run, whatever the plugin calls it.
    pub program: PathBuf,
    /// One pattern per argument: `*` any one, a last `**` any that follow, otherwise text in which `*` stands for any
    /// characters without `/`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables that it gets from the engine or from the plugin, by name. It gets `PATH` and `LANG` anyway
    /// and no others.
    #[serde(default)]
    pub env: Vec<String>,
    /// Folders in which the plugin may run it, as path patterns; otherwise it runs in `/`.
    #[serde(default)]
    pub cwd: Vec<String>,
    /// Whether it may be started so that it outlives the engine.
    #[serde(default)]
    pub detached: bool,
    /// Whether it may be run in a dry run too: say so only of arguments that change nothing.
    #[serde(default)]
    pub in_plan: bool,
}

/// A folder that the plugin sees at the same path. In a dry run it is read-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileGrant {
    /// The absolute path.
    pub path: PathBuf,
    /// Whether the plugin may change what is in it.
    #[serde(default)]
    pub write: bool,
}

/// Where the value of a secret comes from, at the moment when the plugin asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// An environment variable of the engine.
    Env(String),
    /// A file; line ends at its end are left out.
    File(PathBuf),
    /// A credential that systemd gave to the engine's service (`LoadCredential=`, `LoadCredentialEncrypted=`), by its
    /// name: the file of that name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// [`Grants`] ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    pub(crate) unix: Vec<UnixGrant>,
    pub(crate) http: Vec<http::Rule>,
    pub(crate) exec: Vec<ExecGrant>,
    pub(crate) files: Vec<FileGrant>,
    pub(crate) env: Vec<String>,
    pub(crate) secrets: BTreeMap<String, SecretSource>,
    /// The binaries that they are bound to.
    pub(crate) binding: Binding,
    /// Why nothing is granted although the operator granted something.
    pub(crate) withheld: Option<String>,
}

impl Granted {
    pub(crate) fn new(binding: Binding, grants: Grants) -> Result<Self, Vec<String>> {
        let problems = grants.problems();
        if !problems.is_empty() {
            return Err(problems.into_iter().map(|problem| problem.what).collect());
        }
        let http = grants.http.iter().filter_map(|grant| http::Rule::new(grant).ok()).collect();
        let Grants { unix, exec, files, env, secrets, http: _ } = grants;
        Ok(Self { unix, http, exec, files, env, secrets, binding, withheld: None })
    }

    /// Nothing, and `why`.
    pub(crate) fn withheld(why: String) -> Self {
        Self { withheld: Some(why), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_and_unknown_keys_are_refused() {
        let entry: PluginEntry = toml::from_str(
            r#"
            config-file = "inventory.yaml"
            digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            version = ">=0.1, <0.3"
            [grants]
            unix = ["/vms/*/qmp.sock", { path = "/vms/*/qga.sock", in-plan = true }]
            http = [{ method = "GET", url = "http://127.0.0.1:*/cgi-bin/health", private = true }]
            exec = [{ program = "/usr/bin/qemu-img", args = ["**"] },
                    { program = "/usr/bin/qemu-system-x86_64", args = ["**"], detached = true, env = [], in-plan = false }]
            files = [{ path = "/vms", write = true }]
            secrets = { token = { env = "TOKEN" }, key = { file = "/etc/key" }, pin = { credential = "pin" } }
            "#,
        )
        .unwrap();
        assert_eq!(entry.grants.problems(), []);
        assert!(!entry.grants.unix[0].in_plan && entry.grants.unix[1].in_plan);
        let back: PluginEntry = toml::from_str(&toml::to_string(&entry).unwrap()).unwrap();
        assert_eq!(back, entry);
        for wrong in ["x = 1", "[grants]\nunix = [{ path = '/x', inplan = true }]", "[grants]\nexec = [{ args = [] }]"]
        {
            assert!(toml::from_str::<PluginEntry>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let grants: Grants = toml::from_str(
            r#"
            unix = ["qmp.sock", "/a/**/b"]
            http = [{ method = "get", url = "http://x/" }, { method = "GET", url = "ftp://x/" }]
            exec = [{ program = "ls" }, { program = "/bin/ls", args = ["**", "x"] }]
            files = [{ path = "vms" }]
            env = ["A=B"]
            secrets = { a = { file = "a" }, b = { env = "" }, c = { credential = "../c" } }
            "#,
        )
        .unwrap();
        assert_eq!(grants.problems().len(), 11, "{:#?}", grants.problems());
    }
}
