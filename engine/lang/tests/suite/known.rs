//! What a check knows beyond words and places: functions, types, the arguments of calls, and what other systems call it.

use lang::Severity;

use crate::support::{all, catalog, engine, step};

/// The diagnostics of a text that has warnings only, one a line.
fn warned(text: &str) -> String {
    let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
    assert!(parsed.diagnostics.iter().all(|one| one.severity == Severity::Warning), "{:?}", parsed.diagnostics);
    assert!(parsed.runbook.is_some());
    let line = |one: &lang::Diagnostic| format!("{one}; {}", one.help.as_deref().unwrap_or_default());
    parsed.diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Nothing is said of this text.
fn accepted(text: &str) {
    let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
    assert_eq!(parsed.diagnostics, [], "{text}");
}

fn steps(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| step(line)).collect()
}

fn told(lines: &[&str]) -> String {
    all(&steps(lines).iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn functions_that_there_are_not_are_found_before_a_run() {
    insta::assert_snapshot!(told(&[
        "script: 'inputs.vm.startswith(\"a\")'",
        "script: 'to_uper(inputs.vm)'",
        "script: 'let x = [1]; x.map(|y| yy(y))'",
        "script: 'inputs.vm.length()'",
        "script: '[inputs.vm].join(\", \")'",
        "script: 'sleep(5)'",
        "script: 'inputs.vm.starts_with()'",
        "script: 'starts_with(inputs.vm)'",
        "script: 'host_of(inputs.vm, 1)'",
        "script: 'fn twice(x) { x + x } twice(1, 2)'",
        "script: '1'\nif: inputs.vm.is_empty() || frobnicate(inputs.vm)",
        "uses: vm/restart\nwith: { vm: \"web-${{ lower(inputs.vm) }}\" }",
    ]), @r"
    x.yaml:7:24: error: there is no function `startswith`; did you mean `starts_with`? [unknown-function]
    x.yaml:7:14: error: there is no function `to_uper`; did you mean `to_upper`? [unknown-function]
    x.yaml:7:37: error: there is no function `yy` [unknown-function]
    x.yaml:7:24: error: there is no function `length`; did you mean `len`? [unknown-function]
    x.yaml:7:26: error: there is no function `join`; write it with `reduce`: list.reduce(|all, item| if all == () { item } else { `${all}, ${item}` }) [unknown-function]
    x.yaml:7:14: error: there is no function `sleep`; use a step with `wait:` [unknown-function]
    x.yaml:7:24: error: `.starts_with` takes 1 value, and is given 0 [unknown-function]
    x.yaml:7:14: error: `starts_with` takes 2 values, and is given 1 [unknown-function]
    x.yaml:7:14: error: `host_of` takes 1 value, and is given 2 [unknown-function]
    x.yaml:7:36: error: `twice` takes 1 value, and is given 2 [unknown-function]
    x.yaml:8:33: error: there is no function `frobnicate`; did you mean `truncate`? [unknown-function]
    x.yaml:8:26: error: there is no function `lower`; did you mean `to_lower`? [unknown-function]
    ");
    for right in [
        "script: 'fn twice(x) { x + x } twice(inputs.vm)'",
        "script: 'let f = |x| x + 1; f.call(1)'",
        "script: 'let m = #{ f: |x| x + 1 }; m.f(1)'",
        "script: 'let m = #{}; m.f = |x| x; m.f(1)'",
        "script: 'type_of(1) + \"a\".to_upper() + Fn(\"x\").name'",
        "script: 'print(\"a\"); debug(1); [3, 1].sort(); \"a,b\".split(\",\").len().to_string()'",
        "script: 'switch 1 { 1 => now(), _ => random() }'",
        "script: 'let s = 0; for x in range(0, 3) { s += x } s.max(1).abs() + parse_int(\"1\")'",
    ] {
        accepted(&step(right));
    }
}

#[test]
fn what_a_reference_gives_is_of_the_type_that_the_action_wants() {
    let text = |with: &str| {
        format!(
            "name: x\ninputs: {{ vm: {{ type: string }}, n: {{ type: integer }}, part: {{ type: number }}, l: {{ type: list, of: boolean }}, token: {{ type: secret }} }}\n\
             steps:\n  - {{ id: look, uses: vm/diagnose, with: {{ vm: a }} }}\n  - {{ id: any, uses: http/get }}\n\
             \x20 - {{ id: t, uses: vm/tune, with: {{ {with} }} }}\n"
        )
    };
    let wrong = [
        "vm: \"${{ inputs.n }}\"",
        "vm: a, cpus: \"${{ inputs.vm }}\"",
        "vm: a, hot: \"${{ inputs.l }}\"",
        "vm: \"${{ inputs.l }}\"",
        "vm: a, disks: [{ size: \"${{ steps.look.succeeded }}\" }]",
        "vm: a, labels: { a: \"${{ steps.look.output.healthy }}\" }",
        "vm: a, hot: \"${{ steps.look.output.finding }}\"",
        "vm: \"${{ steps.look.error }}\"",
        "vm: \"why: ${{ steps.look.error }}\"",
        "vm: \"all: ${{ inputs.l }}\"",
        "vm: \"${{ steps.look.error.text }}\"",
    ];
    insta::assert_snapshot!(all(&wrong.map(text).each_ref().map(String::as_str)), @r"
    x.yaml:6:41: error: `vm`: expected text, found `inputs.n`, which is a whole number; write `${{ inputs.n.to_string() }}` [wrong-type]
    x.yaml:6:50: error: `cpus`: expected a whole number, found `inputs.vm`, which is text; write `${{ parse_int(inputs.vm) }}` [wrong-type]
    x.yaml:6:49: error: `hot`: expected a boolean, found `inputs.l`, which is a list [wrong-type]
    x.yaml:6:41: error: `vm`: expected text, found `inputs.l`, which is a list; write `${{ inputs.l.to_json() }}` [wrong-type]
    x.yaml:6:60: error: `disks.0.size`: expected a whole number, found `steps.look.succeeded`, which is a boolean [wrong-type]
    x.yaml:6:57: error: `labels.a`: expected text, found `steps.look.output.healthy`, which is a boolean; write `${{ steps.look.output.healthy.to_string() }}` [wrong-type]
    x.yaml:6:49: error: `hot`: expected a boolean, found `steps.look.output.finding`, which is text [wrong-type]
    x.yaml:6:41: error: `vm`: expected text, found `steps.look.error`, which is a map; write `${{ steps.look.error.message }}` [wrong-type]
    x.yaml:6:51: error: `steps.look.error` is a map, which can't be put into text; write `${{ steps.look.error.message }}` [wrong-type]
    x.yaml:6:51: error: `inputs.l` is a list, which can't be put into text; write `${{ inputs.l.to_json() }}` [wrong-type]
    x.yaml:6:63: error: `steps.look.error` has no `text`; there are: kind, message, code [unknown-name]
    ");
    for right in [
        "vm: a, cpus: \"${{ inputs.l.len }}\"",
        "vm: \"n ${{ inputs.l.len }}\"",
        "vm: \"${{ inputs.vm }}\", cpus: \"${{ inputs.n }}\"",
        "vm: \"${{ inputs.token }}\", cpus: \"${{ inputs.part }}\"",
        "vm: a, hot: \"${{ inputs.l[0] }}\"",
        "vm: \"${{ steps.any.output.x }}\", hot: \"${{ steps.look.output.healthy }}\"",
        "vm: \"${{ steps.look.output.other }}\", disks: \"${{ inputs.l }}\"",
        "vm: \"${{ steps.look.error.message }} ${{ inputs.n }}\"",
    ] {
        accepted(&text(right));
    }
}

#[test]
fn the_written_arguments_of_a_call_are_checked_like_with() {
    insta::assert_snapshot!(told(&[
        "script: 'act(\"vm/restrat\")'",
        "script: 'act(\"vm/restart\")'",
        "script: 'act(\"vm/restart\", #{ vn: inputs.vm })'",
        "script: 'act(\"vm/restart\", #{ vm: 7 })'",
        "script: |\n  let vm = inputs.vm;\n  act(\"vm/tune\", #{\n    vm: vm,\n    mode: \"fst\",\n    disks: [#{ size: 1 }, #{ size: \"2\" }],\n  });",
        "script: 'act(\"vm/tune\", #{ vm: inputs.vm, cpus: 0 })'",
    ]), @r#"
    x.yaml:7:18: error: the plugin `vm` has no action `restrat`; did you mean `vm/restart`? [unknown-action]
    x.yaml:7:18: error: `vm/restart` needs the input `vm`; write act("vm/restart", #{ vm: … }) [missing-input]
    x.yaml:7:18: error: `vm/restart` needs the input `vm`; add `vm: …` [missing-input] +1
    x.yaml:7:39: error: `vm`: expected text, found a number; put it in quotes: "7" [wrong-type]
    x.yaml:11:15: error: `mode`: expected one of fast, slow, found fst; did you mean `fast`? [bad-value] +1
    x.yaml:7:53: error: `cpus`: expected at least 1, found 0 [bad-value]
    "#);
    for right in [
        "script: 'act(\"vm/restart\", #{ vm: inputs.vm + 1 })'",
        "script: 'let input = #{}; act(\"vm/restart\", input)'",
        "script: 'act(\"vm/tune\", #{ vm: `a${1}`, cpus: 1 + 1, mode: inputs.vm, disks: [#{ size: 1 }] })'",
        "script: 'act(\"http/get\"); act(\"http/post\", #{ json: #{ a: [1, ()] } })'",
    ] {
        accepted(&step(right));
    }
}

#[test]
fn what_a_schema_wants_is_told_in_plain_words() {
    let tune = |with: &str| step(&format!("uses: vm/tune\nwith: {{ vm: a, {with} }}"));
    let texts = ["mode: fats", "mode: turbo", "level: lo", "cpus: 0", "name: ''", "name: A"].map(tune);
    insta::assert_snapshot!(all(&texts.each_ref().map(String::as_str)), @r"
    x.yaml:8:26: error: `mode`: expected one of fast, slow, found fats; did you mean `fast`? [bad-value]
    x.yaml:8:26: error: `mode`: expected one of fast, slow, found turbo [bad-value]
    x.yaml:8:27: error: `level`: expected one of low, high, found lo; did you mean `low`? [bad-value]
    x.yaml:8:26: error: `cpus`: expected at least 1, found 0 [bad-value]
    x.yaml:8:26: error: `name`: it is empty [bad-value]
    x.yaml:8:26: error: `name`: expected text that matches `^[a-z]*$`, found A [bad-value]
    ");
}

#[test]
fn braces_of_other_systems_are_doubted_where_they_hold_a_name() {
    let post = |text: &str| step(&format!("uses: http/post\nwith: {{ json: \"{text}\" }}"));
    let texts = [
        "{{ inputs.vm }}",
        "a {{vm}} b",
        "${inputs.vm}",
        "${wait_for}/${{ inputs.vm }}",
        "{{ steps.a_b.output }} ${vm}",
    ];
    insta::assert_snapshot!(texts.map(|text| warned(&post(text))).join("\n"), @r"
    x.yaml:8:20: warning: `{{ inputs.vm }}` is text here, and stays as it is; an expression is written `${{ inputs.vm }}`
    x.yaml:8:22: warning: `{{vm}}` is text here, and stays as it is; an expression is written `${{ inputs.vm }}`
    x.yaml:8:20: warning: `${inputs.vm}` is text here, and stays as it is; an expression is written `${{ inputs.vm }}`
    x.yaml:8:20: warning: `${wait_for}` is text here, and stays as it is; an expression is written `${{ inputs.wait_for }}`
    x.yaml:8:20: warning: `{{ steps.a_b.output }}` is text here, and stays as it is; an expression is written `${{ steps.a_b.output }}`
    x.yaml:8:43: warning: `${vm}` is text here, and stays as it is; an expression is written `${{ inputs.vm }}`
    ");
    for fine in [
        "{{.Names}}",
        "{{ range .x }}",
        "${HOME}",
        "{ inputs.vm }",
        "$${{ inputs.vm }}",
        "${{ inputs.vm }}",
        "{{ host }}",
    ] {
        assert_eq!(warned(&post(fine)), "", "{fine}");
    }
}

#[test]
fn words_of_other_systems_are_translated() {
    let words = [
        "when",
        "run",
        "shell",
        "command",
        "action",
        "module",
        "name",
        "register",
        "env",
        "needs",
        "depends_on",
        "loop",
        "with_items",
        "ignore_errors",
        "continue-on-error",
        "host",
        "hosts",
        "tasks",
        "vars",
        "retries",
        "until",
        "delay",
    ];
    let told = |text: String, of: &str| {
        let parsed = lang::parse("x.yaml", text.as_bytes(), Some(&catalog()), &engine());
        let found = parsed.diagnostics.iter().find(|one| one.code == "unknown-key");
        let found = found.unwrap_or_else(|| panic!("{text}: {:?}", parsed.diagnostics));
        assert!(found.message.ends_with(of), "{found}");
        found.help.clone().unwrap_or_default()
    };
    let lines = words.map(|word| format!("{word}: {}", told(step(&format!("script: '1'\n{word}: x")), "in a step")));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    when: a condition is `if`, for example `if: steps.test.failed`
    run: call a program with `uses: exec/run` and `with: { program: …, args: […] }`
    shell: call a program with `uses: exec/run` and `with: { program: …, args: […] }`
    command: call a program with `uses: exec/run` and `with: { program: …, args: […] }`
    action: name an action with `uses`, for example `uses: vm/restart`
    module: name an action with `uses`, for example `uses: vm/restart`
    name: a step is named by its `id`; say more in a comment
    register: nothing to register: what a step gave is read as `steps.ID.output`
    env: a program gets variables from its action: `uses: exec/run` has `env` in its `with`
    needs: steps run in the order in which they stand; those in a `parallel` run side by side
    depends_on: steps run in the order in which they stand; those in a `parallel` run side by side
    loop: write `for-each: "${{ inputs.vms }}"`, with the `steps` for an item below it
    with_items: write `for-each: "${{ inputs.vms }}"`, with the `steps` for an item below it
    ignore_errors: write `on-failure: continue`
    continue-on-error: write `on-failure: continue`
    host: there are no hosts: a plugin reaches the machine that its input names, so give it in `with`
    hosts: there are no hosts: a plugin reaches the machine that its input names, so give it in `with`
    tasks: steps in a step stand in `steps`
    vars: declare what a run is given under `inputs` of the runbook, and read it as `inputs.NAME`
    retries: write `retry: { attempts: 3, delay: 5s }`
    until: write `wait-until: { uses: …, if: …, timeout: … }`
    delay: a step that waits has `wait: 30s`; the time between attempts stands in `retry`
    "#);
    let lines = ["vars", "tasks", "hosts", "env", "id", "triggers", "handlers", "concurrency"]
        .map(|word| format!("{word}: {}", told(format!("name: x\n{word}: x\nsteps: []\n"), "in a runbook")));
    insta::assert_snapshot!(lines.join("\n"), @r"
    vars: declare what a run is given under `inputs` of the runbook, and read it as `inputs.NAME`
    tasks: the steps stand in `steps`
    hosts: there are no hosts: plugins reach the machines that their inputs name; go through many with `for-each`
    env: a plugin is granted variables and secrets in `runwright.toml`
    id: a runbook is named by its `name`
    triggers: what starts it stands in `on`
    handlers: write a last step with `always: true`
    concurrency: write `lock: NAME`: runs with the same key run one at a time
    ");
    let lines = ["if", "when", "match", "vars"].map(|word| {
        format!(
            "{word}: {}",
            told(
                format!("name: x\non: {{ alarm: {{ where: 'true', {word}: x }} }}\nsteps: []\n"),
                "in an alarm trigger"
            )
        )
    });
    insta::assert_snapshot!(lines.join("\n"), @r#"
    if: say which alarms with `where`, for example `where: alarm.name == "VmDown" && alarm.firing`
    when: say which alarms with `where`, for example `where: alarm.name == "VmDown" && alarm.firing`
    match: say which alarms with `where`, for example `where: alarm.name == "VmDown" && alarm.firing`
    vars: the inputs of the run stand in `with`
    "#);
    // Where a word says what the step does, it is not told besides that it does nothing.
    let text = "name: x\nsteps: [{ id: a, shell: ls }]\n";
    assert_eq!(lang::parse("x.yaml", text.as_bytes(), None, &engine()).diagnostics.len(), 1);
}
