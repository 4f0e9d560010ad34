//! Which runbook a name means; and why none, where its file has errors.

use host::shown;

use super::{Library, Loaded, read};
use crate::folder::Trouble;
use crate::{Error, Workshop};

impl Library {
    /// The runbook with this name, as new runs use it.
    ///
    /// # Errors
    ///
    /// [`Error::Runbook`] where only a file with errors has the name, with all of them; [`Error::NoRunbook`] where none has;
    /// [`Error::Contested`] where several files have it and none of them was in use.
    pub fn find(&self, name: &str, workshop: &Workshop) -> Result<Loaded, Error> {
        let mut runbooks = self.runbooks();
        if let Some(loaded) = runbooks.remove(name) {
            return Ok(loaded);
        }
        let contested = self.claims.contested(name);
        if !contested.is_empty() {
            return Err(Error::Contested { name: name.to_owned(), files: contested.to_owned() });
        }
        for (path, ..) in self.folder.wrong() {
            let is_meant = path.file_stem().is_some_and(|stem| stem == name);
            let file = shown(path);
            match read(&self.root, path) {
                Ok(bytes) if is_meant || states(&bytes, name) => {
                    let checked = workshop.runbook(&file, &bytes, self)?;
                    // It was mended since the last look.
                    if checked.runbook.name == name {
                        return Ok(Loaded { checked, file: path.to_owned(), stale: false });
                    }
                }
                Err(Trouble::Unusable(problem) | Trouble::Unread(problem)) if is_meant => {
                    return Err(Error::NoRunbook { name: name.to_owned(), hint: Some(format!("{file} {problem}")) });
                }
                _ => {}
            }
        }
        let hint = runwright_core::did_you_mean(name, runbooks.keys().copied()).or_else(|| {
            let known: Vec<&str> = runbooks.keys().copied().collect();
            (!known.is_empty()).then(|| format!("there are: {}", known.join(", ")))
        });
        Err(Error::NoRunbook { name: name.to_owned(), hint })
    }
}

/// Whether a file that may have any errors says that this is its name.
fn states(bytes: &[u8], name: &str) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut stated = text.lines().filter_map(|line| line.strip_prefix("name:"));
    stated.any(|stated| {
        let stated = stated.split(" #").next().unwrap_or_default().trim();
        stated.trim_matches(['"', '\'']) == name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_errors_says_its_name_still() {
        let text = b"# heals\nname: \"heal\" # it does\nsteps: [\n";
        assert!(states(text, "heal"));
        assert!(!states(text, "hea") && !states(b"  name: heal\n", "heal") && !states(b"name:\n", "heal"));
    }
}
