//! Paths, and what is wrong where one can't be reached.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use runwright_sdk::{Context, Error, Result};
use sha2::{Digest, Sha256};

/// Bytes of a path (PATH_MAX of Linux).
const PATH_MAX: usize = 4096;

/// The path, if it is absolute and has no `..` in it.
pub(crate) fn checked(path: &str) -> Result<&Path> {
    let wrong = |why: &str| Err(Error::invalid_input(format!("{path:?} {why}")).code("files.path"));
    let parsed = Path::new(path);
    if !parsed.has_root() || path.len() > PATH_MAX || path.contains('\0') {
        return wrong("must be an absolute path");
    }
    if parsed.components().any(|part| part == Component::ParentDir) {
        return wrong("must not have `..` in it");
    }
    if parsed.file_name().is_none() {
        return wrong("is no path below a folder");
    }
    Ok(parsed)
}

/// What an I/O error at `path` means before anything was done.
pub(crate) fn failure(what: &str, path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    let folder = path.parent().unwrap_or(Path::new("/")).display();
    let text = error.to_string();
    if error.kind() == ErrorKind::NotFound && !is_granted(path) {
        let message = format!(
            "could not {what} {shown}: no folder above it is granted; to allow it, add under [plugin.files.grants]: \
             files = [{{ path = \"{folder}\", write = true }}], or without `write` for reading only"
        );
        return Error::denied(message).code("files.denied");
    }
    let message = format!("could not {what} {shown}: {text}");
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            let help = "; the grant must say `write = true` for changes, and the engine's user must be allowed to";
            Error::denied(message + help).code("files.denied")
        }
        ErrorKind::NotFound => Error::permanent(message).code("files.not-found"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::transient(message).code("files.full"),
        _ => Error::permanent(message).code("files.failed"),
    }
}

/// Whether some folder above the path can be seen: to WASI what is not granted is not there.
fn is_granted(path: &Path) -> bool {
    path.ancestors().skip(1).any(|folder| fs::metadata(folder).is_ok())
}

/// Whether the error says that nothing lies at the path, which is granted.
fn is_absent(path: &Path, error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound && is_granted(path)
}

/// What lies at the path, not following a link; none where there is nothing.
pub(crate) fn look(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if is_absent(path, &error) => Ok(None),
        Err(error) => Err(failure("look at", path, &error)),
    }
}

/// The same, where it must be a regular file if it is anything.
pub(crate) fn look_at_file(path: &Path) -> Result<Option<fs::Metadata>> {
    match look(path)? {
        Some(metadata) if !metadata.is_file() => {
            let message = format!("{} is no regular file", path.display());
            Err(Error::permanent(message).code("files.no-file"))
        }
        found => Ok(found),
    }
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 and the length of the file, however large it is; none where there is none.
pub(crate) fn digest_of(path: &Path) -> Result<Option<(String, u64)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(path, &error) => {
            return Ok(None);
        }
        Err(error) => return Err(failure("read", path, &error)),
    };
    let (mut sum, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(Some((hex(&sum.finalize()), bytes))),
            Ok(read) => {
                sum.update(&chunk[..read]);
                bytes += read as u64;
            }
            Err(error) => return Err(failure("read", path, &error)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file beside `path` in which its next content is made: the same for every attempt of the step.
pub(crate) fn beside(path: &Path, context: &Context) -> PathBuf {
    let key = digest(format!("{} {} {}", context.run(), context.step(), path.display()).as_bytes());
    path.with_file_name(format!(".runwright-{}", &key[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_else() {
        assert!(checked("/srv/app/a b.conf").is_ok());
        for wrong in ["", "a", "./a", "/", "/srv/../etc/passwd", "/srv/..", "/a\0b"] {
            assert_eq!(checked(wrong).unwrap_err().code_text(), Some("files.path"), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_granted_is_told_with_the_line() {
        // Nothing above it can be seen, as where nothing is granted.
        let error = failure("read", Path::new("nowhere/srv/a"), &io::ErrorKind::NotFound.into());
        assert_eq!(error.code_text(), Some("files.denied"));
        assert!(error.to_string().contains(r#"files = [{ path = "nowhere/srv", write = true }]"#), "{error}");
    }
}
