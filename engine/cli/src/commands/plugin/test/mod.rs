//! `runwright plugin test`

mod cases;
mod judge;
mod scratch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use host::{Call, Notes, PluginEntry, Reply, Said};
use runwright_core::{Note, Outcome};
use serde_json::json;

use self::cases::{Case, Cases};
use self::judge::judge;
use self::scratch::Scratch;
use super::workbench::Workbench;
use crate::human::{clean, count};
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright plugin test dist/hello.wasm cases.yaml
  runwright plugin test dist/hello.wasm cases.yaml -o json

A file of cases names calls and what each should come to:

  grants: { files: [{ path: '${scratch}', write: true }] }   # as in runwright.toml; nothing otherwise
  secrets: { token: not-a-real-one }                          # fakes
  cases:
    - name: greets
      action: greet
      input: { name: Ada }
      expect: { output: { text: 'Hello, Ada!' }, changed: false }
    - name: needs a name
      action: greet
      expect: { error: { kind: invalid-input, message: name } }

${scratch} stands for an empty folder that is gone afterwards. Other keys of a case: verb (plan, run, verify, undo), \
undo-data, undo-of (the name of a case above), attempt, timeout-ms, read-only. Other keys of expect: undo-data, \
verdict, summary, changes, lost (a part of why there is no answer), log (parts of log lines). The exit code is 1 if a \
case fails.";

/// Call a plugin's actions, with faked grants, and compare what comes back
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Test {
    /// The plugin: a component, or a program for WASI
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The cases, in YAML
    #[arg(value_name = "CASES")]
    cases: PathBuf,
}

/// What a case came to.
struct Tried {
    wrong: Vec<String>,
    lines: Vec<String>,
}

impl Test {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let Cases { grants, secrets, config, limits, cases } = self.read()?;
        if cases.is_empty() {
            return Err(Error::new(exit::INVALID, format!("{} has no cases", self.cases.display())));
        }
        let bench = Workbench::load(&self.file, limits).await?;
        let scratch = Scratch::new(&secrets)
            .map_err(|error| Error::because(exit::INTERNAL, "could not make a folder for the cases", &error))?;
        let invalid = |what: String| Error::new(exit::INVALID, format!("{}: {what}", self.cases.display()));
        let grants = scratch.grants(&grants, &secrets).map_err(invalid)?;
        let config = config.map(|config| scratch.fill(config));
        let entry = PluginEntry { grants, ..PluginEntry::default() };
        let granted = bench.host.set_grants(&bench.facts.name, &entry, config.as_ref());
        granted.map_err(|error| invalid(error.to_string()))?;
        let mut answers = BTreeMap::new();
        let (mut shown, mut failed) = (Vec::new(), 0);
        for case in &cases {
            let Tried { wrong, lines } = self.attempt(&bench, &scratch, case, &mut answers).await?;
            failed += usize::from(!wrong.is_empty());
            context.screen.lines(text(context, case, &wrong, &lines));
            shown.push(json!({ "name": case.name, "ok": wrong.is_empty(), "problems": wrong, "log": lines }));
        }
        context.screen.json(&json!({ "ok": failed == 0, "cases": shown }));
        context.screen.line(format!("{}: {} ok, {failed} failed", count(cases.len(), "case"), cases.len() - failed));
        Ok(if failed == 0 { exit::SUCCEEDED } else { exit::FAILED })
    }

    fn read(&self) -> Result<Cases, Error> {
        let path = self.cases.display().to_string();
        let bytes = std::fs::read(&self.cases)
            .map_err(|error| Error::because(exit::INVALID, format!("could not read {path}"), &error))?;
        let scripts = script::Engine::new(script::Limits::default());
        lang::typed::<Cases>(&path, &bytes, &scripts).map_err(|diagnostics| {
            let mut error = Error::new(exit::INVALID, format!("{path} is no file of cases"));
            error.diagnostics = Some(lang::render(&diagnostics, &bytes));
            error.hint("`runwright plugin test --help` shows one")
        })
    }

    async fn attempt(
        &self,
        bench: &Workbench,
        scratch: &Scratch,
        case: &Case,
        answers: &mut BTreeMap<String, Option<String>>,
    ) -> Result<Tried, Error> {
        let undo_data = match &case.undo_of {
            None => case.undo_data.clone(),
            Some(of) => answers.get(of).cloned().ok_or_else(|| {
                let what = format!("{}: the case `{}` undoes `{of}`", self.cases.display(), case.name);
                Error::new(exit::INVALID, what).hint("it must be the name of a case above it that succeeded")
            })?,
        };
        // Nobody cancels.
        let (_alive, cancel) = tokio::sync::watch::channel(false);
        let call = Call {
            plugin: bench.facts.digest,
            action: case.action.clone(),
            verb: case.verb.into(),
            input: scratch.fill(case.input.clone()),
            undo_data: undo_data.map(|data| scratch.text(&data)),
            run: "test".to_owned(),
            step: "case".to_owned(),
            attempt: case.attempt,
            key: format!("test/{}/{}", case.action, case.name),
            deadline: case.timeout_ms.map(Duration::from_millis),
            cancel,
            checkpoints: BTreeMap::new(),
            read_only: case.read_only,
        };
        let heard = Arc::new(Heard::default());
        let reply = bench.host.call(call, Arc::<Heard>::clone(&heard)).await;
        let lines = std::mem::take(&mut *heard.lines.lock().unwrap_or_else(PoisonError::into_inner));
        if let Reply::Outcome(Outcome::Succeeded(answer)) = &reply {
            answers.insert(case.name.clone(), answer.undo_data.clone());
        }
        let wrong = judge(&scratch.expect(&case.expect), &reply, &lines);
        Ok(Tried { wrong, lines })
    }
}

fn text(context: &Context, case: &Case, wrong: &[String], lines: &[String]) -> Vec<String> {
    let (tone, word) = if wrong.is_empty() { (Tone::Good, "ok  ") } else { (Tone::Bad, "FAIL") };
    let mut text = vec![format!("{}  {}", context.screen.paint(tone, word), clean(&case.name))];
    text.extend(wrong.iter().map(|wrong| format!("      {wrong}")));
    if !wrong.is_empty() || context.global.verbose > 0 {
        text.extend(lines.iter().map(|line| format!("      log: {}", clean(line))));
    }
    text
}

/// The log of one call.
#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Notes for Heard {
    fn say(&self, said: Said) {
        if !said.passes {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(format!("{}: {}", said.stream.as_str(), said.text));
        }
    }

    fn progress(&self, _: Option<u8>, _: &str) {}

    async fn note(&self, _: Note) -> Result<(), String> {
        Ok(())
    }
}
