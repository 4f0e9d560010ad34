//! The plugin host as the driver's [`Plugins`].

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use host::{Host, Log, Notes, Reply, Verb};
use runwright_core::{ActionName, Catalog, Digest, Failure, Outcome, Value, Verdict};

use crate::{Call, Plugins};

/// Plugins in the host, with the folder in which the binaries are kept that runs are pinned to.
#[derive(Clone)]
pub struct Hosted {
    /// The host.
    pub host: Arc<Host>,
    /// The folder: one file a plugin, named by [`kept_name`](Self::kept_name).
    pub kept: PathBuf,
}

impl Hosted {
    /// The name of the file in which the binary with this digest is kept.
    pub fn kept_name(plugin: Digest) -> String {
        format!("{}.wasm", plugin.to_string().replace(':', "-"))
    }

    async fn call(&self, verb: Verb, call: Call, undo_data: Option<String>, notes: Arc<dyn Notes>) -> Reply {
        let call = host::Call {
            plugin: call.plugin,
            action: call.action.action().to_owned(),
            verb,
            input: call.input,
            undo_data,
            run: call.run.to_string(),
            step: call.step,
            attempt: call.attempt,
            key: call.key.as_str().to_owned(),
            deadline: Some(call.timeout),
            cancel: call.cancel,
            checkpoints: call.checkpoints,
            read_only: false,
        };
        self.host.call(call, notes).await
    }
}

#[async_trait]
impl Plugins for Hosted {
    fn catalog(&self) -> Catalog {
        self.host.catalog()
    }

    async fn ready(&self, plugin: Digest) -> Result<(), String> {
        if self.host.is_loaded(plugin) {
            return Ok(());
        }
        let path = self.kept.join(Self::kept_name(plugin));
        let loaded = self.host.load_pinned(&path).await.map_err(|error| error.to_string())?;
        if loaded == plugin { Ok(()) } else { Err(format!("{} has changed: it is {loaded}", path.display())) }
    }

    fn check(&self, plugin: Digest, action: &ActionName, input: &Value) -> Result<(), Failure> {
        self.host.validate(plugin, action.action(), input)
    }

    async fn run(&self, call: Call, notes: Arc<dyn Notes>) -> Outcome {
        outcome(self.call(Verb::Run, call, None, notes).await)
    }

    async fn undo(&self, call: Call, undo_data: Option<String>, notes: Arc<dyn Notes>) -> Outcome {
        outcome(self.call(Verb::Undo, call, undo_data, notes).await)
    }

    async fn verify(&self, call: Call, notes: Arc<dyn Notes>) -> Verdict {
        match self.call(Verb::Verify, call, None, notes).await {
            Reply::Verdict(Ok(verdict)) => verdict,
            Reply::Verdict(Err(failure)) => Verdict::CannotTell { reason: failure.message },
            other => Verdict::CannotTell { reason: format!("the host answered verify with {other:?}") },
        }
    }

    fn grants_secret(&self, name: &str) -> bool {
        self.host.grants_secret(name)
    }

    fn log(&self, notes: Arc<dyn Notes>) -> Log {
        self.host.log(notes)
    }
}

fn outcome(reply: Reply) -> Outcome {
    match reply {
        Reply::Outcome(outcome) => outcome,
        other => Outcome::Lost { reason: format!("the host answered with {other:?}") },
    }
}
