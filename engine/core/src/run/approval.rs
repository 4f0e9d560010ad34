//! Steps that people approve.

use super::tree::NodeId;
use super::{Attempt, Misfit, Phase, Run, StepRun, StepState};
use crate::{Answer, By, Direction, Failure, FailureKind, OnTimeout, Timestamp, Value, Work};

/// Who may approve a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approver<'a> {
    /// The role that they must have.
    pub role: Option<&'a str>,
    /// How many must say yes.
    pub quorum: u32,
    /// The person who may not: they asked for the run.
    pub not: Option<&'a str>,
}

impl Run {
    /// Who may approve the step at this path; an error where no step there waits for that.
    pub fn approver(&self, path: &str) -> Result<Approver<'_>, Misfit> {
        let id = self.find(path).ok_or_else(|| self.no_such_step(path))?;
        match &self.step_at(id).work {
            Work::Approve { role, quorum, not_requester, .. } if self.at(id).is_asking() => {
                let not = self.cause.requester().filter(|_| *not_requester);
                Ok(Approver { role: role.as_deref(), quorum: *quorum, not })
            }
            _ => Err(self.nothing_to_approve(id)),
        }
    }

    /// A person answers a step that asks for approval: one no decides, and so does the last yes that it needs.
    pub(super) fn answer(&mut self, path: &str, yes: bool, by: &By, at: Timestamp) -> Result<(), Misfit> {
        let id = self.find(path).ok_or_else(|| self.no_such_step(path))?;
        let approver = self.approver(path)?;
        if approver.not == Some(by.person()) {
            return Err(Misfit::refusal(format!(
                "{} asked for this run: step {path:?} must be answered by somebody else",
                by.person()
            )));
        }
        if yes && self.at(id).approvals.iter().any(|given| given.person() == by.person()) {
            return Err(Misfit::refusal(format!("{} has approved step {path:?} already", by.person())));
        }
        let quorum = approver.quorum;
        if !yes {
            let why = if by.why.is_empty() { String::new() } else { format!(": {}", by.why) };
            self.decline(id, "approval.refused", format!("{} said no{why}", by.person()), at);
            return Ok(());
        }
        let approvals = &mut self.at_mut(id).approvals;
        approvals.push(by.clone());
        if approvals.len() >= quorum as usize {
            self.approve(id, at);
        } else {
            self.changed.push((id, self.at(id).state.clone()));
        }
        Ok(())
    }

    /// Nobody decided in time.
    pub(super) fn unanswered(&mut self, id: NodeId, at: Timestamp) {
        let Work::Approve { quorum, on_timeout, .. } = self.step_at(id).work else { return };
        match on_timeout {
            OnTimeout::Approve => self.approve(id, at),
            OnTimeout::Fail => {
                let given = self.at(id).approvals.len();
                let why = format!("it was not approved in time: {given} of {quorum} said yes");
                self.decline(id, "approval.timeout", why, at);
            }
        }
    }

    fn approve(&mut self, id: NodeId, at: Timestamp) {
        let by: Vec<Value> = self.at(id).approvals.iter().map(|by| Value::from(by.person())).collect();
        let output = serde_json::json!({ "by": by });
        self.succeed(id, Direction::Forward, &Answer { output, changed: false, undo_data: None }, at);
    }

    fn decline(&mut self, id: NodeId, code: &str, why: String, at: Timestamp) {
        let failure = Failure::new(FailureKind::Permanent, why);
        self.fail(id, Failure { code: Some(code.to_owned()), ..failure }, at);
    }
}

impl StepRun {
    /// Whether it waits for people to approve it.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, StepState::Active(Attempt { phase: Phase::Asking { .. }, .. }))
    }
}
