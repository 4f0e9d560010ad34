//! Random runbooks.

use runwright_core::{ActionName, Lock, Map, OnBusy, OnFailure, OnUnknown, Retry, Runbook, Step, Until, Value, Work};
use serde_json::json;

use crate::dice::Dice;

const ACTIONS: [&str; 7] = ["x/read", "x/idem", "x/unsafe", "x/unsafe", "x/vague", "x/blind", "x/mild"];

const SCRIPTS: [&str; 5] = [
    "inputs.n + 1",
    r#"let a = act("x/unsafe", #{ n: 1 }); let b = act("x/idem", #{ n: 2 }); a.n + b.n"#,
    r#"let t = now(); let a = act("x/mild", #{ n: 1 }); if random() < 2.0 && uuid() != "" { act("x/unsafe", #{ n: 2 }) }"#,
    r#"let c = ""; try { act("x/blind", #{ n: 1 }) } catch (e) { c = e.kind } act("x/unsafe", #{ n: c })"#,
    r#"let c = ""; try { act("x/idem", #{ bad: true }) } catch (e) { c = e.kind } throw c"#,
];

/// A runbook of 1 to 8 steps that uses some of everything that there is.
pub(crate) fn runbook(dice: &mut Dice) -> Runbook {
    let count = 1 + dice.below(8) as usize;
    let steps = (0..count).map(|n| step(n, dice)).collect();
    let keys = ["one", "two-${{ inputs.n }}"];
    let lock = dice.percent(40).then(|| Lock {
        key: dice.one(&keys).to_owned(),
        on_busy: dice.one(&[OnBusy::Queue, OnBusy::Queue, OnBusy::Skip, OnBusy::Replace]),
    });
    let outputs = map(json!({ "n": "${{ inputs.n }}" }));
    Runbook {
        name: "sim".into(),
        description: String::new(),
        inputs: Default::default(),
        on: vec![],
        lock,
        steps,
        outputs,
    }
}

fn step(n: usize, dice: &mut Dice) -> Step {
    let (work, until) = work(n, dice);
    let scripted = matches!(work, Work::Script { .. });
    let is_wait = matches!(work, Work::Wait { .. });
    let conditions = ["inputs.n > 0", "inputs.n > 1", "steps.s0.succeeded"];
    let builds_on = (0..n).filter(|_| dice.percent(15)).map(|n| format!("s{n}")).collect();
    Step {
        builds_on,
        condition: dice.percent(12).then(|| dice.one(&conditions).to_owned()),
        // The time of a script is measured for real.
        timeout_ms: if scripted { 3_600_000 } else { 1_000 + dice.below(20_000) },
        retry: Retry { attempts: 1 + dice.below(4) as u32, delay_ms: dice.below(5_000), ..Retry::default() },
        on_failure: dice.one(&[OnFailure::Stop, OnFailure::Rollback, OnFailure::Rollback, OnFailure::Continue]),
        on_unknown: dice.one(&[OnUnknown::Ask, OnUnknown::Ask, OnUnknown::Fail, OnUnknown::Retry]),
        idempotent: dice.percent(10),
        always: dice.percent(12),
        undo: (!is_wait && dice.percent(20)).then(|| undo(n, dice)),
        point_of_no_return: dice.percent(5),
        until,
        ..Step::new(format!("s{n}"), work)
    }
}

fn work(n: usize, dice: &mut Dice) -> (Work, Option<Until>) {
    match dice.below(100) {
        0..12 => (script(dice.one(&SCRIPTS)), None),
        12..18 => (Work::Wait { time: format!("{}s", dice.below(7_200)) }, None),
        18..24 => {
            let every_ms = 200 + dice.below(3_000);
            (call("x/read", json!({})), Some(Until { condition: "output.n >= 3".into(), every_ms }))
        }
        24..26 => (call("x/unsafe", json!({ "bad": true })), None),
        _ => {
            let with =
                [json!({ "n": n }), json!({ "n": "${{ inputs.n }}" }), json!({ "was": "${{ steps.s0.output }}" })];
            (call(dice.one(&ACTIONS), dice.one(&with)), None)
        }
    }
}

fn undo(n: usize, dice: &mut Dice) -> Work {
    let with = [
        json!({ "of": n }),
        json!({ "was": format!("${{{{ steps.s{n}.output }}}}") }),
        // After a failure there is no output: the undo is refused.
        json!({ "was": format!("${{{{ steps.s{n}.output.n }}}}") }),
    ];
    match dice.below(10) {
        0 => script("inputs.n"),
        _ => call(dice.one(&["x/idem", "x/unsafe", "x/blind", "x/vague"]), dice.one(&with)),
    }
}

fn script(source: &str) -> Work {
    let named = |name: &&str| source.contains(&format!("act(\"{name}\""));
    let acts = ["x/idem", "x/unsafe", "x/blind", "x/mild"].into_iter().filter(named).map(name).collect();
    Work::Script { source: source.into(), acts }
}

fn call(action: &str, with: Value) -> Work {
    Work::Action { action: name(action), with: map(with) }
}

fn name(text: &str) -> ActionName {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn map(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
