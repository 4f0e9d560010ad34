//! Both sides of the limit on what a run may keep: one byte more is refused where it comes up, and the journal takes
//! everything else as before.

use super::*;
use crate::run::VALUE_BYTES_MAX;

/// Starts a run with the input `t` of this many bytes. As JSON all inputs take 8 more.
async fn start(bench: &Bench, runbook: Runbook, bytes: usize) -> Result<RunId, Error> {
    let inputs = json!({"t": "x".repeat(bytes)}).as_object().unwrap().clone();
    let cause = Cause::Person { by: by() };
    bench.driver.start(Admission { runbook: Arc::new(runbook), inputs, cause }).await
}

/// A run of this runbook with such an input, to its end.
async fn ran(runbook: Runbook, bytes: usize) -> Run {
    let bench = Bench::new();
    let id = start(&bench, runbook, bytes).await.unwrap();
    let run = tokio::time::timeout(Duration::from_secs(20), bench.driver.wait(id)).await.unwrap().unwrap();
    assert_eq!(bench.journal.verify().unwrap().damage, []);
    run
}

/// How a run ended, and why the step did not succeed.
fn told(run: &Run, step: &str) -> (RunStatus, String) {
    let state = run.step(step).unwrap().1;
    (run.status(), state.failure.as_ref().map_or(String::new(), |failure| failure.message.clone()))
}

#[tokio::test]
async fn inputs_of_a_run_may_have_2_mib() {
    let one = || runbook(vec![step("a", "x/read", json!({}))], json!({}));
    assert_eq!(ran(one(), VALUE_BYTES_MAX - 8).await.status(), RunStatus::Succeeded);
    let bench = Bench::new();
    let error = start(&bench, one(), VALUE_BYTES_MAX - 7).await.unwrap_err();
    assert!(error.to_string().contains("it takes 2097153 bytes as JSON, and 2097152 can be kept"), "{error}");
    assert_eq!(bench.journal.records(), 0);
    start(&bench, one(), 1).await.unwrap();
}

#[tokio::test]
async fn the_input_of_a_step_may_have_2_mib() {
    // The name of the one key makes it as large as the inputs, or one byte larger.
    for (key, fits) in [("t", true), ("tt", false)] {
        let with = json!({key: "${{ inputs.t }}"});
        // Its answer holds it and more, so it must not succeed: only that it began is looked at.
        let run = ran(runbook(vec![step("a", "x/read", with)], json!({})), VALUE_BYTES_MAX - 8).await;
        assert_eq!(run.step("a").unwrap().1.forward.started > 0, fits, "{key}");
        let (status, why) = told(&run, "a");
        assert_eq!(status, RunStatus::Failed);
        assert_eq!(why.contains("could not work out `with`: it takes 2097153 bytes"), !fits, "{why}");
    }
}

#[tokio::test]
async fn steps_side_by_side_may_have_2_mib_each() {
    let large = |n| Arc::new(step(&format!("s{n}"), "x/read", json!({"t": "${{ inputs.t }}"})));
    let work = Work::Group { steps: (0..8).map(large).collect(), at_once: Some(8), fail_fast: false, rescue: None };
    // Its answer holds the input and more.
    let run = ran(runbook(vec![Step::new("all", work)], json!({})), VALUE_BYTES_MAX - 32).await;
    assert_eq!(run.status(), RunStatus::Succeeded);
}

#[tokio::test]
async fn the_outputs_of_a_run_may_have_2_mib() {
    for (key, fits) in [("t", true), ("tt", false)] {
        let outputs = json!({key: "${{ inputs.t }}"});
        let run = ran(runbook(vec![step("a", "x/read", json!({}))], outputs), VALUE_BYTES_MAX - 8).await;
        assert_eq!(run.outputs().contains_key(key), fits, "{key}");
        assert_eq!(run.status() == RunStatus::Succeeded, fits, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_a_script_may_have_2_mib() {
    // With what frames it in the journal: 9 bytes.
    for (bytes, fits) in [(VALUE_BYTES_MAX - 9, true), (VALUE_BYTES_MAX - 8, false)] {
        let run = ran(runbook(vec![scripted("a", "inputs.t", &[])], json!({})), bytes).await;
        let (status, why) = told(&run, "a");
        assert_eq!(status == RunStatus::Succeeded, fits);
        assert_eq!(why.contains("the answer is too large: it takes 2097153 bytes"), !fits, "{why}");
    }
}

#[tokio::test]
async fn the_answer_of_an_action_may_have_2_mib() {
    // It gives its input back, and `was` to undo it by.
    for (bytes, fits) in [(VALUE_BYTES_MAX - 16, true), (VALUE_BYTES_MAX - 15, false)] {
        for (action, otherwise) in [("x/read", RunStatus::Failed), ("x/unsafe", RunStatus::Blocked)] {
            let with = json!({"t": "${{ inputs.t }}"});
            let run = ran(runbook(vec![step("a", action, with)], json!({})), bytes).await;
            let expected = if fits { RunStatus::Succeeded } else { otherwise };
            assert_eq!(run.status(), expected, "{action}: {:?}", told(&run, "a"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_gives_a_call_may_have_2_mib() {
    let first = scripted("first", "inputs.t", &[]);
    // The inputs just fit; what both steps gave is too much for one call.
    for (source, fits) in [(r#"act("x/blind", inputs)"#, true), (r#"act("x/blind", steps)"#, false)] {
        let acts = scripted("acts", source, &["x/blind"]);
        let steps = vec![first.clone(), Step { id: "second".into(), ..first.clone() }, acts];
        let run = ran(runbook(steps, json!({})), VALUE_BYTES_MAX - 9).await;
        assert_eq!(run.step("acts/1").is_some(), fits, "{source}");
        let (status, why) = told(&run, "acts");
        // The call gives back what it was given, and a little more, which can't be kept: nobody knows whether it happened.
        assert_eq!(status, if fits { RunStatus::Blocked } else { RunStatus::Failed }, "{source}: {why}");
        assert_eq!(why.contains("the input of x/blind is too large"), !fits, "{why}");
    }
}
