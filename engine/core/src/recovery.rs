//! The recovery table: what follows when the answer of an attempt is lost.

use crate::{EffectClass, OnUnknown, Pin, Step};

/// What follows when nobody knows whether an attempt happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Run it again with the same key: repeating is safe.
    Again,
    /// Ask the plugin's `verify`.
    Verify,
    /// Ask a person.
    Ask,
    /// Take it as failed, with effects that may remain.
    Fail,
}

/// What follows when the answer of an attempt is lost: of an action with this pin (none for scripts, which reach nothing
/// outside but through calls of their own) that `step` called.
///
/// | action says | then |
/// |---|---|
/// | `read` or `idempotent`, or the step says `idempotent: true` | again |
/// | has a `verify` | verify |
/// | otherwise | what the step's `on-unknown` says, by default ask |
///
/// An action's own undo is safe to repeat by contract, so it does not come here: it is tried again.
pub fn recovery(step: &Step, pin: Option<&Pin>) -> Recovery {
    let Some(pin) = pin else { return Recovery::Again };
    if step.idempotent || pin.effect != EffectClass::Unsafe {
        Recovery::Again
    } else if pin.has_verify {
        Recovery::Verify
    } else {
        unverifiable(step)
    }
}

/// What follows when `verify` could not tell either.
pub(crate) fn unverifiable(step: &Step) -> Recovery {
    match step.on_unknown {
        OnUnknown::Ask => Recovery::Ask,
        OnUnknown::Retry if step.idempotent => Recovery::Again,
        OnUnknown::Retry => Recovery::Ask,
        OnUnknown::Fail => Recovery::Fail,
    }
}
