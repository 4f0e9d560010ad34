//! What the driver needs of plugins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use host::{Log, Notes};
use runwright_core::{ActionName, Catalog, Digest, Failure, Key, Outcome, RunId, Value, Verdict};
use tokio::sync::watch;

/// The plugins: real in the engine, scripted in tests.
#[async_trait]
pub trait Plugins: Send + Sync + 'static {
    /// The actions that new runs can use.
    fn catalog(&self) -> Catalog;

    /// Makes the binary with this digest ready, so that a run pinned to it can go on. An error says why it can't.
    async fn ready(&self, plugin: Digest) -> Result<(), String>;

    /// Whether `input` fits the action's input schema.
    fn check(&self, plugin: Digest, action: &ActionName, input: &Value) -> Result<(), Failure>;

    /// Does it.
    async fn run(&self, call: Call, notes: Arc<dyn Notes>) -> Outcome;

    /// Takes it back.
    async fn undo(&self, call: Call, undo_data: Option<String>, notes: Arc<dyn Notes>) -> Outcome;

    /// Says whether the attempt, whose answer was lost, happened.
    async fn verify(&self, call: Call, notes: Arc<dyn Notes>) -> Verdict;

    /// Whether some plugin is granted a secret of this name.
    fn grants_secret(&self, _: &str) -> bool {
        true
    }

    /// What a script says goes through this into `notes`: bounded, and without secrets.
    fn log(&self, notes: Arc<dyn Notes>) -> Log {
        Log::plain_of(notes)
    }
}

/// One call of an action.
#[derive(Debug, Clone)]
pub struct Call {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The idempotency key.
    pub key: Key,
    /// The plugin's digest.
    pub plugin: Digest,
    /// The action.
    pub action: ActionName,
    /// Its input.
    pub input: Value,
    /// How long it may take.
    pub timeout: Duration,
    /// What earlier attempts asked to remember.
    pub checkpoints: BTreeMap<String, Vec<u8>>,
    /// Turns true when it should stop.
    pub cancel: watch::Receiver<bool>,
}
