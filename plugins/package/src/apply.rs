//! `apply`: upgrades or installs packages, with what they depend on, in the order of dependencies.
//!
//! # After a crash
//!
//! The package manager says first what it would do, and the step notes that with the versions of before. So `verify` compares what is
//! installed with the note; a next attempt lets dpkg end what was interrupted and does what is left; and `undo` knows
//! where to go back to.

use std::time::Duration;

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, ErrorKind, Outcome, Preview, Result, Span, Verdict, log};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::manager::{Allowed, Manager, Simulation, System};
use crate::names::{self, Wanted};
use crate::note;
use crate::pending::Upgrade;

const NOTE: &str = "work";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Which packages, each with or without a version. What they depend on comes with them.
    #[serde(default)]
    #[schemars(example = json!(["openssl=3.0.15-1~deb12u1", "nginx"]))]
    packages: Vec<String>,
    /// All that can be upgraded, instead of `packages`.
    #[serde(default)]
    #[schemars(example = false)]
    all: bool,
    /// Whether one of `packages` that is not there is installed.
    #[serde(default)]
    #[schemars(example = false)]
    install: bool,
    /// Whether other packages may be removed for it.
    #[serde(default)]
    #[schemars(example = false)]
    remove: bool,
    /// Whether a version may be older than the one that is there.
    #[serde(default)]
    #[schemars(example = false)]
    downgrade: bool,
    #[serde(flatten)]
    system: System,
    /// How long apt may take. It is killed after that, so rather too long than too short.
    #[serde(default = "half_an_hour")]
    #[schemars(example = json!("30m"))]
    timeout: Span,
}

fn half_an_hour() -> Span {
    Span::seconds(1800)
}

/// What became different.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Applied {
    /// The packages, each behind those that it depends on.
    changed: Vec<Upgrade>,
    /// What was removed.
    #[schemars(example = json!([]))]
    removed: Vec<String>,
}

/// What the step does, worked out before it did anything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Work {
    upgrades: Vec<Upgrade>,
    /// What is removed, with its version.
    removed: Vec<(String, String)>,
    /// Those that nobody asked for by name: they came as dependencies.
    auto: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct Undone {
    /// What has its old version again.
    restored: Vec<String>,
    /// What was not there before and is gone.
    removed: Vec<String>,
}

impl Input {
    fn wanted(&self) -> Result<Vec<Wanted>> {
        if self.all != self.packages.is_empty() {
            return Err(Error::invalid_input("say what: either `packages` or `all: true`").code("package.what"));
        }
        names::read(&self.packages)
    }

    fn allowed(&self) -> Allowed {
        Allowed { install: self.install, remove: self.remove, downgrade: self.downgrade }
    }
}

impl Work {
    fn of(manager: &dyn Manager, simulation: Simulation) -> Result<Self> {
        let upgrades: Vec<_> = simulation.steps.iter().map(Upgrade::from).collect();
        let there: Vec<_> =
            upgrades.iter().filter(|upgrade| upgrade.from.is_some()).map(|up| up.name.clone()).collect();
        let auto = manager.auto(&there)?;
        Ok(Self { upgrades, removed: simulation.removed, auto })
    }

    fn names(&self) -> Vec<String> {
        self.upgrades.iter().map(|upgrade| upgrade.name.clone()).collect()
    }

    /// What is not as it shall be, in words; empty: all is done.
    fn missing(&self, manager: &dyn Manager) -> Result<Vec<String>> {
        let found = manager.installed(&self.names())?;
        let other = self.upgrades.iter().filter(|upgrade| found.get(&upgrade.name) != Some(&upgrade.to));
        Ok(other
            .map(|Upgrade { name, to, .. }| match found.get(name) {
                Some(version) => format!("{name} is at {version}, not {to}"),
                None => format!("{name} is not installed and configured"),
            })
            .collect())
    }

    fn answer(self) -> Result<Outcome<Applied>> {
        let removed = self.removed.iter().map(|(name, _)| name.clone()).collect();
        Outcome::changed(Applied { changed: self.upgrades.clone(), removed }).with_undo(self)
    }
}

/// The packages that were asked for at the versions that were worked out, so that nothing newer comes meanwhile.
fn pinned(wanted: &[Wanted], work: &Work) -> Vec<Wanted> {
    let version = |name: &str| work.upgrades.iter().find(|upgrade| upgrade.name == name).map(|up| up.to.clone());
    let pin = |wanted: &Wanted| Wanted {
        name: wanted.name.clone(),
        version: wanted.version.clone().or_else(|| version(&wanted.name)),
    };
    wanted.iter().map(pin).collect()
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Applied>> {
    let wanted = input.wanted()?;
    let manager = &*input.system.manager(context)?;
    let timeout = Duration::from(input.timeout);
    let work = match note::get::<Work>(NOTE)? {
        Some(work) => {
            log::info!("an earlier attempt began; letting dpkg end what it was at");
            // Who waits for a lock has done nothing.
            let locked = |error: Error| if error.kind() == ErrorKind::Transient { error } else { error.after_effect() };
            manager.repair(timeout).map_err(locked)?;
            work
        }
        None => {
            let work = Work::of(manager, manager.simulate(&wanted, input.allowed())?)?;
            if work.upgrades.is_empty() && work.removed.is_empty() {
                return Ok(Outcome::unchanged(Applied { changed: Vec::new(), removed: Vec::new() }));
            }
            note::set(NOTE, &work)?;
            work
        }
    };
    if !work.missing(manager)?.is_empty() || !work.removed.is_empty() {
        log::progress(10, &format!("{} packages", work.upgrades.len()));
        manager.act(&pinned(&wanted, &work), input.allowed(), timeout)?;
    }
    manager.mark_auto(&work.auto).map_err(Error::after_effect)?;
    let missing = work.missing(manager).map_err(Error::after_effect)?;
    if !missing.is_empty() {
        return Err(Error::partial(missing.join("; ")).code("package.other-version"));
    }
    work.answer()
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let wanted = input.wanted()?;
    let what = if input.all { "all upgrades".to_owned() } else { input.packages.join(", ") };
    let simulation = match input.system.manager(context)?.simulate(&wanted, input.allowed()) {
        Ok(simulation) => simulation,
        // Asking is not granted in a dry run.
        Err(error) if error.kind() == ErrorKind::Denied => {
            let change = Change::new(ChangeKind::Update, &what, "which versions is known when apt may be asked");
            return Ok(Preview::new(format!("applies {what}")).change(change));
        }
        Err(error) => return Err(error),
    };
    let changed: Vec<_> = simulation.steps.iter().map(Upgrade::from).collect();
    let removed: Vec<_> = simulation.removed.iter().map(|(name, _)| name.clone()).collect();
    let mut preview = Preview::new(format!("changes {} packages and removes {}", changed.len(), removed.len()));
    for upgrade in &changed {
        preview = preview.change(match &upgrade.from {
            Some(from) => Change::new(ChangeKind::Update, &upgrade.name, "upgrade").states(from, &upgrade.to),
            None => Change::new(ChangeKind::Create, &upgrade.name, format!("install {}", upgrade.to)),
        });
    }
    for name in &removed {
        preview = preview.change(Change::new(ChangeKind::Delete, name, "remove"));
    }
    Ok(preview.output(json!({"changed": changed, "removed": removed})))
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Applied>> {
    let Some(work) = note::get::<Work>(NOTE)? else { return Ok(Verdict::NotHappened) };
    let manager = &*input.system.manager(context)?;
    let names: Vec<_> = work.removed.iter().map(|(name, _)| name.clone()).collect();
    let done = work.missing(manager)?.is_empty() && manager.installed(&names)?.is_empty();
    Ok(if done { Verdict::Happened(work.answer()?) } else { Verdict::NotHappened })
}

/// Without data the answer was lost, and the note tells.
pub(crate) fn undo(input: Input, data: Option<Work>, context: &Context) -> Result<Outcome<Undone>> {
    let work = match data {
        Some(work) => Some(work),
        None => note::get::<Work>(NOTE)?,
    };
    let nothing = || Outcome::unchanged(Undone { restored: Vec::new(), removed: Vec::new() });
    let Some(work) = work else { return Ok(nothing()) };
    let manager = &*input.system.manager(context)?;
    let timeout = Duration::from(input.timeout);
    // A package that can't be configured can still be replaced.
    manager.repair(timeout).ok();
    let (back, new) = before(manager, &work)?;
    if back.is_empty() && new.is_empty() {
        return Ok(nothing());
    }
    if !back.is_empty() {
        obtainable(manager, &back)?;
        let allowed = Allowed { install: true, remove: true, downgrade: true };
        manager.act(&back, allowed, timeout)?;
        manager.mark_auto(&work.auto).map_err(Error::after_effect)?;
    }
    if !new.is_empty() {
        manager.remove(&new, timeout).map_err(Error::after_effect)?;
    }
    let (left, remains) = before(manager, &work).map_err(Error::after_effect)?;
    if let Some(name) = left.iter().map(|wanted| &wanted.name).chain(&remains).next() {
        let message = format!("{name} is not as it was, though apt says that it went well; look at it by hand");
        return Err(Error::partial(message).code("package.other-version"));
    }
    let restored = back.into_iter().map(|wanted| wanted.name).collect();
    Ok(Outcome::changed(Undone { restored, removed: new }))
}

/// What must get its old version, and what must go, for all to be as before.
fn before(manager: &dyn Manager, work: &Work) -> Result<(Vec<Wanted>, Vec<String>)> {
    let names: Vec<_> = work.names().into_iter().chain(work.removed.iter().map(|(name, _)| name.clone())).collect();
    let found = manager.installed(&names)?;
    let was = work.upgrades.iter().filter_map(|upgrade| Some((&upgrade.name, upgrade.from.as_ref()?)));
    let gone = work.removed.iter().map(|(name, version)| (name, version));
    let back = was.chain(gone).filter(|(name, version)| found.get(*name) != Some(version));
    let back = back.map(|(name, version)| Wanted { name: name.clone(), version: Some(version.clone()) }).collect();
    let new = work.upgrades.iter().filter(|upgrade| upgrade.from.is_none() && found.contains_key(&upgrade.name));
    Ok((back, new.map(|upgrade| upgrade.name.clone()).collect()))
}

/// Fails where a version can't be had any more, before anything is changed.
fn obtainable(manager: &dyn Manager, back: &[Wanted]) -> Result<()> {
    let names: Vec<_> = back.iter().map(|wanted| wanted.name.clone()).collect();
    let available = manager.available(&names)?;
    let plain = |name: &str| name.split(':').next().unwrap_or(name).to_owned();
    let has = |wanted: &Wanted| {
        let versions = available.get(&wanted.name).or_else(|| available.get(&plain(&wanted.name)));
        versions.is_some_and(|versions| wanted.version.as_ref().is_some_and(|version| versions.contains(version)))
    };
    let gone: Vec<_> = back
        .iter()
        .filter(|wanted| !has(wanted))
        .map(|wanted| format!("{}={}", wanted.name, wanted.version.as_deref().unwrap_or("?")))
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let message = format!(
        "no archive has {} any more, so nothing was changed back; install them by hand from a mirror that keeps old \
         versions, then settle the step",
        gone.join(", ")
    );
    Err(Error::permanent(message).code("package.gone"))
}
