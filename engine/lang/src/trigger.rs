//! What starts a runbook by itself.

use std::ops::Range;

use indexmap::IndexMap;
use runwright_core::{Input, Map, Trigger, Value, did_you_mean, short};

use crate::check::{Check, Keys, find};
use crate::node::{Entry, Kind, Node};
use crate::runbook::first;
use crate::scope::Scope;

pub(crate) const ON: Keys = Keys { of: "`on`", known: &["alarm", "manual"], later: &["schedule", "file", "webhook"] };
pub(crate) const ALARM: Keys = Keys { of: "an alarm trigger", known: &["where", "with"], later: &["throttle"] };

/// Who gives values to the inputs of a runbook.
pub(crate) struct Giver<'g> {
    /// Who it is.
    pub(crate) who: &'g str,
    /// Whose inputs they are.
    pub(crate) of: &'g str,
    /// Where to tell of an input that is given nothing, where there is no `with`.
    pub(crate) at: Range<usize>,
}

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
            Some(field) => {
                let condition = self.condition(&field.value, Scope::Alarm);
                condition.iter().for_each(|condition| self.labels_are_text(&field.value, condition));
                condition
            }
            None => {
                let error = self.error("missing-key", first(node), "the alarm trigger has no `where`");
                error.help("say which alarms, for example `where: alarm.name == \"VmDown\" && alarm.firing`");
                None
            }
        };
        let with = find(fields, "with");
        let giver = Giver { who: "the alarm trigger", of: "the runbook", at: first(node) };
        self.given(with, inputs, declared, Scope::Alarm, &giver);
        let with = match with.map(|field| field.value.value()) {
            Some(Value::Object(with)) => with,
            _ => Map::new(),
        };
        Some(Trigger::Alarm { r#where: condition?, with })
    }

    /// Checks what is given to the inputs of a runbook.
    pub(crate) fn given(
        &mut self,
        with: Option<&Entry>,
        inputs: &IndexMap<String, Input>,
        declared: &[&str],
        scope: Scope,
        giver: &Giver,
    ) {
        let given = with.and_then(|field| self.map(&field.value, "a map from inputs to values")).unwrap_or_default();
        let is_own = matches!(scope, Scope::Alarm);
        for entry in given {
            self.template(&entry.value, scope);
            match inputs.get(&entry.key) {
                Some(input) => self.suits(&entry.value, input, is_own),
                None if declared.contains(&entry.key.as_str()) => {}
                None => {
                    let help = did_you_mean(&entry.key, declared.iter().copied()).unwrap_or_else(|| match is_own {
                        true => format!("declare it: `inputs: {{ {}: {{ type: string }} }}`", short(&entry.key)),
                        false if declared.is_empty() => "it has no inputs".to_owned(),
                        false => format!("there are: {}", declared.join(", ")),
                    });
                    let message = format!("{} has no input `{}`", giver.of, short(&entry.key));
                    self.error("unknown-name", entry.at.clone(), message).help(help);
                }
            }
        }
        for (name, input) in inputs {
            if input.default.is_none() && find(given, name).is_none() {
                let span = with.map_or(giver.at.clone(), |with| with.at.clone());
                let value = if is_own { "\"${{ alarm.labels.… }}\"" } else { "…" };
                let error = self.error("missing-input", span, format!("{} gives no `{name}`", giver.who));
                error.help(format!("add `{name}: {value}` to `with`, or give the input a default"));
            }
        }
    }

    /// Tells of a value that does not suit an input. What a trigger gives as text is read as what the input wants.
    fn suits(&mut self, node: &Node, input: &Input, reads_text: bool) {
        self.literal(node, input);
        if let Some(known) = self.known(node).filter(|known| !reads_text && !input.kind.accepts(&known.sample)) {
            let message = format!("the input is {}, and this is {}", input.kind.expects(), known.told);
            self.error("wrong-type", node.span.clone(), message).help = known.help(input.kind.expects());
        }
    }

    /// A label that is compared with a number is never equal to it: labels are text.
    fn labels_are_text(&mut self, node: &Node, condition: &str) {
        for (root, rest) in ["alarm.labels", "alarm.annotations"]
            .iter()
            .flat_map(|root| condition.match_indices(root).map(move |(at, _)| (*root, &condition[at + root.len()..])))
        {
            let Some((name, rest)) = label(rest) else { continue };
            let Some((sign, literal)) = compared(rest) else { continue };
            let message = format!("`{root}.{name}` is text, and is compared with `{literal}`, which is none");
            let error = self.error("wrong-type", node.span.clone(), message);
            error.help(match sign {
                "==" | "!=" => format!("write it in quotes: {sign} \"{literal}\""),
                _ => format!("make a number of it: parse_float({root}.{name}) {sign} {literal}"),
            });
        }
    }
}

/// The name of the label that is read here, and what comes behind it.
fn label(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = match text.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())),
        None => text.strip_prefix("[\"")?.split_once("\"]")?,
    };
    (!name.is_empty()).then_some((name, rest.trim_start()))
}

/// The comparison that begins here with a number or a truth value: its sign, and that value.
fn compared(text: &str) -> Option<(&str, &str)> {
    let sign = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|sign| text.starts_with(sign))?;
    let value = text[sign.len()..].trim_start();
    let end = value.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))).unwrap_or(value.len());
    let word = &value[..end];
    let number = word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    (number || matches!(word, "true" | "false")).then_some((sign, word))
}
