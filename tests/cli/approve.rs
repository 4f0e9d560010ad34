//! Steps that people approve, groups that are rescued, and runs that take too long.

use crate::support::Project;

const GATE: &str = r#"
name: gate
inputs: { vm: { type: string, default: web1 } }
steps:
  - id: go
    approve: { message: "Restart ${{ inputs.vm }}?", quorum: 2, not-requester: true }
  - { id: act, uses: fixture/echo, with: { value: "${{ steps.go.output.by }}" } }
outputs: { by: "${{ steps.act.output.value }}" }
"#;

fn gate() -> Project {
    let project = Project::new();
    project.write("gate.yaml", GATE);
    project
}

/// What a person called so does from their account, through sudo.
fn does(project: &Project, who: &str, words: &[&str]) -> String {
    let mut command = project.command(words);
    command.env("SUDO_USER", who);
    project.start_as(command).wait().shown()
}

#[test]
fn a_run_waits_for_people_and_says_how_to_answer() {
    let project = gate();
    insta::assert_snapshot!(does(&project, "ada", &["run", "gate.yaml"]), @r"
    exit 4
    run RUN of gate, started by ada as root
    go: asks for approval: Restart web1?
    run RUN blocked: a person must decide
      go: Restart web1? (not ada, who asked for the run; 0 of 2 said yes)
      answer it with one of:
        runwright approve RUN go yes
        runwright approve RUN go no
    ");
    insta::assert_snapshot!(project.call(&["status"]).shown(), @r"
    exit 0
    no engine serves; start one with `runwright serve`
    runs that wait for a person: `runwright runs show RUN` has the commands
      RUN  gate  blocked  DATE
    what they are asked
      approve RUN go yes|no  Restart web1? (not ada, who asked for the run; 0 of 2 said yes)
    plugins
      fixture  0.1.0  empty, echo, append, append-blind, append-once, loop, trap, panic, recurse, allocate, flood, non-zero, sleep, deny, huge-output, nested-output, lie, not-json, hoard, connect, listen, count, random, look-around, job, fall, leak, touch, fetch
      hello    0.1.0  greet
    ");
    insta::assert_snapshot!(does(&project, "ada", &["approve", "latest", "go", "yes"]), @r#"
    exit 3
    --- standard error
    error: could not answer step go of run latest
      cause: ada asked for this run: step "go" must be answered by somebody else
    "#);
    insta::assert_snapshot!(does(&project, "bob", &["approve", "latest", "go", "yes", "--reason", "quiet now"]), @r"
    exit 4
    run RUN of gate, started by ada as root
    so far: go asks for approval
    go approved by bob as root (quiet now)
    run RUN blocked: a person must decide
      go: Restart web1? (not ada, who asked for the run; 1 of 2 said yes)
      answer it with one of:
        runwright approve RUN go yes
        runwright approve RUN go no
    ");
    insta::assert_snapshot!(does(&project, "bob", &["approve", "latest", "go", "yes"]), @r#"
    exit 3
    --- standard error
    error: could not answer step go of run latest
      cause: bob has approved step "go" already
    "#);
    insta::assert_snapshot!(does(&project, "cyd", &["approve", "latest", "go", "yes"]), @r#"
    exit 0
    run RUN of gate, started by ada as root
    so far: go asks for approval
    go approved by cyd as root
    go: succeeded in TIME
    act: started
    act: succeeded in TIME
    run RUN succeeded in TIME
      by  ["bob","cyd"]
    "#);
    insta::assert_snapshot!(does(&project, "cyd", &["approve", "latest", "go", "yes"]), @r"
    exit 3
    --- standard error
    error: could not answer step go of run latest
      cause: run RUN is over: it is succeeded
    ");
    insta::assert_snapshot!(project.call(&["runs", "show", "latest", "--history"]).shown(), @r#"
    exit 0
    gate, started DATE by ada as root
      vm = web1
      ✓ go   succeeded  TIME
      ✓ act  succeeded  TIME
    run RUN succeeded in TIME
      by  ["bob","cyd"]
    what happened
         1  DATE  run RUN of gate, started by ada as root
         2  DATE  go: asks for approval: Restart web1?
         3  DATE  go approved by bob as root (quiet now)
         4  DATE  go approved by cyd as root
         4  DATE  go: succeeded in TIME
         5  DATE  act: started
         6  DATE  act: succeeded in TIME
    "#);
}

#[test]
fn one_no_is_the_end_of_it() {
    let project = gate();
    does(&project, "ada", &["run", "gate.yaml"]);
    insta::assert_snapshot!(does(&project, "bob", &["approve", "latest", "go", "no", "--reason", "sale"]), @r"
    exit 1
    run RUN of gate, started by ada as root
    so far: go asks for approval
    go: failed in TIME: bob said no: sale
    act: skipped: the run ended before it
    run RUN failed in TIME: go: bob said no: sale
    ");
}

#[test]
fn a_role_is_what_the_configuration_says() {
    let project = gate();
    project.write("gate.yaml", &GATE.replace("quorum: 2, not-requester: true", "role: approver"));
    does(&project, "ada", &["run", "gate.yaml"]);
    insta::assert_snapshot!(does(&project, "bob", &["approve", "latest", "go", "yes"]), @r#"
    exit 3
    --- standard error
    error: could not answer step go of run latest
      cause: bob as root may not approve step "go": it asks for the role "approver", which nobody has
      hint: add it to `[roles]` in runwright.toml, for example approver = ["alice", "@oncall"]
    "#);
    // What does not ask yet has nobody's role looked up: it is answered by nobody.
    let early = does(&project, "bob", &["approve", "latest", "act", "yes"]);
    assert!(early.starts_with("exit 3") && early.contains("step \"act\" does not ask for approval"), "{early}");
    let settings = std::fs::read_to_string(project.path("runwright.toml")).expect("settings");
    project.write("runwright.toml", &format!("{settings}\n[roles]\napprover = [\"cyd\", \"@nobody-there\"]\n"));
    insta::assert_snapshot!(does(&project, "bob", &["approve", "latest", "go", "yes"]), @r#"
    exit 3
    --- standard error
    error: could not answer step go of run latest
      cause: bob as root may not approve step "go": it asks for the role "approver", which they do not have
    "#);
    insta::assert_snapshot!(does(&project, "cyd", &["approve", "latest", "go", "yes"]), @r#"
    exit 0
    run RUN of gate, started by ada as root
    so far: go asks for approval
    go approved by cyd as root
    go: succeeded in TIME
    act: started
    act: succeeded in TIME
    run RUN succeeded in TIME
      by  ["cyd"]
    "#);
}

#[test]
fn a_plan_says_who_is_asked() {
    let plan = gate().call(&["plan", "gate.yaml"]).shown();
    let asked: Vec<&str> = plan.lines().skip_while(|line| !line.contains("go ")).take(4).collect();
    insta::assert_snapshot!(asked.join("\n"), @r"
    go   approve  (read)
        Restart web1?
        anybody, 2 of them, not who asked for the run
    act  fixture/echo  (read)
    ");
}

#[test]
fn a_group_that_fails_is_rescued_and_one_that_takes_too_long_ends() {
    let project = Project::new();
    project.write(
        "rescue.yaml",
        r#"
name: rescue
steps:
  - id: patch
    steps:
      - { id: try, uses: fixture/append, with: { file: FOLDER/effects, line: no, fail: permanent } }
    rescue:
      - { id: mend, uses: fixture/echo, with: { value: "${{ steps.try.failed }}" } }
  - id: slow
    timeout: 300ms
    on-failure: continue
    steps:
      - { id: nap, wait: 1h }
  - { id: told, uses: fixture/echo, with: { value: "${{ [steps.patch.rescued, steps.slow.failed] }}" } }
outputs: { told: "${{ steps.told.output.value }}" }
"#,
    );
    insta::assert_snapshot!(project.call(&["run", "rescue.yaml"]).shown(), @r"
    exit 0
    run RUN of rescue, started by USER
    patch: started
    patch/try: started
    patch/try: failed in TIME: as asked
    patch/rescue: started
    patch/rescue/mend: started
    patch/rescue/mend: succeeded in TIME
    patch/rescue: succeeded in TIME
    patch: succeeded in TIME
    slow: started
    slow/nap: waits for 1h 00m
    slow/nap: failed in TIME: cancelled while it waited
    slow: failed in TIME: it took longer than its `timeout`
    told: started
    told: succeeded in TIME
    run RUN succeeded in TIME
      told  [true,true]
    ");
}

#[test]
fn a_run_that_takes_too_long_fails() {
    let project = Project::new();
    project.write("late.yaml", "name: late\ntimeout: 300ms\nsteps:\n  - { id: nap, wait: 1h }\n");
    insta::assert_snapshot!(project.call(&["run", "late.yaml"]).shown(), @r"
    exit 1
    run RUN of late, started by USER
    nap: waits for 1h 00m
    it took longer than its `timeout`
    nap: failed in TIME: cancelled while it waited
    run RUN failed in TIME: it took longer than its `timeout`
    ");
}
