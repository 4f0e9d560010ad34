//! The ten bad runbooks of `tests/lang/bad`, and more: what people see.

use crate::support::{all, rendered, step};

fn file(name: &str) -> String {
    let path = format!("{}/../../tests/lang/bad/{name}", env!("CARGO_MANIFEST_DIR"));
    rendered(name, &std::fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[test]
fn unknown_key() {
    insta::assert_snapshot!(file("unknown-key.yaml"), @r#"
    error: unknown key `tiemout` in a step [unknown-key]
     --> unknown-key.yaml:8:5
      |
    8 |     tiemout: 2m
      |     ^^^^^^^
      = help: did you mean `timeout`?

    unknown-key.yaml: 1 error
    "#);
}

#[test]
fn wrong_type() {
    insta::assert_snapshot!(file("wrong-type.yaml"), @r#"
    error: expected a duration like `90s`, found a number [wrong-type]
     --> wrong-type.yaml:8:14
      |
    8 |     timeout: 90
      |              ^^
      = help: give its unit: `90s` are seconds, `90m` minutes

    wrong-type.yaml: 1 error
    "#);
}

#[test]
fn duplicate_step() {
    insta::assert_snapshot!(file("duplicate-step.yaml"), @r#"
    error: there is a step `restart` already [duplicate-step]
     --> duplicate-step.yaml:8:9
      |
    8 |   - id: restart
      |         ^^^^^^^
      = note: its first place is line 5
      = help: give each step an id of its own

    duplicate-step.yaml: 1 error
    "#);
}

#[test]
fn unknown_action() {
    insta::assert_snapshot!(file("unknown-action.yaml"), @r#"
    error: the plugin `vm` has no action `restrat` [unknown-action]
     --> unknown-action.yaml:6:11
      |
    6 |     uses: vm/restrat
      |           ^^^^^^^^^^
      = help: did you mean `vm/restart`?

    unknown-action.yaml: 1 error
    "#);
}

#[test]
fn missing_input() {
    insta::assert_snapshot!(file("missing-input.yaml"), @r#"
    error: `vm/restart` needs the input `vm` [missing-input]
     --> missing-input.yaml:4:11
      |
    4 |     uses: vm/restart
      |           ^^^^^^^^^^
      = note: `vm`: The VM's name in the inventory
      = help: add `with: { vm: … }`

    missing-input.yaml: 1 error
    "#);
}

#[test]
fn bad_expression() {
    insta::assert_snapshot!(file("bad-expression.yaml"), @r#"
    error: `&&` can't stand here [expression]
     --> bad-expression.yaml:6:33
      |
    6 |     if: inputs.vm == "web-1" && && true
      |                                 ^^
      = help: expressions look like this: inputs.count > 2 && !steps.test.succeeded

    bad-expression.yaml: 1 error
    "#);
}

#[test]
fn alias_bomb() {
    let begin = std::time::Instant::now();
    let text = file("alias-bomb.yaml");
    assert!(begin.elapsed().as_millis() < 500);
    insta::assert_snapshot!(text, @r#"
    error: anchors and aliases are not available [anchor]
     --> alias-bomb.yaml:2:4
      |
    2 | a: &a [x, x, x, x, x, x, x, x, x, x]
      |    ^^
      = help: write the value where it is needed; text that begins with `&` is put in quotes

    alias-bomb.yaml: 1 error
    "#);
}

#[test]
fn ten_megabytes() {
    let bytes = "# padding\n".repeat(1024 * 1024);
    let begin = std::time::Instant::now();
    insta::assert_snapshot!(rendered("big.yaml", bytes.as_bytes()), @r#"
    error: the file has more than 1 MiB, the most that a runbook has [too-large]
     --> big.yaml:1:1
      |
    1 | # padding
      | ^
      = help: is this a runbook? Data that steps need belongs into files of its own

    big.yaml: 1 error
    "#);
    assert!(begin.elapsed().as_millis() < 500);
}

#[test]
fn tab_indentation() {
    insta::assert_snapshot!(file("tab-indentation.yaml"), @r#"
    error: a tab in the indentation [tab]
     --> tab-indentation.yaml:4:1
      |
    4 |  uses: vm/restart
      | ^
      = help: indent with spaces; most editors can convert tabs

    tab-indentation.yaml: 1 error
    "#);
}

#[test]
fn not_utf8() {
    insta::assert_snapshot!(file("not-utf8.yaml"), @r#"
    error: the byte 0xe9 is not UTF-8 [encoding]
     --> not-utf8.yaml:2:17
      |
    2 | description: caf�
      |                 ^
      = help: save the file as UTF-8

    not-utf8.yaml: 1 error
    "#);
}

#[test]
fn several_errors_at_once() {
    insta::assert_snapshot!(file("several-errors.yaml"), @r#"
    error: `Several Errors` is no name for a runbook [bad-value]
     --> several-errors.yaml:1:7
      |
    1 | name: Several Errors
      |       ^^^^^^^^^^^^^^
      = help: a name is 1 to 64 of `a-z`, `0-9`, `-` and `_`

    error: expected one of `string`, `integer`, `number`, `boolean`, `list`, `map`, `secret`, found `sting` [bad-value]
     --> several-errors.yaml:3:15
      |
    3 |   vm: { type: sting }
      |               ^^^^^
      = help: did you mean `string`?

    error: expected a whole number, found text [wrong-type]
     --> several-errors.yaml:4:36
      |
    4 |   count: { type: integer, default: three }
      |                                    ^^^^^

    error: `alarm` has no `nmae` [unknown-name]
     --> several-errors.yaml:7:18
      |
    7 |     where: alarm.nmae == "VmDown"
      |                  ^^^^
      = help: did you mean `name`?

    error: the runbook has no input `vn` [unknown-name]
     --> several-errors.yaml:8:13
      |
    8 |     with: { vn: "${{ alarm.labels.vm }}" }
      |             ^^
      = help: did you mean `vm`?

    error: `schedule` is not supported by this version yet [unsupported]
     --> several-errors.yaml:9:3
      |
    9 |   schedule: "0 3 * * *"
      |   ^^^^^^^^
      = help: leave it out for now

    error: `check me` is no name for a step [bad-value]
      --> several-errors.yaml:11:9
       |
    11 |   - id: check me
       |         ^^^^^^^^
       = help: a name is a letter, then letters, digits, `_` or `-`, at most 64 in all

    error: `inputs` has no `vn` [unknown-name]
      --> several-errors.yaml:13:29
       |
    13 |     with: { vm: "${{ inputs.vn }}", patience: 3 }
       |                             ^^
       = help: did you mean `vm`?

    error: `patience`: expected text, found a number [wrong-type]
      --> several-errors.yaml:13:47
       |
    13 |     with: { vm: "${{ inputs.vn }}", patience: 3 }
       |                                               ^
       = help: put it in quotes: "3"

    error: the step `retest` comes later [unknown-name]
      --> several-errors.yaml:15:15
       |
    15 |     if: steps.retest.succeeded
       |               ^^^^^^
       = help: a step reads the steps before it: move this step behind that one

    error: there is no plugin `vmm` [unknown-action]
      --> several-errors.yaml:16:11
       |
    16 |     uses: vmm/restart
       |           ^^^^^^^^^^^
       = help: did you mean `vm/restart`?

    error: `2 minutes` is not a duration like `90s`, `5m`, `1h30m` or `250ms` [bad-value]
      --> several-errors.yaml:17:14
       |
    17 |     timeout: 2 minutes
       |              ^^^^^^^^^

    error: expected a whole number from 1 to 100, found 0 [bad-value]
      --> several-errors.yaml:18:24
       |
    18 |     retry: { attempts: 0, delay: 5 }
       |                        ^

    error: expected a duration like `90s`, found a number [wrong-type]
      --> several-errors.yaml:18:34
       |
    18 |     retry: { attempts: 0, delay: 5 }
       |                                  ^
       = help: give its unit: `5s` are seconds, `5m` minutes

    error: expected one of `stop`, `rollback`, `continue`, found `contine` [bad-value]
      --> several-errors.yaml:19:17
       |
    19 |     on-failure: contine
       |                 ^^^^^^^
       = help: did you mean `continue`?

    error: an expression that begins with `!` needs quotes [tag]
      --> several-errors.yaml:21:9
       |
    21 |     if: !steps.restart.succeeded
       |         ^^^^^^^^^^^^^^^^^^^^^^^^
       = help: write "!steps.restart.succeeded"

    error: `vm/wait-healthy` has no input `fro` [unknown-input]
      --> several-errors.yaml:23:24
       |
    23 |     with: { vm: web-1, fro: 60s }
       |                        ^^^
       = help: did you mean `for`?

    error: unknown key `allways` in a step [unknown-key]
      --> several-errors.yaml:24:5
       |
    24 |     allways: yes
       |     ^^^^^^^
       = help: did you mean `always`?

    error: 'failed' is not one character [expression]
      --> several-errors.yaml:28:21
       |
    28 |       if outcome == 'failed' {
       |                     ^
       = help: text is written in double quotes: "failed"

    error: there is no step `reprovision` [unknown-name]
      --> several-errors.yaml:32:24
       |
    32 |   fixed_by: "${{ steps.reprovision.ran }}"
       |                        ^^^^^^^^^^^
       = help: before it come: check me, restart, retest, report

    several-errors.yaml: 20 errors
    "#);
}

#[test]
fn text_that_is_not_yaml() {
    insta::assert_snapshot!(all(&[
        "",
        "# nothing\n",
        "- a\n",
        "name: a\n---\nname: b\n",
        "name: a: b\n",
        "name: 'a\n",
        "name: @a\n",
        "steps: [a, b\nname: x\n",
        "steps: { a: b\n",
        "steps: {vm: ${{ inputs.vm }} }\n",
        "a:\n    b: 1\n  c: 2\n",
        "name: x\nsteps\n",
        "name: *x\n",
        "name: &x y\n",
        "name: !!str y\n",
        "name: x\n<<: { a: b }\n",
        "? [a]\n: b\n",
        "a: 1\nb: 2\na: 3\n",
        "a\u{0}: 1\n",
        &format!("a: {}{}", "[".repeat(40), "]".repeat(40)),
        &format!("a: [{}]", "1,".repeat(21_000)),
        &format!("name: {}", "x".repeat(70_000)),
    ]), @r#"
    x.yaml:1:1: error: the file is empty; a runbook has at least `name` and `steps` [empty]
    x.yaml:1:1: error: the file is empty; a runbook has at least `name` and `steps` [empty]
    x.yaml:1:1: error: expected a runbook: a map with `name` and `steps`, found a list [wrong-type]
    x.yaml:1:1: error: the runbook has no `steps`; each step has an `id`, and `uses` or `script` [missing-key] +1
    x.yaml:1:8: error: a `:` where no key can be; check the indentation, or put text that contains `: ` in quotes [syntax]
    x.yaml:1:7: error: the quoted text that begins here does not end; close it with a quote [syntax]
    x.yaml:1:7: error: text can't begin with this character; put the text in quotes [syntax]
    x.yaml:2:5: error: a `:` where no key can be; check the indentation, or put text that contains `: ` in quotes [syntax]
    x.yaml:2:1: error: the map that began with `{` does not end before this; close it with `}`, or put a `,` here [syntax]
    x.yaml:1:14: error: `${{` can't stand here without quotes; write "${{ … }}" with quotes [syntax]
    x.yaml:3:3: error: this line fits none of the lines above; check its indentation; a key ends with `:` [syntax]
    x.yaml:3:1: error: this line fits none of the lines above; check its indentation; a key ends with `:` [syntax]
    x.yaml:1:7: error: anchors and aliases are not available; write the value where it is needed; text that begins with `*` is put in quotes [anchor]
    x.yaml:1:7: error: anchors and aliases are not available; write the value where it is needed; text that begins with `&` is put in quotes [anchor]
    x.yaml:1:1: error: the runbook has no `steps`; each step has an `id`, and `uses` or `script` [missing-key] +1
    x.yaml:1:1: error: the runbook has no `steps`; each step has an `id`, and `uses` or `script` [missing-key] +1
    x.yaml:1:1: error: the runbook has no `name`; begin the file with `name: x` [missing-key] +2
    x.yaml:1:1: error: unknown key `a` in a runbook; there are: name, description, inputs, on, lock, max-parallel, timeout, on-failure, defaults, steps, outputs [unknown-key] +4
    x.yaml:1:2: error: a control character; remove it; in quoted text it is written as an escape, such as "\0" [syntax]
    x.yaml:1:36: error: more than 32 lists and maps inside each other [too-large]
    x.yaml:1:39999: error: the file has more than 20000 values; split it into several runbooks [too-large]
    x.yaml:1:1: error: the runbook has no `steps`; each step has an `id`, and `uses` or `script` [missing-key] +1
    "#);
}

#[test]
fn steps_that_are_wrong() {
    let steps = [
        "uses: vm/restart\nwith: { vm: x }\nscript: '1'",
        "with: { vm: x }",
        "uses: vm/restart\nwith: [vm]",
        "uses: restart",
        "uses: vmx/restrt",
        "uses: ftp/put",
        "uses: vm/explode-now",
        "script: ''\nwith: {}",
        "script: 1",
        "approve: {}",
        "parallel: []",
        "script: '1'\nsilence: a",
        "script: '1'\nname: My step",
        "script: '1'\ntimeout: 0s",
        "script: '1'\ntimeout: 40d",
        "script: '1'\ntimeout: soon",
        "script: '1'\ntimeout: ${{ inputs.vm }}",
        "script: '1'\nretry: 3",
        "script: '1'\nretry: { attempts: 500 }",
        "script: '1'\nretry: { delay: 5s }",
        "script: '1'\nretry: { attempts: 2, backoff: 0.5 }",
        "script: '1'\nretry: { attempts: 2, delay: 5m, max-delay: 5s }",
        "script: '1'\non-failure: { go: a-b }",
        "script: '1'\non-failure: abort",
        "script: '1'\nalways: yes",
        "uses: vm/restart\nwith: { vm: x }\non-unknown: retry",
        "script: '1'\nif:",
        "script: '1'\nif: a ${{ 1 }}",
    ];
    let texts: Vec<String> = steps.iter().map(|lines| step(lines)).collect();
    insta::assert_snapshot!(all(&texts.iter().map(String::as_str).collect::<Vec<_>>()), @r#"
    x.yaml:9:5: error: a step has `uses` or `script`, not both; make two steps of it [bad-value]
    x.yaml:6:5: error: the step has none of `for-each`, `uses`, `script`, `wait`, `wait-until`, `approve`, `runbook`, `steps` and `parallel`; name an action, for example `uses: vm/restart` [missing-key]
    x.yaml:8:11: error: expected a map of the action's input, found a list [wrong-type]
    x.yaml:7:11: error: `restart` is no name of an action; an action is named by its plugin and itself, for example `vm/restart` [unknown-action]
    x.yaml:7:11: error: there is no plugin `vmx`; did you mean `vm/restart`? [unknown-action]
    x.yaml:7:11: error: there is no plugin `ftp`; there are: http, vm [unknown-action]
    x.yaml:7:11: error: the plugin `vm` has no action `explode-now`; it has: diagnose, reprovision, restart, resume, tune, wait-healthy [unknown-action]
    x.yaml:8:5: error: `with` belongs to `uses`; a script reads `inputs` and `steps` by itself [bad-value]
    x.yaml:7:13: error: expected text, found a number; put it in quotes: "1" [wrong-type]
    x.yaml:7:14: error: `approve` has no `message`; say what people are asked, for example `message: "Restart ${{ inputs.vm }}?"` [missing-key]
    x.yaml:7:5: warning: there are no steps: it does nothing; each step has an `id`, and `uses` or `script` [empty]
    x.yaml:8:5: error: `silence` is not supported by this version yet; leave it out for now [unsupported]
    x.yaml:8:5: error: unknown key `name` in a step; a step is named by its `id`; say more in a comment [unknown-key]
    x.yaml:8:14: error: `0s` is no time at all; at least 1ms is needed [bad-value]
    x.yaml:8:14: error: `40d` is longer than 30 days [bad-value]
    x.yaml:8:14: error: `soon` is not a duration like `90s`, `5m`, `1h30m` or `250ms` [bad-value]
    x.yaml:8:14: error: `${{ inputs.vm }}` is not a duration like `90s`, `5m`, `1h30m` or `250ms`; expressions can't be used here [bad-value]
    x.yaml:8:12: error: expected a map like `{ attempts: 3, delay: 5s }`, found a number [wrong-type]
    x.yaml:8:24: error: expected a whole number from 1 to 100, found 500 [bad-value]
    x.yaml:8:14: error: `retry` has no `attempts`; say how often in all, for example `attempts: 3` [missing-key]
    x.yaml:8:36: error: expected a factor from 1 to 100 [bad-value]
    x.yaml:8:49: error: `max-delay` is less than `delay`; `max-delay` is what the growing delay never exceeds [bad-value]
    x.yaml:8:19: error: `go` is not supported by this version yet; use `on-failure: continue`, and `if` in the steps behind [unsupported]
    x.yaml:8:17: error: expected one of `stop`, `rollback`, `continue`, found `abort` [bad-value]
    x.yaml:8:13: error: expected `true` or `false`, found text; write `true` or `false`, without quotes [wrong-type]
    x.yaml:9:17: error: `vm/restart` may act twice when it is repeated; use `on-unknown: ask`; or, if you know that repeating is safe here, add `idempotent: true` [unsafe-retry]
    x.yaml:8:7: error: expected an expression, found nothing [wrong-type]
    x.yaml:8:9: error: a condition is one expression; write it without `${{ }}` [expression]
    "#);
}

#[test]
fn inputs_that_do_not_fit_their_action() {
    let withs = [
        "{}",
        "{ vm: 7 }",
        "{ vm: x, vcpus: 2 }",
        "{ vm: x, cpus: two }",
        "{ vm: x, cpus: 0 }",
        "{ vm: x, cpus: 'n-${{ 1 }}' }",
        "{ vm: x, hot: yes }",
        "{ vm: x, mode: fats }",
        "{ vm: x, labels: { a: 1 } }",
        "{ vm: x, disks: [{ size: 1 }, { size: '${{ 1 }}' }, { sice: 1 }] }",
        "{ vm: x, disks: '${{ [] }}', nothing: 1, none: 2 }",
    ];
    let texts: Vec<String> = withs.iter().map(|with| step(&format!("uses: vm/tune\nwith: {with}"))).collect();
    insta::assert_snapshot!(all(&texts.iter().map(String::as_str).collect::<Vec<_>>()), @r#"
    x.yaml:8:5: error: `vm/tune` needs the input `vm`; add `vm: …` to `with` [missing-input]
    x.yaml:8:17: error: `vm`: expected text, found a number; put it in quotes: "7" [wrong-type]
    x.yaml:8:20: error: `vm/tune` has no input `vcpus`; did you mean `cpus`? [unknown-input]
    x.yaml:8:26: error: `cpus`: expected a whole number, found text [wrong-type]
    x.yaml:8:26: error: `cpus`: expected at least 1, found 0 [bad-value]
    x.yaml:8:26: error: `cpus`: expected a whole number, found text [wrong-type]
    x.yaml:8:25: error: `hot`: expected a boolean, found text; write `true` or `false` [wrong-type]
    x.yaml:8:26: error: `mode`: expected one of fast, slow, found fats; did you mean `fast`? [bad-value]
    x.yaml:8:33: error: `labels.a`: expected text, found a number; put it in quotes: "1" [wrong-type]
    x.yaml:8:65: error: `disks.2` needs `size`; add `size: …` [missing-input]
    x.yaml:8:40: error: `vm/tune` has no input `nothing`; there are: vm, cpus, hot, mode, level, name, labels, disks [unknown-input] +1
    "#);
}

#[test]
fn expressions_that_read_what_is_not_there() {
    let conditions = [
        "inputs.vn == 1",
        "input.vm == 1",
        "vm == 1",
        "alarm.name == 1",
        "steps.c.ran",
        "steps.b.ran",
        "steps.a-b.ran",
        "inputs.wait-for == 1",
        "steps[\"a-b\"].suceeded",
        "steps[\"a-b\"].output.anything.at.all == run.idd",
        "'steps[\"a-b\"].outcome == ''failed'''",
        "\"steps[\\\"a-b\\\"].ran &&\\x20inputs.x\"",
        ">-\n  inputs.vm == \"x\" &&\n  inputs.vx == \"y\"",
        "|\n  inputs.vm == \"x\" &&\n\n    inputs.vx == \"y\"",
        "inputs.vm == \"é\" &&\n  inputs.vx == \"y\"",
        "'${{ inputs.vx }}'",
    ];
    let texts: Vec<String> =
        conditions.iter().map(|condition| step(&format!("script: '1'\nif: {condition}"))).collect();
    insta::assert_snapshot!(all(&texts.iter().map(String::as_str).collect::<Vec<_>>()), @r#"
    x.yaml:8:16: error: `inputs` has no `vn`; did you mean `vm`? [unknown-name]
    x.yaml:8:9: error: there is no `input` here; did you mean `inputs`? [unknown-name]
    x.yaml:8:9: error: there is no `vm` here; an input is read as `inputs.vm` [unknown-name]
    x.yaml:8:9: error: there is no `alarm` here; the alarm is there in `on` only: give what is needed of it to an input, in `with` [unknown-name]
    x.yaml:8:15: error: there is no step `c`; before it come: a-b [unknown-name]
    x.yaml:8:15: error: `b` is this step itself; a step reads the steps before it [unknown-name]
    x.yaml:8:15: error: there is no step `a`; `-` is minus: write `steps.a_b` [unknown-name]
    x.yaml:8:21: error: `for` can't stand here; `-` is minus: write `inputs.wait_for` [expression]
    x.yaml:8:22: error: `steps.a-b` has no `suceeded`; did you mean `succeeded`? [unknown-name]
    x.yaml:8:52: error: `run` has no `idd`; did you mean `id`? [unknown-name]
    x.yaml:8:34: error: 'failed' is not one character; text is written in double quotes: "failed" [expression]
    x.yaml:8:42: error: `inputs` has no `x`; there are: vm, wait-for [unknown-name]
    x.yaml:10:14: error: `inputs` has no `vx`; did you mean `vm`? [unknown-name]
    x.yaml:11:19: error: `inputs` has no `vx`; did you mean `vm`? [unknown-name]
    x.yaml:9:14: error: `inputs` has no `vx`; did you mean `vm`? [unknown-name]
    x.yaml:8:21: error: `inputs` has no `vx`; did you mean `vm`? [unknown-name]
    "#);
}

#[test]
fn the_top_of_a_runbook() {
    let steps = "steps: [{ id: a, script: '1' }]\n";
    let texts = [
        "name: x\n".to_owned(),
        steps.to_owned(),
        "name: x\nsteps: []\n".to_owned(),
        "name: x\nsteps: { a: b }\n".to_owned(),
        format!("name: 7\n{steps}"),
        format!("name: x\nsilence: a\n{steps}"),
        format!("name: x\non-failure: continue\n{steps}"),
        format!("name: x\non: [alarm]\n{steps}"),
        format!("name: x\non: {{ alarm: {{ with: {{}} }} }}\n{steps}"),
        format!("name: x\non: {{ alarm: {{ where: 'inputs.x' }} }}\n{steps}"),
        format!("name: x\non: {{ alarm: {{ where: 'true', throttle: 1 }} }}\n{steps}"),
        format!("name: x\ninputs: {{ n: {{ type: integer }} }}\non: {{ alarm: {{ where: 'true' }} }}\n{steps}"),
        format!(
            "name: x\ninputs: {{ n: {{ type: integer }} }}\non: {{ alarm: {{ where: 'true', with: {{ n: x }} }} }}\n{steps}"
        ),
        format!("name: x\ninputs: {{ n: string }}\n{steps}"),
        format!("name: x\ninputs: {{ n: {{}} }}\n{steps}"),
        format!("name: x\ninputs: {{ 7n: {{ type: list }} }}\n{steps}"),
        format!("name: x\ninputs: {{ n: {{ type: integer, default: 1.5 }} }}\n{steps}"),
        format!("name: x\ninputs: {{ n: {{ type: string, default: '${{{{ 1 }}}}' }} }}\n{steps}"),
        format!("name: x\ninputs: {{ n: {{ type: string, required: false }} }}\n{steps}"),
        format!("name: x\ninputs: {{ n: {{ type: string, required: true, default: a }} }}\n{steps}"),
        format!("name: x\noutputs: {{ a: '${{{{ steps.b.ran }}}}' }}\n{steps}"),
        format!("name: x\noutputs: {{ a: '${{{{ steps.a.ran' }}\n{steps}"),
        format!("name: x\noutputs: [a]\n{steps}"),
    ];
    insta::assert_snapshot!(all(&texts.iter().map(String::as_str).collect::<Vec<_>>()), @r#"
    x.yaml:1:1: error: the runbook has no `steps`; each step has an `id`, and `uses` or `script` [missing-key]
    x.yaml:1:1: error: the runbook has no `name`; begin the file with `name: x` [missing-key]
    x.yaml:2:1: warning: the runbook has no steps: it does nothing; each step has an `id`, and `uses` or `script` [empty]
    x.yaml:2:8: error: expected a list of steps, found a map [wrong-type]
    x.yaml:1:7: error: expected text, found a number; put it in quotes: "7" [wrong-type]
    x.yaml:2:1: error: `silence` is not supported by this version yet; leave it out for now [unsupported]
    x.yaml:2:13: error: expected one of `stop`, `rollback`, found `continue` [bad-value]
    x.yaml:2:5: error: expected `manual`, or a map with `alarm`, found a list [wrong-type]
    x.yaml:2:16: error: the alarm trigger has no `where`; say which alarms, for example `where: alarm.name == "VmDown" && alarm.firing` [missing-key]
    x.yaml:2:24: error: there is no `inputs` here; there are: alarm [unknown-name]
    x.yaml:2:31: error: `throttle` is not supported by this version yet; leave it out for now [unsupported]
    x.yaml:3:16: error: the alarm trigger gives no `n`; add `n: "${{ alarm.labels.… }}"` to `with`, or give the input a default [missing-input]
    x.yaml:3:42: error: expected a whole number, found text [wrong-type]
    x.yaml:2:14: error: expected a map like `{ type: string }`, found text [wrong-type]
    x.yaml:2:11: error: the input `n` has no `type`; one of string, integer, number, boolean, list, map, secret [missing-key]
    x.yaml:2:11: error: `7n` is no name for an input; a name is a letter, then letters, digits, `_` or `-`, at most 64 in all [bad-value]
    x.yaml:2:40: error: expected a whole number, found a number [wrong-type]
    x.yaml:2:39: error: a default can't have expressions; work it out in the step that needs it [expression]
    x.yaml:2:30: error: an input that is not required needs a default; add `default` [bad-value]
    x.yaml:2:30: error: an input with a default is not required; remove `required` or `default` [bad-value]
    x.yaml:2:26: error: there is no step `b`; before it come: a [unknown-name]
    x.yaml:2:16: error: `${{` without its `}}`; write `$${{` where the text `${{` is meant [expression]
    x.yaml:2:10: error: expected a map from names to values, found a list [wrong-type]
    "#);
}
