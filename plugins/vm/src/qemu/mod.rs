//! QEMU: the one driver so far. What knows of QMP, its command line and its image tool is below here.

pub(crate) mod agent;
pub(crate) mod command;
mod content;
#[cfg(all(test, unix))]
pub(crate) mod fake;
pub(crate) mod golden;
pub(crate) mod image;
pub(crate) mod mark;
pub(crate) mod process;
pub(crate) mod qmp;
pub(crate) mod snapshot;
pub(crate) mod wire;
