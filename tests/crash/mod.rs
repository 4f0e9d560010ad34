//! The engine killed (SIGKILL) at every journal record, and started again: the same end, and no unsafe effect twice.

mod clock;
mod pinning;
mod real;
mod scene;

use scene::{Scene, counted, was_killed};

const RECOVER_VM: &str = include_str!("../../runbooks/recover-vm.yaml");

/// Steps of every effect class, a retry and a rollback.
const EVENTFUL: &str = r#"
name: eventful
steps:
  - { id: a, uses: fixture/append, with: { file: FOLDER/effects, line: a } }
  - id: b
    uses: fixture/append
    with: { file: FOLDER/effects, line: b, fail: transient, times: 1 }
    retry: { attempts: 3, delay: 10ms }
  - { id: c, uses: fixture/append-once, with: { file: FOLDER/effects, line: c } }
  - { id: d, script: "steps.a.output.line.len()" }
  - id: e
    uses: fixture/append
    with: { file: FOLDER/effects, line: e, fail: permanent }
    on-failure: rollback
  - { id: z, uses: fixture/append, with: { file: FOLDER/effects, line: z }, always: true }
"#;

/// Five steps, each with an undo that writes a line, the last of which fails.
const UNDONE: &str = r#"
name: undone
on-failure: rollback
steps:
  - { id: s1, uses: fixture/append, with: { file: FOLDER/effects, line: "1" } }
  - { id: s2, uses: fixture/append, with: { file: FOLDER/effects, line: "2" } }
  - id: s3
    uses: fixture/append-once
    with: { file: FOLDER/effects, line: "3" }
    undo: { uses: fixture/append, with: { file: FOLDER/effects, line: "undo ${{ steps.s3.output.line.split(' ')[3] }}" } }
  - { id: s4, uses: fixture/append, with: { file: FOLDER/effects, line: "4" } }
  - { id: s5, uses: fixture/append, with: { file: FOLDER/effects, line: "5", fail: permanent } }
"#;

/// A script that acts, catches, waits for the outside, and gets the time and something random.
const SCRIPTED: &str = r#"
name: scripted
lock: { key: only-one }
steps:
  - id: acts
    script: |
      let first = act("fixture/append", #{ file: "FOLDER/effects", line: "first" });
      let id = uuid();
      let began = now();
      let caught = "";
      try { act("fixture/append", #{ file: "FOLDER/effects", line: "no", fail: "permanent" }) } catch (e) { caught = e.kind }
      act("fixture/append-once", #{ file: "FOLDER/effects", line: caught });
      let echoed = act("fixture/echo", #{ value: id });
      #{ same: echoed.value == id, caught: caught, random: random() < 1.0, later: now() >= began }
  - { id: pause, wait: 20ms }
  - { id: poll, wait-until: { uses: fixture/echo, with: { value: 1 }, if: output.attempt > 0, every: 100ms, timeout: 5s } }
  - { id: after, uses: fixture/append, with: { file: FOLDER/effects, line: "after ${{ steps.acts.output.caught }}" } }
outputs: { acts: "${{ steps.acts.output }}" }
"#;

/// A canary of one item, a gate, then the other three, of which the second one fails.
const CANARY: &str = r#"
name: canary
steps:
  - id: fleet
    for-each: [a, b, c, d]
    as: vm
    waves: [1, 100%]
    on-failure: HOW
    steps:
      - { id: drain, uses: fixture/append, with: { file: FOLDER/effects, line: "drain ${{ vm }}" } }
      - { id: patch, uses: fixture/append-once, with: { file: FOLDER/effects, line: "patch ${{ vm }}" } }
      - { id: test, if: 'vm == "c"', uses: fixture/append, with: { file: FOLDER/effects, line: no, fail: permanent } }
    between:
      - { id: bake, wait: 10ms }
  - { id: tidy, uses: fixture/append, with: { file: FOLDER/effects, line: tidy }, always: true }
"#;

/// Kills the engine at every record, before and after it is durable, and lets the next one go on.
fn killed_at_every_record(first: Scene, file: &str) {
    let undisturbed = first.run(None);
    let whole = first.latest().unwrap_or_else(|| panic!("{undisturbed:?}"));
    let (effects, _) = counted(&first.lines(file));
    let records = first.records();
    assert!(records > 5 && !effects.is_empty(), "{records} records, {effects:?}");
    let mut kills = 0;
    for nth in 1..=records {
        for when in ["before", "after"] {
            let at = format!("{when}:{nth}");
            let scene = first.again();
            let killed = scene.run(Some(&at));
            assert!(was_killed(&killed), "{at}: {killed:?}");
            kills += 1;
            match scene.latest() {
                // Nothing was durable, so nothing may have happened.
                None => assert_eq!(scene.lines(file), [""; 0], "{at}"),
                Some(_) => {
                    scene.runwright(&["runs", "resume", "latest"], None);
                    let run = scene.latest().unwrap();
                    assert_eq!(run["outcome"], whole["outcome"], "{at}: {run:#}");
                    assert_eq!(run["outputs"], whole["outputs"], "{at}");
                    let (acts, by_key) = counted(&scene.lines(file));
                    assert_eq!(acts, effects, "{at}: {run:#}");
                    let twice: Vec<_> = by_key.iter().filter(|(_, times)| **times > 1).collect();
                    assert!(twice.is_empty(), "{at}: {twice:?} happened more than once");
                }
            }
        }
    }
    assert_eq!(kills, 2 * records);
}

#[test]
fn recover_vm_killed_at_every_record_ends_the_same() {
    killed_at_every_record(Scene::new("test/stand-in.wasm", "vm", RECOVER_VM, &["vm=web1"]), "effects");
}

#[test]
fn retry_and_rollback_killed_at_every_record_end_the_same() {
    killed_at_every_record(Scene::new("test/fixture.wasm", "fixture", EVENTFUL, &[]), "effects");
}

#[test]
fn an_undo_killed_at_every_record_takes_back_each_step_once_and_in_order() {
    let first = Scene::new("test/fixture.wasm", "fixture", UNDONE, &[]);
    first.run(None);
    let (acts, _) = counted(&first.lines("effects"));
    assert_eq!(acts, ["run 1", "run 2", "run 3", "run 4", "undo undo 4", "run undo 3", "undo undo 2", "undo undo 1"]);
    killed_at_every_record(Scene::new("test/fixture.wasm", "fixture", UNDONE, &[]), "effects");
}

#[test]
fn a_script_a_lock_and_waits_killed_at_every_record_end_the_same() {
    killed_at_every_record(Scene::new("test/fixture.wasm", "fixture", SCRIPTED, &[]), "effects");
}

#[test]
fn a_canary_with_a_bad_third_killed_at_every_record_ends_the_same() {
    let forward = ["run drain a", "run patch a", "run drain b", "run patch b", "run drain c", "run patch c"];
    let wave = ["undo undo patch c", "undo undo drain c", "undo undo patch b", "undo undo drain b"];
    let (first, tidy) = (["undo undo patch a", "undo undo drain a"], ["run tidy"]);
    for (how, back) in
        [("stop", vec![&tidy[..]]), ("rollback-wave", vec![&wave, &tidy]), ("rollback", vec![&wave, &first, &tidy])]
    {
        let runbook = CANARY.replace("HOW", how);
        let scene = Scene::new("test/fixture.wasm", "fixture", &runbook, &[]);
        scene.run(None);
        let expected: Vec<&str> = forward.iter().chain(back.into_iter().flatten()).copied().collect();
        assert_eq!(counted(&scene.lines("effects")).0, expected, "{how}");
        killed_at_every_record(scene.again(), "effects");
    }
}

#[test]
fn a_called_runbook_and_its_locks_killed_at_every_record_end_the_same() {
    let called = "
name: called
lock: machine
inputs: { vm: { type: string }, bad: { type: boolean, default: false } }
steps:
  - { id: drain, uses: fixture/append, with: { file: FOLDER/effects, line: 'drain ${{ inputs.vm }}' } }
  - { id: patch, lock: machine, uses: fixture/append-once, with: { file: FOLDER/effects, line: 'patch ${{ inputs.vm }}' } }
  - { id: test, if: inputs.bad, uses: fixture/append, with: { file: FOLDER/effects, line: no, fail: permanent } }
outputs: { vm: '${{ inputs.vm }}' }
";
    let around = "
name: around
on-failure: rollback
max-parallel: 1
steps:
  - { id: good, runbook: called, with: { vm: a } }
  - { id: bad, runbook: called, with: { vm: '${{ steps.good.output.vm }}b', bad: true }, lock: other }
";
    let scene = Scene::new("test/fixture.wasm", "fixture", around, &[]);
    scene.write("runbooks/called.yaml", called);
    scene.run(None);
    let forward = ["run drain a", "run patch a", "run drain ab", "run patch ab"];
    let back = ["undo undo patch ab", "undo undo drain ab", "undo undo patch a", "undo undo drain a"];
    assert_eq!(counted(&scene.lines("effects")).0, [forward, back].concat());
    killed_at_every_record(scene.again(), "effects");
}

#[test]
fn a_persons_answer_counts_once_it_is_durable_wherever_the_engine_is_killed() {
    let gate = "
name: gate
steps:
  - { id: go, approve: Go? }
  - { id: act, uses: fixture/append, with: { file: FOLDER/effects, line: act } }
";
    let first = Scene::new("test/fixture.wasm", "fixture", gate, &[]);
    assert_eq!(first.run(None).status.code(), Some(4));
    let answer = ["approve", "latest", "go", "yes"];
    assert!(first.runwright(&answer, None).status.success());
    for at in ["before:1", "after:1", "before:2", "after:2", "before:3", "after:3", "before:4"] {
        let scene = first.again();
        scene.run(None);
        assert!(was_killed(&scene.runwright(&answer, Some(at))), "{at}");
        let resumed = scene.runwright(&["runs", "resume", "latest"], None);
        let asked_again = resumed.status.code() == Some(4);
        // The answer is durable with the start of the step behind it.
        assert_eq!(asked_again, matches!(at, "before:1" | "before:2"), "{at}: {resumed:?}");
        if asked_again {
            assert!(scene.runwright(&answer, None).status.success());
        }
        assert_eq!(scene.latest().unwrap()["outcome"], "succeeded", "{at}");
        assert_eq!(scene.lines("effects").len(), 1, "{at}");
    }
}

#[test]
fn a_step_that_cannot_be_verified_is_never_repeated_but_asked_about() {
    let blind = "
name: blind
steps:
  - { id: act, uses: fixture/append-blind, with: { file: FOLDER/effects, line: once } }
  - { id: then, uses: fixture/echo, with: { value: '${{ steps.act.output }}' } }
";
    let first = Scene::new("test/fixture.wasm", "fixture", blind, &[]);
    assert!(first.run(None).status.success());
    for at in ["after:2", "before:3"] {
        let scene = first.again();
        assert!(was_killed(&scene.run(Some(at))));
        let acted = scene.lines("effects").len();
        assert_eq!(acted, usize::from(at == "before:3"), "killed before the effect, or after it");
        let resumed = scene.runwright(&["runs", "resume", "latest"], None);
        assert_eq!(resumed.status.code(), Some(4), "a person must decide: {resumed:?}");
        assert_eq!(scene.lines("effects").len(), acted, "nothing was guessed");
        let wrong = scene.runwright(&["settle", "latest", "then", "done"], None);
        assert!(!wrong.status.success(), "that step has nothing to settle");
        let (verdict, effects) = if acted == 1 { ("done", 1) } else { ("retry", 1) };
        let settled = scene.runwright(&["settle", "latest", "act", verdict, "--reason", "I looked"], None);
        assert!(settled.status.success(), "{settled:?}");
        scene.runwright(&["runs", "resume", "latest"], None);
        assert_eq!(scene.latest().unwrap()["outcome"], "succeeded");
        assert_eq!(scene.lines("effects").len(), effects);
    }
}

#[test]
fn a_lock_is_held_by_a_run_that_waits_for_an_engine() {
    let locked = "
name: locked
lock: { key: only-one }
steps:
  - { id: first, uses: fixture/append, with: { file: FOLDER/effects, line: first } }
";
    let scene = Scene::new("test/fixture.wasm", "fixture", locked, &[]);
    assert!(was_killed(&scene.run(Some("after:3"))));
    let dead = scene.latest().unwrap()["run"].as_str().unwrap().to_owned();
    let refused = scene.run(None);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{told}");
    assert!(told.contains(&format!("held by run {dead}")) && told.contains("runs resume"), "{told}");
    assert!(scene.runwright(&["runs", "resume", &dead], None).status.success());
    assert!(scene.run(None).status.success(), "it is free again");
    assert_eq!(scene.lines("effects").len(), 2);
}
