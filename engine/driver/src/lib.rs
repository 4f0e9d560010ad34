//! The driver: the only loop that meets the world.
//!
//! Each unfinished run has one task. It asks the pure machine what is due ([`runwright_core::Run::due`]), writes down
//! what follows, waits until that is durable, performs what is due outside, and writes down what came of it, together
//! with what that starts: one commit a step. **A crash** anywhere loses nothing that was acted on: the next engine
//! replays the history, adds that the attempt in flight was interrupted, and goes on by the recovery table.
//!
//! Tests swap the world through [`Clock`], [`Plugins`] and [`journal::Journal`].

mod children;
mod clock;
mod driver;
mod hosted;
mod locks;
mod plugins;
mod progress;
mod run;
#[cfg(test)]
mod tests;
mod threads;

pub use clock::{Clock, SystemClock};
pub use driver::{Admission, Admitted, Driver, Error};
pub use hosted::Hosted;
pub use plugins::{Call, Plugins};
pub use progress::{Hearing, Progress};
