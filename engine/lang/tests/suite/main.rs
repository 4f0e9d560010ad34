//! Runbooks that are right, runbooks that are wrong, and bytes that are none.

mod approve;
mod bad;
mod doubtful;
mod good;
mod groups;
mod hostile;
mod kinds;
mod support;
