//! Which binaries of a plugin's name its grants hold for.

use std::fmt;

use runwright_core::{Digest, PluginFacts};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::grants::PluginEntry;

/// A range of versions as Cargo writes them: `">=0.1, <0.3"`, `"0.2"` (that and what is compatible), `"=0.2.1"`, `"*"`.
///
/// Versions are those of Semantic Versioning 2.0.0. A pre-release fits only a range that names one of the same version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange {
    text: String,
    range: VersionReq,
}

impl TryFrom<String> for VersionRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match VersionReq::parse(&text) {
            Ok(range) => Ok(Self { text, range }),
            Err(error) => Err(format!("{text:?} is no range of versions such as \">=0.1, <0.3\": {error}")),
        }
    }
}

impl From<VersionRange> for String {
    fn from(range: VersionRange) -> Self {
        range.text
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why none of the grants hold for this binary, although the operator wrote some for its name: they are bound to another
/// digest, or to versions that this is none of. The rest of a sentence that begins with what is refused.
pub fn withheld(facts: &PluginFacts, entry: Option<&PluginEntry>) -> Option<String> {
    let entry = entry?;
    Binding { digest: entry.digest, version: entry.version.clone() }.refuses(facts)
}

/// What an operator bound grants to; both must fit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Binding {
    pub(crate) digest: Option<Digest>,
    pub(crate) version: Option<VersionRange>,
}

impl Binding {
    /// Why this binary is none of those that are meant.
    pub(crate) fn refuses(&self, facts: &PluginFacts) -> Option<String> {
        let name = &facts.name;
        let look = format!("look at what it asks for now (runwright plugin grants {name})");
        if let Some(bound) = self.digest.filter(|bound| *bound != facts.digest) {
            return Some(format!(
                "its grants in runwright.toml are for {bound} but this is {}; {look}, then write the new digest there",
                facts.digest
            ));
        }
        let range = self.version.as_ref()?;
        let version = &facts.version;
        match Version::parse(version) {
            Ok(version) if range.range.matches(&version) => None,
            Ok(_) => Some(format!(
                "its grants in runwright.toml are for version {range} but this is {version}; {look}, then widen the \
                 version there"
            )),
            Err(_) => Some(format!(
                "its grants in runwright.toml are for version {range}, and its own version {version:?} can't be \
                 compared with that, because it is not like 1.2.3; {look}, then bind them by digest instead"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(version: &str) -> PluginFacts {
        PluginFacts {
            name: "vm".into(),
            version: version.into(),
            summary: String::new(),
            digest: Digest::of(b"vm"),
            imports: Vec::new(),
            actions: Vec::new(),
        }
    }

    fn refused(entry: &str, version: &str) -> Option<String> {
        withheld(&facts(version), Some(&toml::from_str(entry).unwrap()))
    }

    #[test]
    fn a_binary_must_fit_digest_and_version() {
        let range = "version = '>=0.1, <0.3'";
        for fits in ["0.1.0", "0.2.9"] {
            assert_eq!(refused(range, fits), None, "{fits}");
        }
        for other in ["0.3.0", "0.0.9", "0.2.0-beta.1", "1"] {
            assert!(refused(range, other).unwrap().contains(">=0.1, <0.3"), "{other}");
        }
        assert!(refused(range, "new").unwrap().contains("not like 1.2.3"));
        let digest = format!("digest = '{}'", Digest::of(b"vm"));
        assert_eq!(refused(&digest, "new"), None);
        assert_eq!(refused(&format!("{digest}\n{range}"), "0.2.0"), None);
        assert!(refused(&format!("{digest}\n{range}"), "0.3.0").is_some());
        let older = format!("digest = '{}'\n{range}", Digest::of(b"older"));
        assert!(refused(&older, "0.2.0").unwrap().contains("write the new digest"));
        assert_eq!(refused("", "x"), None);
        assert_eq!(withheld(&facts("0.2.0"), None), None);
    }

    #[test]
    fn a_wrong_range_is_told() {
        let error = toml::from_str::<PluginEntry>("version = 'new'").unwrap_err().to_string();
        assert!(error.contains("no range of versions"), "{error}");
    }
}
