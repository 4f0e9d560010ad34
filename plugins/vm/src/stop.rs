//! `stop`: shuts a VM down, gently first.
//!
//! As with `restart`, a guest that a person paused or that migrates, a full disk, and a monitor that somebody holds are left
//! alone, also where that comes while the guest shuts down.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Span, checkpoint, log};
use serde::{Deserialize, Serialize};

use crate::{
    inventory::Vm,
    qemu::{
        mark::Mark,
        process::{self, Ended, Qemu},
        qmp::Qmp,
    },
};

/// The note of whether it ran when the first attempt came: a later one finds what that left.
const RAN: &str = "ran";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    vm: String,
    /// How long the guest may take to shut down before it is switched off.
    #[serde(default = "ten_seconds")]
    #[schemars(example = serde_json::json!("10s"))]
    grace: Span,
}

fn ten_seconds() -> Span {
    Span::seconds(10)
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Stopped {
    /// How it came to its end.
    how: How,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    /// It did not run.
    Already,
    /// The guest shut down.
    ShutDown,
    /// QEMU was told to quit: the guest saw a power cut.
    SwitchedOff,
    /// QEMU did not answer and was killed.
    Killed,
}

/// What undo needs to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct Undo {
    ran: bool,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Stopped>> {
    let vm = Vm::find(&input.vm, context)?;
    let mut found = Qemu::find(&vm)?;
    found.may_end(&vm)?;
    let ran = match checkpoint::get(RAN)? {
        Some(ran) => ran,
        None => !matches!(found, Qemu::Absent),
    };
    checkpoint::set(RAN, &ran)?;
    let how = match found {
        Qemu::Answers(qmp) => stop(&vm, qmp, input.grace)?,
        found => how(process::end(&vm, found)?),
    };
    let outcome = if ran { Outcome::changed(Stopped { how }) } else { Outcome::unchanged(Stopped { how }) };
    outcome.with_undo(Undo { ran })
}

fn how(ended: Ended) -> How {
    match ended {
        Ended::Already => How::Already,
        Ended::Quit => How::SwitchedOff,
        Ended::Killed => How::Killed,
    }
}

fn stop(vm: &Vm, mut qmp: Qmp, grace: Span) -> Result<How> {
    let state = qmp.status().map_err(|fault| fault.harmless("QMP"))?;
    if state == "running" {
        qmp.tell("system_powerdown").map_err(|fault| fault.harmless("QMP"))?;
        drop(qmp);
        log::progress(None, "waiting for the guest to shut down");
        if process::wait_until_gone(vm, Ended::Quit, grace.into()).map_err(Error::after_effect)? {
            return Ok(How::ShutDown);
        }
        log::warn!("{} did not shut down within {grace}", vm.name);
    } else {
        log::info!("{} is {state}: nobody there to shut down", vm.name);
    }
    let mut found = Qemu::find(vm).map_err(Error::after_effect)?;
    found.may_end(vm).map_err(Error::after_effect)?;
    process::end(vm, found).map_err(Error::after_effect).map(how)
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let vm = Vm::find(&input.vm, context)?;
    let change = Change::new(ChangeKind::Execute, &vm.name, "shut down if it runs");
    Ok(Preview::new(format!("stops {}", vm.name)).change(change))
}

/// Starts it again, if it ran. Without data the note of the first attempt says so.
pub(crate) fn undo(input: Input, data: Option<Undo>, context: &Context) -> Result<Outcome<Undo>> {
    let vm = Vm::find(&input.vm, context)?;
    let ran = match data {
        Some(data) => data.ran,
        None => checkpoint::get(RAN)?.unwrap_or(false),
    };
    match Qemu::find(&vm)? {
        Qemu::Absent if ran => {
            process::launch(&vm, &Mark::new("stop", context))?;
            Ok(Outcome::changed(Undo { ran }))
        }
        _ => Ok(Outcome::unchanged(Undo { ran })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::fake::Fake;

    #[test]
    fn what_somebody_else_is_at_work_on_is_not_stopped() {
        for state in ["paused", "debug", "suspended", "io-error", "inmigrate", "save-vm", "prelaunch", "some-new-state"]
        {
            let fake = Fake::new("stop", state, true);
            let input = Input { vm: "web1".into(), grace: Span::seconds(1) };
            let error = run(input, &fake.context()).err().expect(state);
            assert_eq!(error.code_text(), Some("vm.hands-off"), "{error}");
            let expected = format!("web1 is {state}, which this does not mend: nothing was done");
            assert_eq!((error.to_string(), fake.told()), (expected, Vec::new()));
        }
    }
}
