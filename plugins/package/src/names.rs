//! Packages as a runbook names them.

use runwright_sdk::{Error, Result};

/// Packages of one step.
const PACKAGES_MAX: usize = 500;

/// A package, and the version that is asked for; none: any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
}

/// Reads `NAME` and `NAME=VERSION`. What apt or a shell could read as something else is refused.
pub(crate) fn read(texts: &[String]) -> Result<Vec<Wanted>> {
    if texts.len() > PACKAGES_MAX {
        let message = format!("{} packages are too many for one step: at most {PACKAGES_MAX}", texts.len());
        return Err(Error::invalid_input(message).code("package.name"));
    }
    texts.iter().map(|text| one(text)).collect()
}

fn one(text: &str) -> Result<Wanted> {
    let (name, version) = match text.split_once('=') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    if is_name(name) && version.is_none_or(is_version) {
        return Ok(Wanted { name: name.into(), version: version.map(Into::into) });
    }
    let message = format!("{text:?} is no package: write NAME or NAME=VERSION, like openssl or openssl=3.0.15-1");
    Err(Error::invalid_input(message).code("package.name"))
}

/// Debian policy 5.6.1, and an architecture behind a colon.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    // apt reads a last `+` or `-` as "install" or "remove".
    let ends = !name.ends_with(['-', '+']) || ["g++", "c++"].iter().any(|known| name.ends_with(known));
    name.len() >= 2 && name.starts_with(plain) && ends && name.chars().all(|c| plain(c) || "+-.:".contains(c))
}

/// Debian policy 5.6.12.
fn is_version(version: &str) -> bool {
    let starts = version.starts_with(|c: char| c.is_ascii_digit());
    starts && version.len() <= 200 && version.chars().all(|c| c.is_ascii_alphanumeric() || ".+-:~".contains(c))
}

/// Whether a word that a package manager printed can be the name of a package. rpm's names may have capitals and `_`.
pub(crate) fn shaped(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:_~".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_with_or_without_a_version() {
        let wanted = |text: &str| read(&[text.to_owned()]).map(|mut read| read.remove(0));
        let openssl = wanted("openssl=1:3.0.15-1~deb12u1+b1").unwrap();
        assert_eq!(openssl.version.as_deref(), Some("1:3.0.15-1~deb12u1+b1"));
        assert_eq!(wanted("libc6:i386").unwrap(), Wanted { name: "libc6:i386".into(), version: None });
        assert!(wanted("g++").is_ok());
        for wrong in [
            "",
            "a",
            "-y",
            "Openssl",
            "a b",
            "openssl-",
            "openssl+",
            "openssl=",
            "openssl=x",
            "a*",
            "nginx;id",
            "x=1 2",
            "../x",
        ] {
            assert_eq!(wanted(wrong).unwrap_err().code_text(), Some("package.name"), "{wrong}");
        }
        assert!(read(&vec!["openssl".to_owned(); PACKAGES_MAX + 1]).is_err());
    }
}
