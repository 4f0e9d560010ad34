//! What a run tells, folded into its state and into lines for people.

use std::sync::Arc;

use daemon::view::Tale;
use runwright_core::{
    Attempt, By, Cause, Direction, Event, Exit, Outcome, Phase, Record, Run, RunStatus, Runbook, SkipReason, Step,
    StepRun, StepState, Verdict,
};

use crate::human::{clean, duration};
use crate::screen::Tone;

/// A run as far as it was heard: the state is the fold of its records, by the same table as in the engine.
#[derive(Debug, Default)]
pub(crate) struct Story {
    runbook: Option<Arc<Runbook>>,
    run: Option<Run>,
}

/// Something to show.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// About the run as a whole.
    Run(String),
    /// A step came to a new state.
    Step {
        /// The step.
        step: String,
        /// What it came to.
        mark: Mark,
        /// In words.
        text: String,
    },
    /// A line of the step's log.
    Log {
        /// The step.
        step: String,
        /// `trace`, `debug`, `info`, `warn` or `error`.
        level: String,
        /// The line.
        text: String,
    },
    /// How far the step is.
    Progress {
        /// The step.
        step: String,
        /// In words.
        text: String,
    },
}

/// The state of a step as one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// An attempt began.
    Began,
    /// An attempt is over, the step is not.
    Again,
    /// It succeeded, or was undone.
    Good,
    /// It failed.
    Bad,
    /// It did not run.
    Skipped,
    /// A person must decide.
    Unknown,
}

impl Mark {
    /// The character.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Began => "·",
            Self::Again => "↻",
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Skipped => "-",
            Self::Unknown => "?",
        }
    }

    /// Its colour.
    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Began => Tone::Plain,
            Self::Again | Self::Unknown => Tone::Warn,
            Self::Good => Tone::Good,
            Self::Bad => Tone::Bad,
            Self::Skipped => Tone::Dim,
        }
    }

    /// The mark of a step by the word for its state.
    pub(crate) fn of(outcome: &str) -> Self {
        match outcome {
            "succeeded" | "undone" => Self::Good,
            "failed" | "undo-failed" => Self::Bad,
            "skipped" => Self::Skipped,
            "unknown" => Self::Unknown,
            _ => Self::Began,
        }
    }
}

impl Story {
    /// The run, once its first record was heard.
    pub(crate) fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// Takes in what was told; gives what there is to show. An error is a history that can't be.
    pub(crate) fn hear(&mut self, tale: Tale) -> Result<Vec<Line>, String> {
        Ok(match tale {
            Tale::Runbook(runbook) => {
                self.runbook = Some(Arc::from(runbook));
                Vec::new()
            }
            Tale::Record(record) => self.add(&record)?,
            Tale::Log { step, level, message } => vec![Line::Log { step, level, text: clean(&message) }],
            Tale::Progress { step, percent, note } => {
                let percent = percent.map(|percent| format!("{percent} %")).unwrap_or_default();
                let parts = [percent, clean(&note)];
                let text: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                vec![Line::Progress { step, text: text.join(" ") }]
            }
        })
    }

    fn add(&mut self, record: &Record) -> Result<Vec<Line>, String> {
        let Some(run) = &mut self.run else {
            let runbook = self.runbook.clone().ok_or("its runbook is missing")?;
            let run = Run::create(runbook, record).map_err(|misfit| misfit.to_string())?;
            let lines = vec![Line::Run(opening(&run))];
            self.run = Some(run);
            return Ok(lines);
        };
        let before: Vec<StepState> = run.steps().map(|(_, step)| step.state.clone()).collect();
        let status = run.status();
        run.apply(record).map_err(|misfit| misfit.to_string())?;
        let mut lines: Vec<Line> = of_run(&record.event).map(Line::Run).into_iter().collect();
        let changed = run.steps().zip(&before).filter(|((_, step), before)| step.state != **before);
        lines.extend(changed.map(|((step, state), before)| of_step(step, state, before, record)));
        if run.status() == RunStatus::RollingBack && status != RunStatus::RollingBack && started(before) {
            lines.push(Line::Run("rolling back".to_owned()));
        }
        Ok(lines)
    }
}

/// Whether no undo was begun yet.
fn started(before: Vec<StepState>) -> bool {
    let undoing = |state: &StepState| match state {
        StepState::Active(attempt) => attempt.direction == Direction::Undo,
        StepState::Undone | StepState::UndoFailed { .. } => true,
        _ => false,
    };
    !before.iter().any(undoing)
}

fn opening(run: &Run) -> String {
    let by = match run.cause() {
        Cause::Person { by } => format!("started by {}", person(by)),
        Cause::Alarm { name, .. } => format!("started by the alarm {}", clean(name)),
    };
    format!("run {} of {}, {by}", run.id(), run.runbook().name)
}

/// `alice`, or `alice: why`.
pub(crate) fn person(by: &By) -> String {
    match by.why.as_str() {
        "" => clean(&by.who),
        why => format!("{} ({})", clean(&by.who), clean(why)),
    }
}

/// What the event means for the run as a whole.
fn of_run(event: &Event) -> Option<String> {
    Some(match event {
        Event::Interrupted { engine: Exit::Died } => "the engine died and another one took over".to_owned(),
        Event::Interrupted { engine: Exit::Stopped } => "the engine was stopped".to_owned(),
        Event::CancelRequested { by } => format!("cancelled by {}", person(by)),
        Event::RollbackRequested { by } => format!("rollback asked for by {}", person(by)),
        _ => return None,
    })
}

fn of_step(step: &Step, state: &StepRun, before: &StepState, record: &Record) -> Line {
    let (mark, text) = words(step, state, before, record);
    Line::Step { step: step.id.clone(), mark, text: clean(&text) }
}

/// What the step came to, in words.
fn words(step: &Step, state: &StepRun, before: &StepState, record: &Record) -> (Mark, String) {
    let failure = || state.failure.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
    let spent = || spent(state, record);
    match &state.state {
        StepState::Pending => (Mark::Began, "pending".to_owned()),
        StepState::Active(Attempt { direction, number, phase }) => match phase {
            Phase::Calling => (Mark::Began, began(step, *direction, *number)),
            Phase::Verifying { reason } => (Mark::Again, format!("{reason}: asking the plugin whether it happened")),
            Phase::Waiting { until } => {
                let wait = match until.millis_since(record.at) {
                    0 => "trying again".to_owned(),
                    millis => format!("trying again in {}", duration(millis)),
                };
                (Mark::Again, format!("{}; {wait}", lost(*number, *direction, &record.event, failure())))
            }
        },
        StepState::Succeeded => (Mark::Good, format!("{}succeeded{}", learned(&record.event), spent())),
        StepState::Failed => {
            let began = matches!(before, StepState::Pending);
            let when = if began { " before it started".to_owned() } else { spent() };
            match &record.event {
                Event::Settled { by, .. } => (Mark::Bad, format!("settled as failed by {}", person(by))),
                event => (Mark::Bad, format!("{}failed{when}: {}", learned(event), failure())),
            }
        }
        StepState::Skipped(SkipReason::Condition) => (Mark::Skipped, "skipped: its `if` is false".to_owned()),
        StepState::Skipped(SkipReason::NotReached) => (Mark::Skipped, "skipped: the run ended before it".to_owned()),
        StepState::Unknown { direction, reason } => {
            let what = if *direction == Direction::Undo { "the undo" } else { "it" };
            (Mark::Unknown, format!("nobody knows whether {what} happened: {reason}"))
        }
        StepState::Undone => (Mark::Good, format!("{}undone", learned(&record.event))),
        StepState::UndoFailed { accepted: false } => (Mark::Bad, format!("undo failed: {}", failure())),
        StepState::UndoFailed { accepted: true } => (Mark::Bad, format!("{}not undone", learned(&record.event))),
    }
}

fn began(step: &Step, direction: Direction, number: u32) -> String {
    let allowed = step.retry.attempts;
    match (direction, number) {
        (Direction::Undo, 1) => "undoing".to_owned(),
        (Direction::Undo, number) => format!("undoing, attempt {number}"),
        (Direction::Forward, 1) if allowed == 1 => "started".to_owned(),
        (Direction::Forward, number) => format!("started, {}", attempt_of(number, allowed)),
    }
}

/// `attempt 1 of 2`; attempts that a crash took don't count against those allowed, so there may be more.
pub(crate) fn attempt_of(number: u32, allowed: u32) -> String {
    if number > allowed { format!("attempt {number}") } else { format!("attempt {number} of {allowed}") }
}

/// Why there is another attempt.
fn lost(number: u32, direction: Direction, event: &Event, failure: &str) -> String {
    let what = if direction == Direction::Undo { "undo attempt" } else { "attempt" };
    match event {
        Event::Ended { outcome: Outcome::Lost { reason }, .. } => format!("{what} {number} was lost: {reason}"),
        Event::Interrupted { .. } => format!("{what} {number} was in flight when the engine ended"),
        Event::Verified { verdict: Verdict::NotHappened, .. } => {
            format!("the plugin says that {what} {number} did not happen")
        }
        Event::Settled { by, .. } => format!("settled as retry by {}", person(by)),
        _ => format!("{what} {number} failed: {failure}"),
    }
}

/// From whom it is known, where not from the action itself.
fn learned(event: &Event) -> String {
    match event {
        Event::Verified { verdict: Verdict::Happened(_), .. } => "the plugin says that it happened: ".to_owned(),
        Event::Settled { settlement, by, .. } => format!("settled as {} by {}: ", settlement.as_str(), person(by)),
        _ => String::new(),
    }
}

/// ` in 1.2s after 2 attempts`.
fn spent(state: &StepRun, record: &Record) -> String {
    let took = state.started.map(|started| state.ended.unwrap_or(record.at).millis_since(started));
    let took = took.map(|took| format!(" in {}", duration(took))).unwrap_or_default();
    match state.forward.started {
        0 | 1 => took,
        attempts => format!("{took} after {attempts} attempts"),
    }
}
