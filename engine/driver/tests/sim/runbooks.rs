//! Random runbooks.

use std::sync::Arc;

use runwright_core::{
    ActionName, FailureKind, Input, InputKind, Limit, Lock, Map, OnBusy, OnFailure, OnTimeout, OnUnknown, Retry,
    Runbook, Share, Step, Until, Value, Work,
};
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

const LOCKS: [&str; 2] = ["one", "two-${{ inputs.n }}"];

/// Steps are in steps at most so deep.
const DEPTH: usize = 3;

/// Steps of one runbook, about: trees grow fast.
const STEPS: usize = 24;

/// A runbook of 1 to 8 steps, with steps in them, that uses some of everything that there is.
pub(crate) fn runbook(dice: &mut Dice) -> Runbook {
    let count = 1 + dice.below(8) as usize;
    let mut left = STEPS;
    let steps = (0..count).map(|n| Arc::new(step(n, 0, true, &mut left, dice))).collect();
    let lock = dice.percent(40).then(|| Lock {
        key: dice.one(&LOCKS).to_owned(),
        on_busy: dice.one(&[OnBusy::Queue, OnBusy::Queue, OnBusy::Skip, OnBusy::Replace]),
    });
    let outputs = map(json!({ "n": "${{ inputs.n }}" }));
    Runbook {
        name: "sim".into(),
        edition: Runbook::EDITION,
        description: String::new(),
        inputs: Default::default(),
        on: vec![],
        lock,
        max_parallel: dice.percent(12).then(|| 1 + dice.below(2) as u32),
        limit: dice.percent(15).then(|| limit(dice)),
        steps,
        outputs,
    }
}

fn step(n: usize, depth: usize, alone: bool, left: &mut usize, dice: &mut Dice) -> Step {
    let letter = ["s", "t", "u", "v"][depth];
    let id = format!("{letter}{n}");
    *left = left.saturating_sub(1);
    let (work, until) = match depth < DEPTH && *left > 4 && dice.percent(if depth == 0 { 30 } else { 20 }) {
        true => (nested(depth + 1, alone, left, dice), None),
        false => work(n, alone, dice),
    };
    let is_each = matches!(work, Work::Each { .. });
    let scripted = matches!(work, Work::Script { .. });
    let is_wait = matches!(work, Work::Wait { .. } | Work::Approve { .. });
    let has_limit =
        matches!(work, Work::Group { .. } | Work::Each { .. } | Work::Approve { .. } | Work::Runbook { .. });
    let conditions = ["inputs.n > 0", "inputs.n > 1", "steps.s0.succeeded"];
    let builds_on = (0..n).filter(|_| dice.percent(15)).map(|n| format!("{letter}{n}")).collect();
    let mut failures = vec![OnFailure::Stop, OnFailure::Rollback, OnFailure::Rollback, OnFailure::Continue];
    failures.extend(is_each.then_some(OnFailure::RollbackWave));
    let kinds = FailureKind::ALL.into_iter().filter(|_| dice.percent(50)).collect();
    failures.push(OnFailure::ContinueAfter { kinds, rollback: dice.percent(50) });
    Step {
        builds_on,
        condition: dice.percent(12).then(|| dice.one(&conditions).to_owned()),
        lock: dice.percent(8).then(|| dice.one(&LOCKS).to_owned()),
        // The time of a script is measured for real.
        timeout_ms: if scripted { 3_600_000 } else { 1_000 + dice.below(20_000) },
        limit_ms: (has_limit && dice.percent(30)).then(|| dice.below(600_000)),
        retry: Retry { attempts: 1 + dice.below(4) as u32, delay_ms: dice.below(5_000), ..Retry::default() },
        on_failure: dice.one(&failures),
        on_unknown: dice.one(&[OnUnknown::Ask, OnUnknown::Ask, OnUnknown::Fail, OnUnknown::Retry]),
        idempotent: dice.percent(10),
        always: dice.percent(12),
        undo: (!is_wait && dice.percent(20)).then(|| undo(&id, alone, dice)),
        point_of_no_return: dice.percent(5),
        until,
        ..Step::new(id, work)
    }
}

/// Steps in a step: one after the other, those of another runbook, side by side, or for each item.
fn nested(depth: usize, alone: bool, left: &mut usize, dice: &mut Dice) -> Work {
    let (count, kind) = (1 + dice.below(3) as usize, dice.below(4));
    let at_once = 1 + dice.below(3) as u32;
    // Two scripts that compute at the same time would race for who asks first: one seed would be many histories.
    let alone = alone && (kind < 2 || at_once == 1);
    let mut steps: Vec<Arc<Step>> = (0..count).map(|n| Arc::new(step(n, depth, alone, left, dice))).collect();
    match kind {
        0 => Work::Group { steps, at_once: None, fail_fast: false, rescue: rescue(depth, alone, left, dice) },
        1 => called(steps, dice),
        2 => {
            // Side by side none reads another.
            for step in &mut steps {
                Arc::make_mut(step).builds_on.clear();
            }
            let (fail_fast, rescue) = (dice.percent(40), rescue(depth, alone, left, dice));
            Work::Group { steps, at_once: Some(at_once), fail_fast, rescue }
        }
        _ => {
            let group = |steps| Arc::new(Step::new("", Work::group(steps)));
            let gate = dice.percent(50).then(|| group(vec![Arc::new(step(0, DEPTH, alone, left, dice))]));
            let waves = [vec![], vec![Share::Items(1), Share::Percent(50)], vec![Share::Percent(30)]];
            Work::Each {
                items: dice.one(&[json!([1, 2, 3, 4]), json!([7]), json!("${{ [1, 2, inputs.n] }}"), json!([])]),
                name: "item".into(),
                waves: dice.one(&waves),
                at_once,
                max_failures: dice.one(&[Share::Items(0), Share::Items(1), Share::Percent(50)]),
                body: group(steps),
                between: gate,
            }
        }
    }
}

/// Another runbook with these steps. Sometimes what it gives can't be worked out.
fn called(steps: Vec<Arc<Step>>, dice: &mut Dice) -> Work {
    let mut runbook = Runbook::empty("called");
    runbook.inputs.insert("n".to_owned(), Input::new(InputKind::Integer));
    runbook.limit = dice.percent(15).then(|| limit(dice));
    runbook.lock = dice.percent(15).then(|| Lock { key: dice.one(&LOCKS).to_owned(), on_busy: OnBusy::Queue });
    let outputs = [json!({}), json!({ "n": "${{ inputs.n }}" }), json!({ "n": "${{ steps.t0.output.n }}" })];
    (runbook.steps, runbook.outputs) = (steps, map(dice.one(&outputs)));
    let with = [json!({ "n": 3 }), json!({ "n": "${{ inputs.n }}" }), json!({ "n": "no number" })];
    let given = if dice.percent(95) { dice.one(&with[..2]) } else { with[2].clone() };
    Work::Runbook { runbook: Arc::new(runbook), with: map(given) }
}

fn limit(dice: &mut Dice) -> Limit {
    let on_failure = dice.one(&[OnFailure::Stop, OnFailure::Rollback]);
    Limit { ms: 60_000 + dice.below(3_600_000), on_failure }
}

/// What a group may do when one of its steps failed.
fn rescue(depth: usize, alone: bool, left: &mut usize, dice: &mut Dice) -> Option<Arc<Step>> {
    if !dice.percent(35) {
        return None;
    }
    let steps = vec![Arc::new(step(7, depth, alone, left, dice))];
    Some(Arc::new(Step::new("rescue", Work::group(steps))))
}

fn work(n: usize, alone: bool, dice: &mut Dice) -> (Work, Option<Until>) {
    match dice.below(100) {
        0..12 if alone => (script(dice.one(&SCRIPTS)), None),
        12..18 => (Work::Wait { time: format!("{}s", dice.below(7_200)) }, None),
        18..24 => {
            let every_ms = 200 + dice.below(3_000);
            (call("x/read", json!({})), Some(Until { condition: "output.n >= 3".into(), every_ms }))
        }
        26..31 => {
            let (quorum, not_requester) = (1 + dice.below(2) as u32, dice.percent(30));
            let on_timeout = dice.one(&[OnTimeout::Fail, OnTimeout::Approve]);
            (
                Work::Approve { message: "Go ${{ inputs.n }}?".into(), role: None, quorum, not_requester, on_timeout },
                None,
            )
        }
        24..26 => (call("x/unsafe", json!({ "bad": true })), None),
        _ => {
            let with =
                [json!({ "n": n }), json!({ "n": "${{ inputs.n }}" }), json!({ "was": "${{ steps.s0.output }}" })];
            (call(dice.one(&ACTIONS), dice.one(&with)), None)
        }
    }
}

fn undo(id: &str, alone: bool, dice: &mut Dice) -> Work {
    let with = [
        json!({ "of": id }),
        json!({ "was": format!("${{{{ steps.{id}.output }}}}") }),
        // After a failure there is no output: the undo is refused.
        json!({ "was": format!("${{{{ steps.{id}.output.n }}}}") }),
    ];
    match dice.below(10) {
        0 if alone => script("inputs.n"),
        _ => call(dice.one(&["x/idem", "x/unsafe", "x/blind", "x/vague"]), dice.one(&with)),
    }
}

fn script(source: &str) -> Work {
    let named = |name: &&str| source.contains(&format!("act(\"{name}\""));
    let acts = ["x/idem", "x/unsafe", "x/blind", "x/mild"].into_iter().filter(named).map(name).collect();
    Work::Script { source: source.into(), acts, line: None }
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
