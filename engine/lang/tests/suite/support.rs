//! A catalog to check against: the `vm` plugin, as it says of itself, in short.

use runwright_core::{ActionFacts, Catalog, Digest, EffectClass, PluginFacts};
use serde_json::{Value, json};

/// An action with these input properties, of which the first `required` must be given.
fn action(name: &str, effect: EffectClass, properties: Value, required: &[&str]) -> ActionFacts {
    ActionFacts {
        name: name.to_owned(),
        summary: String::new(),
        input_schema: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        }),
        output_schema: match name {
            "diagnose" => json!({"type": "object", "properties": {
                "healthy": {"type": "boolean"}, "finding": {"type": "string"},
            }}),
            _ => json!({}),
        },
        effect,
        destructive: false,
        has_plan: false,
        has_verify: false,
        has_undo: name == "tune",
        undo_safe_if_not_run: false,
        defaults: (name == "reprovision").then(|| json!({"timeout-ms": 120_000})),
    }
}

/// What runbooks can use in these tests.
pub(crate) fn catalog() -> Catalog {
    let vm = json!({"type": "string", "description": "The VM's name in the inventory."});
    let actions = vec![
        action(
            "diagnose",
            EffectClass::Read,
            json!({"vm": vm, "patience": {"type": "string"}, "image": {"type": "string"}}),
            &["vm"],
        ),
        action("restart", EffectClass::Unsafe, json!({"vm": vm}), &["vm"]),
        action("resume", EffectClass::Idempotent, json!({"vm": vm}), &["vm"]),
        action("wait-healthy", EffectClass::Read, json!({"vm": vm, "for": {"type": "string"}}), &["vm"]),
        action("reprovision", EffectClass::Unsafe, json!({"vm": vm, "image": {"type": "string"}}), &["vm", "image"]),
        action(
            "tune",
            EffectClass::Idempotent,
            json!({
                "vm": vm, "cpus": {"type": "integer", "minimum": 1}, "hot": {"type": "boolean"},
                "mode": {"enum": ["fast", "slow"]}, "level": {"oneOf": [{"const": "low"}, {"const": "high"}]},
                "name": {"type": "string", "minLength": 1, "pattern": "^[a-z]*$"}, "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "disks": {"type": "array", "items": {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}},
            }),
            &["vm"],
        ),
    ];
    let http = vec![
        action("get", EffectClass::Read, json!({}), &[]),
        action(
            "hook",
            EffectClass::Unsafe,
            json!({
                "sign": {"anyOf": [{"type": "object", "properties": {"secret": {"type": "string"}, "header": {"type": "string"}},
                    "required": ["secret"], "additionalProperties": false}, {"type": "null"}]},
                "sort": {"oneOf": [{"type": "string", "const": "oldest"}, {"type": "string", "const": "newest"}]},
                "size": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                "either": {"oneOf": [{"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}]},
            }),
            &[],
        ),
        action("post", EffectClass::Unsafe, json!({"json": {}, "mode": {"type": ["null", "string"]}}), &[]),
    ];
    let facts = |name: &str, actions| PluginFacts {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        summary: String::new(),
        digest: Digest::of(name.as_bytes()),
        imports: Vec::new(),
        actions,
    };
    Catalog::new([&facts("vm", actions), &facts("http", http)])
}

/// An engine with the usual limits.
pub(crate) fn engine() -> script::Engine {
    script::Engine::new(script::Limits::default())
}

/// The rendered diagnostics of a text.
pub(crate) fn rendered(name: &str, bytes: &[u8]) -> String {
    let parsed = lang::parse(name, bytes, Some(&catalog()), &engine());
    assert!(parsed.runbook.is_none() || parsed.diagnostics.is_empty(), "{name} has a runbook");
    lang::render(&parsed.diagnostics, bytes)
}

/// The first error of a text, in one line, with its help.
fn first(text: &str) -> String {
    let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
    let first = parsed.diagnostics.first().unwrap_or_else(|| panic!("no error in {text}"));
    let help = first.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    let more = parsed.diagnostics.len() - 1;
    format!("{first}{help} [{}]{}", first.code, if more > 0 { format!(" +{more}") } else { String::new() })
}

/// [`first`] of each text.
pub(crate) fn all(texts: &[&str]) -> String {
    texts.iter().map(|text| first(text)).collect::<Vec<_>>().join("\n")
}

/// One step with these lines.
pub(crate) fn step(lines: &str) -> String {
    let lines = lines.replace('\n', "\n    ");
    format!(
        "name: x\ninputs: {{ vm: {{ type: string }}, wait-for: {{ type: string }} }}\nsteps:\n  - id: a-b\n    script: '1'\n  - id: b\n    {lines}\n"
    )
}
