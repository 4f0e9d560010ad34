//! A unit: its name, its state, and `systemctl`.

use std::collections::BTreeMap;
use std::time::Duration;

use runwright_sdk::exec::Output;
use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::via::{Place, Places};
use runwright_sdk::{Context, Error, ErrorKind, Result, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// How long a question may take.
const ASK: Duration = Duration::from_secs(20);
/// Characters of what systemctl says that an error repeats.
const SHOWN_MAX: usize = 300;
/// Bytes of a unit's name (systemd's UNIT_NAME_MAX).
const NAME_MAX: usize = 255;
/// What is asked of a unit.
const PROPERTIES: &str =
    "Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,Result,NRestarts,InvocationID,CanReload,Description";
/// What a unit's name may end in; a name that ends in none is a service.
const TYPES: [&str; 8] = [".service", ".socket", ".timer", ".mount", ".automount", ".path", ".target", ".swap"];

/// A unit of some system.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Named {
    /// The unit's name; `nginx` is `nginx.service`.
    #[schemars(example = &"nginx")]
    unit: String,
    /// The system, by its name in the plugin's configuration; without it the one where `via` leads.
    #[schemars(example = &"web1")]
    host: Option<String>,
}

/// The input of actions that need no more.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    #[serde(flatten)]
    pub(crate) named: Named,
    /// How long systemctl may take; a unit that takes longer may still get there.
    #[serde(default = "ninety_seconds")]
    #[schemars(example = json!("90s"))]
    pub(crate) timeout: Span,
}

fn ninety_seconds() -> Span {
    Span::seconds(90)
}

/// A unit, and the way to it.
pub(crate) struct Unit {
    pub(crate) name: String,
    place: Place,
}

/// A unit's state, as systemd has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct State {
    /// The unit's full name.
    #[schemars(example = &"nginx.service")]
    pub(crate) unit: String,
    /// What it is, for people.
    #[schemars(example = &"A high performance web server")]
    pub(crate) description: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`.
    #[schemars(example = &"loaded")]
    pub(crate) load: String,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`.
    #[schemars(example = &"active")]
    pub(crate) active: String,
    /// The same in the words of the unit's type.
    #[schemars(example = &"running")]
    pub(crate) sub: String,
    /// Whether it starts at boot: `enabled`, `disabled`, `static`, `masked` and others; empty where there is no file.
    #[schemars(example = &"enabled")]
    pub(crate) enabled: String,
    /// Its main process; 0: none.
    #[schemars(example = 812)]
    pub(crate) pid: u32,
    /// How it ended last: `success`, `exit-code`, `signal`, `timeout` and others.
    #[schemars(example = &"success")]
    pub(crate) result: String,
    /// How often systemd has started it again by itself.
    #[schemars(example = 0)]
    pub(crate) restarts: u32,
    /// Names one start of it: another one has another.
    #[schemars(example = &"7b5e4b1a4f0c4c0e9d2f1c3b5a697887")]
    pub(crate) invocation: String,
    /// Whether it can be reloaded.
    #[schemars(example = true)]
    pub(crate) can_reload: bool,
}

impl State {
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    /// Whether nothing of it runs, and systemd is not about to start it: `activating` is neither this nor active.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed")
    }

    /// Whether it stands as `start` (`on`) or `stop` leave it.
    pub(crate) fn stands(&self, on: bool) -> bool {
        if on { self.is_active() } else { self.is_stopped() }
    }

    /// Whether it was started since it was in the invocation `before`: it is active, or it did its work and ended, as
    /// units of the type `oneshot` do.
    pub(crate) fn was_started_since(&self, before: &str) -> bool {
        let other = self.invocation.is_empty() || self.invocation != before;
        other && (self.is_active() || (self.active == "inactive" && self.result == "success"))
    }

    fn read(text: &str) -> Self {
        let properties: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let text = |name: &str| properties.get(name).copied().unwrap_or_default().to_owned();
        let number = |name: &str| text(name).parse().unwrap_or(0);
        Self {
            unit: text("Id"),
            description: text("Description"),
            load: text("LoadState"),
            active: text("ActiveState"),
            sub: text("SubState"),
            enabled: text("UnitFileState"),
            pid: number("MainPID"),
            result: text("Result"),
            restarts: number("NRestarts"),
            invocation: text("InvocationID"),
            can_reload: text("CanReload") == "yes",
        }
    }
}

impl Unit {
    pub(crate) fn of(named: &Named, context: &Context) -> Result<Self> {
        let place = Places::of(context)?.place(named.host.as_deref())?;
        Ok(Self { name: checked(&named.unit)?, place })
    }

    /// Its state, of whatever unit.
    pub(crate) fn look(&self) -> Result<State> {
        let args = ["show", "--property", PROPERTIES, "--", &self.name];
        let output = self.place.command(SYSTEMCTL, args).timeout(ASK).run().map_err(|error| {
            // A question that was cut off has done nothing.
            let error = Error::from(error).context("systemctl show");
            if error.kind() == ErrorKind::UnknownOutcome { Error::transient(error.to_string()) } else { error }
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        if output.success() && text.contains("ActiveState=") {
            return Ok(State::read(&text));
        }
        let message = format!("systemd did not tell the state of {}{}", self.name, said(&output));
        Err(Error::transient(message).code("service.no-answer"))
    }

    /// The state of a unit that can be used.
    pub(crate) fn find(&self) -> Result<State> {
        let state = self.look()?;
        match state.load.as_str() {
            "not-found" => Err(Error::permanent(format!("there is no unit {}", self.name)).code("service.not-found")),
            "masked" => {
                let message = format!("{} is masked: `systemctl unmask` it, if it shall run", self.name);
                Err(Error::permanent(message).code("service.masked"))
            }
            "loaded" => Ok(state),
            load => Err(Error::permanent(format!("the unit {} is {load}", self.name)).code("service.bad-unit")),
        }
    }

    /// Starts it, or stops it, and looks whether that is so now; `before` is the state of before.
    pub(crate) fn turn(&self, on: bool, before: &State, timeout: Span) -> Result<State> {
        let verb = if on { "start" } else { "stop" };
        let state = self.act(verb, timeout)?;
        let done = state.stands(on) || (on && state.was_started_since(&before.invocation));
        if done { Ok(state) } else { Err(other_state(verb, &state)) }
    }

    /// The state for a preview, where asking is granted in a dry run.
    pub(crate) fn preview(&self) -> Result<Option<State>> {
        match self.find() {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.kind() == ErrorKind::Denied => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets systemctl do `verb` and wait until it is done; the state after it.
    pub(crate) fn act(&self, verb: &str, timeout: Span) -> Result<State> {
        let command = self.place.command(SYSTEMCTL, [verb, "--", &self.name]).timeout(timeout.into());
        let output = command.run().map_err(|error| {
            let known = matches!(error, runwright_sdk::exec::Error::TimedOut);
            let error = Error::from(error).context(format!("systemctl {verb} {}", self.name));
            if known { error.context(format!("it takes longer than {timeout}; it may still get there")) } else { error }
        })?;
        if output.success() {
            return self.look().map_err(Error::after_effect);
        }
        let state =
            self.look().map_or_else(|_| "unknown".into(), |state| format!("{}, {}", state.active, state.result));
        let message = format!("systemctl {verb} {} failed; the unit is {state}{}", self.name, said(&output));
        Err(match output.status {
            // A job failed: the unit may stand elsewhere than before.
            Some(1..=254) => Error::partial(message).code("service.failed"),
            // What ssh and its like say when they lost the other side.
            _ => Error::unknown_outcome(message).code("service.no-answer"),
        })
    }
}

/// systemctl said that it went well, and the unit stands otherwise.
pub(crate) fn other_state(verb: &str, state: &State) -> Error {
    let message = format!(
        "systemctl {verb} {} ended without an error, but the unit is {} ({}), {}",
        state.unit,
        or_nothing(&state.active),
        or_nothing(&state.sub),
        or_nothing(&state.enabled),
    );
    Error::partial(message).code("service.other-state")
}

fn or_nothing(word: &str) -> &str {
    if word.is_empty() { "in no state" } else { word }
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_MAX).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

/// The full name. What a shell or systemctl could read as something else is refused.
fn checked(name: &str) -> Result<String> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || ":_.@-".contains(c));
    if name.is_empty() || name.starts_with(['-', '.']) || name.len() > NAME_MAX || !plain {
        let message = format!("{name:?} is no unit: letters, digits and `:_.@-`, without escapes and patterns");
        return Err(Error::invalid_input(message).code("service.unit"));
    }
    let typed = TYPES.iter().any(|end| name.ends_with(end));
    Ok(if typed { name.to_owned() } else { format!("{name}.service") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_unit() {
        assert_eq!(checked("nginx").unwrap(), "nginx.service");
        assert_eq!(checked("getty@tty1.service").unwrap(), "getty@tty1.service");
        assert_eq!(checked("backup.timer").unwrap(), "backup.timer");
        assert_eq!(checked("app.v2").unwrap(), "app.v2.service");
        for wrong in ["", "-H", "*.service", "a b", "a;b", "../x", "a\\x2db", "$(id)", &"a".repeat(300)] {
            assert_eq!(checked(wrong).unwrap_err().code_text(), Some("service.unit"), "{wrong}");
        }
    }

    #[test]
    fn a_start_is_known_by_the_state_and_the_invocation() {
        let state = |active: &str, result: &str, invocation: &str| {
            State::read(&format!("ActiveState={active}\nResult={result}\nInvocationID={invocation}\n"))
        };
        assert!(state("active", "success", "b").was_started_since("a"));
        assert!(!state("active", "success", "a").was_started_since("a"), "that is the old one");
        assert!(state("inactive", "success", "b").was_started_since("a"), "it did its work and ended");
        assert!(!state("inactive", "success", "a").was_started_since("a"));
        assert!(!state("failed", "exit-code", "b").was_started_since("a"));
        assert!(!state("activating", "success", "b").was_started_since("a"));
        assert!(state("active", "success", "").was_started_since(""), "no systemd that tells");
    }

    #[test]
    fn a_state_is_read_as_systemd_shows_it() {
        let state = State::read(
            "Id=nginx.service\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n\
             MainPID=812\nResult=success\nNRestarts=2\nInvocationID=7b5e\nCanReload=yes\nDescription=a=b\n",
        );
        assert!(state.is_active() && state.can_reload);
        assert_eq!((state.pid, state.restarts, state.description.as_str()), (812, 2, "a=b"));
        let loops = State::read("LoadState=loaded\nActiveState=activating\nSubState=auto-restart\n");
        assert!(!loops.stands(true) && !loops.stands(false), "it is neither started nor stopped");
        let odd = State::read("LoadState=loaded\nActiveState=frobnicated\n");
        assert!(!odd.stands(true) && !odd.stands(false));
        let gone = State::read("LoadState=not-found\nActiveState=inactive\n");
        assert_eq!((gone.load.as_str(), gone.is_active(), gone.pid), ("not-found", false, 0));
    }
}
