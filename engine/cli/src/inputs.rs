//! Inputs of a run from the command line.

use std::path::{Path, PathBuf};

use host::{regular, shown};
use runwright_core::{Map, Value};

use crate::{Error, exit};

/// The inputs of a run.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Inputs {
    /// An input: KEY=TEXT, or KEY:=JSON for a list, a map or null
    #[arg(short, long = "input", value_name = "KEY=VALUE")]
    inputs: Vec<String>,
    /// A YAML or JSON file with inputs; those of -i count more
    #[arg(long, value_name = "FILE")]
    inputs_file: Option<PathBuf>,
}

impl Inputs {
    /// All of them, as they were given: text is turned into what the runbook wants when the run starts.
    pub(crate) fn map(&self) -> Result<Map, Error> {
        let mut map = self.inputs_file.as_deref().map(read).transpose()?.unwrap_or_default();
        for given in &self.inputs {
            let (key, value) = pair(given)?;
            map.insert(key, value);
        }
        Ok(map)
    }
}

fn pair(given: &str) -> Result<(String, Value), Error> {
    let wrong = |why: String| Error::new(exit::USAGE, format!("could not understand the input {given:?}: {why}"));
    let Some((key, text)) = given.split_once('=') else {
        return Err(wrong("it has no =".to_owned()).hint("write -i KEY=TEXT, for example -i vm=web1"));
    };
    match key.strip_suffix(':') {
        None => Ok((key.to_owned(), Value::from(text))),
        Some(key) => {
            let value = serde_json::from_str(text).map_err(|error| wrong(format!("{text:?} is not JSON: {error}")));
            let hint = format!("for text, write {key}={text}");
            Ok((key.to_owned(), value.map_err(|error| error.hint(hint))?))
        }
    }
}

fn read(path: &Path) -> Result<Map, Error> {
    let name = shown(path);
    let message = format!("could not read the inputs from {name}");
    let scripts = script::Engine::new(script::Limits::default());
    let bytes = regular::read(path, lang::limits::FILE_BYTES)
        .map_err(|error| Error::because(exit::INVALID, &message, &error))?;
    match lang::value(&name, &bytes, &scripts) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::new(exit::INVALID, message).hint("it must be a map from names to values")),
        Err(diagnostics) => {
            let rendered = lang::render(&diagnostics, &bytes);
            Err(Error { diagnostics: Some(rendered), ..Error::new(exit::INVALID, message) })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn inputs(given: &[&str]) -> Result<Map, Error> {
        let inputs = given.iter().map(|given| (*given).to_owned()).collect();
        Inputs { inputs, inputs_file: None }.map()
    }

    #[test]
    fn text_stays_text_and_json_is_marked() {
        let map = inputs(&["vm=web1", "n=7", "empty=", "url=a=b", r#"tags:=["a", 1]"#]).unwrap();
        let expected = json!({"vm": "web1", "n": "7", "empty": "", "url": "a=b", "tags": ["a", 1]});
        assert_eq!(Value::Object(map), expected);
    }

    #[test]
    fn what_can_not_be_understood_is_a_usage_error() {
        for given in ["vm", "tags:=[1"] {
            let error = inputs(&[given]).unwrap_err();
            assert_eq!(error.exit, exit::USAGE);
            assert!(error.hint.is_some(), "{error:?}");
        }
    }
}
