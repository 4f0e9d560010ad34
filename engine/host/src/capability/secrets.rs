//! `secrets`: values that a plugin is granted by name, from the engine's environment or from a file.

use std::io::Read;
use std::path::Path;

use tokio::task::spawn_blocking;

use crate::bindings::secrets::{self, SecretError};
use crate::grants::SecretSource;
use crate::state::State;

/// Bytes of a secret: keys and tokens are far smaller.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

impl secrets::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, SecretError>> {
        let Some(source) = self.grants.secrets.get(&name) else {
            let line = format!("secrets = {{ {} = {{ env = \"…\" }} }}", super::key(&name));
            self.deny(&format!("the secret {name:?}"), &line);
            return Ok(Err(SecretError::Denied));
        };
        // A file may lie on a share that hangs, or be a pipe into which nobody writes.
        let source = source.clone();
        let value = match self.ending.within(None, spawn_blocking(move || read(&source))).await {
            Ok(Ok(value)) => value,
            Ok(Err(_)) | Err(_) => Err(SecretError::Failed("it could not be read in time".to_owned())),
        };
        if let Ok(value) = &value {
            self.log.secret(value);
        }
        Ok(value)
    }
}

fn read(source: &SecretSource) -> Result<String, SecretError> {
    let value = match source {
        SecretSource::Env(name) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => SecretError::Missing,
            std::env::VarError::NotUnicode(_) => SecretError::Failed("it is not UTF-8".to_owned()),
        })?,
        SecretSource::File(path) => file(path)?,
    };
    if value.is_empty() { Err(SecretError::Missing) } else { Ok(value) }
}

/// The file's text without the line end that editors leave at its end.
fn file(path: &Path) -> Result<String, SecretError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => SecretError::Missing,
        _ => SecretError::Failed(error.to_string()),
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(SecretError::Failed(format!("it has more than {SECRET_BYTES_MAX} bytes")));
    }
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
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
}
