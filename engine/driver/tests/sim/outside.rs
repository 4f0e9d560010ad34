//! The world outside, and the plugins that act on it: some fail, some crash, and in some histories some lie.

use std::sync::Arc;

use async_trait::async_trait;
use driver::{Call, Plugins};
use host::Notes;
use runwright_core::{
    ActionFacts, ActionName, Answer, Catalog, Digest, Direction, EffectClass, Failure, FailureKind, Key, Note, Outcome,
    PluginFacts, Value, Verdict,
};
use serde_json::json;

use crate::world::World;

/// The plugins of one engine.
pub(crate) struct Outside(pub(crate) Arc<World>);

/// What becomes of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Succeeds,
    /// Asks for a checkpoint first.
    Remembers,
    /// Nothing happens, and trying again may help.
    Transient,
    /// Nothing happens.
    Permanent,
    /// It happens, and it fails.
    Partial,
    /// Its answer is lost, and nothing happened.
    LostBefore,
    /// Its answer is lost after it happened.
    LostAfter,
    /// It hangs until it is told to stop or its time is over.
    Hangs,
}

const FATES: [Fate; 14] = [
    Fate::Succeeds,
    Fate::Succeeds,
    Fate::Succeeds,
    Fate::Succeeds,
    Fate::Succeeds,
    Fate::Remembers,
    Fate::Transient,
    Fate::Transient,
    Fate::Transient,
    Fate::Permanent,
    Fate::Partial,
    Fate::LostBefore,
    Fate::LostAfter,
    Fate::Hangs,
];

/// One call, with what decides about it.
struct Attempt<'a> {
    world: &'a World,
    call: Call,
    direction: Direction,
    name: String,
}

impl<'a> Attempt<'a> {
    fn of(world: &'a World, call: Call) -> Self {
        let forward = call.key == Key::of(call.run, &call.step, Direction::Forward);
        let direction = if forward { Direction::Forward } else { Direction::Undo };
        let name = format!("{} {} {direction:?} {}", call.run, call.step, call.attempt);
        Self { world, call, direction, name }
    }

    async fn passes(&self, ms: u64) {
        self.world.schedule.after(ms, self.name.clone()).await;
    }

    fn acts(&self) {
        let Call { run, step, attempt, key, .. } = &self.call;
        self.world.books().acts(*run, step, self.direction, *attempt, key);
    }

    fn answer(&self) -> Answer {
        Answer { output: json!({ "n": self.call.attempt }), changed: true, undo_data: Some("was".into()) }
    }

    async fn perform(self, notes: Arc<dyn Notes>) -> Outcome {
        let world = self.world;
        if !self.call.input.is_object() {
            world.books().blame(format!("{} was called with {}, which nobody worked out", self.name, self.call.input));
        }
        let mut dice = world.dice(format_args!("fate {}", self.name));
        let fate = if world.is_calm() { Fate::Succeeds } else { dice.one(&FATES) };
        if !matches!(fate, Fate::Succeeds | Fate::Remembers) {
            world.fault();
        }
        let lies = !world.honest && dice.percent(30);
        if dice.percent(25) {
            notes.waits(true);
            self.passes(dice.below(3_000)).await;
            notes.waits(false);
        }
        self.passes(dice.below(2_000)).await;
        let failed = |kind| Outcome::Failed(Failure::new(kind, format!("simulated {fate:?}")));
        match fate {
            Fate::Transient | Fate::Permanent => {
                if lies {
                    self.acts();
                }
                return failed(if fate == Fate::Transient { FailureKind::Transient } else { FailureKind::Permanent });
            }
            Fate::LostBefore => return Outcome::Lost { reason: "simulated".into() },
            Fate::Remembers => {
                let note = Note::Checkpoint { key: "job".into(), value: Some(vec![7]) };
                if let Err(reason) = notes.note(note).await {
                    return Outcome::Lost { reason };
                }
            }
            Fate::Hangs => {
                let (acted, timeout) = (dice.percent(50), self.call.timeout.as_millis() as u64);
                if acted {
                    self.acts();
                }
                let mut cancel = self.call.cancel.clone();
                let told = tokio::select! {
                    biased;
                    told = cancel.wait_for(|told| *told) => told.is_ok(),
                    () = self.passes(timeout) => false,
                };
                return match (told, acted) {
                    (true, true) => failed(FailureKind::Partial),
                    (true, false) => failed(FailureKind::Cancelled),
                    (false, _) => Outcome::Lost { reason: "its time is over".into() },
                };
            }
            _ => {}
        }
        self.acts();
        self.passes(dice.below(500)).await;
        match fate {
            Fate::Partial => failed(FailureKind::Partial),
            Fate::LostAfter => Outcome::Lost { reason: "simulated".into() },
            _ => Outcome::Succeeded(self.answer()),
        }
    }

    async fn verify(self) -> Verdict {
        let mut dice = self.world.dice(format_args!("verify {}", self.name));
        self.passes(dice.below(1_000)).await;
        let lies = !self.world.honest && dice.percent(20);
        let happened = self.world.books().effects(&self.call.key) > 0;
        if self.call.action.action() == "vague" && dice.percent(50) && !self.world.is_calm() {
            return Verdict::CannotTell { reason: "simulated".into() };
        }
        if happened != lies { Verdict::Happened(self.answer()) } else { Verdict::NotHappened }
    }
}

fn facts(name: &str, effect: EffectClass, has_verify: bool, has_undo: bool, undo_safe_if_not_run: bool) -> ActionFacts {
    ActionFacts {
        name: name.into(),
        summary: String::new(),
        input_schema: json!({}),
        output_schema: json!({}),
        effect,
        destructive: false,
        has_plan: false,
        has_verify,
        has_undo,
        undo_safe_if_not_run,
        defaults: None,
    }
}

#[async_trait]
impl Plugins for Outside {
    fn catalog(&self) -> Catalog {
        Catalog::new([&PluginFacts {
            name: "x".into(),
            version: "1".into(),
            summary: String::new(),
            digest: Digest::of(b"x"),
            imports: vec![],
            actions: vec![
                facts("read", EffectClass::Read, false, false, false),
                facts("idem", EffectClass::Idempotent, false, true, true),
                facts("unsafe", EffectClass::Unsafe, true, true, false),
                facts("vague", EffectClass::Unsafe, true, false, false),
                facts("blind", EffectClass::Unsafe, false, false, false),
                facts("mild", EffectClass::Unsafe, false, true, true),
            ],
        }])
    }

    async fn ready(&self, _: Digest) -> Result<(), String> {
        Ok(())
    }

    fn check(&self, _: Digest, _: &ActionName, input: &Value) -> Result<(), Failure> {
        match input.get("bad") {
            Some(_) => Err(Failure::new(FailureKind::InvalidInput, "bad")),
            None => Ok(()),
        }
    }

    async fn run(&self, call: Call, notes: Arc<dyn Notes>) -> Outcome {
        Attempt::of(&self.0, call).perform(notes).await
    }

    async fn undo(&self, call: Call, _: Option<String>, notes: Arc<dyn Notes>) -> Outcome {
        Attempt::of(&self.0, call).perform(notes).await
    }

    async fn verify(&self, call: Call, _: Arc<dyn Notes>) -> Verdict {
        Attempt::of(&self.0, call).verify().await
    }
}
