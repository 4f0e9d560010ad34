//! Hostile plugins through the whole engine: each ends its own step, with a reason, and nothing else.

mod alertmanager;
mod bench;
mod checkpoint;
mod command;
mod dnf;
mod exec;
mod files;
mod notify;
mod older;
mod package;
mod registry;
mod runbooks;
mod schemas;
mod secrets;
mod service;
mod templates;

use crate::support::Project;

const HOSTILE: &str = r#"
name: hostile
on-failure: stop
steps:
  - { id: loops, uses: fixture/loop, with: {}, timeout: 300ms, on-failure: continue }
  - { id: traps, uses: fixture/trap, with: {}, on-failure: continue }
  - { id: panics, uses: fixture/panic, with: {}, on-failure: continue }
  - { id: recurses, uses: fixture/recurse, with: {}, on-failure: continue }
  - { id: allocates, uses: fixture/allocate, with: {}, on-failure: continue }
  - { id: floods, uses: fixture/flood, with: { to: log, bytes: 100 }, timeout: 300ms, on-failure: continue }
  - { id: oversleeps, uses: fixture/sleep, with: { ms: 60000, by: wasi }, timeout: 300ms, on-failure: continue }
  - { id: denied, uses: fixture/deny, with: { capability: exec, subject: /bin/true }, always: true, on-failure: continue }
  - { id: overflows, uses: fixture/huge-output, with: { size: 2000000 }, on-failure: continue }
  - { id: lies, uses: fixture/lie, with: {}, on-failure: continue }
  - { id: babbles, uses: fixture/not-json, with: {}, on-failure: continue }
  - { id: falls, uses: fixture/fall, with: {}, on-unknown: fail, on-failure: continue }
  - { id: unsure, uses: fixture/append-blind, with: { file: FOLDER/blind, line: x, fail: unknown }, on-unknown: fail, on-failure: continue }
  - { id: hoards, uses: fixture/hoard, with: { path: FOLDER/good.yaml }, on-failure: continue }
  - { id: escapes, uses: fixture/touch, with: { what: read, path: FOLDER/../../etc/hostname }, always: true, on-failure: continue }
  - { id: climbs, uses: fixture/touch, with: { what: read, path: FOLDER/link }, always: true, on-failure: continue }
  - { id: counts, uses: fixture/count, with: {} }
  - { id: counts-again, uses: fixture/count, with: {}, if: "${{ steps.counts.output.count == 1 }}" }
  - { id: good, uses: fixture/echo, with: { value: "still here" } }
"#;

const GOOD: &str = r#"
name: good
steps:
  - { id: one, uses: fixture/echo, with: { value: 1 } }
  - { id: two, uses: fixture/append, with: { file: FOLDER/effects, line: done } }
"#;

#[test]
fn a_hostile_plugin_ends_its_step_and_nothing_else() {
    let project = Project::new();
    project.write("hostile.yaml", HOSTILE);
    project.write("good.yaml", GOOD);
    std::os::unix::fs::symlink("/etc/hostname", project.path("link")).expect("a link");
    let served = project.start(&["serve"]).wait_until("serving", || project.path("state/api.sock").exists());
    let hostile = project.start(&["run", "hostile.yaml", "-o", "json"]);
    for _ in 0..5 {
        let good = project.call(&["run", "good.yaml"]);
        assert_eq!(good.exit, Some(0), "another run goes on meanwhile: {good:?}");
    }
    let ran = hostile.wait();
    let run = ran.json();
    assert_eq!(run["outcome"], "succeeded", "{run:#}");
    let mut story = String::new();
    for step in run["steps"].as_array().expect("steps") {
        let error = step["error"]["message"].as_str().unwrap_or("-");
        story += &format!(
            "{} {}: {error}\n",
            step["id"].as_str().expect("an id"),
            step["outcome"].as_str().expect("a word")
        );
    }
    insta::assert_snapshot!(story, @r#"
    loops failed: fixture/loop was still running after its 300ms and was stopped; give it a longer timeout if it needs more
    traps failed: fixture/trap gave up, as languages do on a panic
    panics failed: fixture/panic gave up, as languages do on a panic (thread '<unnamed>' (1) panicked at fixture/src/hostile.rs:43:5: as asked note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace)
    recurses failed: fixture/recurse trapped: wasm trap: out of bounds memory access; it called itself too deeply or followed a wild pointer
    allocates failed: fixture/allocate needs more memory than its limit of 256 MiB; raise memory-bytes under [limits] in runwright.toml if it should have more
    floods failed: fixture/flood was still running after its 300ms and was stopped; give it a longer timeout if it needs more
    oversleeps failed: fixture/sleep was still running after its 300ms and was stopped; give it a longer timeout if it needs more
    denied failed: the program was refused: runwright.toml does not grant plugin fixture the program "/bin/true" with these arguments; to allow it, add under [plugin.fixture.grants]: exec = [{ program = "/bin/true", args = [] }]
    overflows failed: fixture/huge-output gave output of 1.9 MiB where its limit is 1 MiB; raise output-bytes under [limits] in runwright.toml if it should
    lies failed: fixture/lie gave an output that does not fit its own schema, a fault of the plugin: this value is not of type "string" (at /text)
    babbles failed: fixture/not-json gave output that is no JSON, a fault of the plugin: key must be a string at line 1 column 3
    falls failed: fixture/fall gave up, as languages do on a panic; fixture/fall gave up, as languages do on a panic
    unsure failed: fixture/append-blind as asked
    hoards failed: fixture/hoard holds more than 1024 handles at a time; raise handles under [limits] in runwright.toml if it should
    escapes failed: Operation not permitted (os error 63)
    climbs failed: Operation not permitted (os error 63)
    counts succeeded: -
    counts-again succeeded: -
    good succeeded: -
    "#);
    assert_eq!(project.lines("effects").len(), 5);
    served.signal(rustix::process::Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
}
