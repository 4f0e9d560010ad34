//! Of which run, step and attempt a call is.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// What the engine tells an action about the call that it is in.
///
/// In a unit test make one with [`Context::new`].
#[derive(Debug, Clone, Default)]
pub struct Context {
    run: String,
    step: String,
    attempt: u32,
    key: String,
    deadline: Option<Duration>,
    target: Option<String>,
    config: Option<String>,
    traceparent: Option<String>,
}

impl Context {
    /// The first attempt of `step` in `run`, with the idempotency key `key`.
    pub fn new(run: impl Into<String>, step: impl Into<String>, key: impl Into<String>) -> Self {
        Self { run: run.into(), step: step.into(), attempt: 1, key: key.into(), ..Self::default() }
    }

    /// The same as attempt number `attempt`.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The same with `json` as the plugin's configuration.
    #[must_use]
    pub fn with_config(mut self, json: impl Into<String>) -> Self {
        self.config = Some(json.into());
        self
    }

    /// The same with so much time left.
    #[must_use]
    pub fn with_deadline(mut self, left: Duration) -> Self {
        self.deadline = Some(left);
        self
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The step's id.
    pub fn step(&self) -> &str {
        &self.step
    }

    /// Which attempt of the step this is; counts from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The idempotency key: the same for every attempt of this step in this run, another one for its undo.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How much time was left when the call started; none: no limit is known.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// What the step acts on, where the runbook names it.
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// The W3C trace context of the call.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// The plugin's configuration from `runwright.toml`, for example an inventory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Permanent`](crate::ErrorKind::Permanent) with the code `config.missing` when there is none, and
    /// `config.invalid` when it does not fit `T`.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T> {
        let text = self.config.as_deref().ok_or_else(|| {
            Error::permanent("this plugin needs a configuration, and runwright.toml has none for it")
                .code("config.missing")
        })?;
        serde_json::from_str(text).map_err(|error| {
            Error::permanent(format!("the plugin's configuration is not valid: {error}")).code("config.invalid")
        })
    }
}

impl From<crate::bindings::runwright::plugin::types::Context> for Context {
    fn from(from: crate::bindings::runwright::plugin::types::Context) -> Self {
        Self {
            run: from.run,
            step: from.step,
            attempt: from.attempt,
            key: from.idempotency_key,
            deadline: from.deadline_ms.map(|ms| Duration::from_millis(ms.into())),
            target: from.target,
            config: from.config,
            traceparent: from.traceparent,
        }
    }
}
