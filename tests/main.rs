//! The suite: everything that needs the built engine, the built plugins or real VMs.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets what it does not expect has failed")]

mod cli;
mod crash;
mod lab;
mod plugins;
mod scripts;
mod support;
mod tidy;
