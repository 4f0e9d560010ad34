//! The folder that the cases of one file get, and what stands for it in them.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use host::Grants;
use runwright_core::Value;
use serde_json::json;
use tempfile::TempDir;

use super::cases::{Expect, Failed};

/// What stands for the folder.
const WORD: &str = "${scratch}";

/// Two folders that are gone with this: an empty one for the plugin, and one with the faked secrets.
pub(super) struct Scratch {
    folder: TempDir,
    fakes: TempDir,
}

impl Scratch {
    pub(super) fn new(secrets: &BTreeMap<String, String>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("runwright-cases-").tempdir()?;
        let fakes = tempfile::Builder::new().prefix("runwright-fakes-").tempdir()?;
        for (place, value) in secrets.values().enumerate() {
            let path = fakes.path().join(place.to_string());
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(value.as_bytes())?;
        }
        Ok(Self { folder, fakes })
    }

    /// The grants, with the folder in them and the fakes as secrets.
    pub(super) fn grants(&self, grants: &Grants, secrets: &BTreeMap<String, String>) -> Result<Grants, String> {
        let grants = serde_json::to_value(grants).map_err(|error| error.to_string())?;
        let mut grants = self.fill(grants);
        for (place, name) in secrets.keys().enumerate() {
            grants["secrets"][name] = json!({ "file": self.fakes.path().join(place.to_string()) });
        }
        serde_json::from_value(grants).map_err(|error| format!("the grants are wrong: {error}"))
    }

    pub(super) fn text(&self, text: &str) -> String {
        text.replace(WORD, &self.folder.path().to_string_lossy())
    }

    /// `value` with the folder in it.
    pub(super) fn fill(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.fill(item)).collect(),
            Value::Object(entries) => {
                Value::Object(entries.into_iter().map(|(key, value)| (key, self.fill(value))).collect())
            }
            other => other,
        }
    }

    /// What is expected, with the folder in it.
    pub(super) fn expect(&self, expect: &Expect) -> Expect {
        let text = |text: &Option<String>| text.as_ref().map(|text| self.text(text));
        Expect {
            output: expect.output.clone().map(|output| self.fill(output)),
            changed: expect.changed,
            undo_data: text(&expect.undo_data),
            verdict: expect.verdict,
            summary: text(&expect.summary),
            changes: expect.changes.as_ref().map(|changes| changes.iter().map(|change| self.text(change)).collect()),
            error: expect.error.as_ref().map(|error| Failed {
                kind: error.kind,
                message: text(&error.message),
                code: error.code.clone(),
            }),
            lost: text(&expect.lost),
            log: expect.log.iter().map(|line| self.text(line)).collect(),
        }
    }
}
