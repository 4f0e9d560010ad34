//! The folders that `runwright serve` watches: whatever stands in them, the engine goes on.

mod alarms;
mod odd;
mod plugins;
mod runbooks;
mod watching;

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

use crate::support::{Called, Project};

/// The project with an engine that serves it.
fn serve(project: &Project) -> Called {
    ready(project, project.start(&["serve"]))
}

fn ready(project: &Project, served: Called) -> Called {
    served.wait_until("serving", || project.path("state/api.sock").exists())
}

/// A call by somebody whom the modes of files bind; root is bound by none, unless it gives that up. Another user might not
/// even reach the program, in a clone that only root can read.
fn bound(project: &Project, words: &[&str]) -> Command {
    let call = project.command(words);
    if !rustix::process::geteuid().is_root() {
        return call;
    }
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-dac_override,-dac_read_search").arg(call.get_program()).args(call.get_args());
    command.current_dir(project.folder()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in call.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// A runbook that an alarm of its name calls for.
fn runbook(name: &str, answer: u32) -> String {
    format!(
        "name: {name}\non: {{ alarm: {{ where: alarm.name == \"{name}\" }} }}\nsteps: [{{ id: a, script: \"{answer}\" }}]\n\
         outputs: {{ answer: \"${{{{ steps.a.output }}}}\" }}\n"
    )
}

/// An alarm of this name.
fn alarm(name: &str) -> String {
    format!(r#"{{"labels":{{"alertname":"{name}"}},"startsAt":"2026-01-31T12:00:00Z"}}"#)
}

/// The problems that `status` lists, each as `SUBJECT: PROBLEM`.
fn problems(project: &Project) -> Vec<String> {
    let status = project.call(&["status", "-o", "json"]);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let problem = |problem: &Value| format!("{}: {}", text(&problem["subject"]), text(&problem["problem"]));
    let status = status.json();
    status["problems"].as_array().expect("a list").iter().map(problem).collect()
}

/// Whether a problem has all of these words.
fn is_told(project: &Project, words: &[&str]) -> bool {
    problems(project).iter().any(|problem| words.iter().all(|word| problem.contains(word)))
}

/// The names of the runbooks that ran, newest first.
fn ran(project: &Project) -> Vec<String> {
    let runs = project.call(&["runs", "list", "-o", "json"]).json();
    let runs = runs.as_array().or_else(|| runs["runs"].as_array()).expect("a list").clone();
    runs.iter().map(|run| run["name"].as_str().or(run["runbook"].as_str()).expect("a name").to_owned()).collect()
}

/// What a run of this runbook gives; null where it can't be run.
fn answer(project: &Project, name: &str) -> Value {
    let ran = project.call(&["run", name, "-o", "json"]);
    if ran.exit == Some(0) { ran.json()["outputs"]["answer"].clone() } else { Value::Null }
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
}
