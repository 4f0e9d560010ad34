//! What a run would do, as far as that is known before it.

mod known;
mod text;

use std::collections::BTreeSet;
use std::sync::Arc;

use daemon::{Settings, Workshop};
use runwright_core::{
    ActionName, By, Cause, EffectClass, Event, Map, OnBusy, OnFailure, OnTimeout, OnUnknown, Record, Recovery, Retry,
    Run, RunId, Runbook, Share, SkipReason, Step, Timestamp, Value, Work, admit_inputs, recovery, secret_names,
};
use serde::Serialize;

use crate::{Error, exit};
use host::{Reach, reach, withheld};
use known::{Known, Scope};

pub(crate) use text::text;

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Plan {
    /// The runbook's name.
    runbook: String,
    /// Its description.
    description: String,
    /// The inputs with defaults filled in.
    inputs: Map,
    /// The lock that it claims, and what becomes of it where that is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<(String, OnBusy)>,
    /// How many runs of it are at work at the same time, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_parallel: Option<u32>,
    /// The steps in their order.
    steps: Vec<StepPlan>,
    /// The plugins that they use, with what they may reach.
    plugins: Vec<PluginPlan>,
    /// The steps that do something which a rollback could not take back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_undoable: Vec<String>,
    /// What would go wrong for sure.
    problems: Vec<String>,
}

/// What one step would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct StepPlan {
    /// The ids of the steps around it, and its own.
    id: String,
    /// The action; none for anything else.
    action: Option<String>,
    /// What a script may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    acts: Vec<String>,
    /// `uses`, `script`, `wait`, `approve`, `steps`, `parallel`, `for-each` or `runbook`.
    kind: &'static str,
    /// How it goes through what it holds, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<String>,
    /// The condition until which the action is called again and again.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// The step's own undo: an action, or `script`.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
    point_of_no_return: bool,
    /// Its `if`.
    #[serde(rename = "if")]
    condition: Option<String>,
    /// Whether that holds, as far as it is known.
    runs: Known,
    /// Its input, as far as it is known.
    input: Known,
    effect: EffectClass,
    destructive: bool,
    has_undo: bool,
    has_verify: bool,
    /// What follows when its answer is lost in a crash: `again`, `verify`, `ask` or `fail`.
    after_crash: &'static str,
    timeout_ms: u64,
    retry: Retry,
    #[serde(serialize_with = "as_written")]
    on_failure: OnFailure,
    always: bool,
}

/// As a runbook has it.
fn as_written<S: serde::Serializer>(on_failure: &OnFailure, serializer: S) -> Result<S::Ok, S::Error> {
    match on_failure {
        OnFailure::Stop => serializer.serialize_str("stop"),
        OnFailure::Rollback => serializer.serialize_str("rollback"),
        OnFailure::RollbackWave => serializer.serialize_str("rollback-wave"),
        OnFailure::Continue | OnFailure::ContinueAnyway => serializer.serialize_str("continue"),
        OnFailure::ContinueAfter { kinds, .. } => serializer.collect_map([("continue", kinds)]),
    }
}

/// A plugin that the steps use.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct PluginPlan {
    name: String,
    version: String,
    digest: String,
    reach: Vec<Reach>,
    /// Why no grant holds, although there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<String>,
}

impl Plan {
    /// What a run of `runbook` with these inputs would do. Nothing is started.
    pub(crate) fn new(
        settings: &Settings,
        workshop: &Workshop,
        runbook: Arc<Runbook>,
        inputs: Map,
    ) -> Result<Self, Error> {
        let mut run = imagined(workshop, &runbook, inputs.clone())?;
        let mut problems = Vec::new();
        let mut unknown = BTreeSet::new();
        let mut steps = Vec::with_capacity(runbook.steps.len());
        for step in &runbook.steps {
            let variables = run.scope();
            let scope = Scope::of_run(&workshop.scripts, variables, unknown.clone());
            let mut planned = StepPlan::new(step, &run, &scope, &mut problems);
            if planned.after_crash == "verify" && names_no_verify(workshop, step) {
                planned.after_crash = if step.on_unknown == OnUnknown::Fail { "fail" } else { "ask" };
            }
            if planned.runs == Known::Now(false.into()) {
                skip(&mut run, &step.id)?;
                steps.push(planned);
                continue;
            }
            check_input(workshop, &run, step, &planned.input, &mut problems);
            unknown.insert(step.id.clone());
            steps.push(planned);
            inner(workshop, &run, step, &step.id, &scope, &mut steps, &mut problems);
        }
        let plugins = plugins(settings, workshop, &runbook);
        let lock = runbook.lock.as_ref().and_then(|lock| {
            let (scripts, variables) = (&*workshop.scripts, run.scope());
            let scope = Scope::of_run(scripts, variables, BTreeSet::new());
            match scope.resolve(&Value::String(lock.key.clone())) {
                Ok(key) => Some((key.value().and_then(Value::as_str)?.to_owned(), lock.on_busy)),
                Err(error) => {
                    problems.push(format!("could not work out `lock`: {error}"));
                    None
                }
            }
        });
        let (name, description) = (runbook.name.clone(), runbook.description.clone());
        let (max_parallel, not_undoable) = (runbook.max_parallel, not_undoable(&steps));
        Ok(Self { runbook: name, description, inputs, lock, max_parallel, steps, plugins, not_undoable, problems })
    }

    /// The exit code: whether the run could not do what it should, whatever the world answers.
    pub(crate) fn exit(&self) -> u8 {
        if self.problems.is_empty() { exit::SUCCEEDED } else { exit::INVALID }
    }
}

impl StepPlan {
    /// Whether it would run, as far as that is known.
    fn runs(&self) -> bool {
        self.runs != Known::Now(false.into())
    }

    fn new(step: &Step, run: &Run, scope: &Scope<'_>, problems: &mut Vec<String>) -> Self {
        let mut told = |what: &str, error: script::Error| {
            problems.push(format!("step {}: could not work out {what}: {error}", step.id));
            Known::After(BTreeSet::new())
        };
        let runs = match &step.condition {
            Some(condition) => scope.condition(condition).unwrap_or_else(|error| told("`if`", error)),
            None => Known::Now(true.into()),
        };
        let skipped = runs == Known::Now(false.into());
        let (action, input) = match &step.work {
            // The input of a step that does not run is never worked out.
            Work::Action { action, .. } if skipped => (Some(action), Known::Now(Value::Null)),
            Work::Action { action, with } => {
                let input = scope.resolve(&Value::Object(with.clone()));
                (Some(action), input.unwrap_or_else(|error| told("`with`", error)))
            }
            Work::Each { items, .. } => (None, scope.resolve(items).unwrap_or_else(|error| told("`for-each`", error))),
            Work::Runbook { .. } if skipped => (None, Known::Now(Value::Null)),
            Work::Runbook { runbook, with } => {
                let inputs = scope.resolve(&Value::Object(with.clone()));
                (None, inputs.map_or_else(|error| told("`with`", error), |inputs| inputs.with_defaults(runbook)))
            }
            Work::Script { .. } | Work::Group { .. } => (None, Known::Now(Value::Null)),
            Work::Approve { message, .. } => {
                let message = scope.resolve(&Value::String(message.clone()));
                (None, message.unwrap_or_else(|error| told("`approve`", error)))
            }
            Work::Wait { time } => {
                let time = scope.resolve(&Value::String(time.clone()));
                (None, time.unwrap_or_else(|error| told("`wait`", error)))
            }
        };
        let of_called = if let Work::Runbook { runbook, .. } = &step.work { runbook.lock.as_ref() } else { None };
        let own = step.lock.as_ref().map(|key| match scope.resolve(&Value::String(key.clone())) {
            Ok(Known::Now(key)) => key.as_str().unwrap_or_default().to_owned(),
            _ => key.clone(),
        });
        let keys = own.into_iter().chain(of_called.map(|lock| lock.key.clone()));
        let holds: Vec<String> = keys.map(|key| format!("holds the lock {key} while it is at work")).collect();
        let pin = run.pin(step);
        let acts = if let Work::Script { acts, .. } = &step.work { acts.as_slice() } else { &[] };
        let called = |act: &ActionName| run.pin_of(&Work::Action { action: act.clone(), with: Map::new() });
        let writing: Vec<_> = acts.iter().filter_map(called).filter(|pin| pin.effect != EffectClass::Read).collect();
        Self {
            id: step.id.clone(),
            action: action.map(ToString::to_string),
            acts: acts.iter().map(ToString::to_string).collect(),
            kind: step.work.kind(),
            settings: each_settings(&step.work).into_iter().chain(holds).collect(),
            until: step.until.as_ref().map(|until| until.condition.clone()),
            undo: step.undo.as_ref().map(|undo| undo.action().map_or("script".to_owned(), ToString::to_string)),
            point_of_no_return: step.point_of_no_return,
            condition: step.condition.clone(),
            runs,
            input,
            // A script does what its calls do.
            effect: writing.iter().map(|pin| pin.effect).max().unwrap_or(run.effect(step)),
            destructive: pin.is_some_and(|pin| pin.destructive) || writing.iter().any(|pin| pin.destructive),
            has_undo: run.has_undo(step) || !writing.is_empty() && writing.iter().all(|pin| pin.has_undo),
            has_verify: pin.is_some_and(|pin| pin.has_verify),
            after_crash: match recovery(step, pin) {
                Recovery::Again => "again",
                Recovery::Verify => "verify",
                Recovery::Ask => "ask",
                Recovery::Fail => "fail",
            },
            timeout_ms: step.timeout_ms,
            retry: step.retry,
            on_failure: step.on_failure,
            always: step.always,
        }
    }
}

/// The steps that do something which neither an undo of theirs nor one around them takes back.
fn not_undoable(steps: &[StepPlan]) -> Vec<String> {
    let is_in =
        |step: &StepPlan, around: &StepPlan| step.id.strip_prefix(&around.id).is_some_and(|rest| rest.starts_with('/'));
    let is_covered = |step: &StepPlan| steps.iter().any(|around| around.undo.is_some() && is_in(step, around));
    let stays =
        |step: &&StepPlan| step.runs() && step.effect != EffectClass::Read && !step.has_undo && !is_covered(step);
    steps.iter().filter(stays).map(|step| step.id.clone()).collect()
}

/// The steps in a step, which stand below it. What they read of each other is known when they run.
fn inner(
    workshop: &Workshop,
    run: &Run,
    step: &Step,
    path: &str,
    around: &Scope<'_>,
    steps: &mut Vec<StepPlan>,
    problems: &mut Vec<String>,
) {
    let mut scope = match &step.work {
        Work::Runbook { runbook, with } => {
            let given = around.resolve(&Value::Object(with.clone()));
            let given = given.map_or_else(|_| Known::After(BTreeSet::new()), |given| given.with_defaults(runbook));
            Scope::of_runbook(around.scripts, runbook, &given, path)
        }
        _ => around.clone(),
    };
    scope.unknown.extend(step.steps().flat_map(Step::steps).chain(step.steps()).map(|inner| inner.id.clone()));
    if let Work::Each { name, .. } = &step.work {
        scope.items.insert(name.clone());
    }
    for (place, of_step) in step.steps().enumerate() {
        // The steps for an item, and those between waves, are groups without a name.
        let path = match (of_step.id.as_str(), place) {
            ("", 0) => path.to_owned(),
            ("", _) => format!("{path}/between"),
            (id, _) => format!("{path}/{id}"),
        };
        if !of_step.id.is_empty() {
            let mut planned = StepPlan::new(of_step, run, &scope, problems);
            if planned.after_crash == "verify" && names_no_verify(workshop, of_step) {
                planned.after_crash = if of_step.on_unknown == OnUnknown::Fail { "fail" } else { "ask" };
            }
            planned.id.clone_from(&path);
            check_input(workshop, run, of_step, &planned.input, problems);
            steps.push(planned);
        }
        inner(workshop, run, of_step, &path, &scope, steps, problems);
    }
}

/// How a step goes through those in it.
fn each_settings(work: &Work) -> Vec<String> {
    let share = |share: &Share| match share {
        Share::Items(items) => items.to_string(),
        Share::Percent(percent) => format!("{percent}%"),
    };
    match work {
        Work::Group { at_once: Some(at_once), fail_fast, .. } => {
            let first = if *fail_fast { "; the first failure stops the others" } else { "" };
            vec![format!("{at_once} side by side{first}")]
        }
        Work::Approve { role, quorum, not_requester, on_timeout, .. } => {
            let mut who = role.as_ref().map_or("anybody".to_owned(), |role| format!("role {role}"));
            if *quorum > 1 {
                who += &format!(", {quorum} of them");
            }
            if *not_requester {
                who += ", not who asked for the run";
            }
            if *on_timeout == OnTimeout::Approve {
                who += "; approved when nobody answers in time";
            }
            vec![who]
        }
        Work::Each { name, waves, at_once, max_failures, .. } => {
            let mut settings =
                vec![format!("for each as `{name}`, {at_once} at once; {} may fail", share(max_failures))];
            if !waves.is_empty() {
                settings.push(format!("waves end at {}", waves.iter().map(share).collect::<Vec<_>>().join(", ")));
            }
            settings
        }
        Work::Runbook { runbook, .. } => vec![format!("what the runbook {} says", runbook.name)],
        _ => Vec::new(),
    }
}

/// Whether the action can only be asked what became of it if the step names, as `verify`, how; and it does not.
fn names_no_verify(workshop: &Workshop, step: &Step) -> bool {
    let Work::Action { action, with } = &step.work else { return false };
    let catalog = workshop.catalog();
    let properties = catalog.get(action).and_then(|facts| facts.input_schema.get("properties"));
    properties.is_some_and(|known| known.get("verify").is_some()) && !with.contains_key("verify")
}

/// A run that exists only here: the plan walks the same machine as the engine.
fn imagined(workshop: &Workshop, runbook: &Arc<Runbook>, inputs: Map) -> Result<Run, Error> {
    let catalog = workshop.catalog();
    let mut pins = std::collections::BTreeMap::new();
    for action in runbook.actions() {
        let pin = catalog.pin(action).ok_or_else(|| driver::Error::NoSuchAction(action.clone()));
        pins.insert(action.clone(), pin.map_err(daemon::Error::from)?);
    }
    let by = By { who: String::new(), why: String::new() };
    let (digest, name, cause) = (runbook.source().0, runbook.name.clone(), Cause::Person { by });
    let event = Event::Created { runbook: digest, name, inputs, pins, cause, lock: None };
    let at = Timestamp::from_millis(0);
    let record = Record { run: RunId::new(at, [0; 10]), seq: 1, at, event };
    Run::create(Arc::clone(runbook), &record).map_err(|error| impossible(&error))
}

fn skip(run: &mut Run, step: &str) -> Result<(), Error> {
    let event = Event::Skipped { step: step.to_owned(), reason: SkipReason::Condition };
    let record = Record { run: run.id(), seq: run.seq() + 1, at: run.updated(), event };
    run.apply(&record).map_err(|error| impossible(&error))
}

fn impossible(error: &dyn std::error::Error) -> Error {
    Error::because(exit::INTERNAL, "could not imagine the run", error)
}

/// Whether an input that is known fits the action's schema: what a run would find out only when it is there.
fn check_input(workshop: &Workshop, run: &Run, step: &Step, input: &Known, problems: &mut Vec<String>) {
    if let (Work::Action { action, .. }, Some(pin), Some(input)) = (&step.work, run.pin(step), input.value())
        && let Err(failure) = workshop.host.validate(pin.plugin, action.action(), input)
    {
        problems.push(format!("step {}: {failure}", step.id));
    }
    if let (Work::Runbook { runbook, .. }, Some(Value::Object(given))) = (&step.work, input.value()) {
        let wrong = admit_inputs(runbook, given.clone()).err().unwrap_or_default();
        problems.extend(wrong.into_iter().map(|problem| format!("step {}: {problem}", step.id)));
        let secrets =
            secret_names(runbook, given).into_iter().filter(|(_, secret)| !workshop.host.grants_secret(secret));
        let unknown =
            |input: &str| format!("step {}: the input `{input}`: no plugin is granted a secret of this name", step.id);
        problems.extend(secrets.map(|(input, _)| unknown(input)));
    }
}

fn plugins(settings: &Settings, workshop: &Workshop, runbook: &Runbook) -> Vec<PluginPlan> {
    let used: BTreeSet<&str> = runbook.actions().into_iter().map(|action| action.plugin()).collect();
    let all = workshop.host.plugins();
    let plan = |facts: &Arc<runwright_core::PluginFacts>| {
        let entry = settings.plugin.get(&facts.name);
        PluginPlan {
            name: facts.name.clone(),
            version: facts.version.clone(),
            digest: facts.digest.to_string(),
            reach: reach(facts, entry),
            withheld: withheld(facts, entry),
        }
    };
    all.iter().filter(|facts| used.contains(facts.name.as_str())).map(plan).collect()
}
