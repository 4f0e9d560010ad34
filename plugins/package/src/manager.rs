//! What the actions want of a package manager, whichever it is.

use std::collections::BTreeMap;
use std::time::Duration;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::via::{Place, Places};
use runwright_sdk::{Context, Error, Result};
use serde::Deserialize;
use serde_json::json;

use crate::apt::Apt;
use crate::dnf::Dnf;
use crate::names::Wanted;

/// The system that a step is about.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct System {
    /// The system, by its name in the plugin's configuration; without it the one where `via` leads.
    #[schemars(example = &"web1")]
    host: Option<String>,
    /// Its package manager.
    #[serde(default)]
    #[schemars(example = json!("apt"))]
    manager: Kind,
}

/// A package manager.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Debian's and Ubuntu's.
    #[default]
    Apt,
    /// Fedora's, RHEL's and their like.
    Dnf,
}

impl System {
    pub(crate) fn manager(&self, context: &Context) -> Result<Box<dyn Manager>> {
        let place: Place = Places::of(context)?.place(self.host.as_deref())?;
        Ok(match self.manager {
            Kind::Apt => Box::new(Apt::new(place)),
            Kind::Dnf => Box::new(Dnf::open(place)?),
        })
    }

    /// What it is called, for people.
    pub(crate) fn name(&self) -> &str {
        self.host.as_deref().unwrap_or("the packages")
    }
}

/// What a program said is not what is known of it: to take it for "nothing" would be a silent success.
pub(crate) fn misread(what: &str, said: &str) -> Error {
    Error::permanent(format!("`{what}` answered what is not understood: {said}")).code("package.misread")
}

/// What may be done to have what is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allowed {
    /// A package that is named and not there may be installed.
    pub(crate) install: bool,
    /// Others may be removed.
    pub(crate) remove: bool,
    /// A version may be older.
    pub(crate) downgrade: bool,
}

/// What would be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Simulation {
    /// What would be installed; from apt in the order of dependencies.
    pub(crate) steps: Vec<Step>,
    /// What would be removed, with its version.
    pub(crate) removed: Vec<(String, String)>,
    /// What could be upgraded, but is held or needs more than is allowed.
    pub(crate) kept_back: Vec<String>,
}

/// One package that would be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// The version of now; none: it is not installed.
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    /// Whether it comes from an archive of security updates.
    pub(crate) security: bool,
}

/// A package manager of some system.
pub(crate) trait Manager {
    /// What would be done to have these packages; without any, to have all upgrades. Nothing is changed.
    fn simulate(&self, wanted: &[Wanted], allowed: Allowed) -> Result<Simulation>;
    /// Does it.
    fn act(&self, wanted: &[Wanted], allowed: Allowed, timeout: Duration) -> Result<()>;
    /// Removes packages; what depends on them would go too.
    fn remove(&self, names: &[String], timeout: Duration) -> Result<()>;
    /// Reads the archives' lists.
    fn update(&self, timeout: Duration) -> Result<()>;
    /// Brings what was interrupted to its end.
    fn repair(&self, timeout: Duration) -> Result<()>;
    /// The versions of those that are installed, in full.
    fn installed(&self, names: &[String]) -> Result<BTreeMap<String, String>>;
    /// Which versions the archives have, by name.
    fn available(&self, names: &[String]) -> Result<BTreeMap<String, Vec<String>>>;
    /// Those of them that are held.
    fn held(&self, names: &[String]) -> Result<Vec<String>>;
    /// Holds packages, or no longer.
    fn hold(&self, hold: bool, names: &[String]) -> Result<()>;
    /// Those of them that nobody asked for by name, where acting on them would change that.
    fn auto(&self, names: &[String]) -> Result<Vec<String>>;
    /// Marks them so again.
    fn mark_auto(&self, names: &[String]) -> Result<()>;
    /// Why the system should be booted anew.
    fn reboot_reasons(&self) -> Result<Vec<String>>;
}
