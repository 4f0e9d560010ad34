//! Why a person's command does not fit a run, in their words.

use super::inside::{Course, End};
use super::tree::NodeId;
use super::{Misfit, Run, Stage};
use crate::{Direction, RunStatus, closest};

/// Names in one list, at most: a script may have made a thousand calls.
const NAMES_MAX: usize = 12;

impl Run {
    /// Whether something stands at this path, or below it; the error says what may have been meant.
    pub fn check_path(&self, path: &str) -> Result<(), Misfit> {
        let is_below = |other: &str| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        match self.step(path).is_some() || self.attempts().any(|(_, state)| is_below(&state.path)) {
            true => Ok(()),
            false => Err(self.no_such_step(path)),
        }
    }

    /// Nothing stands at this path.
    pub(super) fn no_such_step(&self, path: &str) -> Misfit {
        let known: Vec<&str> = self.attempts().map(|(_, state)| &*state.path).collect();
        let near = closest(path, known.iter().copied());
        let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        let steps: Vec<&str> = self.steps().map(|(step, _)| step.id.as_str()).collect();
        Misfit::refusal(format!("there is no step {path:?} in this run (its steps: {}){near}", listed(&steps)))
    }

    /// Nobody is asked to approve what stands here.
    pub(super) fn nothing_to_approve(&self, id: NodeId) -> Misfit {
        let asking = self.asking();
        let other = match asking.as_slice() {
            [] => "no step of this run asks for approval now".to_owned(),
            asking => format!("what asks for it is {}", listed(asking)),
        };
        Misfit::refusal(format!("step {:?} does not ask for approval; {other}", self.path(id)))
    }

    /// Nobody asks what became of what stands here.
    pub(super) fn nothing_to_settle(&self, id: NodeId) -> Misfit {
        let (path, state) = (self.path(id), self.at(id));
        if let Some(call) = self.open_call(id).filter(|call| self.at(*call).state.asks().is_some()) {
            let call = self.path(call);
            return Misfit::refusal(format!(
                "step {path:?} is a script that waits for its call {call:?}: say what became of {call:?}"
            ));
        }
        let word = match state.state.as_str() {
            "pending" => "has not begun",
            "undo-failed" => "was settled already",
            "running" => "is running",
            "undoing" => "is being undone",
            "skipped" => "was skipped",
            "undone" => "was undone",
            "failed" => "failed",
            _ => "succeeded",
        };
        Misfit::refusal(format!(
            "step {path:?} {word}, so there is nothing to settle about it; {}",
            self.waits_for_person()
        ))
    }

    /// The run is on its way to its end, or there.
    pub(super) fn ends_already(&self) -> Misfit {
        let how = match (self.stage, self.course()) {
            (Stage::Finished(RunStatus::RolledBack), _) => return Misfit::refusal("the run was rolled back already"),
            (_, Course::Undoing) => "is rolling back",
            (_, Course::Closing(End::Cancelled)) => "is being cancelled",
            _ => "is ending",
        };
        let waits = if self.is_blocked() { format!("; {}", self.waits_for_person()) } else { String::new() };
        Misfit::refusal(format!("the run {how} already{waits}"))
    }

    /// The steps that ask for approval.
    fn asking(&self) -> Vec<String> {
        let asking = self.attempts().filter(|(_, state)| state.is_asking());
        asking.map(|(_, state)| state.path.to_string()).collect()
    }

    /// What a person is asked about, for the end of a sentence.
    fn waits_for_person(&self) -> String {
        let asking = self.asking();
        if !asking.is_empty() {
            return format!("it waits for the approval of {}", listed(&asking));
        }
        let asks = self.attempts().filter_map(|(_, state)| {
            let about = state.state.asks()?;
            let path = state.path.to_string();
            Some(if about == Direction::Undo { format!("the undo of {path}") } else { path })
        });
        let asks: Vec<String> = asks.collect();
        match asks.as_slice() {
            [] => "no step of this run waits for a person".to_owned(),
            asks => format!("it waits for a person to say what became of {}", listed(asks)),
        }
    }
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(AsRef::as_ref).collect();
    let more = if names.len() > NAMES_MAX { format!(" and {} more", names.len() - NAMES_MAX) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
