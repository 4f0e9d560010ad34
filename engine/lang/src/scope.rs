//! What expressions may read at the places of a runbook.

use runwright_core::{did_you_mean, short};
use script::{Read, means};

use crate::input::dotted;

/// What expressions at one place may read.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'s> {
    /// A step, or the outputs.
    Run {
        inputs: &'s [&'s str],
        /// The ids of all steps, in order.
        steps: &'s [&'s str],
        /// How many of the steps come before.
        before: usize,
        /// Also `output`: what the action just gave.
        output: bool,
        /// The names of the items that the step is for.
        items: &'s [&'s str],
        /// How many steps are around it.
        depth: usize,
    },
    /// What is worked out before the run begins.
    Inputs { inputs: &'s [&'s str] },
    /// The condition and the inputs of a trigger.
    Alarm,
}

const STEP_FIELDS: [&str; 9] =
    ["ran", "succeeded", "failed", "skipped", "rescued", "outcome", "output", "error", "attempts"];
const ERROR_FIELDS: [&str; 3] = ["kind", "message", "code"];
const RUN_FIELDS: [&str; 2] = ["id", "name"];
const ALARM_FIELDS: [&str; 12] = [
    "name",
    "firing",
    "resolved",
    "status",
    "severity",
    "labels",
    "annotations",
    "source",
    "id",
    "starts",
    "ends",
    "fingerprint",
];

impl<'s> Scope<'s> {
    /// The variables.
    pub(crate) fn roots(self) -> Vec<&'s str> {
        let of_run = match self {
            Self::Run { output: false, .. } => &["inputs", "steps", "run"][..],
            Self::Run { output: true, .. } => &["inputs", "steps", "run", "output"],
            Self::Inputs { .. } => &["inputs"],
            Self::Alarm => &["alarm"],
        };
        of_run.iter().chain(self.items()).copied().collect()
    }

    /// The names of the items.
    pub(crate) fn items(self) -> &'s [&'s str] {
        if let Self::Run { items, .. } = self { items } else { &[] }
    }

    /// The steps that come before, also those around.
    pub(crate) fn before(self) -> &'s [&'s str] {
        if let Self::Run { steps, before, .. } = self { &steps[..before] } else { &[] }
    }

    pub(crate) fn depth(self) -> usize {
        if let Self::Run { depth, .. } = self { depth } else { 0 }
    }

    /// The same with these items.
    pub(crate) fn with_items<'t>(self, items: &'t [&'t str]) -> Scope<'t>
    where
        's: 't,
    {
        match self {
            Self::Run { inputs, steps, before, output, depth, .. } => {
                Scope::Run { inputs, steps, before, output, items, depth }
            }
            other => other,
        }
    }

    /// What a step in a step sees: of these steps those before it.
    pub(crate) fn inside<'t>(self, steps: &'t [&'t str], before: usize) -> Scope<'t>
    where
        's: 't,
    {
        match self {
            Self::Run { inputs, output, items, depth, .. } => {
                Scope::Run { inputs, steps, before, output, items, depth: depth + 1 }
            }
            other => other,
        }
    }

    /// The input that is meant where only its name is written.
    pub(crate) fn input(self, written: &str) -> Option<&'s str> {
        self.inputs().iter().copied().find(|known| means(written, known))
    }

    fn inputs(self) -> &'s [&'s str] {
        match self {
            Self::Run { inputs, .. } | Self::Inputs { inputs } => inputs,
            Self::Alarm => &[],
        }
    }

    fn steps(self) -> &'s [&'s str] {
        match self {
            Self::Run { steps, .. } => steps,
            Self::Inputs { .. } | Self::Alarm => &[],
        }
    }

    /// The steps that a read of `steps` may look at: the one that it names, or all before it where only the run tells.
    pub(crate) fn steps_in(self, read: &Read) -> impl Iterator<Item = &'s str> {
        let before = if let Self::Run { before, .. } = self { before } else { 0 };
        let named = read.keys.first().map(|key| key.name.clone());
        let wanted = move |id: &&str| named.as_ref().is_none_or(|name| means(name, id));
        self.steps().iter().take(before).copied().filter(wanted)
    }

    /// How to read what `name`, which is no variable here, may have meant.
    pub(crate) fn help(self, name: &str) -> String {
        if let Some(help) = did_you_mean(name, self.roots().iter().copied()) {
            return help;
        }
        match (self, name) {
            (_, name) if self.inputs().contains(&name) => format!("an input is read as `inputs.{name}`"),
            (_, name) if self.steps().contains(&name) => format!("a step is read as `steps.{name}`"),
            (Self::Run { .. } | Self::Inputs { .. }, "alarm") => {
                "the alarm is there in `on` only: give what is needed of it to an input, in `with`".to_owned()
            }
            (Self::Inputs { .. }, "steps" | "run") => {
                "it is worked out before the run begins: read `inputs`".to_owned()
            }
            _ => format!("there are: {}", self.roots().join(", ")),
        }
    }
}

/// The first key of a read that names nothing, with what is wrong and how to mend it.
pub(crate) fn missing<'r>(read: &'r Read, scope: Scope, text: &str) -> Option<(&'r script::Key, String, String)> {
    let first = read.keys.first()?;
    match (scope, read.variable.as_str()) {
        (Scope::Alarm, _) => among(first, "alarm", &ALARM_FIELDS),
        (_, "run") => among(first, "run", &RUN_FIELDS),
        (_, "inputs") => {
            if scope.input(&first.name).is_some() {
                return None;
            }
            let found = among(first, "inputs", scope.inputs())?;
            let dashes = dashed(text, scope).map(|(_, help)| (found.0, found.1.clone(), help));
            Some(dashes.unwrap_or(found))
        }
        (Scope::Run { steps, before, output, .. }, "steps") => {
            let own =
                if output { "what its action gave is read as `output`" } else { "a step reads the steps before it" };
            match steps.iter().position(|id| means(&first.name, id)) {
                Some(at) if at < before => step_field(read, &first.name),
                Some(at) if at == before => {
                    Some((first, format!("`{}` is this step itself", first.name), own.to_owned()))
                }
                Some(_) => Some((
                    first,
                    format!("the step `{}` comes later", first.name),
                    "a step reads the steps before it: move this step behind that one".to_owned(),
                )),
                None => Some(unknown_step(first, &steps[..before], dashed(text, scope))),
            }
        }
        _ => None,
    }
}

/// The field of a step that is read, or of its error, and is none.
fn step_field<'r>(read: &'r Read, step: &str) -> Option<(&'r script::Key, String, String)> {
    let field = read.keys.get(1)?;
    let wrong = among(field, &format!("steps.{step}"), &STEP_FIELDS);
    match read.keys.get(2) {
        Some(inner) if field.name == "error" => among(inner, &format!("steps.{step}.error"), &ERROR_FIELDS),
        _ => wrong,
    }
}

/// The trouble with `key` where it is none of the `known` ones.
fn among<'r>(key: &'r script::Key, of: &str, known: &[&str]) -> Option<(&'r script::Key, String, String)> {
    if known.contains(&key.name.as_str()) {
        return None;
    }
    let help = did_you_mean(&key.name, known.iter().copied()).unwrap_or_else(|| match known {
        [] => format!("`{of}` is empty"),
        known => format!("there are: {}", short_list(known)),
    });
    Some((key, format!("`{of}` has no `{}`", short(&key.name)), help))
}

fn unknown_step<'r>(
    key: &'r script::Key,
    earlier: &[&str],
    dashed: Option<(&str, String)>,
) -> (&'r script::Key, String, String) {
    let help = dashed.map(|(_, help)| help);
    let help = help.or_else(|| did_you_mean(&key.name, earlier.iter().copied()));
    let help = help.unwrap_or_else(|| match earlier {
        [] => "no step comes before".to_owned(),
        earlier => format!("before it come: {}", short_list(earlier)),
    });
    (key, format!("there is no step `{}`", short(&key.name)), help)
}

/// A name with dashes that is written behind a dot, which reads as a subtraction; with the help for it.
pub(crate) fn dashed<'s>(text: &str, scope: Scope<'s>) -> Option<(&'s str, String)> {
    let with = |root: &str, names: &[&'s str]| {
        let written = |name: &&&str| name.contains('-') && text.contains(&format!("{root}.{name}"));
        let name = names.iter().filter(written).max_by_key(|name| name.len())?;
        Some((*name, format!("`-` is minus: write `{root}.{}`", dotted(name))))
    };
    with("steps", scope.steps()).or_else(|| with("inputs", scope.inputs()))
}

/// The help for a word at `at` that is a part of a name with dashes: behind a dot, or as the argument of `get`.
pub(crate) fn part_of_dashed(text: &str, at: usize) -> Option<String> {
    let of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let begin = text[..at].trim_end_matches(of_name).len();
    let name = text[begin..].split(|c| !of_name(c)).next()?;
    if !name.contains('-') || name.starts_with('-') || name.ends_with('-') {
        return None;
    }
    let before = &text[..begin];
    if before.ends_with(".get(") {
        return Some(format!("`-` is minus; put the name in quotes: .get({name:?})"));
    }
    let parent = before.strip_suffix('.')?.trim_end_matches('?');
    let path = parent.rsplit(|c: char| !(c.is_alphanumeric() || "_.?".contains(c))).next().unwrap_or_default();
    let path = if path.is_empty() { "…" } else { path };
    Some(format!("`-` is minus; a name with dashes is read like this: {path}[{name:?}]"))
}

fn short_list(names: &[&str]) -> String {
    const MOST: usize = 10;
    let shown = names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown}, …") } else { shown }
}
