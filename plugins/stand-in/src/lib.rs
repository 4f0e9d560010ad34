//! Stands in for the plugin `vm`, under its name, where a test needs hundreds of recoveries: a VM is a folder.
//!
//! The VM is broken until it is reprovisioned; a restart does not help. Every effect is a line `KEY ACTION ATTEMPT` in
//! the folder's `effects`, so that a test counts them from outside.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};

use runwright_sdk::{
    Action, Context, Error, Outcome, Plugin, Result, Verdict,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Config {
    folder: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the stand-in has one VM, but the inputs are those of `vm`")]
struct Input {
    vm: String,
    image: Option<String>,
    r#for: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Finding {
    finding: String,
    summary: String,
}

#[derive(Serialize, JsonSchema)]
struct Done {
    line: String,
}

fn effects(context: &Context) -> Result<String> {
    Ok(format!("{}/effects", context.config::<Config>()?.folder))
}

fn happened(context: &Context, prefix: &str) -> Result<Option<String>> {
    match fs::read_to_string(effects(context)?) {
        Ok(text) => Ok(text.lines().find(|line| line.contains(prefix)).map(Into::into)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::permanent(format!("could not read the effects: {error}"))),
    }
}

fn act(action: &str, context: &Context) -> Result<Outcome<Done>> {
    let line = format!("{} {action} {}", context.key(), context.attempt());
    let opened = OpenOptions::new().append(true).create(true).open(effects(context)?);
    opened
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        .map_err(|error| Error::permanent(format!("could not write the effect: {error}")))?;
    Ok(Outcome::changed(Done { line }))
}

fn verify(action: &str, context: &Context) -> Result<Verdict<Done>> {
    Ok(match happened(context, &format!("{} {action} ", context.key()))? {
        Some(line) => Verdict::Happened(Outcome::changed(Done { line })),
        None => Verdict::NotHappened,
    })
}

fn diagnose(_: Input, context: &Context) -> Result<Outcome<Finding>> {
    let finding = if happened(context, " reprovision ")?.is_some() { "healthy" } else { "guest-panicked" };
    Ok(Outcome::unchanged(Finding { finding: finding.into(), summary: format!("it is {finding}") }))
}

fn wait_healthy(input: Input, context: &Context) -> Result<Outcome<Finding>> {
    match happened(context, " reprovision ")? {
        Some(_) => diagnose(input, context),
        None => Err(Error::permanent("it is not healthy")),
    }
}

fn plugin() -> Plugin {
    Plugin::new("vm", env!("CARGO_PKG_VERSION"), "Stands in for virtual machines in tests")
        .action(Action::read("diagnose", "Says what is the matter", diagnose))
        .action(Action::read("wait-healthy", "Fails unless it is healthy", wait_healthy))
        .action(Action::idempotent("resume", "Writes a line", |_: Input, context: &Context| act("resume", context)))
        .action(
            Action::unsafe_("restart", "Writes a line", |_: Input, context: &Context| act("restart", context))
                .verify(|_: Input, context: &Context| verify("restart", context)),
        )
        .action(
            Action::unsafe_("reprovision", "Writes a line", |_: Input, context: &Context| act("reprovision", context))
                .destructive()
                .verify(|_: Input, context: &Context| verify("reprovision", context)),
        )
}

runwright_sdk::export!(plugin);
