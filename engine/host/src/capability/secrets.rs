//! `secrets`: values that a plugin is granted by name, from the engine's environment, a file or systemd's credentials.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runwright_core::Stream;
use tokio::task::spawn_blocking;

use crate::bindings::secrets::{self, SecretError};
use crate::grants::SecretSource;
use crate::redact::{SECRET_BYTES_MIN, Tainted, is_weak};
use crate::regular;
use crate::state::State;

/// Bytes of a secret: keys and tokens are far smaller, and each is searched for in all that plugins say.
const SECRET_BYTES_MAX: usize = 16 * 1024;
/// How long the first call after a start waits until the values of all granted secrets are known.
const KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// What is wrong with the grant, if anything is.
pub(crate) fn problem(name: &str, source: &SecretSource) -> Option<String> {
    let wrong = |why: &str| Some(format!("the granted secret {name:?} {why}"));
    match source {
        SecretSource::Env(variable) if variable.is_empty() || variable.contains(['=', '\0']) => {
            wrong("must name an environment variable")
        }
        SecretSource::File(path) if !path.is_absolute() => wrong("must name its file by an absolute path"),
        SecretSource::Credential(id) if id.is_empty() || id.contains(['/', '\0']) || id == "." || id == ".." => {
            wrong("must name a credential as LoadCredential= does, which is no path")
        }
        _ => None,
    }
}

/// Reads the secrets, so that their values are hidden from now on, whoever shows them: a plugin may meet a value again
/// that it was given before the engine was started again. What can't be read is left out; who asks for it is told why.
pub(crate) async fn know(sources: Vec<(String, SecretSource)>, tainted: &Tainted) {
    let tainted = tainted.clone();
    let reading = spawn_blocking(move || {
        for (name, source) in sources {
            let problem = match read(&source) {
                Ok(value) if is_weak(&value) && value.len() >= SECRET_BYTES_MIN => {
                    tracing::warn!("{}", weak(&name));
                    continue;
                }
                Ok(value) => tainted.add(&name, &value).err(),
                Err(_) => None,
            };
            if let Some(problem) = problem {
                tracing::warn!(secret = name, problem, "a granted secret can't be used");
            }
        }
    });
    if tokio::time::timeout(KNOWN_WITHIN, reading).await.is_err() {
        tracing::warn!("granted secrets could not be read in time: a plugin that asks for one will wait for it");
    }
}

/// What is said of a weak secret, once.
fn weak(name: &str) -> String {
    format!(
        "the secret {name} is too short or too common to be told from other text: it is hidden only in what the calls say \
         that get it, where it stands as a word of its own; give it at least 8 characters that are no word"
    )
}

/// What is wrong with the granted secrets now, one line each: none of their values is in it.
pub fn findings<'a>(secrets: impl IntoIterator<Item = (&'a String, &'a SecretSource)>) -> Vec<String> {
    let finding = |(name, source): (&String, &SecretSource)| match read(source) {
        Ok(value) if value.len() < SECRET_BYTES_MIN => {
            Some(format!("the secret {name} has fewer than {SECRET_BYTES_MIN} bytes, so it is not given to plugins"))
        }
        Ok(value) => is_weak(&value).then(|| weak(name)),
        Err(SecretError::Failed(why)) => Some(format!("the secret {name} can't be used: {why}")),
        Err(SecretError::Missing | SecretError::Denied) => {
            Some(format!("the secret {name} is granted, but {}", absent(source)))
        }
    };
    secrets.into_iter().filter_map(finding).collect()
}

/// Why a granted secret has no value.
fn absent(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(variable) => {
            format!("the environment variable {variable} of the engine is not set, or empty")
        }
        SecretSource::File(path) => format!("its file {} is not there, or empty", path.display()),
        SecretSource::Credential(id) => format!("systemd gave the engine no credential {id}, or an empty one"),
    }
}

impl secrets::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, SecretError>> {
        let Some(source) = self.grants.secrets.get(&name) else {
            let line = format!("secrets = {{ {} = {{ env = \"…\" }} }}", super::key(&name));
            self.deny(&format!("the secret {name:?}"), &line);
            return Ok(Err(SecretError::Denied));
        };
        // A file may lie on a share that hangs.
        let read_from = source.clone();
        let value = match self.ending.within(None, spawn_blocking(move || read(&read_from))).await {
            Ok(Ok(value)) => value,
            Ok(Err(_)) | Err(_) => Err(SecretError::Failed("it could not be read in time".to_owned())),
        };
        if matches!(value, Err(SecretError::Missing)) {
            self.refusals.explain(format!("the secret {name} is granted, but {}", absent(source)));
        }
        Ok(value.and_then(|value| match self.tainted.add(&name, &value) {
            Ok(()) => {
                if is_weak(&value) && self.tainted.is_news(&name) {
                    self.log.write(Stream::Warn, &weak(&name));
                }
                Ok(value)
            }
            Err(why) => Err(SecretError::Failed(why)),
        }))
    }
}

fn read(source: &SecretSource) -> Result<String, SecretError> {
    let value = match source {
        SecretSource::Env(name) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => SecretError::Missing,
            std::env::VarError::NotUnicode(_) => SecretError::Failed("it is not UTF-8".to_owned()),
        })?,
        SecretSource::File(path) => file(path)?,
        SecretSource::Credential(name) => file(&credentials(std::env::var_os("CREDENTIALS_DIRECTORY"))?.join(name))?,
    };
    if value.is_empty() { Err(SecretError::Missing) } else { Ok(value) }
}

/// The folder in which systemd puts the credentials of a service (systemd.exec(5), Credentials).
fn credentials(variable: Option<std::ffi::OsString>) -> Result<PathBuf, SecretError> {
    let folder = variable.map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder.ok_or_else(|| {
        SecretError::Failed(
            "the engine has no $CREDENTIALS_DIRECTORY: systemd sets it for a unit with LoadCredential=".to_owned(),
        )
    })
}

/// The file's text without the line end that editors leave at its end.
fn file(path: &Path) -> Result<String, SecretError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => SecretError::Missing,
        _ => SecretError::Failed(error.to_string()),
    };
    let text = regular::read_text(path, SECRET_BYTES_MAX).map_err(failed)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use rustix::fs::Mode;

    use super::*;

    #[test]
    fn a_file_loses_its_last_line_end_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, " s3cret \n").unwrap();
        assert_eq!(read(&SecretSource::File(path.clone())).unwrap(), " s3cret ");
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        assert!(matches!(read(&SecretSource::File(path)), Err(SecretError::Failed(_))));
        let missing = folder.path().join("missing");
        assert!(matches!(read(&SecretSource::File(missing)), Err(SecretError::Missing)));
        assert!(matches!(read(&SecretSource::Env("RUNWRIGHT_NO_SUCH".into())), Err(SecretError::Missing)));
    }

    #[test]
    fn a_credential_is_a_file_in_the_folder_that_systemd_names() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "from systemd").unwrap();
        let named = credentials(Some(folder.path().into())).unwrap();
        assert_eq!(file(&named.join("token")).unwrap(), "from systemd");
        for wrong in [None, Some("relative".into())] {
            let Err(SecretError::Failed(why)) = credentials(wrong) else { panic!() };
            assert!(why.contains("LoadCredential="), "{why}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert!(matches!(file(path), Err(SecretError::Failed(_))), "{}", path.display());
        }
    }

    #[tokio::test]
    async fn granted_secrets_are_known_before_anyone_asks_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter22\n").unwrap();
        let source = |name: &str, path: &Path| (name.to_owned(), SecretSource::File(path.to_owned()));
        let tainted = Tainted::default();
        know(vec![source("none", &folder.path().join("none")), source("token", &path)], &tainted).await;
        assert_eq!(tainted.hide("it is hunter22"), "it is [secret token]");
    }

    #[tokio::test]
    async fn a_short_secret_is_refused_and_says_why() {
        use crate::bindings::secrets::Host;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        std::fs::write(&path, "123").unwrap();
        let grants = format!("secrets = {{ pin = {{ file = '{}' }} }}", path.display());
        let mut state = crate::state::bare(&grants, std::sync::Arc::new(crate::notes::Silent));
        let Err(SecretError::Failed(why)) = state.get("pin".to_owned()).await.unwrap() else { panic!() };
        assert!(why.contains("fewer than 4 bytes"), "{why}");
    }
}
