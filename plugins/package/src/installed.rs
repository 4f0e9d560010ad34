//! `installed`: which versions there are, and whether they are those that were asked for.

use std::collections::BTreeMap;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Context, Error, Outcome, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::manager::System;
use crate::names;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The packages. One that is written with a version must have it, or the step fails.
    #[schemars(length(min = 1), example = json!(["openssl=3.0.15-1~deb12u1", "nginx"]))]
    packages: Vec<String>,
    #[serde(flatten)]
    system: System,
}

/// What is installed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Found {
    /// The versions of those that are installed, and configured, by name.
    #[schemars(example = json!({"openssl": "3.0.15-1~deb12u1"}))]
    versions: BTreeMap<String, String>,
    /// Those that are not.
    #[schemars(example = json!(["nginx"]))]
    missing: Vec<String>,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Found>> {
    let wanted = names::read(&input.packages)?;
    let names: Vec<_> = wanted.iter().map(|wanted| wanted.name.clone()).collect();
    let versions = input.system.manager(context)?.installed(&names)?;
    let other: Vec<_> = wanted
        .iter()
        .filter(|wanted| wanted.version.as_ref().is_some_and(|version| versions.get(&wanted.name) != Some(version)))
        .map(|wanted| match versions.get(&wanted.name) {
            Some(version) => {
                format!("{} is at {version}, not {}", wanted.name, wanted.version.as_deref().unwrap_or("?"))
            }
            None => format!("{} is not installed", wanted.name),
        })
        .collect();
    if !other.is_empty() {
        return Err(Error::permanent(other.join("; ")).code("package.other-version"));
    }
    let missing = names.into_iter().filter(|name| !versions.contains_key(name)).collect();
    Ok(Outcome::unchanged(Found { versions, missing }))
}
