//! Words that other systems have for what a runbook says otherwise.

/// What is said of a word: where it stands as a key, the words, and what is written here.
const WORDS: &[(&[&str], &[&str], &str)] = &[
    (STEP, &["when", "condition", "only_if", "unless"], "a condition is `if`, for example `if: steps.test.failed`"),
    (
        STEP,
        &["run", "shell", "command", "cmd", "exec", "bash"],
        "call a program with `uses: exec/run` and `with: { program: …, args: […] }`",
    ),
    (
        STEP,
        &["action", "module", "task", "plugin", "call"],
        "name an action with `uses`, for example `uses: vm/restart`",
    ),
    (STEP, &["params", "args", "arguments", "parameters", "inputs"], "the input of an action stands in `with`"),
    (STEP, &["name"], "a step is named by its `id`; say more in a comment"),
    (
        STEP,
        &["register", "output", "outputs", "save_as"],
        "nothing to register: what a step gave is read as `steps.ID.output`",
    ),
    (
        STEP,
        &["needs", "depends_on", "depends-on", "requires"],
        "steps run in the order in which they stand; those in a `parallel` run side by side",
    ),
    (
        STEP,
        &["loop", "with_items", "with-items", "with_list", "foreach", "for_each", "each", "matrix"],
        "write `for-each: \"${{ inputs.vms }}\"`, with the `steps` for an item below it",
    ),
    (
        STEP,
        &["ignore_errors", "continue-on-error", "continue_on_error", "ignore-errors", "allow_failure"],
        "write `on-failure: continue`",
    ),
    (
        STEP,
        &["host", "hosts", "target", "targets", "delegate_to", "runs-on"],
        "there are no hosts: a plugin reaches the machine that its input names, so give it in `with`",
    ),
    (STEP, &["tasks", "block", "jobs"], "steps in a step stand in `steps`"),
    (
        STEP,
        &["include", "import", "include_tasks", "import_tasks", "import_playbook", "include_role", "workflow", "job"],
        "name another runbook with `runbook`, and give its inputs in `with`",
    ),
    (STEP, &["until"], "write `wait-until: { uses: …, if: …, timeout: … }`"),
    (STEP, &["retries", "attempts", "max_attempts"], "write `retry: { attempts: 3, delay: 5s }`"),
    (
        STEP,
        &["delay", "sleep", "pause"],
        "a step that waits has `wait: 30s`; the time between attempts stands in `retry`",
    ),
    (
        STEP,
        &["env", "environment"],
        "a program gets variables from its action: `uses: exec/run` has `env` in its `with`",
    ),
    (STEP, &["become", "sudo", "user"], "a plugin has the rights of the engine and its grants, and no others"),
    (STEP, &["finally", "ensure"], "mark the steps that always run with `always: true`"),
    (STEP, &["rollback", "revert", "compensate"], "what takes a step back is `undo: { uses: … }`"),
    (
        STEP,
        &["timeout_seconds", "timeout-minutes", "timeout_minutes", "async"],
        "write `timeout` with its unit, for example `timeout: 90s`",
    ),
    (
        BOTH,
        &["vars", "variables", "parameters", "params", "args", "input"],
        "declare what a run is given under `inputs` of the runbook, and read it as `inputs.NAME`",
    ),
    (BOOK, &["tasks", "jobs", "stages", "plays", "actions"], "the steps stand in `steps`"),
    (
        BOOK,
        &["hosts", "host", "targets", "runs-on"],
        "there are no hosts: plugins reach the machines that their inputs name; go through many with `for-each`",
    ),
    (BOOK, &["env", "environment", "secrets"], "a plugin is granted variables and secrets in `runwright.toml`"),
    (BOOK, &["id", "title"], "a runbook is named by its `name`"),
    (BOOK, &["triggers", "trigger", "when"], "what starts it stands in `on`"),
    (BOOK, &["handlers", "finally", "post", "ensure"], "write a last step with `always: true`"),
    (BOOK, &["concurrency"], "write `lock: NAME`: runs with the same key run one at a time"),
    (BOOK, &["version", "apiVersion", "kind"], "a runbook has no version: leave it out"),
    (ON, &["alert", "alerts", "alarms"], "write `alarm: { where: …, with: { … } }`"),
    (ON, &["cron", "timer", "push", "event", "events"], "an alarm or a person starts a run: `alarm` or `manual`"),
    (
        ALARM,
        &["if", "when", "match", "matches", "filter", "condition", "labels", "matchers"],
        "say which alarms with `where`, for example `where: alarm.name == \"VmDown\" && alarm.firing`",
    ),
    (ALARM, &["inputs", "vars", "params", "parameters", "args"], "the inputs of the run stand in `with`"),
];

const STEP: &[&str] = &["a step"];
const BOOK: &[&str] = &["a runbook"];
const BOTH: &[&str] = &["a step", "a runbook"];
const ON: &[&str] = &["`on`"];
const ALARM: &[&str] = &["an alarm trigger"];

/// What to write instead of `key`, which a map of this sort does not have.
pub(crate) fn instead(of: &str, key: &str) -> Option<&'static str> {
    WORDS.iter().find(|(maps, words, _)| maps.contains(&of) && words.contains(&key)).map(|(.., help)| *help)
}

/// Whether `key` says what a step does in another system: then nothing more is said of a kind that it lacks.
pub(crate) fn is_work(key: &str) -> bool {
    instead("a step", key)
        .is_some_and(|help| ["`uses", "`steps`", "`for-each", "`wait"].iter().any(|word| help.contains(word)))
}
