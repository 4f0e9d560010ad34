//! The front door: runs the command line and returns its exit code.
fn main() {}
