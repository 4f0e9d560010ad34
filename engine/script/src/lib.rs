//! Rhai: expressions in runbooks and script steps, compiled once and bounded.
//!
//! An expression reads variables that the caller puts into a scope, a JSON object: `inputs`, `steps` and `run` for steps,
//! `alarm` for triggers. It reaches nothing else: no file, no clock, no randomness, no terminal; so the same text with the
//! same scope always gives the same value, which is what lets a run be replayed.
//!
//! A script reaches outside through `act("plugin/action", #{…})`, `now()`, `random()` and `uuid()` only, and each call goes
//! to the [`Outside`] of its caller. One that gives the same answers again lets a script go on where it was.
//!
//! ```
//! use serde_json::json;
//!
//! let engine = script::Engine::new(script::Limits::default());
//! let scope = json!({"inputs": {"vm": "web-1", "count": 2}});
//! assert_eq!(engine.evaluate("inputs.count + 1", &scope).unwrap(), json!(3));
//! assert!(engine.condition(r#"inputs.vm.starts_with("web")"#, &scope).unwrap());
//! let input = engine.resolve(&json!({"name": "vm-${{ inputs.vm }}", "n": "${{ inputs.count }}"}), &scope).unwrap();
//! assert_eq!(input, json!({"name": "vm-web-1", "n": 2}));
//! ```
//!
//! **Invariant:** no text, however hostile, runs longer than its deadline, holds more than its limits, or ends the process.

mod cache;
mod calls;
mod collect;
mod compile;
mod convert;
mod engine;
mod error;
mod explain;
mod functions;
mod guard;
mod hosts;
mod known;
mod limits;
mod literal;
mod names;
mod outside;
mod resolve;
mod template;
mod words;

pub use calls::Call;
pub use engine::Engine;
pub use error::{Error, Reason, Thrown};
pub use known::Function;
pub use limits::Limits;
pub use literal::{Form, Literal};
pub use names::{At, Key, Names, Read, means};
pub use outside::{Outside, Refusal};
pub use template::{Part, parts};
