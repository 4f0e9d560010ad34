//! `runwright plugin inspect`

use std::path::PathBuf;

use host::Kind;
use runwright_core::{ActionFacts, Value};
use serde_json::json;

use super::list::row;
use super::workbench::Workbench;
use crate::human::{clean, one_line, table};
use crate::screen::Tone;
use crate::{Context, Error, exit};
use host::{Ask, asks};

const EXAMPLES: &str = "\
Examples:
  runwright plugin inspect plugins/vm.wasm
  runwright plugin inspect vm.wasm -o json     also the full schemas

Nothing of the engine is used, and nothing is granted: the plugin is asked what it is, in a sandbox. What it imports \
is read from the file. It can ask for nothing else, whatever it says.";

/// Show what a plugin does and what it can ask for, before it is used
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Inspect {
    /// The plugin: a component, or a program for WASI
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Inspect {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let bench = Workbench::load(&self.file, context.limits()).await?;
        let kind = bench.host.kind(bench.facts.digest).unwrap_or(Kind::Component);
        let exports = bench.host.exports(bench.facts.digest);
        let asks = asks(&bench.facts);
        let mut plugin = json!(*bench.facts);
        plugin["kind"] = json!(kind);
        plugin["bytes"] = json!(bench.size);
        plugin["exports"] = json!(exports);
        plugin["asks-for"] = json!(asks);
        context.screen.json(&json!({ "plugin": plugin }));
        context.screen.lines(self.text(context, &bench, kind, &exports, &asks));
        Ok(exit::SUCCEEDED)
    }

    fn text(&self, context: &Context, bench: &Workbench, kind: Kind, exports: &[String], asks: &[Ask]) -> Vec<String> {
        let facts = &bench.facts;
        let name = context.screen.paint(Tone::Strong, &facts.name);
        let mut lines =
            vec![format!("{name} {}  {}", clean(&facts.version), clean(&facts.summary)).trim_end().to_owned()];
        let kind = match kind {
            Kind::Component => "component",
            Kind::Command => "command: a program that is asked on its standard input",
        };
        let rows = [
            ("file", clean(&self.file.display().to_string())),
            ("size", format!("{} bytes", bench.size)),
            ("digest", facts.digest.to_string()),
            ("kind", kind.to_owned()),
            ("exports", clean(&exports.join(", "))),
        ];
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect();
        lines.extend(indented(&rows, "  "));
        lines.push(String::new());
        lines.push("Can ask for:".to_owned());
        let rows: Vec<Vec<String>> =
            asks.iter().map(|ask| vec![ask.capability.to_owned(), ask.needs.to_owned(), ask.what.to_owned()]).collect();
        lines.extend(indented(&rows, "  "));
        lines.push(String::new());
        lines.push("Actions:".to_owned());
        let rows: Vec<Vec<String>> = facts.actions.iter().map(row).collect();
        for (action, line) in facts.actions.iter().zip(indented(&rows, "  ")) {
            lines.push(line);
            lines.extend(fields(action));
        }
        let grants: Vec<&str> = asks.iter().filter_map(|ask| ask.grant).collect();
        if !grants.is_empty() {
            lines.push(String::new());
            lines.push("To grant what it can ask for, narrow these down and add them to runwright.toml:".to_owned());
            lines.push(format!("  [plugin.{}.grants]", facts.name));
            lines.extend(grants.into_iter().map(|grant| format!("  {grant}")));
        }
        lines
    }
}

fn indented(rows: &[Vec<String>], indent: &str) -> Vec<String> {
    table(rows).into_iter().map(|line| format!("{indent}{line}")).collect()
}

/// What the action takes and gives, one line for each field.
fn fields(action: &ActionFacts) -> Vec<String> {
    let side = |arrow: &str, schema: &Value| -> Vec<Vec<String>> {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let fields = properties.map(|(name, property)| {
            let optional = if required.iter().any(|required| required == name) { "" } else { "?" };
            let about = property["description"].as_str().unwrap_or_default();
            vec![arrow.to_owned(), format!("{}{optional}", clean(name)), kind(schema, property), one_line(about)]
        });
        fields.collect()
    };
    let mut rows = side("takes", &action.input_schema);
    rows.extend(side("gives", &action.output_schema));
    indented(&rows, "    ")
}

/// The type of a field, its allowed values where there are some, and its default.
fn kind(schema: &Value, property: &Value) -> String {
    let meant = referred(schema, property);
    let words = words(meant);
    let kind = match &meant["type"] {
        _ if !words.is_empty() => words.join(" | "),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect::<Vec<_>>().join(" | ")
        }
        _ => "any".to_owned(),
    };
    match &property["default"] {
        Value::Null => one_line(&kind),
        default => one_line(&format!("{kind} = {default}")),
    }
}

/// The values that a schema allows, where it lists them: `enum`, `const`, or alternatives of these.
fn words(schema: &Value) -> Vec<String> {
    let listed = |key: &str| schema[key].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(only) = schema.get("const") {
        return vec![only.to_string()];
    }
    let alternatives: Vec<Vec<String>> = listed("oneOf").iter().chain(listed("anyOf")).map(words).collect();
    if alternatives.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    listed("enum").iter().filter(|value| !value.is_null()).map(Value::to_string).chain(alternatives.concat()).collect()
}

/// What a field refers to in its own schema, one step; of alternatives the only one that is not null.
fn referred<'a>(schema: &'a Value, property: &'a Value) -> &'a Value {
    let alternatives = property["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut some = alternatives.iter().filter(|alternative| alternative["type"] != "null");
    let property = match (some.next(), some.next()) {
        (Some(only), None) => only,
        _ => property,
    };
    let target = property["$ref"].as_str().and_then(|target| schema.pointer(target.strip_prefix('#')?));
    target.unwrap_or(property)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_shows_its_values_and_its_default() {
        let schema = json!({ "$defs": {
            "Sort": { "oneOf": [
                { "const": "oldest", "description": "the oldest first", "type": "string" },
                { "enum": ["largest", "name"], "type": "string" },
            ] },
            "When": { "anyOf": [{ "type": "string" }, { "const": "now" }] },
        } });
        let shown = |property: Value| kind(&schema, &property);
        let sort = r##""oldest" | "largest" | "name""##;
        assert_eq!(shown(json!({ "$ref": "#/$defs/Sort" })), sort);
        assert_eq!(shown(json!({ "anyOf": [{ "$ref": "#/$defs/Sort" }, { "type": "null" }] })), sort);
        assert_eq!(shown(json!({ "enum": ["a", null], "default": "a" })), r#""a" = "a""#);
        assert_eq!(shown(json!({ "type": ["integer", "null"], "default": 3 })), "integer = 3");
        assert_eq!(shown(json!({ "$ref": "#/$defs/When" })), "any");
    }
}
