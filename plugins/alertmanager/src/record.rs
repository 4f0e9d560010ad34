//! A silence as the Alertmanager's API has it.

use runwright_sdk::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::matcher::Matcher;
use crate::server::Server;

/// A silence; its times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Silence {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) starts_at: String,
    pub(crate) ends_at: String,
    pub(crate) created_by: String,
    pub(crate) comment: String,
}

/// A silence that the Alertmanager has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) status: Status,
    #[serde(flatten)]
    pub(crate) silence: Silence,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    #[serde(rename = "silenceID")]
    id: String,
}

impl Kept {
    /// Whether it mutes, or will: an expired silence stays listed for days.
    pub(crate) fn counts(&self) -> bool {
        self.status.state != "expired"
    }

    /// All silences, of which those that can't have this matcher may be left out.
    pub(crate) fn all(server: &Server, like: &[Matcher]) -> Result<Vec<Self>> {
        // A filter compares by name with one of a silence's matchers, so a name that comes twice would mislead.
        let unique = |matcher: &&Matcher| like.iter().filter(|other| other.name == matcher.name).count() == 1;
        let filter = like.iter().find(unique).map(|matcher| {
            let plain = Matcher { is_regex: false, is_equal: true, ..matcher.clone() };
            ("filter", plain.to_string())
        });
        server.get("/silences", filter.as_slice())
    }

    /// The silence with this id, if the Alertmanager has it.
    pub(crate) fn of(server: &Server, id: &str) -> Result<Option<Self>> {
        match server.get(&format!("/silence/{}", checked(id)?), &[]) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) if error.code_text() == Some("alertmanager.404") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends the silence with this id.
    pub(crate) fn expire(server: &Server, id: &str) -> Result<()> {
        server.delete(&format!("/silence/{}", checked(id)?))
    }
}

impl Silence {
    /// Makes it; its id.
    pub(crate) fn make(&self, server: &Server) -> Result<String> {
        server.post::<Made>("/silences", self).map(|made| made.id)
    }
}

/// An id becomes a part of a path, so it may have nothing else in it.
fn checked(id: &str) -> Result<&str> {
    let plain = !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let message = || format!("{id:?} is no id of a silence: `alertmanager/silences` lists them");
    if plain { Ok(id) } else { Err(Error::invalid_input(message()).code("alertmanager.id")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_path() {
        assert!(checked("0f7c2b54-0d6b-4b6c-a3e7-6d0e0f5b9c11").is_ok());
        for wrong in ["", "../alerts", "a?b", "a b", &"a".repeat(65)] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }
}
