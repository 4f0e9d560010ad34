//! `list`: the files of a folder that fit.

use std::fs;
use std::path::Path;
use std::time::Duration;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, Outcome, Result, Span, clock};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::exists::{Kind, modified};
use crate::place;

/// Folders within folders.
const DEPTH_MAX: usize = 32;
/// What is looked at, fitting or not: a folder with more is no work for one step.
const SEEN_MAX: usize = 100_000;
/// Entries of one answer.
const LIMIT_MAX: usize = 5000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    /// The folder.
    #[schemars(example = &"/var/log/app")]
    path: String,
    /// Only names that fit: `*` stands for any characters, `?` for one.
    #[serde(default = "all")]
    #[schemars(example = json!("*.log.?"))]
    pattern: String,
    /// Whether the folders in it are searched too. Links are not followed.
    #[serde(default)]
    #[schemars(example = false)]
    recursive: bool,
    /// Only what was not changed for so long.
    #[schemars(example = json!("7d"))]
    older_than: Option<Span>,
    /// Only what has at least so many bytes.
    #[serde(default)]
    #[schemars(example = 1_048_576)]
    min_bytes: u64,
    /// What comes first; with `limit` it decides what is left out.
    #[serde(default)]
    #[schemars(example = json!("largest"))]
    sort: Sort,
    /// How many at most.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 5000), example = 1000)]
    limit: usize,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Sort {
    /// By path.
    #[default]
    Name,
    /// What was not changed for the longest time.
    Oldest,
    /// What has the most bytes.
    Largest,
}

fn all() -> String {
    "*".into()
}

fn thousand() -> usize {
    1000
}

/// The files that fit.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Listing {
    /// How many fit, also beyond the limit.
    #[schemars(example = 1)]
    count: usize,
    /// Their bytes together.
    #[schemars(example = 1_048_576)]
    bytes: u64,
    /// The files and links; folders are searched, but not listed.
    files: Vec<Entry>,
}

/// One file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Entry {
    /// Its absolute path.
    #[schemars(example = &"/var/log/app/app.log.1")]
    path: String,
    /// What it is.
    kind: Kind,
    /// Its size in bytes.
    #[schemars(example = 1_048_576)]
    bytes: u64,
    /// When it was changed last, in RFC 3339; null where that is not known.
    #[schemars(example = &"2026-05-01T12:00:00Z")]
    modified: Option<String>,
}

pub(crate) fn run(input: Input, _: &Context) -> Result<Outcome<Listing>> {
    let folder = place::checked(&input.path)?;
    if input.limit == 0 || input.limit > LIMIT_MAX {
        return Err(Error::invalid_input(format!("limit must be 1 to {LIMIT_MAX}")).code("files.limit"));
    }
    let mut search = Search { input: &input, found: Vec::new(), seen: 0 };
    search.folder(folder, 0)?;
    let mut files = search.found;
    match input.sort {
        Sort::Name => files.sort_by(|one, other| one.path.cmp(&other.path)),
        Sort::Oldest => files.sort_by(|one, other| one.modified.cmp(&other.modified)),
        Sort::Largest => files.sort_by_key(|entry| std::cmp::Reverse(entry.bytes)),
    }
    let (count, bytes) = (files.len(), files.iter().map(|entry| entry.bytes).sum());
    files.truncate(input.limit);
    Ok(Outcome::unchanged(Listing { count, bytes, files }))
}

struct Search<'a> {
    input: &'a Input,
    found: Vec<Entry>,
    seen: usize,
}

impl Search<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<()> {
        let entries = fs::read_dir(folder).map_err(|error| place::failure("list", folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| place::failure("list", folder, &error))?;
            self.seen += 1;
            if self.seen > SEEN_MAX {
                let message = format!("{} has more than {SEEN_MAX} files", self.input.path);
                return Err(Error::permanent(message).code("files.too-many"));
            }
            let path = entry.path();
            // What vanishes meanwhile was not to be listed.
            let Some(metadata) = place::look(&path)? else { continue };
            if metadata.is_dir() {
                if self.input.recursive && depth < DEPTH_MAX {
                    self.folder(&path, depth + 1)?;
                }
                continue;
            }
            if self.fits(&entry.file_name().to_string_lossy(), &metadata) {
                self.found.push(Entry {
                    path: path.to_string_lossy().into_owned(),
                    kind: Kind::of(&metadata),
                    bytes: metadata.len(),
                    modified: modified(&metadata),
                });
            }
        }
        Ok(())
    }

    fn fits(&self, name: &str, metadata: &fs::Metadata) -> bool {
        let old = self.input.older_than.is_none_or(|span| {
            let age = metadata.modified().ok().and_then(|modified| clock::now().duration_since(modified).ok());
            age.is_some_and(|age| age >= Duration::from(span))
        });
        old && metadata.len() >= self.input.min_bytes && fits(self.input.pattern.as_bytes(), name.as_bytes())
    }
}

/// Does the name fit? Takes time in proportion to both lengths at most.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((star_at, stretched)) = star else { return false };
                star = Some((star_at, stretched + 1));
                at = star_at + 1;
                read = stretched + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Folder;

    #[test]
    fn names_fit_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("*.log.?", "a.log.1", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_fits_is_listed_in_order() {
        let folder = Folder::new();
        fs::create_dir(folder.path("in")).unwrap();
        for (name, bytes) in [("b.log", 3), ("a.log", 1), ("c.txt", 9), ("in/d.log", 7)] {
            fs::write(folder.path(name), vec![b'x'; bytes]).unwrap();
        }
        let names = |json: serde_json::Value| {
            let mut json = json;
            json["path"] = folder.path("").trim_end_matches('/').into();
            let outcome = run(serde_json::from_value(json).unwrap(), &Context::default()).unwrap().output;
            let names = outcome.files.iter().map(|entry| entry.path.replace(&folder.path(""), "")).collect::<Vec<_>>();
            (outcome.count, outcome.bytes, names.join(" "))
        };
        assert_eq!(names(json!({"pattern": "*.log"})), (2, 4, "a.log b.log".into()));
        assert_eq!(names(json!({"recursive": true, "sort": "largest", "limit": 2})), (4, 20, "c.txt in/d.log".into()));
        assert_eq!(names(json!({"older-than": "1h"})).0, 0);
        assert_eq!(names(json!({"min-bytes": 3})).0, 2);
    }
}
