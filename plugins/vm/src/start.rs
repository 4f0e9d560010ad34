//! `start`: gives a VM a QEMU, if it has none.
//!
//! QEMU outlives the engine, and no VM gets two. Before a start its socket and the lock of its disk are asked; after
//! a crash `verify` asks the socket again.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict};
use serde::{Deserialize, Serialize};

use crate::{
    diagnose::RunState,
    inventory::Vm,
    qemu::{
        mark::Mark,
        process::{self, Qemu},
    },
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The VM's name in the inventory.
    #[schemars(example = &"web1")]
    vm: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Started {
    /// Whether it ran before.
    #[schemars(example = false)]
    already: bool,
    /// QEMU's run state.
    #[schemars(example = &"running")]
    state: String,
}

/// What undo needs to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct Undo {
    started: bool,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Started>> {
    let vm = Vm::find(&input.vm, context)?;
    match Qemu::find(&vm)? {
        Qemu::Answers(mut qmp) => {
            let state = qmp.status().map_err(|fault| fault.harmless("QMP"))?;
            runs(&vm, &state)?;
            Outcome::unchanged(Started { already: true, state }).with_undo(Undo { started: false })
        }
        Qemu::Stopped => Err(stopped(&vm)),
        Qemu::Held(why) => Err(process::held(&vm, &why)),
        Qemu::Absent => {
            let mut qmp = process::launch(&vm, &Mark::new("start", context))?;
            let state = qmp.status().map_err(|fault| fault.unknown("QMP"))?;
            Outcome::changed(Started { already: false, state }).with_undo(Undo { started: true })
        }
    }
}

/// Refuses to call a VM started that has a QEMU but stands still.
fn runs(vm: &Vm, state: &str) -> Result<()> {
    let (code, help) = match RunState::of(state) {
        RunState::Running => return Ok(()),
        RunState::Over => ("vm.halted", "vm/restart power cycles it"),
        RunState::Panicked => ("vm.guest-panicked", "vm/restart power cycles it"),
        RunState::NoRoom => ("vm.hands-off", "make room on the host's disk, then vm/resume lets it go on"),
        RunState::Paused | RunState::Moving | RunState::New => ("vm.hands-off", "see who is at work on it"),
    };
    let message = format!("{} has a QEMU, but is {state}, which this does not mend: nothing was done; {help}", vm.name);
    Err(Error::permanent(message).code(code))
}

/// A QEMU that was stopped by a signal is no case for `start`.
fn stopped(vm: &Vm) -> Error {
    let message = format!("the QEMU of {} was stopped by a signal; vm/restart ends it and starts another", vm.name);
    Error::permanent(message).code("vm.qemu-stopped")
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Started>> {
    let vm = Vm::find(&input.vm, context)?;
    // A QEMU that was started a moment before the engine died may not listen yet.
    match Qemu::find_late(&vm)? {
        Qemu::Absent => Ok(Verdict::NotHappened),
        Qemu::Stopped | Qemu::Held(_) => Ok(Verdict::cannot_tell(format!("the QEMU of {} does not answer", vm.name))),
        Qemu::Answers(mut qmp) => {
            let ask = |fault: crate::qemu::wire::Fault| fault.harmless("QMP");
            let started = Mark::new("start", context).is_on(&mut qmp).map_err(ask)?;
            let state = qmp.status().map_err(ask)?;
            if !started && RunState::of(&state) != RunState::Running {
                // Another's QEMU, which stands still: `run` says so.
                return Ok(Verdict::NotHappened);
            }
            let output = Started { already: !started, state };
            let outcome = if started { Outcome::changed(output) } else { Outcome::unchanged(output) };
            Ok(Verdict::Happened(outcome.with_undo(Undo { started })?))
        }
    }
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let vm = Vm::find(&input.vm, context)?;
    let change = Change::new(ChangeKind::Execute, &vm.name, "start QEMU unless it runs");
    Ok(Preview::new(format!("starts {} unless it runs", vm.name)).change(change))
}

/// Without data the start failed on its way: what it left is ended.
pub(crate) fn undo(input: Input, data: Option<Undo>, context: &Context) -> Result<Outcome<Undo>> {
    let vm = Vm::find(&input.vm, context)?;
    if data.is_some_and(|data| !data.started) {
        return Ok(Outcome::unchanged(Undo { started: false }));
    }
    let mut found = Qemu::find(&vm)?;
    found.may_end(&vm)?;
    let ended = process::end(&vm, found)?;
    let output = Undo { started: false };
    Ok(if ended == process::Ended::Already { Outcome::unchanged(output) } else { Outcome::changed(output) })
}

#[cfg(test)]
mod tests {
    use runwright_sdk::ErrorKind;

    use super::*;
    use crate::qemu::fake::Fake;

    #[test]
    fn a_vm_that_stands_still_is_not_started_already() {
        for (state, code) in [
            ("paused", "vm.hands-off"),
            ("io-error", "vm.hands-off"),
            ("inmigrate", "vm.hands-off"),
            ("shutdown", "vm.halted"),
            ("guest-panicked", "vm.guest-panicked"),
        ] {
            let fake = Fake::new("start", state, true);
            let input = || Input { vm: "web1".into() };
            let error = run(input(), &fake.context()).expect_err(state);
            assert_eq!((error.kind(), error.code_text()), (ErrorKind::Permanent, Some(code)), "{error}");
            assert!(error.to_string().contains(&format!("is {state}, which this does not mend")), "{error}");
            assert!(matches!(verify(input(), &fake.context()), Ok(Verdict::NotHappened)));
            assert_eq!(fake.told(), [""; 0]);
        }
        let fake = Fake::new("start", "running", true);
        assert!(run(Input { vm: "web1".into() }, &fake.context()).is_ok());
    }

    #[test]
    fn undo_does_not_end_what_a_person_paused() {
        let fake = Fake::new("start-undo", "paused", true);
        let undone = undo(Input { vm: "web1".into() }, Some(Undo { started: true }), &fake.context());
        assert_eq!(
            undone.err().and_then(|error| error.code_text().map(str::to_owned)).as_deref(),
            Some("vm.hands-off")
        );
        assert_eq!(fake.told(), [""; 0]);
    }
}
