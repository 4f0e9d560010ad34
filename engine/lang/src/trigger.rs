//! What starts a runbook by itself.

use indexmap::IndexMap;
use runwright_core::{Input, Map, Trigger, Value, did_you_mean};

use crate::check::{Check, Keys, find, short};
use crate::input::schema;
use crate::node::{Kind, Node, expected};
use crate::runbook::first;
use crate::scope::Scope;

const ON: Keys = Keys { of: "`on`", known: &["alarm", "manual"], later: &["schedule", "file", "webhook"] };
const ALARM: Keys = Keys { of: "an alarm trigger", known: &["where", "with"], later: &["throttle"] };

impl Check<'_> {
    /// The triggers under `on`: the word `manual`, or a map with `alarm`.
    pub(crate) fn triggers(
        &mut self,
        node: &Node,
        inputs: &IndexMap<String, Input>,
        declared: &[&str],
    ) -> Vec<Trigger> {
        if node.text() == Some("manual") {
            return Vec::new();
        }
        let Some(fields) = self.map(node, "`manual`, or a map with `alarm`") else { return Vec::new() };
        self.keys(fields, &ON);
        let Some(alarm) = find(fields, "alarm") else { return Vec::new() };
        let one = std::slice::from_ref(&alarm.value);
        let all = if let Kind::List(items) = &alarm.value.kind { items } else { one };
        all.iter().filter_map(|node| self.alarm(node, inputs, declared)).collect()
    }

    fn alarm(&mut self, node: &Node, inputs: &IndexMap<String, Input>, declared: &[&str]) -> Option<Trigger> {
        let fields = self.map(node, "a map with `where` and `with`")?;
        self.keys(fields, &ALARM);
        let condition = match find(fields, "where") {
            Some(field) => self.condition(&field.value, Scope::Alarm),
            None => {
                let error = self.error("missing-key", first(node), "the alarm trigger has no `where`");
                error.help("say which alarms, for example `where: alarm.name == \"VmDown\" && alarm.firing`");
                None
            }
        };
        let with = find(fields, "with");
        let given = with.and_then(|field| self.map(&field.value, "a map from inputs to values")).unwrap_or_default();
        for entry in given {
            self.template(&entry.value, Scope::Alarm);
            match inputs.get(&entry.key) {
                Some(input) => self.given(&entry.value, input),
                None if declared.contains(&entry.key.as_str()) => {}
                None => {
                    let help = did_you_mean(&entry.key, declared.iter().copied()).unwrap_or_else(|| {
                        format!("declare it: `inputs: {{ {}: {{ type: string }} }}`", short(&entry.key))
                    });
                    let message = format!("the runbook has no input `{}`", short(&entry.key));
                    self.error("unknown-name", entry.at.clone(), message).help(help);
                }
            }
        }
        for (name, input) in inputs {
            if input.default.is_none() && find(given, name).is_none() {
                let span = with.map_or_else(|| first(node), |with| with.at.clone());
                let error = self.error("missing-input", span, format!("the alarm trigger gives no `{name}`"));
                error.help(format!(
                    "add `{name}: \"${{{{ alarm.labels.… }}}}\"` to `with`, or give the input a default"
                ));
            }
        }
        let with = match with.map(|field| field.value.value()) {
            Some(Value::Object(with)) => with,
            _ => Map::new(),
        };
        Some(Trigger::Alarm { r#where: condition?, with })
    }

    /// A literal value fits its input; what an expression gives is known later.
    fn given(&mut self, node: &Node, input: &Input) {
        let value = node.value();
        let open = value.as_str().is_some_and(|text| text.contains("${{"));
        if !open && !input.kind.accepts(&value) && !matches!(node.kind, Kind::Broken) {
            self.wrong_type(node, expected(input.kind));
        }
        if !open {
            self.numbers(node, Some(&schema(input.kind)));
            self.long_enough(node, &value, input.min);
        }
    }
}
