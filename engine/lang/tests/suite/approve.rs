//! Steps that people approve, groups that are rescued, and limits of time.

use runwright_core::{Limit, OnFailure, OnTimeout, Work};

use crate::support::{engine, rendered};

fn parsed(text: &str) -> runwright_core::Runbook {
    let parsed = lang::parse("x.yaml", text.as_bytes(), None, &engine());
    assert_eq!(parsed.diagnostics, []);
    parsed.runbook.unwrap_or_else(|| panic!("no runbook"))
}

#[test]
fn a_question_is_text_or_says_who_may_answer_it_and_how_long() {
    let text = r#"
name: x
timeout: 2h
on-failure: rollback
inputs: { vm: { type: string } }
steps:
  - { id: plain, approve: "Restart ${{ inputs.vm }}?" }
  - id: full
    approve: { message: Sure?, role: approver, quorum: 2, not-requester: true, timeout: 4h, on-timeout: approve }
  - id: group
    timeout: 10m
    retry: { attempts: 2 }
    steps:
      - { id: a, script: "1" }
    rescue:
      - { id: b, if: steps.a.failed, script: "steps.a.error" }
  - { id: after, script: "steps.full.output.by.len() + steps.plain.output.by.len()" }
"#;
    let runbook = parsed(text);
    assert_eq!(runbook.limit, Some(Limit { ms: 7_200_000, on_failure: OnFailure::Rollback }));
    let question = |message: &str, role: Option<&str>, quorum, not_requester, on_timeout| Work::Approve {
        message: message.into(),
        role: role.map(Into::into),
        quorum,
        not_requester,
        on_timeout,
    };
    assert_eq!(runbook.steps[0].work, question("Restart ${{ inputs.vm }}?", None, 1, false, OnTimeout::Fail));
    assert_eq!(runbook.steps[0].limit_ms, None);
    assert_eq!(runbook.steps[1].work, question("Sure?", Some("approver"), 2, true, OnTimeout::Approve));
    assert_eq!(runbook.steps[1].limit_ms, Some(14_400_000));
    let group = &runbook.steps[2];
    assert_eq!((group.limit_ms, group.retry.attempts), (Some(600_000), 2));
    let Work::Group { rescue: Some(rescue), .. } = &group.work else { panic!("{group:?}") };
    assert_eq!((rescue.id.as_str(), rescue.steps().count()), ("rescue", 1));
}

#[test]
fn what_is_wrong_with_them_is_said_at_its_place() {
    let text = r#"
name: x
timeout: soon
steps:
  - { id: a, approve: { quorum: 0, on-timeout: approve, role: "The boss" } }
  - { id: b, approve: "", retry: { attempts: 2 } }
  - { id: c, approve: { mesage: x }, undo: { script: "1" } }
  - { id: d, script: "1", rescue: [] }
  - id: e
    steps: [{ id: rescue, script: "1" }]
    rescue: [{ id: f, script: "1" }]
  - { id: g, for-each: [1], steps: [{ id: h, script: "1" }], rescue: [{ id: i, script: "1" }], retry: { attempts: 2 } }
"#;
    insta::assert_snapshot!(rendered("wrong.yaml", text.as_bytes()), @r#"
    error: `soon` is not a duration like `90s`, `5m`, `1h30m` or `250ms` [bad-value]
     --> wrong.yaml:3:10
      |
    3 | timeout: soon
      |          ^^^^

    error: `approve` has no `message` [missing-key]
     --> wrong.yaml:5:25
      |
    5 |   - { id: a, approve: { quorum: 0, on-timeout: approve, role: "The boss" } }
      |                         ^^^^^^
      = help: say what people are asked, for example `message: "Restart ${{ inputs.vm }}?"`

    error: expected a whole number from 1 to 10, found 0 [bad-value]
     --> wrong.yaml:5:33
      |
    5 |   - { id: a, approve: { quorum: 0, on-timeout: approve, role: "The boss" } }
      |                                 ^

    error: `on-timeout` without a `timeout` never comes [bad-value]
     --> wrong.yaml:5:36
      |
    5 |   - { id: a, approve: { quorum: 0, on-timeout: approve, role: "The boss" } }
      |                                    ^^^^^^^^^^
      = help: say how long people have, for example `timeout: 4h`

    error: `The boss` is no name of a role [bad-value]
     --> wrong.yaml:5:63
      |
    5 |   - { id: a, approve: { quorum: 0, on-timeout: approve, role: "The boss" } }
      |                                                               ^^^^^^^^^^^
      = help: a role is 1 to 64 of `a-z`, `0-9`, `-` and `_`; who has it, `[roles]` in runwright.toml says

    error: the question is empty [bad-value]
     --> wrong.yaml:6:23
      |
    6 |   - { id: b, approve: "", retry: { attempts: 2 } }
      |                       ^^
      = help: say what is to be approved

    error: a step with `approve` has no `retry` of its own [bad-value]
     --> wrong.yaml:6:27
      |
    6 |   - { id: b, approve: "", retry: { attempts: 2 } }
      |                           ^^^^^
      = help: leave it out

    error: unknown key `mesage` in `approve` [unknown-key]
     --> wrong.yaml:7:25
      |
    7 |   - { id: c, approve: { mesage: x }, undo: { script: "1" } }
      |                         ^^^^^^
      = help: did you mean `message`?

    error: `approve` has no `message` [missing-key]
     --> wrong.yaml:7:25
      |
    7 |   - { id: c, approve: { mesage: x }, undo: { script: "1" } }
      |                         ^^^^^^
      = help: say what people are asked, for example `message: "Restart ${{ inputs.vm }}?"`

    error: a step with `approve` has no `undo` of its own [bad-value]
     --> wrong.yaml:7:38
      |
    7 |   - { id: c, approve: { mesage: x }, undo: { script: "1" } }
      |                                      ^^^^
      = help: leave it out

    error: `rescue` belongs to `steps` or `parallel` [bad-value]
     --> wrong.yaml:8:27
      |
    8 |   - { id: d, script: "1", rescue: [] }
      |                           ^^^^^^
      = help: leave it out

    error: there is a step `rescue` in the group already [duplicate-step]
      --> wrong.yaml:11:5
       |
    11 |     rescue: [{ id: f, script: "1" }]
       |     ^^^^^^
       = help: give that step another id

    error: a `for-each` has no `rescue` of its own [bad-value]
      --> wrong.yaml:12:62
       |
    12 |   - { id: g, for-each: [1], steps: [{ id: h, script: "1" }], rescue: [{ id: i, script: "1" }], retry: { attempts: 2 } }
       |                                                              ^^^^^^
       = help: leave it out

    error: a `for-each` has no `retry` of its own [bad-value]
      --> wrong.yaml:12:96
       |
    12 |   - { id: g, for-each: [1], steps: [{ id: h, script: "1" }], rescue: [{ id: i, script: "1" }], retry: { attempts: 2 } }
       |                                                                                                ^^^^^
       = help: leave it out

    wrong.yaml: 14 errors
    "#);
}

#[test]
fn the_time_for_an_answer_may_stand_beside_the_question_and_not_twice() {
    let text = |approve: &str| format!("name: x\nsteps:\n  - {{ id: a, timeout: 3m, approve: {approve} }}\n");
    for approve in ["Sure?", "{ message: Sure?, on-timeout: approve }"] {
        assert_eq!(parsed(&text(approve)).steps[0].limit_ms, Some(180_000), "{approve}");
    }
    let twice = rendered("x.yaml", text("{ message: Sure?, timeout: 4m }").as_bytes());
    assert!(twice.contains("the step has two timeouts"), "{twice}");
}
