//! What a run tells, folded into its state and into lines for people.

use std::collections::HashMap;
use std::sync::Arc;

use daemon::view::Tale;
use runwright_core::{
    self as core, Direction, Event, Phase, Record, Run, RunStatus, Runbook, StepRun, StepState, Stream,
};

use super::many::counted;
use super::view::plain;
use super::words::{left_out, of_calls, of_run, of_step, opening};
use crate::human::clean;
use crate::screen::Tone;

/// A run as far as it was heard: the state is the fold of its records, by the same table as in the engine.
#[derive(Debug, Default)]
pub(crate) struct Story {
    runbook: Option<Arc<Runbook>>,
    run: Option<Run>,
    /// That steps wait for locks, each with its path: most have them at once, and then there is nothing to say.
    waiting: Vec<(String, Line)>,
}

/// A run that waited at least so long for its turn says when it has come.
const TURN_TOLD_MS: u64 = 200;

/// Whether it waits for its locks.
fn is_queued(state: &StepRun) -> bool {
    state.active().is_some_and(|attempt| attempt.phase == Phase::Queued)
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
    /// A line that the step said.
    Said {
        /// The step.
        step: String,
        /// How it was said.
        stream: Stream,
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

    /// Whether there are steps that wait for locks, of which nothing was said.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What is to be said of them, if they wait still.
    pub(crate) fn waiting(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.waiting).into_iter().map(|(_, line)| line).collect()
    }

    /// Takes in what was told; gives what there is to show. An error is a history that can't be.
    pub(crate) fn hear(&mut self, tale: Tale) -> Result<Vec<Line>, String> {
        Ok(match tale {
            Tale::Runbook(runbook) => {
                self.runbook = Some(Arc::from(runbook));
                Vec::new()
            }
            Tale::Record(record) => {
                let lines = self.add(&record)?;
                self.run.as_ref().map(|run| counted(run, lines)).unwrap_or_default()
            }
            Tale::Said(said) => said_lines(&said.line),
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
        let settled = match &record.event {
            Event::Settled { step, .. } => run.step(step).map(|(_, state)| state.state.clone()),
            _ => None,
        };
        let status = run.status();
        run.apply(record).map_err(|misfit| misfit.to_string())?;
        let mut lines: Vec<Line> = of_run(&record.event).map(Line::Run).into_iter().collect();
        let waited = record.at.millis_since(run.created()) >= TURN_TOLD_MS;
        if matches!(&record.event, Event::Locked { step } if step.is_empty() && waited) {
            lines.push(Line::Run("its turn has come".to_owned()));
        }
        if let Event::Locked { step } = &record.event {
            self.waiting.retain(|(path, _)| path != step);
        }
        let changed = run.changed().filter(|(_, state, before)| state.state != **before);
        let (waits, changed): (Vec<_>, Vec<_>) = changed.partition(|(_, state, _)| is_queued(state));
        let waits = waits
            .into_iter()
            .map(|(step, state, before)| (state.path.to_string(), of_step(run, step, state, before, record)));
        self.waiting.extend(waits);
        match of_calls(&record.event, settled.as_ref()) {
            Some(line) => lines.push(line),
            None => {
                lines.extend(changed.into_iter().map(|(step, state, before)| of_step(run, step, state, before, record)))
            }
        }
        if run.status() == RunStatus::RollingBack && status != RunStatus::RollingBack && !was_undoing(run) {
            lines.push(Line::Run("rolling back".to_owned()));
        }
        Ok(lines)
    }
}

/// A line that a step said, after how many were left out before it.
fn said_lines(line: &core::Line) -> Vec<Line> {
    let said = |text: String| Line::Said { step: line.step.clone(), stream: line.stream, text };
    let is_more = line.left_out == 0 || !line.text.is_empty();
    left_out(line).into_iter().chain(is_more.then(|| clean(&line.text))).map(said).collect()
}

/// Every record of a history with what it means, in words; those that mean nothing to people have no line.
///
/// An error is a history that can't be.
pub(crate) fn told<'r>(runbook: Runbook, history: &'r [Record]) -> Result<Vec<(&'r Record, Vec<String>)>, String> {
    let mut story = Story { runbook: Some(Arc::new(runbook)), ..Story::default() };
    let words = |record: &'r Record| {
        let lines = story.add(record)?;
        Ok((record, lines.iter().filter_map(plain).collect()))
    };
    history.iter().map(words).collect()
}

/// Whether an undo was begun before the last record.
fn was_undoing(run: &Run) -> bool {
    let before = run.changed().map(|(_, state, before)| (&state.path, before));
    let before: HashMap<_, _> = before.collect();
    let mut states = run.attempts().map(|(_, state)| *before.get(&state.path).unwrap_or(&&state.state));
    states.any(|state| match state {
        StepState::Active(attempt) => attempt.direction == Direction::Undo,
        StepState::Undone | StepState::UndoFailed { .. } => true,
        _ => false,
    })
}
