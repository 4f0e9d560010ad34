//! What people ask of a run that lives.

use runwright_core::{By, Event, Settlement};

use super::{Reply, Task};

/// Something that a person asks of a run.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Stop, and perhaps take back what was done.
    Cancel { by: By, rollback: bool },
    /// Take back what was done.
    RollBack(By),
    /// Yes or no to a step that asks for approval.
    Approve { step: String, yes: bool, by: By },
    /// This became of that step.
    Settle { step: String, settlement: Settlement, by: By },
}

impl Command {
    /// What is written down of it.
    pub(crate) fn event(self) -> Event {
        match self {
            Self::Cancel { by, rollback } => Event::CancelRequested { by, rollback },
            Self::RollBack(by) => Event::RollbackRequested { by },
            Self::Approve { step, yes, by } => Event::Approval { step, yes, by },
            Self::Settle { step, settlement, by } => Event::Settled { step, settlement, by },
        }
    }
}

impl Task {
    /// Adds the event of the command; who gave it hears when it is durable, or why it does not fit.
    pub(super) fn obey(&mut self, command: Command, reply: Reply) {
        match self.add(command.event()) {
            Ok(()) => self.replies.push(reply),
            Err(misfit) => {
                let _ = reply.send(Err(misfit.into()));
            }
        }
    }
}
