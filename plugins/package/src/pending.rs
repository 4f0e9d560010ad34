//! `refresh` and `pending`: what can be upgraded.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, ErrorKind, Outcome, Preview, Result, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::manager::{Allowed, Step, System};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[serde(flatten)]
    system: System,
    /// How long it may take.
    #[serde(default = "five_minutes")]
    #[schemars(example = json!("5m"))]
    timeout: Span,
}

fn five_minutes() -> Span {
    Span::seconds(300)
}

/// Nothing more.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Refreshed {}

pub(crate) fn refresh(input: Refresh, context: &Context) -> Result<Outcome<Refreshed>> {
    let apt = input.system.manager(context)?;
    apt.update(input.timeout.into()).map_err(|error| match error.kind() {
        // Lists that are half new are as good as old ones: the next refresh gets the rest.
        ErrorKind::Partial | ErrorKind::UnknownOutcome => {
            runwright_sdk::Error::transient(error.to_string()).code("package.refresh")
        }
        _ => error,
    })?;
    Ok(Outcome::changed(Refreshed {}))
}

pub(crate) fn plan_refresh(input: Refresh, _: &Context) -> Result<Preview> {
    let change = Change::new(ChangeKind::Execute, input.system.name(), "the lists are read");
    Ok(Preview::new("reads the lists of what the archives have").change(change))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    #[serde(flatten)]
    system: System,
    /// Only what comes from an archive of security updates; only apt tells.
    #[serde(default)]
    #[schemars(example = false)]
    security_only: bool,
}

/// What can be upgraded.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Pending {
    /// How many packages.
    #[schemars(example = 2)]
    count: usize,
    /// The packages; from apt, each behind those that it depends on.
    packages: Vec<Upgrade>,
    /// What could be upgraded, but is held or would need something removed.
    #[schemars(example = json!(["nginx"]))]
    kept_back: Vec<String>,
    /// What would be removed on the way.
    #[schemars(example = json!([]))]
    removed: Vec<String>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Upgrade {
    /// Its name.
    #[schemars(example = &"openssl")]
    pub(crate) name: String,
    /// The version of before; null: it was not installed.
    #[schemars(example = &"3.0.14-1~deb12u2")]
    pub(crate) from: Option<String>,
    /// The version of after.
    #[schemars(example = &"3.0.15-1~deb12u1")]
    pub(crate) to: String,
    /// Whether it comes from an archive of security updates.
    #[schemars(example = true)]
    pub(crate) security: bool,
}

impl From<&Step> for Upgrade {
    fn from(step: &Step) -> Self {
        Self { name: step.name.clone(), from: step.from.clone(), to: step.to.clone(), security: step.security }
    }
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Pending>> {
    let simulation = input.system.manager(context)?.simulate(&[], Allowed::default())?;
    let packages = simulation.steps.iter().map(Upgrade::from);
    let packages: Vec<_> = packages.filter(|upgrade| upgrade.security || !input.security_only).collect();
    let removed = simulation.removed.into_iter().map(|(name, _)| name).collect();
    let kept_back = simulation.kept_back;
    Ok(Outcome::unchanged(Pending { count: packages.len(), packages, kept_back, removed }))
}
