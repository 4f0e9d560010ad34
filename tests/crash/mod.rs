//! The engine killed (SIGKILL) at every journal record, and started again: the same end, and no unsafe effect twice.

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
    killed_at_every_record(Scene::new("fixture.wasm", "fixture", EVENTFUL, &[]), "effects");
}

#[test]
fn a_step_that_cannot_be_verified_is_never_repeated_but_asked_about() {
    let blind = "
name: blind
steps:
  - { id: act, uses: fixture/append-blind, with: { file: FOLDER/effects, line: once } }
  - { id: then, uses: fixture/echo, with: { value: '${{ steps.act.output }}' } }
";
    let first = Scene::new("fixture.wasm", "fixture", blind, &[]);
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
