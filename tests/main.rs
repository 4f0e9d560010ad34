//! The suite: everything that needs the built engine, the built plugins or real VMs.

mod crash;
mod lab;
mod tidy;
