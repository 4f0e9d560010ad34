//! Runbooks that are right, runbooks that are wrong, and bytes that are none.

mod approve;
mod bad;
mod called;
mod doubtful;
mod editor;
mod failing;
mod good;
mod groups;
mod hostile;
mod inputs;
mod kinds;
mod known;
mod support;
