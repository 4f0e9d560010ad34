//! `hold` and `unhold`. Which packages were held before is noted first; undo changes the others only.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, ErrorKind, Outcome, Preview, Result, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::manager::{Manager, System};
use crate::{names, note};

const NOTE: &str = "held-before";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The packages' names.
    #[schemars(length(min = 1), example = json!(["postgresql-15"]))]
    packages: Vec<String>,
    #[serde(flatten)]
    system: System,
}

/// What became different.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Marked {
    /// The packages whose mark was changed.
    #[schemars(example = json!(["postgresql-15"]))]
    changed: Vec<String>,
}

/// What the step would change and the step is about.
struct Marks {
    manager: Box<dyn Manager>,
    names: Vec<String>,
    /// Those of them that are held.
    held: Vec<String>,
}

impl Marks {
    fn of(input: &Input, context: &Context) -> Result<Self> {
        let wanted = names::read(&input.packages)?;
        if let Some(wanted) = wanted.iter().find(|wanted| wanted.version.is_some()) {
            let message = format!("{} is held at the version that it has; name it without one", wanted.name);
            return Err(Error::invalid_input(message).code("package.name"));
        }
        let names: Vec<_> = wanted.into_iter().map(|wanted| wanted.name).collect();
        let manager = input.system.manager(context)?;
        let held = manager.held(&names)?;
        Ok(Self { manager, names, held })
    }

    /// Those that are not as they should be.
    fn other(&self, hold: bool) -> Vec<String> {
        self.names.iter().filter(|name| self.held.contains(name) != hold).cloned().collect()
    }

    /// Holds `names`, or no longer, and looks whether that is so now: a program that says it went well may be another.
    fn turn(&self, hold: bool, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        self.manager.hold(hold, names)?;
        let held = self.manager.held(names).map_err(Error::after_effect)?;
        let other: Vec<_> = names.iter().filter(|name| held.contains(name) != hold).map(String::as_str).collect();
        if other.is_empty() {
            return Ok(());
        }
        let (verb, now) = (verb(hold), if hold { "not held" } else { "still held" });
        let message = format!("{verb} ended without an error, but {} is {now}; look at it by hand", other.join(", "));
        Err(Error::partial(message).code("package.not-marked"))
    }
}

fn verb(hold: bool) -> &'static str {
    if hold { "hold" } else { "unhold" }
}

fn turn(input: &Input, hold: bool, context: &Context) -> Result<Outcome<Marked>> {
    let marks = Marks::of(input, context)?;
    let changed = match note::get::<Marked>(NOTE)? {
        Some(noted) => noted.changed,
        None => {
            let changed = marks.other(hold);
            note::set(NOTE, &Marked { changed: changed.clone() })?;
            changed
        }
    };
    marks.turn(hold, &marks.other(hold))?;
    let undo = Marked { changed: changed.clone() };
    Outcome { changed: !changed.is_empty(), output: Marked { changed }, undo: None }.with_undo(undo)
}

pub(crate) fn hold(input: Input, context: &Context) -> Result<Outcome<Marked>> {
    turn(&input, true, context)
}

pub(crate) fn unhold(input: Input, context: &Context) -> Result<Outcome<Marked>> {
    turn(&input, false, context)
}

fn plan(input: &Input, hold: bool, context: &Context) -> Result<Preview> {
    let verb = verb(hold);
    let summary = format!("{verb}s {}", input.packages.join(", "));
    let other = match Marks::of(input, context) {
        Ok(marks) => marks.other(hold),
        Err(error) if error.kind() == ErrorKind::Denied => input.packages.clone(),
        Err(error) => return Err(error),
    };
    let change = |name: &String| Change::new(ChangeKind::Update, name, verb);
    Ok(other.iter().fold(Preview::new(summary), |preview, name| preview.change(change(name))))
}

pub(crate) fn plan_hold(input: Input, context: &Context) -> Result<Preview> {
    plan(&input, true, context)
}

pub(crate) fn plan_unhold(input: Input, context: &Context) -> Result<Preview> {
    plan(&input, false, context)
}

fn verify(input: &Input, hold: bool, context: &Context) -> Result<Verdict<Marked>> {
    if !Marks::of(input, context)?.other(hold).is_empty() {
        return Ok(Verdict::NotHappened);
    }
    let changed = note::get::<Marked>(NOTE)?.map(|noted| noted.changed).unwrap_or_default();
    let undo = Marked { changed: changed.clone() };
    Ok(Verdict::Happened(Outcome::changed(Marked { changed }).with_undo(undo)?))
}

pub(crate) fn verify_hold(input: Input, context: &Context) -> Result<Verdict<Marked>> {
    verify(&input, true, context)
}

pub(crate) fn verify_unhold(input: Input, context: &Context) -> Result<Verdict<Marked>> {
    verify(&input, false, context)
}

/// Without data the answer was lost, and the note tells.
fn back(input: &Input, hold: bool, data: Option<Marked>, context: &Context) -> Result<Outcome<Marked>> {
    let noted = match data {
        Some(noted) => Some(noted),
        None => note::get::<Marked>(NOTE)?,
    };
    let changed = noted.map(|noted| noted.changed).unwrap_or_default();
    let marks = Marks::of(input, context)?;
    let back: Vec<_> = changed.into_iter().filter(|name| marks.held.contains(name) == hold).collect();
    marks.turn(!hold, &back)?;
    Ok(Outcome { changed: !back.is_empty(), output: Marked { changed: back }, undo: None })
}

pub(crate) fn undo_hold(input: Input, data: Option<Marked>, context: &Context) -> Result<Outcome<Marked>> {
    back(&input, true, data, context)
}

pub(crate) fn undo_unhold(input: Input, data: Option<Marked>, context: &Context) -> Result<Outcome<Marked>> {
    back(&input, false, data, context)
}
