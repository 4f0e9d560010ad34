//! What people and programs are shown: the JSON forms of the API and of `-o json`. They are stable.

mod alarms;
mod locks;
mod requests;

use journal::Journal;
use runwright_core::{
    Attempt, Cause, Direction, Failure, Head, Items, Line, Map, Phase, Record, Run, RunId, RunStatus, Runbook, Step,
    StepRun, StepState, Timestamp, Value, Work,
};
use serde::{Deserialize, Serialize};

pub use alarms::{Accepted, AcceptedAlarm, RefusedAlert, StartFailure, UnstartedAlarm, UnstartedRequest};
pub use requests::{
    ApproveRequest, CancelRequest, RefusedSettlement, RunbookRef, SettleRequest, Settled, StartRequest, Started,
};

/// One run, as `runs show` and `run -o json` show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunView {
    /// Its id.
    pub run: RunId,
    /// The runbook's name.
    pub runbook: String,
    /// Where it stands; how it ended, if it did.
    pub status: RunStatus,
    /// The same, under the name that it had first.
    pub outcome: RunStatus,
    /// Whether an engine goes on with it; none where that is not known, or the run is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<bool>,
    /// While it is queued: who holds the lock that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_behind: Option<LockHolder>,
    /// Who or what started it.
    pub cause: Cause,
    /// Its inputs.
    pub inputs: Map,
    /// When it was created, in milliseconds since 1970.
    pub created: Timestamp,
    /// When its last record was written.
    pub updated: Timestamp,
    /// The number of that record: how many it has.
    pub seq: u64,
    /// Its steps, in the order of the runbook.
    pub steps: Vec<StepView>,
    /// Its outputs; empty unless it succeeded.
    pub outputs: Map,
    /// Why it failed: what went wrong first of that which decided so, or why its outputs could not be worked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The step that decided so by its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<String>,
    /// The steps and calls that did something outside which a rollback leaves as it is, or left: their action has no undo, a
    /// point of no return came after them, or a person decided so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_undoable: Vec<String>,
    /// Of a run that was rolled back: how much of what it did came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<TakenBack>,
}

/// How much of what a run did came back when it was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TakenBack {
    /// All of it.
    All,
    /// Something did, something did not.
    Part,
    /// Nothing: all of it stands.
    Nothing,
}

/// The run that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LockHolder {
    /// The lock.
    pub lock: String,
    /// The run; none where it ended just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// One run in a list: its head, and what tells it from others of the same runbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    /// Its head.
    #[serde(flatten)]
    pub head: Head,
    /// Whether an engine goes on with it: no for one that is over, and for one whose engine died or was stopped.
    pub live: bool,
    /// Who or what started it; none where its records can't be read, or nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Its inputs; none where the cause is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Map>,
    /// While it is queued: who holds the lock that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_behind: Option<LockHolder>,
}

impl Listed {
    /// Whether it is neither over nor waits for a person, and yet no engine goes on with it.
    pub fn is_interrupted(&self) -> bool {
        is_interrupted(self.head.status, self.live)
    }
}

impl RunView {
    /// Whether it is neither over nor waits for a person, and yet no engine goes on with it.
    pub fn is_interrupted(&self) -> bool {
        is_interrupted(self.status, self.live.unwrap_or(true))
    }
}

fn is_interrupted(status: RunStatus, live: bool) -> bool {
    !live && !status.is_finished() && status != RunStatus::Blocked
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepView {
    /// Its path: its id, with those of the steps around it.
    pub id: String,
    /// `uses`, `script`, `wait`, `approve`, `steps`, `parallel`, `for-each` or `runbook`.
    #[serde(default)]
    pub kind: String,
    /// The word for its state. Where the calls of a script were to be taken back, it is what became of that.
    pub outcome: String,
    /// Attempts started.
    pub attempts: u32,
    /// What it gave back; null before it succeeded.
    pub output: Value,
    /// What is in it: the calls of a script, the steps of a group, the items of a for-each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepView>,
    /// Why its last attempt failed, to undo it or else to do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Its action destroys something: an undo may not bring it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub destructive: bool,
    /// What a person must decide about it; none if nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide: Option<Decision>,
    /// What a person needs to know to decide, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The locks that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// Milliseconds from its first attempt to its end, or to the run's last record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
}

/// What a person must decide about a step, a call of a script, or all that a script did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decision {
    /// Whether it is about doing it or about undoing it.
    pub about: Direction,
    /// What they can say became of it, of `done`, `failed`, `retry` and `undo`; of an approval `yes` and `no`.
    pub choices: Vec<String>,
    /// Whether they are asked to approve it, and not what became of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

impl RunView {
    /// The view of `run`.
    pub fn of(run: &Run) -> Self {
        let failed_at = run.failed_at();
        let error = run.failure().or(failed_at.and_then(|(_, state)| state.failure.as_ref()));
        let mut view = Self {
            run: run.id(),
            runbook: run.runbook().name.clone(),
            status: run.status(),
            outcome: run.status(),
            live: None,
            queued_behind: None,
            cause: run.cause().clone(),
            inputs: run.inputs().clone(),
            created: run.created(),
            updated: run.updated(),
            seq: run.seq(),
            steps: run.steps().map(|(step, state)| StepView::of(run, step, state)).collect(),
            outputs: run.outputs().clone(),
            error: error.cloned(),
            failed_at: failed_at.map(|(_, state)| state.path.to_string()),
            not_undoable: run.not_undoable().map(|(_, state)| state.path.to_string()).collect(),
            taken_back: None,
        };
        if view.status == RunStatus::RolledBack {
            view.taken_back = Some(match (view.not_undoable.is_empty(), view.was_undone()) {
                (true, _) => TakenBack::All,
                (false, true) => TakenBack::Part,
                (false, false) => TakenBack::Nothing,
            });
        }
        view
    }

    /// Whether anything that it did was taken back.
    pub fn was_undone(&self) -> bool {
        self.all_steps().any(|step| step.outcome == "undone")
    }
}

impl StepView {
    /// Why a person is asked about it, for people.
    pub fn why(&self) -> String {
        let failed = |error: &Failure| format!("it could not be taken back: {}", error.message);
        let failed = || self.error.as_ref().map_or("it could not be taken back".to_owned(), failed);
        self.note.clone().unwrap_or_else(failed)
    }

    fn of(run: &Run, step: &Step, state: &StepRun) -> Self {
        let took_ms = state.started.map(|started| state.ended.unwrap_or(run.updated()).millis_since(started));
        Self {
            id: state.path.to_string(),
            kind: step.work.kind().to_owned(),
            outcome: outcome(run, step, state).to_owned(),
            attempts: state.forward.started,
            output: state.answer.as_ref().map(|answer| answer.output.clone()).unwrap_or_default(),
            steps: run.children(&state.path).map(|(step, state)| Self::of(run, step, state)).collect(),
            error: state.undo_failure.as_ref().or(state.failure.as_ref()).cloned(),
            destructive: run.pin(step).is_some_and(|pin| pin.destructive),
            decide: Decision::of(run, step, state),
            note: note(run, state),
            waits_for: locks::waits_for(run, state),
            took_ms,
        }
    }
}

impl Decision {
    fn of(run: &Run, step: &Step, state: &StepRun) -> Option<Self> {
        if state.is_asking() {
            let choices = ["yes", "no"].map(str::to_owned).to_vec();
            return Some(Self { about: Direction::Forward, choices, approval: true });
        }
        let of_calls = || {
            let is_script = matches!(step.work, Work::Script { .. });
            let mut calls = run.children(&state.path).filter(|_| is_script);
            calls.any(|(_, call)| call.state.asks() == Some(Direction::Undo)).then_some(Direction::Undo)
        };
        let about = state.state.asks().or_else(of_calls)?;
        let undo = about == Direction::Forward && run.has_undo(step);
        let choices = ["done", "failed", "retry"].into_iter().chain(undo.then_some("undo"));
        Some(Self { about, choices: choices.map(str::to_owned).collect(), approval: false })
    }
}

/// The word for what a step came to. A script did what its calls did.
fn outcome(run: &Run, step: &Step, state: &StepRun) -> &'static str {
    let own = state.state.as_str();
    if !matches!((&step.work, &state.state), (Work::Script { .. }, StepState::Succeeded | StepState::Failed)) {
        return own;
    }
    let any = |wanted: &dyn Fn(&StepState) -> bool| run.children(&state.path).any(|(_, call)| wanted(&call.state));
    let undoes = |state: &StepState| matches!(state, StepState::Active(Attempt { direction: Direction::Undo, .. }));
    if any(&undoes) {
        "undoing"
    } else if any(&|state| matches!(state, StepState::UndoFailed { .. }) || state.asks() == Some(Direction::Undo)) {
        "undo-failed"
    } else if any(&|state| *state == StepState::Undone) {
        "undone"
    } else {
        own
    }
}

/// Steps that a group holds without a word about how far it is.
const FEW: usize = 20;

/// What a person needs to know of a state beyond its word.
fn note(run: &Run, state: &StepRun) -> Option<String> {
    if let Some((_, waits)) = run.waits_for(&state.path) {
        let what = if waits.state.asks().is_some() { "a person to say what became of its call" } else { "its call" };
        return Some(format!("waits for {what} {}", waits.path));
    }
    match &state.state {
        StepState::Unknown { direction, reason } => {
            let what = if *direction == Direction::Undo { "its undo" } else { "it" };
            Some(format!("nobody knows whether {what} happened: {reason}"))
        }
        StepState::Active(Attempt { phase: Phase::Verifying { reason }, .. }) => {
            Some(format!("asking the plugin whether it happened: {reason}"))
        }
        StepState::Active(Attempt { phase: Phase::Waiting { .. }, .. }) => Some("waits for its next attempt".into()),
        StepState::Active(Attempt { phase: Phase::Queued, .. }) => {
            Some(format!("waits for the lock {}", locks::waits_for(run, state).join(", ")))
        }
        StepState::Active(Attempt { phase: Phase::Sleeping { .. }, .. }) => Some("waits for its time".into()),
        StepState::Active(Attempt { phase: Phase::Asking { .. }, .. }) => Some(asked(run, state)),
        StepState::UndoFailed { accepted: true } => Some("not taken back: a person decided to leave it so".into()),
        StepState::Active(Attempt { phase: Phase::Inside { .. }, .. }) => {
            let is_each = |step: &Step| matches!(step.work, Work::Each { .. });
            let is_told =
                |items: &Items| items.all > FEW || run.step(&state.path).is_some_and(|(step, _)| is_each(step));
            run.items(&state.path).filter(is_told).map(|items| items.to_string())
        }
        _ => None,
    }
}

/// What people are asked to approve, and who may.
fn asked(run: &Run, state: &StepRun) -> String {
    let message = state.input.as_ref().and_then(|input| input.get("message")?.as_str()).unwrap_or_default();
    let Ok(approver) = run.approver(&state.path) else { return message.to_owned() };
    let mut who: Vec<String> = approver.role.map(|role| format!("role {role}")).into_iter().collect();
    who.extend(approver.not.map(|person| format!("not {person}, who asked for the run")));
    if approver.quorum > 1 {
        who.push(format!("{} of {} said yes", state.approvals.len(), approver.quorum));
    }
    if who.is_empty() { message.to_owned() } else { format!("{message} ({})", who.join("; ")) }
}

/// Something that a watched run tells, from its first record on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Tale {
    /// The runbook that it is pinned to: first, so that records can be folded.
    Runbook(Box<Runbook>),
    /// A record, in order and without gaps.
    Record(Box<Record>),
    /// A line that a step said; lines may be missing.
    Said(Said),
    /// How far a step is.
    Progress {
        /// The step.
        step: String,
        /// 0 to 100, if the plugin knows.
        percent: Option<u8>,
        /// What it is doing.
        note: String,
    },
}

/// A line that a step said, as `runs logs` and `runs watch` show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Said {
    /// The line.
    #[serde(flatten)]
    pub line: Line,
    /// It is shown as it goes by, and left out of what is kept: of many lines that come at once, one a second.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passes: bool,
}

/// Which lines of a run are wanted: the query of `GET /v1/runs/RUN/logs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct LogQuery {
    /// Those of this step and of all that is in it.
    pub step: Option<String>,
    /// Those of this attempt.
    pub attempt: Option<u32>,
    /// Of those that are kept, the last ones.
    pub last: Option<usize>,
    /// Also those that will be said.
    pub follow: bool,
}

/// Where an engine stands, as `status` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StatusView {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Whether it serves: watches folders and takes alarms. Otherwise it belongs to one command and ends with it.
    #[serde(default)]
    pub serves: bool,
    /// The command that it belongs to.
    #[serde(default)]
    pub command: String,
    /// Since when it is there, in milliseconds since 1970.
    pub since: Timestamp,
    /// Why it starts nothing, if it is in safe mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_mode: Option<String>,
    /// Runs that are not over.
    pub unfinished: Vec<Listed>,
    /// What people are asked about blocked ones of them; of many runs, about the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// The runbooks that new runs can use.
    pub runbooks: Vec<RunbookView>,
    /// Files that are not used as they are now, each with the reason.
    pub problems: Vec<Problem>,
    /// The plugins that new runs can use.
    pub plugins: Vec<PluginView>,
    /// Alarms that call for something which could not be started, the newest first.
    #[serde(default)]
    pub alarms: Vec<UnstartedAlarm>,
}

/// What a person is asked about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Question {
    /// The run.
    pub run: RunId,
    /// The step, or the call of a script.
    pub step: String,
    /// Why they are asked.
    pub why: String,
    /// What they can say became of it; of an approval `yes` and `no`.
    pub choices: Vec<String>,
    /// Whether they are asked to approve it, and not what became of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

impl RunView {
    /// What a person is asked about it: one question for all that a script did, else one for each step or call.
    pub fn questions(&self) -> Vec<Question> {
        let question = |step: &StepView, decide: &Decision| {
            let stuck = step.steps.iter().find(|call| call.decide.is_some());
            let why = stuck.unwrap_or(step).why();
            Question {
                run: self.run,
                step: step.id.clone(),
                why,
                choices: decide.choices.clone(),
                approval: decide.approval,
            }
        };
        self.asking().map(|(step, decide)| question(step, decide)).collect()
    }

    /// The steps about which a person is asked, each with what they can say. What a script did is one question.
    pub fn asking(&self) -> impl Iterator<Item = (&StepView, &Decision)> {
        let mut rest: Vec<&StepView> = self.steps.iter().rev().collect();
        std::iter::from_fn(move || {
            loop {
                let step = rest.pop()?;
                match &step.decide {
                    Some(decide) => return Some((step, decide)),
                    None => rest.extend(step.steps.iter().rev()),
                }
            }
        })
    }

    /// The steps that call, run or wait; not those that hold others, nor the calls of scripts.
    pub fn leaves(&self) -> impl Iterator<Item = &StepView> {
        let mut rest: Vec<&StepView> = self.steps.iter().rev().collect();
        std::iter::from_fn(move || {
            loop {
                let step = rest.pop()?;
                if !matches!(step.kind.as_str(), "steps" | "parallel" | "for-each" | "runbook") {
                    return Some(step);
                }
                rest.extend(step.steps.iter().rev());
            }
        })
    }

    /// Every step, each followed by those in it.
    pub fn all_steps(&self) -> impl Iterator<Item = &StepView> {
        let mut rest: Vec<&StepView> = self.steps.iter().rev().collect();
        std::iter::from_fn(move || {
            let step = rest.pop()?;
            rest.extend(step.steps.iter().rev());
            Some(step)
        })
    }
}

/// A runbook that new runs can use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunbookView {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its file.
    pub file: String,
    /// Whether the file has changed since to something that can't be used, so that this is the last good version.
    pub stale: bool,
}

/// A plugin that new runs can use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PluginView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its binary.
    pub digest: String,
    /// Its actions.
    pub actions: Vec<String>,
}

/// A file, run or plugin that needs a look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Problem {
    /// What: a path, or an id.
    pub subject: String,
    /// What is wrong with it and how to mend it.
    pub problem: String,
}

/// The run that `text` means: an id, the beginning of one, `latest`, or the last characters of one.
pub fn find_run(journal: &dyn Journal, text: &str) -> Result<RunId, crate::Error> {
    let wanted = text.to_ascii_lowercase();
    // A whole id needs no look at the other runs.
    if let Ok(run) = wanted.parse()
        && journal.head(run)?.is_some()
    {
        return Ok(run);
    }
    if wanted == "latest" {
        let newest = journal.runs(&journal::Query { limit: Some(1), ..journal::Query::default() })?;
        return newest.first().map(|head| head.run).ok_or_else(|| crate::Error::NoRun(text.to_owned()));
    }
    let heads = journal.runs(&journal::Query::default())?;
    let fits = |id: &String| id.starts_with(&wanted) || (wanted.len() >= 4 && id.ends_with(&wanted));
    let mut found = heads.iter().map(|head| head.run).filter(|run| fits(&run.to_string()));
    match (found.next(), found.next()) {
        (Some(run), None) if !wanted.is_empty() => Ok(run),
        (Some(_), Some(_)) => Err(crate::Error::AmbiguousRun(text.to_owned())),
        _ => Err(crate::Error::NoRun(text.to_owned())),
    }
}
