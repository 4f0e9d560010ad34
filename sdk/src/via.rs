//! Programs of another system, reached by a prefix: `chroot`, `nsenter`, `ssh`, `sudo`.
//!
//! A plugin that drives programs (systemctl, apt-get) need not know where they run. The operator says so in its
//! configuration, and grants the whole command line, prefix and all:
//!
//! ```yaml
//! via: [/usr/bin/sudo, -n]          # what is put in front; nothing where it runs here
//! hosts:                            # further systems, which an action's input names
//!   web1: { via: [/usr/bin/ssh, -o, BatchMode=yes, ops@web1] }
//! ```
//!
//! `ssh` joins what follows into one line that a shell reads on the other side: give it words only that no shell changes.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Context, Error, Result, exec::Command};

/// The systems that the operator knows.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    #[serde(default)]
    via: Vec<String>,
    #[serde(default)]
    hosts: BTreeMap<String, Place>,
}

/// One system.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    via: Vec<String>,
}

impl Places {
    /// Those of the plugin's configuration; without one, the engine's host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Permanent`](crate::ErrorKind::Permanent) for a configuration that is something else.
    pub fn of(context: &Context) -> Result<Self> {
        match context.config() {
            Err(error) if error.code_text() == Some("config.missing") => Ok(Self::default()),
            other => other,
        }
    }

    /// The host of this name; without one, where the top `via` leads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a host that the configuration does not have.
    pub fn place(&self, host: Option<&str>) -> Result<Place> {
        let Some(name) = host else { return Ok(Place { via: self.via.clone() }) };
        self.hosts.get(name).cloned().ok_or_else(|| {
            let names: Vec<_> = self.hosts.keys().map(String::as_str).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::invalid_input(format!("there is no host {name:?} in the plugin's configuration; it has {known}"))
                .code("config.host")
        })
    }
}

impl Place {
    /// The program with these arguments, there.
    pub fn command<S: Into<String>>(&self, program: &str, args: impl IntoIterator<Item = S>) -> Command {
        let mut words = self.via.iter().cloned().chain([program.to_owned()]);
        let first = words.next().unwrap_or_default();
        Command::new(first).args(words).args(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_put_in_front() {
        let context = Context::new("run", "step", "key")
            .with_config(r#"{"via": ["/usr/bin/sudo", "-n"], "hosts": {"web1": {"via": ["/usr/bin/ssh", "web1"]}}}"#);
        let places = Places::of(&context).unwrap();
        let command = |host| places.place(host).unwrap().command("/bin/true", ["-x"]);
        assert_eq!(command(None), Command::new("/usr/bin/sudo").args(["-n", "/bin/true", "-x"]));
        assert_eq!(command(Some("web1")), Command::new("/usr/bin/ssh").args(["web1", "/bin/true", "-x"]));
        let unknown = places.place(Some("web2")).unwrap_err();
        assert!(unknown.to_string().ends_with("it has web1"), "{unknown}");
        let here = Places::of(&Context::new("run", "step", "key")).unwrap().place(None).unwrap();
        assert_eq!(here.command("/bin/true", ["-x"]), Command::new("/bin/true").arg("-x"));
    }
}
