//! `revert`: puts a VM back to a snapshot.
//!
//! # After a crash
//!
//! A running VM stands still from before the load until it is marked; so, as with `restart`, a mark and a guest that
//! went on mean that it happened. Without that the load is done again: a guest that stood still lost nothing. One that a
//! person paused stays paused, so there the mark alone says it. Which of both it was is noted before anything is done: the
//! guest that a cut-off attempt left looks like one that a person paused. For a VM that is off, a note is left first too; if
//! somebody started it since, it cannot be told whether before or after.

use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{
    Change, ChangeKind, Context, Error, ErrorKind, Outcome, Preview, Result, Verdict, checkpoint, log,
};
use serde::{Deserialize, Serialize};

use crate::{
    diagnose::RunState,
    inventory::Vm,
    qemu::{
        image,
        mark::{Mark, plain},
        process::Qemu,
        qmp::Qmp,
        snapshot,
        wire::Fault,
    },
    snapshot::{Input, find},
};

/// The note that the VM was off.
const OFF: &str = "off";
/// The note of what an attempt found.
const FOUND: &str = "found";

/// The run state that an attempt found.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Found {
    /// Whether the guest ran: after a load that failed it goes on.
    ran: bool,
    /// Whether it goes on from the snapshot: it ran, or had come to its end. What a person paused stays paused.
    goes_on: bool,
    /// All is done.
    done: bool,
}

impl Found {
    /// What the attempt finds; or, of one that was cut off, what that found.
    fn of(vm: &Vm, qmp: &mut Qmp) -> Result<Self> {
        let word = qmp.status().map_err(|fault| fault.harmless("QMP"))?;
        // The states in which a revert that was cut off leaves the guest.
        let cut_off = matches!(word.as_str(), "paused" | "restore-vm");
        let begun = checkpoint::get::<Self>(FOUND)?.filter(|found| !found.done && cut_off);
        if let Some(begun) = begun {
            return Ok(begun);
        }
        let state = RunState::of(&word);
        if state != RunState::Paused {
            state.may_end(vm, &word)?;
        }
        Ok(Self { ran: state == RunState::Running, goes_on: state != RunState::Paused, done: false })
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Reverted {
    /// The snapshot's name.
    #[schemars(example = &"before-patch")]
    name: String,
    /// Whether it runs now.
    #[schemars(example = true)]
    running: bool,
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Reverted>> {
    input.check()?;
    let vm = Vm::find(&input.vm, context)?;
    let mut found = Qemu::find(&vm)?;
    let Some(there) = find(&vm, &mut found, &input.name)? else {
        let message = format!("{} has no snapshot {}", vm.name, input.name);
        return Err(Error::permanent(message).code("vm.no-snapshot"));
    };
    let running = match found {
        Qemu::Answers(mut qmp) => {
            if there.vm_state_size == 0 {
                let message = format!("the snapshot {} has no memory in it: stop {} first", input.name, vm.name);
                return Err(Error::permanent(message).code("vm.snapshot-without-memory"));
            }
            let found = Found::of(&vm, &mut qmp)?;
            checkpoint::set(FOUND, &found)?;
            log::info!("putting {} back to {}", vm.name, input.name);
            let loaded = load(&mut qmp, &input.name, found, context);
            // One whose end is unknown stays noted as begun.
            if loaded.as_ref().err().is_none_or(|error| error.kind() != ErrorKind::UnknownOutcome) {
                checkpoint::set(FOUND, &Found { done: true, ..found }).map_err(Error::after_effect)?;
            }
            loaded?;
            found.goes_on
        }
        _ => {
            checkpoint::set(OFF, &true)?;
            image::snapshot(&vm, "-a", &input.name)?;
            false
        }
    };
    Ok(Outcome::changed(Reverted { name: input.name, running }))
}

fn load(qmp: &mut Qmp, name: &str, found: Found, context: &Context) -> Result<()> {
    let unknown = |fault: Fault| fault.unknown("QMP");
    qmp.tell("stop").map_err(unknown)?;
    // A job of an earlier attempt is its own: what it loaded may be older than what came since.
    let job = format!("runwright-{}-{}", plain(context.key()), context.attempt());
    if let Err(error) = snapshot::load(qmp, &job, name) {
        // The guest is as it was, if nothing was loaded.
        if found.ran {
            qmp.tell("cont").map_err(unknown)?;
        }
        return Err(error.after_effect());
    }
    Mark::new("revert", context).set(qmp).map_err(unknown)?;
    if found.goes_on { qmp.tell("cont").map_err(unknown) } else { Ok(()) }
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<Reverted>> {
    let vm = Vm::find(&input.vm, context)?;
    let was_off = checkpoint::get(OFF)?.unwrap_or(false);
    let mut qmp = match Qemu::find_late(&vm)? {
        Qemu::Absent => return Ok(Verdict::NotHappened),
        Qemu::Stopped | Qemu::Held(_) => {
            return Ok(Verdict::cannot_tell(format!("the QEMU of {} does not answer", vm.name)));
        }
        Qemu::Answers(_) if was_off => {
            return Ok(Verdict::cannot_tell(format!("{} was off, and somebody started it since", vm.name)));
        }
        Qemu::Answers(qmp) => qmp,
    };
    let ask = |fault: Fault| fault.harmless("QMP");
    let marked = Mark::new("revert", context).is_on(&mut qmp).map_err(ask)?;
    let goes_on = checkpoint::get::<Found>(FOUND)?.is_none_or(|found| found.goes_on);
    let went_on = qmp.status().map_err(ask)? != "paused";
    Ok(if marked && (went_on || !goes_on) {
        Verdict::Happened(Outcome::changed(Reverted { name: input.name, running: went_on }))
    } else {
        Verdict::NotHappened
    })
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    input.check()?;
    let vm = Vm::find(&input.vm, context)?;
    let what = format!("back to the snapshot {}; what came since is lost", input.name);
    Ok(Preview::new(format!("puts {} {what}", vm.name)).change(Change::new(ChangeKind::Update, &vm.name, what)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::fake::Fake;

    fn input() -> Input {
        Input { vm: "web1".into(), name: "s1".into() }
    }

    #[test]
    fn a_revert_leaves_the_run_state_that_it_found() {
        for (found, loads, left) in [
            ("running", true, "running"),
            ("running", false, "running"),
            ("paused", true, "paused"),
            ("paused", false, "paused"),
            // A guest that came to its end goes on from the snapshot.
            ("guest-panicked", true, "running"),
        ] {
            checkpoint::remove(FOUND).unwrap();
            let fake = Fake::new("revert", found, loads);
            let answer = run(input(), &fake.context());
            assert_eq!((fake.status().as_str(), answer.is_ok()), (left, loads), "{found} {loads}");
            let verdict = verify(input(), &fake.context()).unwrap();
            assert_eq!(matches!(verdict, Verdict::Happened(_)), loads, "{found} {loads}");
        }
    }

    #[test]
    fn what_moves_or_lacks_room_is_not_reverted() {
        for state in ["io-error", "inmigrate", "save-vm", "some-new-state"] {
            let fake = Fake::new("revert-refused", state, true);
            let error = run(input(), &fake.context()).err().expect(state);
            assert_eq!((error.code_text(), fake.told()), (Some("vm.hands-off"), Vec::new()), "{error}");
        }
    }

    #[test]
    fn a_guest_that_a_cut_off_attempt_paused_goes_on() {
        let fake = Fake::new("revert-cut-off", "paused", true);
        checkpoint::set(FOUND, &Found { ran: true, goes_on: true, done: false }).unwrap();
        assert!(matches!(verify(input(), &fake.context()), Ok(Verdict::NotHappened)));
        assert!(run(input(), &fake.context()).is_ok());
        assert_eq!(fake.status(), "running");
        // A person pauses it, and the step runs again: it stays paused.
        let fake = Fake::new("revert-cut-off", "paused", true);
        assert!(run(input(), &fake.context().with_attempt(2)).is_ok());
        assert_eq!(fake.status(), "paused");
    }
}
