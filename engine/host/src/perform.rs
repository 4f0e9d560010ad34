//! Performing a call: the checks before it, the sandbox around it, the judgement after it.

use std::sync::Arc;
use std::time::Duration;

use runwright_core::{Failure, FailureKind, Outcome, Stream, Verdict};
use wasmtime::Store;

use crate::answer::{Judge, Unanswered};
use crate::bindings::{Guest, types};
use crate::call::{Call, Reply, Verb};
use crate::command::{self, Exchange, Exited};
use crate::ending::{Ending, cancelled};
use crate::grants::Granted;
use crate::host::{Entry, Host, Loaded, not_loaded};
use crate::linked::Linked;
use crate::notes::Notes;
use crate::redact::Tainted;
use crate::sandbox::Ended;
use crate::state::{Setup, State};

/// What the plugin said, in the words of `sdk/wit`.
enum Said {
    Preview(types::Preview),
    Outcome(types::Outcome),
    Undone(types::Outcome),
    Verdict(types::Verdict),
}

impl Host {
    /// Calls a plugin, in a sandbox of its own that is gone when this returns.
    ///
    /// The reply is always about this call: whatever the plugin does (traps, loops, lies about its schema) ends it with
    /// an [`Outcome::Lost`] that names the limit. An [`Outcome::Failed`] that the host itself gives means that the
    /// plugin was not called. Dropping the future drops the sandbox.
    pub async fn call(&self, call: Call, notes: Arc<dyn Notes>) -> Reply {
        let verb = call.verb;
        notes.waits(true);
        self.know_secrets().await;
        let tainted = self.sandbox.shared.tainted.for_call();
        let mut reply = match self.perform(call, notes, &tainted).await {
            Ok(reply) => reply,
            Err(unanswered) => reply(verb, unanswered),
        };
        tainted.hide_reply(&mut reply);
        reply
    }

    async fn perform(&self, call: Call, notes: Arc<dyn Notes>, tainted: &Tainted) -> Result<Reply, Unanswered> {
        let loaded = self.plugin(call.plugin).ok_or_else(|| Unanswered::Failed(not_loaded(call.plugin)))?;
        let schemas = loaded.schemas(&call.action).map_err(Unanswered::Failed)?;
        if matches!(call.verb, Verb::Plan | Verb::Run) {
            let invalid = |why| Unanswered::Failed(Failure::new(FailureKind::InvalidInput, why));
            schemas.input.check(&call.input).map_err(invalid)?;
        }
        let _turn = self.turn(&call, &*notes).await?;
        let name = format!("{}/{}", loaded.name, call.action);
        let verb = call.verb;
        let Ended { answer, report, cut, log } = self
            .enter(&loaded, call, notes, tainted.clone())
            .await
            .map_err(|reason| Unanswered::Lost(format!("{name} {reason}")))?;
        let (limits, output) = (&self.sandbox.limits, &schemas.output);
        let acted = matches!(verb, Verb::Run | Verb::Undo) && report.acts > 0;
        let judge = Judge { limits, output, tainted, report: &report, acted, cut: cut.as_deref() };
        let judged = judged(&judge, answer);
        // What was refused is told once: by the failure, where it is about that.
        let told = judged.as_ref().err().map_or("", Unanswered::text);
        report.untold(told).for_each(|why| log.write(Stream::Warn, why));
        log.finish();
        judged.map_err(|unanswered| match unanswered {
            Unanswered::Lost(reason) => Unanswered::Lost(format!("{name} {reason}")),
            failed @ Unanswered::Failed(_) => failed,
        })
    }

    /// Waits until there are fewer calls than the limit, or the call is cancelled: then nothing happened.
    async fn turn(&self, call: &Call, notes: &dyn Notes) -> Result<tokio::sync::SemaphorePermit<'_>, Unanswered> {
        let failed = |kind, message: &str| Unanswered::Failed(Failure::new(kind, message));
        let turn = tokio::select! {
            biased;
            () = cancelled(call.cancel.clone()) => Err(failed(FailureKind::Cancelled, "it was cancelled before it began")),
            turn = self.calls.acquire() => {
                turn.map_err(|_| failed(FailureKind::Transient, "the plugin host is shutting down"))
            }
        };
        notes.waits(false);
        turn
    }

    async fn enter(
        &self,
        loaded: &Loaded,
        call: Call,
        notes: Arc<dyn Notes>,
        tainted: Tainted,
    ) -> Result<Ended<Result<Said, types::PluginError>>, String> {
        let entry = self.entry(&loaded.name);
        let time = call.deadline.unwrap_or_else(|| self.sandbox.limits.deadline());
        let context = context(&call, &entry, time);
        let setup = |exchange| Setup {
            plugin: Arc::clone(&loaded.name),
            grants: granted(&entry, loaded),
            ending: Ending::new(time, call.cancel.clone()),
            notes,
            tainted,
            checkpoints: call.checkpoints.clone(),
            read_only: call.read_only || call.verb == Verb::Plan,
            exchange,
        };
        match &loaded.linked {
            Linked::Component(plugin) => {
                let work = async |store: &mut Store<State>| {
                    let instance = plugin.instantiate_async(&mut *store).await?;
                    ask(instance.runwright_plugin_actions(), store, &call, &context).await
                };
                self.sandbox.enter(setup(None), time, work).await
            }
            Linked::Command(program) => {
                let exchange = Exchange::of(&call, &context, &self.sandbox.limits)?;
                let response = exchange.response.clone();
                let work = async |store: &mut Store<State>| command::run(program, store, response).await;
                let Ended { answer, report, cut, log } = self.sandbox.enter(setup(Some(exchange)), time, work).await?;
                Ok(Ended { answer: said(call.verb, answer)?, report, cut, log })
            }
        }
    }
}

/// What a program said.
fn said(verb: Verb, exited: Exited) -> Result<Result<Said, types::PluginError>, String> {
    Ok(match verb {
        Verb::Plan => command::preview(exited)?.map(Said::Preview),
        Verb::Run => command::outcome(exited)?.map(Said::Outcome),
        Verb::Undo => command::outcome(exited)?.map(Said::Undone),
        Verb::Verify => command::verdict(exited)?.map(Said::Verdict),
    })
}

/// The grants of this very binary.
fn granted(entry: &Entry, loaded: &Loaded) -> Arc<Granted> {
    match entry.granted.binding.refuses(&loaded.facts) {
        Some(why) => Arc::new(Granted::withheld(why)),
        None => Arc::clone(&entry.granted),
    }
}

fn context(call: &Call, entry: &Entry, time: Duration) -> types::Context {
    types::Context {
        run: call.run.clone(),
        step: call.step.clone(),
        attempt: call.attempt,
        idempotency_key: call.key.clone(),
        deadline_ms: Some(u32::try_from(time.as_millis()).unwrap_or(u32::MAX)),
        target: None,
        config: entry.config.clone(),
        traceparent: None,
    }
}

async fn ask(
    actions: &Guest,
    store: &mut Store<State>,
    call: &Call,
    context: &types::Context,
) -> wasmtime::Result<Result<Said, types::PluginError>> {
    let (action, input) = (call.action.as_str(), call.input.to_string());
    Ok(match call.verb {
        Verb::Plan => actions.call_plan(store, action, &input, context).await?.map(Said::Preview),
        Verb::Run => actions.call_run(store, action, &input, context).await?.map(Said::Outcome),
        Verb::Verify => actions.call_verify(store, action, &input, context).await?.map(Said::Verdict),
        Verb::Undo => {
            let data = call.undo_data.as_deref();
            actions.call_undo(store, action, &input, data, context).await?.map(Said::Undone)
        }
    })
}

fn judged(judge: &Judge<'_>, answer: Result<Said, types::PluginError>) -> Result<Reply, Unanswered> {
    match answer.map_err(|error| judge.error(error))? {
        Said::Preview(preview) => judge.preview(preview).map(|preview| Reply::Preview(Ok(preview))),
        Said::Outcome(outcome) => judge.outcome(outcome).map(|answer| Reply::Outcome(Outcome::Succeeded(answer))),
        Said::Undone(outcome) => judge.undone(outcome).map(|answer| Reply::Outcome(Outcome::Succeeded(answer))),
        Said::Verdict(verdict) => judge.verdict(verdict).map(|verdict| Reply::Verdict(Ok(verdict))),
    }
}

fn reply(verb: Verb, unanswered: Unanswered) -> Reply {
    match (verb, unanswered) {
        (Verb::Run | Verb::Undo, unanswered) => Reply::Outcome(unanswered.into()),
        (Verb::Verify, Unanswered::Failed(failure)) => Reply::Verdict(Err(failure)),
        (Verb::Verify, Unanswered::Lost(reason)) => Reply::Verdict(Ok(Verdict::CannotTell { reason })),
        (Verb::Plan, Unanswered::Failed(failure)) => Reply::Preview(Err(failure)),
        // Whatever became of a preview, nothing happened outside.
        (Verb::Plan, Unanswered::Lost(reason)) => Reply::Preview(Err(Failure::new(FailureKind::Permanent, reason))),
    }
}
