//! Runbooks that are right, runbooks that are wrong, and bytes that are none.

mod bad;
mod good;
mod hostile;
mod kinds;
mod support;
