//! Bytes that are no runbook, or nearly one: nothing panics, and nothing takes long.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::kinds::RUNBOOK as KINDS;
use crate::support::{catalog, engine};

const RUNBOOK: &str = include_str!("../../../../runbooks/recover-vm.yaml");
const WRONG: &str = include_str!("../../../../tests/lang/bad/several-errors.yaml");

/// Parses and renders; every diagnostic has a place in the file.
fn survives(bytes: &[u8]) {
    let catalog = catalog();
    let parsed = lang::parse("x.yaml", bytes, Some(&catalog), &engine());
    let _ = lang::render(&parsed.diagnostics, bytes);
    for diagnostic in &parsed.diagnostics {
        assert!(diagnostic.span.start <= bytes.len() && diagnostic.line > 0 && diagnostic.column > 0, "{diagnostic:?}");
    }
    assert!(parsed.runbook.is_some() || !parsed.diagnostics.is_empty(), "no runbook, and nothing says why");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes);
    }

    #[test]
    fn any_text_of_yaml_signs(text in "[a-c0é :\\-\n\\[\\]{}\"'&*!|>#%@`,?$\t\\\\]{0,120}") {
        survives(text.as_bytes());
    }

    #[test]
    fn any_expression(text in "[a-z.\\[\\]\"'`{}()$ +=!|\\\\é]{0,60}", quote in 0..5) {
        let value = match quote {
            0 => text,
            1 => format!("'{}'", text.replace('\'', "''")),
            2 => serde_json::Value::from(text).to_string(),
            3 => format!("|\n      {text}"),
            _ => format!(">\n      a\n      {text}\n\n      b"),
        };
        survives(format!("name: x\nsteps:\n  - id: a\n    script: {value}\n    if: {value}\noutputs: {{ a: {value} }}\n").as_bytes());
    }

    #[test]
    fn a_runbook_with_changes(
        base in prop_oneof![Just(RUNBOOK), Just(WRONG), Just(KINDS)],
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_usize, "[ -~\n\té]{0,4}"), 1..6),
    ) {
        let mut text: Vec<char> = base.chars().collect();
        for (at, removed, added) in changes {
            let at = at.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, added.chars());
        }
        survives(text.into_iter().collect::<String>().as_bytes());
    }

    #[test]
    fn a_runbook_cut_short(base in prop_oneof![Just(RUNBOOK), Just(WRONG), Just(KINDS)], at in any::<prop::sample::Index>()) {
        survives(&base.as_bytes()[..at.index(base.len())]);
    }
}

#[test]
fn large_files_are_answered_soon() {
    let step = "  - { id: a, script: '1', if: 'inputs.x' }\n";
    let texts = [
        format!("name: x\nsteps:\n{}", step.repeat(500)),
        format!("name: x\nsteps:\n{}", step.repeat(3_000)),
        format!("name: x\n{}", "é: 1\n".repeat(9_000)),
        format!("name: x\nsteps: [{}]", "é,".repeat(19_000)),
        format!("name: x\nsteps: {}", "- ".repeat(100_000)),
        format!("name: x\nsteps: [{}]", "*a,".repeat(300_000)),
        format!("name: x\nsteps: {}", "[".repeat(500_000)),
        format!("name: x\noutputs: {{ a: '{}' }}\n", "${{ x }}".repeat(8_000)),
        format!("name: x\noutputs:\n  a: |\n{}", "    ${{ x }}\n".repeat(4_000)),
        format!("name: x\nsteps:\n{}", "  - { id: a, uses: vm/tune, with: { a: 1 } }\n".repeat(500)),
        "name: x\n\tsteps:\n".repeat(50_000),
        "\u{0}".repeat(1_000_000),
        " ".repeat(1_000_000),
    ];
    for text in texts {
        let begin = Instant::now();
        survives(text.as_bytes());
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?} {:?}", begin.elapsed(), &text[..60.min(text.len())]);
    }
}
