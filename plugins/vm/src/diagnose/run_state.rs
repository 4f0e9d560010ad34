//! QEMU's run states, and what each leaves to be done.

use runwright_sdk::{Error, Result};

use crate::inventory::Vm;

/// What a run state means (`RunState` in QEMU's qapi/run-state.json).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunState {
    /// The guest runs.
    Running,
    /// The guest came to its end and stands still; a power cycle loses nothing that is not lost.
    Over,
    /// Its kernel panicked.
    Panicked,
    /// A write of the guest did not fit on the host's disk. With room it goes on and has lost nothing.
    NoRoom,
    /// Somebody paused it, or it sleeps.
    Paused,
    /// It is being migrated, saved or loaded, or was not let go yet.
    Moving,
    /// A state that this plugin does not know.
    New,
}

impl RunState {
    /// Refuses to end or reset what only waiting, room on a disk, or a person can give back.
    pub(crate) fn may_end(self, vm: &Vm, state: &str) -> Result<()> {
        match self {
            Self::Running | Self::Over | Self::Panicked => Ok(()),
            Self::NoRoom | Self::Paused | Self::Moving | Self::New => {
                let message = format!("{} is {state}, which this does not mend: nothing was done", vm.name);
                Err(Error::permanent(message).code("vm.hands-off"))
            }
        }
    }

    /// What QEMU's word means.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "shutdown" | "internal-error" | "watchdog" => Self::Over,
            "guest-panicked" => Self::Panicked,
            "io-error" => Self::NoRoom,
            "paused" | "debug" | "suspended" => Self::Paused,
            "inmigrate" | "postmigrate" | "finish-migrate" | "save-vm" | "restore-vm" | "prelaunch" | "colo" => {
                Self::Moving
            }
            _ => Self::New,
        }
    }
}
