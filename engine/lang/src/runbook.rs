//! The runbook as a whole.

use runwright_core::{Limit, Map, OnFailure, Runbook, Value, short};

use crate::check::{Check, Keys, find};
use crate::failing::Failing;
use crate::input::dotted;
use crate::limits;
use crate::node::{Entry, Kind, Node};
use crate::scope::Scope;

pub(crate) const KEYS: Keys = Keys {
    of: "a runbook",
    known: &[
        "name",
        "description",
        "inputs",
        "on",
        "lock",
        "max-parallel",
        "timeout",
        "on-failure",
        "defaults",
        "steps",
        "outputs",
    ],
    later: &["silence", "throttle", "undo", "schedule"],
};

impl Check<'_> {
    /// The runbook in this tree; none where not even its name is there. Whether it is sound, the diagnostics say.
    pub(crate) fn runbook(&mut self, root: &Node) -> Option<Runbook> {
        if root.is_null() && root.span.is_empty() {
            self.error("empty", 0..0, "the file is empty").help("a runbook has at least `name` and `steps`");
            return None;
        }
        let fields = self.map(root, "a runbook: a map with `name` and `steps`")?;
        self.keys(fields, &KEYS);
        let name = self.name(root, fields);
        self.own = name.clone().unwrap_or_default();
        let description = find(fields, "description").and_then(|field| self.text(&field.value));
        let inputs = find(fields, "inputs").map(|field| self.inputs(&field.value)).unwrap_or_default();
        let declared = find(fields, "inputs").map(|field| names(&field.value)).unwrap_or_default();
        self.types.inputs.clone_from(&inputs);
        let on = find(fields, "on").map(|field| self.triggers(&field.value, &inputs, &declared)).unwrap_or_default();
        let lock = find(fields, "lock").and_then(|field| self.lock(&field.value, &declared));
        let max_parallel = find(fields, "max-parallel").and_then(|field| self.integer(&field.value, 1..=1_000));
        let stop = [("stop", OnFailure::Stop), ("rollback", OnFailure::Rollback)];
        let on_failure = find(fields, "on-failure").and_then(|field| self.choice(&field.value, &stop));
        let limit = find(fields, "timeout").and_then(|field| self.duration(&field.value));
        let limit = limit.map(|ms| Limit { ms, on_failure: on_failure.unwrap_or(OnFailure::Stop) });
        self.defaults = find(fields, "defaults").map(|field| self.defaults(&field.value)).unwrap_or_default();
        let usual = match self.defaults.on_failure {
            Some(Failing::Ends(ends)) => ends,
            _ => on_failure.unwrap_or(OnFailure::Stop),
        };
        let steps = self.list(root, fields);
        let ids: Vec<&str> = steps.iter().map(|step| id(step).unwrap_or_default()).collect();
        self.same_steps(steps, &[]);
        let known = |before| Scope::Run { inputs: &declared, steps: &ids, before, output: false, items: &[], depth: 0 };
        let mut checked = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let first = ids[..at].iter().position(|id| *id == ids[at]).map(|first| &steps[first]);
            checked.extend(self.step(step, first, usual, known(at)));
        }
        let outputs = find(fields, "outputs").map(|field| self.outputs(&field.value, known(ids.len())));
        let runbook = Runbook {
            name: name?,
            edition: Runbook::EDITION,
            description: description.unwrap_or_default().to_owned(),
            inputs,
            on,
            lock,
            max_parallel,
            limit,
            steps: checked.into_iter().map(std::sync::Arc::new).collect(),
            outputs: outputs.unwrap_or_default(),
        };
        self.rollback(&runbook, fields, steps);
        Some(runbook)
    }

    fn name(&mut self, root: &Node, fields: &[Entry]) -> Option<String> {
        let Some(field) = find(fields, "name") else {
            let stem = self.source.name.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default();
            let example = if is_name(stem) { stem } else { "recover-vm" }.to_owned();
            let error = self.error("missing-key", first(root), "the runbook has no `name`");
            error.help(format!("begin the file with `name: {example}`"));
            return None;
        };
        let name = self.text(&field.value)?;
        if !is_name(name) {
            let message = format!("`{}` is no name for a runbook", short(name));
            self.error("bad-value", field.value.span.clone(), message)
                .help("a name is 1 to 64 of `a-z`, `0-9`, `-` and `_`");
        }
        Some(name.to_owned())
    }

    fn list<'n>(&mut self, root: &Node, fields: &'n [Entry]) -> &'n [Node] {
        let help = "each step has an `id`, and `uses` or `script`";
        let Some(field) = find(fields, "steps") else {
            self.error("missing-key", first(root), "the runbook has no `steps`").help(help);
            return &[];
        };
        match &field.value.kind {
            Kind::List(steps) if steps.len() > limits::STEPS => {
                let message = format!("{} steps; a runbook has at most {}", steps.len(), limits::STEPS);
                self.error("too-large", field.at.clone(), message);
                &[]
            }
            Kind::List(steps) if steps.is_empty() => {
                let warning = self.warning("empty", field.at.clone(), "the runbook has no steps: it does nothing");
                warning.help(help);
                &[]
            }
            Kind::List(steps) => steps,
            _ => {
                self.wrong_type(&field.value, "a list of steps");
                &[]
            }
        }
    }

    /// Tells of ids that expressions could not tell from each other behind a dot, also from those `around` them.
    pub(crate) fn same_steps(&mut self, steps: &[Node], around: &[&str]) {
        let mut known: Vec<&str> = around.to_vec();
        for step in steps {
            let Some(entry) = find(step.entries(), "id") else { continue };
            let Some(id) = entry.value.text() else { continue };
            if let Some(same) = known.iter().find(|known| **known != id && dotted(known) == dotted(id)) {
                self.same_name("steps", same, entry.value.span.clone(), id);
            }
            known.push(id);
        }
    }

    fn outputs(&mut self, node: &Node, scope: Scope) -> Map {
        let Some(entries) = self.map(node, "a map from names to values") else { return Map::new() };
        for entry in entries {
            self.identifier(&entry.key, &entry.at, "an output");
            self.template(&entry.value, scope);
            self.numbers(&entry.value, None);
        }
        match node.value() {
            Value::Object(outputs) => outputs,
            _ => Map::new(),
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// The first key, where a key of the map is missing.
pub(crate) fn first(node: &Node) -> std::ops::Range<usize> {
    match &node.kind {
        Kind::Map(entries) => entries.first().map_or(node.span.clone(), |entry| entry.at.clone()),
        _ => node.span.clone(),
    }
}

fn names(node: &Node) -> Vec<&str> {
    match &node.kind {
        Kind::Map(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The id that a step has, right or wrong.
pub(crate) fn id(step: &Node) -> Option<&str> {
    match &step.kind {
        Kind::Map(entries) => find(entries, "id")?.value.text(),
        _ => None,
    }
}
