//! Which file a name means where several files claim it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use host::shown;

use crate::view::Problem;

/// Which file each name means.
///
/// The order of file names decides nothing: a file that is in use stays in use whatever appears beside it, and a name that
/// several files claim of which none was in use is nobody's until people settle it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Claims {
    used: BTreeMap<String, PathBuf>,
    rivals: BTreeMap<String, Vec<PathBuf>>,
}

impl Claims {
    /// Decides again, from all files that claim a name now.
    pub(crate) fn decide<'a>(&mut self, claims: impl Iterator<Item = (&'a str, &'a Path)>) {
        let mut files: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
        for (name, file) in claims {
            files.entry(name).or_default().push(file);
        }
        self.rivals.clear();
        let mut used = BTreeMap::new();
        for (name, files) in files {
            let before = self.used.get(name).filter(|before| files.contains(&before.as_path()));
            let only = (files.len() == 1).then(|| files[0]);
            if let Some(file) = before.map(PathBuf::as_path).or(only) {
                used.insert(name.to_owned(), file.to_owned());
            }
            if files.len() > 1 {
                self.rivals.insert(name.to_owned(), files.into_iter().map(Path::to_owned).collect());
            }
        }
        self.used = used;
    }

    /// The file that a name means.
    pub(crate) fn file(&self, name: &str) -> Option<&Path> {
        self.used.get(name).map(PathBuf::as_path)
    }

    /// The names that mean a file, each with it.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.used.iter().map(|(name, file)| (name.as_str(), file.as_path()))
    }

    /// The files that claim a name which means none of them.
    pub(crate) fn contested(&self, name: &str) -> &[PathBuf] {
        let rivals = self.rivals.get(name).filter(|_| !self.used.contains_key(name));
        rivals.map(Vec::as_slice).unwrap_or_default()
    }

    /// The files that are not used because another one claims their name; `what` the name is of.
    pub(crate) fn problems(&self, what: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, files) in &self.rivals {
            let used = self.file(name);
            for file in files.iter().filter(|file| used != Some(file.as_path())) {
                let problem = match used {
                    Some(used) => format!(
                        "is the {what} {name:?}, as {} is, which stays in use: rename one of them or remove one",
                        shown(used)
                    ),
                    None => {
                        let others: Vec<String> =
                            files.iter().filter(|other| *other != file).map(|other| shown(other)).collect();
                        format!(
                            "is the {what} {name:?}, as {} is, so none of them is used: rename or remove all but one",
                            others.join(", ")
                        )
                    }
                };
                problems.push(Problem { subject: shown(file), problem });
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(claims: &mut Claims, files: &[(&'static str, &'static str)]) -> Option<PathBuf> {
        claims.decide(files.iter().map(|(name, file)| (*name, Path::new(*file))));
        claims.file("a").map(Path::to_owned)
    }

    #[test]
    fn what_is_in_use_stays_and_nobody_wins_by_its_name() {
        let mut claims = Claims::default();
        assert_eq!(decide(&mut claims, &[("a", "2"), ("b", "3")]), Some("2".into()));
        assert_eq!(decide(&mut claims, &[("a", "1"), ("a", "2")]), Some("2".into()), "1 came later");
        assert!(claims.contested("a").is_empty());
        let problems = claims.problems("runbook");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].subject == "1" && problems[0].problem.contains("as 2 is, which stays in use"));
        assert_eq!(decide(&mut claims, &[("a", "1")]), Some("1".into()), "the other one is gone");

        let mut claims = Claims::default();
        assert_eq!(decide(&mut claims, &[("a", "1"), ("a", "2")]), None);
        assert_eq!(claims.contested("a"), [PathBuf::from("1"), PathBuf::from("2")]);
        assert_eq!(claims.problems("runbook").len(), 2);
        assert_eq!(decide(&mut claims, &[("a", "2")]), Some("2".into()));
        assert_eq!(claims.problems("runbook"), []);
    }
}
